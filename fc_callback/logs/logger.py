"""A structured log: one line of JSON for each record, with the invocation and the task it belongs to.

    log = Logger("orders")

    @task_callback
    def handler(event, context):
        log.bind(order_id=7)                      # on every record from here to the end of this invocation
        log.info("Charged %s", card, amount=3)    # fields of this record

It works through the standard `logging`, on the handler that FC's runtime has put on the root logger: the lines of
libraries come out in the same form, and none comes twice. Secrets are masked (see `fc_callback.redaction`).
"""

from __future__ import annotations

import contextlib
import logging
import sys
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from fc_callback import metrics, settings
from fc_callback.errors import SettingsError
from fc_callback.logs import binding
from fc_callback.logs.formats import ConsoleFormatter, JsonFormatter, RecordFormatter
from fc_callback.logs.holding import Gate
from fc_callback.logs.records import LOGGING, calling_frame, is_standard, readable_arguments, record_at
from fc_callback.redaction import Redactor, checked_names
from fc_callback.values import validators
from fc_callback.values.record_text import LOG_FIELDS, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping
    from types import FrameType

    _Adapter = logging.LoggerAdapter[logging.Logger]
    _StreamHandler = logging.StreamHandler[Any]
else:  # not subscriptable before Python 3.11
    _Adapter = logging.LoggerAdapter
    _StreamHandler = logging.StreamHandler

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_OPTIONS = frozenset({"exc_info", "stack_info", "stacklevel"})  # arguments of logging's that few calls have
_LOGGING_ARGUMENTS = _OPTIONS | {"extra"}


class Logger(_Adapter):
    """A logger whose calls take fields, and which sets the process's log up.

    What is set up is the process's, not this logger's: the level and the form of all records. The first `Logger` does
    it; a further one changes it only where it is given options.

    Args:
        name: The logger's name, as for `logging.getLogger`.
        level: What is written: a name or a number; else `CLOUDFLOW_LOG_LEVEL`, else INFO.
        mask: Further names whose values are masked, beside those of tokens, keys and passwords.
        redact: False writes secrets too.
        hold_debug: Keep records below the level in memory, up to 256 KiB, and write them if the invocation fails.
        sample: Write every record of this share of the invocations, 0 to 1.
        form: `json`, or `console` for people; by default `console` where standard error is a terminal.
        fields: Fields of every record, like `{"service": "orders"}`.
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
        task_record: bool = True,
    ) -> None:
        validators.text("name", name, 'Give the name of a logger, like Logger("orders").')
        mask = checked_names("mask", mask)
        validators.flag("redact", redact)
        validators.flag("hold_debug", hold_debug)
        validators.flag("task_record", task_record)
        validators.number("sample", sample, least=0, most=1)
        if form is not None:
            validators.one_of("form", form, ("json", "console"))
        if fields is not None:
            validators.instance_of("fields", fields, Mapping, 'Give a dict, like fields={"service": "orders"}.')
            validators.texts("fields", fields, 'Give a dict with texts as its keys, like fields={"service": "orders"}.')
        minimum = _level(level)
        super().__init__(logging.getLogger(name), {})
        given = (level, mask, redact, hold_debug, sample, form, fields, task_record)
        if given != _DEFAULTS or not _is_set_up():
            redactor = Redactor(mask, enabled=redact)
            _set_up(minimum, redactor, hold_debug=hold_debug, sample=sample, form=form, fields=fields or {})
            metrics.log_records(task_record)

    # The two that are called most go straight to `_write`: LoggerAdapter's own would come here through `log`.
    def debug(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at DEBUG; what is no argument of `logging`'s is a field of the record."""
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
        logger, frame = self.logger, sys._getframe(2)  # noqa: SLF001 - as logging does
        if frame.f_code.co_filename == LOGGING:
            frame = calling_frame(frame, 1)
        if args:
            args = readable_arguments(args)
        if type(self).process is _PROCESS and _OPTIONS.isdisjoint(kwargs) and is_standard(logger):  # nearly every call
            extra = kwargs.pop("extra", None)
            if kwargs:
                extra = {**extra, LOG_FIELDS: kwargs} if extra else {LOG_FIELDS: kwargs}
            record = record_at(frame, logger.name, level, msg, args, extra)
        else:
            msg, options = self.process(msg, kwargs)
            frame = calling_frame(frame, options.get("stacklevel", 1))
            code, trouble = frame.f_code, _exception(options.get("exc_info"))
            stack = _stack(frame) if options.get("stack_info") else None
            record = logger.makeRecord(
                *(logger.name, level, code.co_filename, frame.f_lineno, msg, args, trouble),
                func=code.co_name,
                extra=options.get("extra"),
                sinfo=stack,
            )
        logger.handle(record)

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Put the keyword arguments that logging does not know onto the record."""
        if kwargs.keys() <= _LOGGING_ARGUMENTS:
            return msg, kwargs
        known = {name: value for name, value in kwargs.items() if name in _LOGGING_ARGUMENTS}
        fields = {name: value for name, value in kwargs.items() if name not in _LOGGING_ARGUMENTS}
        return msg, {**known, "extra": {**(known.get("extra") or {}), LOG_FIELDS: fields}}

    # The functions themselves: what they do belongs to the invocation, not to a logger.
    bind = staticmethod(binding.bind)
    unbind = staticmethod(binding.unbind)
    bound = staticmethod(binding.bound)

    @property
    def keys(self) -> Mapping[str, Any]:
        """The keys that are bound here."""
        return dict(binding.bound_keys())


_PROCESS = Logger.process
_DEFAULTS = (None, (), True, False, 0.0, None, None, True)


def _say_that_it_is_lost(record: logging.LogRecord) -> None:
    """Say that a record could not be written, without what it says: `logging` would print its message and arguments."""
    if not (logging.raiseExceptions and sys.stderr):
        return
    kind, _, _ = sys.exc_info()
    where = f"{text_of(record.filename)}:{text_of(record.lineno)}"
    with contextlib.suppress(OSError, ValueError):  # it may be standard error that cannot be written
        sys.stderr.write(f"A log record of {where} could not be written: {kind and text_of(kind.__name__)}.\n")


class _StandardError(_StreamHandler):
    """A handler for a process without one: writes to what `sys.stderr` is at that time."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        """Where records go."""
        return sys.stderr


def _exception(given: Any) -> Any:
    kind = type(given)
    if issubclass(kind, BaseException):
        return kind, given, given.__traceback__
    is_off = given is None or ((kind is bool or kind is int or kind is str) and not given)
    return given if kind is tuple or is_off else sys.exc_info()


def _stack(frame: FrameType) -> str:
    return "Stack (most recent call last):\n" + "".join(traceback.format_stack(frame)).rstrip("\n")


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


def _set_up(
    level: int,
    redactor: Redactor,
    *,
    hold_debug: bool,
    sample: float,
    form: str | None,
    fields: Mapping[str, Any],
) -> None:
    root = logging.getLogger()
    handlers = [handler for handler in root.handlers if _writes_lines(handler)]
    if not handlers:
        handlers = [_StandardError()]
        root.addHandler(handlers[0])
    root.setLevel(logging.DEBUG if hold_debug or sample else level)
    for handler in handlers:
        setattr(handler, "handleError", _say_that_it_is_lost)  # noqa: B010 - FC's handler too, which is not ours to derive
        colour = _is_terminal(handler)
        if form == "console" or (form is None and colour):
            handler.setFormatter(ConsoleFormatter(redactor=redactor, constants=fields, colour=colour))
        else:
            handler.setFormatter(JsonFormatter(redactor=redactor, constants=fields))
        for earlier in [one for one in handler.filters if isinstance(one, Gate)]:
            handler.removeFilter(earlier)
        if hold_debug or sample:
            handler.setLevel(logging.NOTSET)
            handler.addFilter(Gate(handler, level=level, hold=hold_debug, sample=sample))
        else:
            handler.setLevel(level)


def _is_set_up() -> bool:
    return any(isinstance(handler.formatter, RecordFormatter) for handler in logging.getLogger().handlers)


def _writes_lines(handler: logging.Handler) -> bool:
    """Tell the handlers whose form is ours: FC's own, and those on a standard stream; not files, nor a test's capture."""
    if isinstance(handler, logging.StreamHandler):
        return handler.stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    return handler.formatter is not None and type(handler).__module__.partition(".")[0] not in {"logging", "_pytest"}


def _is_terminal(handler: logging.Handler) -> bool:
    stream = getattr(handler, "stream", None)
    try:
        return bool(stream is not None and stream.isatty())
    except (AttributeError, ValueError):  # no file, or a closed one
        return False
