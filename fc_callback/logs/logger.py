"""A structured log: one line of JSON for each record, with the invocation and the task it belongs to.

    log = Logger("orders")

    @task_callback
    def handler(event, context):
        log.bind(order_id=7)                      # on every record from here to the end of this invocation
        log.info("Charged %s", card, amount=3)    # fields of this record

It works through the standard `logging`, on the handler that FC's runtime has put on the root logger: the records of
libraries are written in the same form, and no record is written twice. Secrets are masked (see `fc_callback.redaction`).
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from fc_callback import metrics, settings
from fc_callback.errors import SettingsError
from fc_callback.logs import binding
from fc_callback.logs.processors import Processors
from fc_callback.logs.setup import is_set_up, set_up
from fc_callback.redaction import Redactor, checked_names
from fc_callback.values import validators
from fc_callback.values.record_text import LOG_FIELDS, PASSING_THROUGH, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping
    from types import FrameType

    from fc_callback.logs.processors import Processor

    _Adapter = logging.LoggerAdapter[logging.Logger]
else:  # not subscriptable before Python 3.11
    _Adapter = logging.LoggerAdapter

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_FORMS = ("json", "console")
_LOGGING_ARGUMENTS = frozenset({"exc_info", "stack_info", "stacklevel", "extra"})
_LOGGING_FILE = logging.Logger.info.__code__.co_filename


class Logger(_Adapter):
    """A logger whose calls take fields, and which sets up the log of the process.

    The options apply to the whole process, not to this logger: the level and the form of all records. The first `Logger`
    sets them; a further one changes them only where it is given options.

    Args:
        name: The logger's name, as for `logging.getLogger`.
        level: The lowest level that is written, a name or a number; else `CLOUDFLOW_LOG_LEVEL`, else INFO.
        mask: Further names whose values are masked, beside those of tokens, keys and passwords.
        redact: False writes secrets too.
        hold_debug: Keep records below the level in memory, up to 256 KiB, and write them if the invocation fails.
        sample: Write every record of this share of the invocations, 0 to 1.
        form: `json`, or `console` for people; else `CLOUDFLOW_LOG_FORM`, else `console` where standard error is a terminal.
        fields: Fields of every record, like `{"service": "orders"}`.
        processors: Functions that get the fields of each line as a dict, before secrets are masked, and return the fields to
            write, or None to drop the record. One that raises is passed over.
        task_record: Whether each task writes its record (see `fc_callback.metrics`).

    Raises:
        SettingsError: An option or the variable cannot be used.
    """

    def __init__(
        self,
        name: str = "app",
        *,
        level: str | int | None = None,
        mask: Iterable[str] = (),
        redact: bool = True,
        hold_debug: bool = False,
        sample: float = 0.0,
        form: Literal["json", "console"] | None = None,
        fields: Mapping[str, Any] | None = None,
        processors: Iterable[Processor] = (),
        task_record: bool = True,
    ) -> None:
        validators.text("name", name, 'Give the name of a logger, like Logger("orders").')
        mask = checked_names("mask", mask)
        validators.flag("redact", redact)
        validators.flag("hold_debug", hold_debug)
        validators.flag("task_record", task_record)
        validators.number("sample", sample, least=0, most=1)
        if form is not None:
            validators.one_of("form", form, _FORMS)
        if fields is not None:
            validators.instance_of("fields", fields, Mapping, 'Give a dict, like fields={"service": "orders"}.')
            validators.texts("fields", fields, 'Give a dict with texts as its keys, like fields={"service": "orders"}.')
        chosen = Processors(processors)
        minimum = _level(level)
        super().__init__(logging.getLogger(name), {})
        given = (level, mask, redact, hold_debug, sample, form, fields, task_record)
        if given != _DEFAULTS or chosen or not is_set_up():
            set_up(
                minimum,
                redactor=Redactor(mask, enabled=redact),
                processors=chosen,
                hold_debug=hold_debug,
                sample=sample,
                form=form or _form_of_environment(),
                fields=fields or {},
            )
            metrics.log_records(task_record)

    # LoggerAdapter's own debug and info reach `_log` through `log`, which costs the two most frequent calls a third more.
    def debug(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at DEBUG; keyword arguments that `logging` does not know are fields of the record."""
        if self.logger.isEnabledFor(logging.DEBUG):
            self._write(logging.DEBUG, msg, args, kwargs)

    def info(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at INFO."""
        if self.logger.isEnabledFor(logging.INFO):
            self._write(logging.INFO, msg, args, kwargs)

    def log(self, level: int, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at any level."""
        if self.logger.isEnabledFor(level):
            self._write(level, msg, args, kwargs)

    def _write(self, level: int, msg: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Do what `Logger._log` of `logging` does; that one would name this file as the caller's."""
        msg, options = self.process(msg, kwargs)
        frame = _calling_frame(sys._getframe(2), options.get("stacklevel", 1))  # noqa: SLF001 - as logging does
        self.logger.handle(
            self.logger.makeRecord(
                self.logger.name,
                level,
                frame.f_code.co_filename,
                frame.f_lineno,
                msg,
                _readable_arguments(args) if args else args,
                _exc_info(options["exc_info"]) if "exc_info" in options else None,
                func=frame.f_code.co_name,
                extra=options.get("extra"),
                sinfo=_stack(frame) if options.get("stack_info") else None,
            )
        )

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Return the message, and the keyword arguments for `logging`, the fields of the call in `extra`."""
        if _LOGGING_ARGUMENTS.issuperset(kwargs):
            return msg, kwargs
        known = {name: value for name, value in kwargs.items() if name in _LOGGING_ARGUMENTS}
        fields = {name: value for name, value in kwargs.items() if name not in _LOGGING_ARGUMENTS}
        return msg, {**known, "extra": {**(known.get("extra") or {}), LOG_FIELDS: fields}}

    # Plain functions: what is bound belongs to the invocation, not to a logger.
    bind = staticmethod(binding.bind)
    unbind = staticmethod(binding.unbind)
    bound = staticmethod(binding.bound)

    @property
    def keys(self) -> Mapping[str, Any]:
        """The keys that are bound here."""
        return dict(binding.bound_keys())


_DEFAULTS = (None, (), True, False, 0.0, None, None, True)


def _calling_frame(frame: FrameType, stacklevel: int) -> FrameType:
    """Return the frame that called the logger: 1 is the caller's, 2 its caller's; frames of `logging` do not count."""
    while frame.f_back is not None and (stacklevel > 1 or frame.f_code.co_filename == _LOGGING_FILE):
        if frame.f_code.co_filename != _LOGGING_FILE:
            stacklevel -= 1
        frame = frame.f_back
    return frame


def _readable_arguments(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a message's arguments; a single one that raises when it is asked whether it is a mapping becomes its text.

    `LogRecord` asks that in the caller's code, before anything is written: `"%(name)s" % mapping`.
    """
    if len(args) == 1:
        try:
            bool(isinstance(args[0], Mapping) and args[0])
        except PASSING_THROUGH:
            raise
        except BaseException:  # noqa: BLE001 - a person's object may raise anything; the line must still be written
            return (text_of(args[0]),)
    return args


def _exc_info(given: Any) -> Any:
    """Return what `exc_info=` stands for, as `logging` does; of an object of another kind the truth is not asked."""
    kind = type(given)
    if issubclass(kind, BaseException):
        return kind, given, given.__traceback__
    is_off = given is None or ((kind is bool or kind is int or kind is str) and not given)
    return given if kind is tuple or is_off else sys.exc_info()


def _stack(frame: FrameType) -> str:
    return "Stack (most recent call last):\n" + "".join(traceback.format_stack(frame)).rstrip("\n")


def _form_of_environment() -> str | None:
    is_set = settings.text("CLOUDFLOW_LOG_FORM") is not None
    return settings.choice("CLOUDFLOW_LOG_FORM", None, of=_FORMS) if is_set else None


def _level(level: str | int | None) -> int:
    if isinstance(level, str):
        validators.one_of("level", level.upper(), LEVELS)
        return int(logging.getLevelName(level.upper()))
    if level is not None:
        if isinstance(level, bool) or not isinstance(level, int):
            validators.refuse("level", level, f"Use one of {', '.join(LEVELS)}, or a number.")
        return level
    given = settings.text("CLOUDFLOW_LOG_LEVEL") or "INFO"
    if given.upper() not in LEVELS:
        raise SettingsError(f"CLOUDFLOW_LOG_LEVEL is {given!r}.", hint=f"Use one of {', '.join(LEVELS)}.")
    return int(logging.getLevelName(given.upper()))
