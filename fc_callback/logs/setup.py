"""Set up the log of the process: the root logger's handlers get our formatter and filters."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

from fc_callback.logs.formatter import ConsoleFormatter, JsonFormatter, LineFormatter, ProcessorFilter
from fc_callback.logs.holding import HoldFilter
from fc_callback.values.record_text import text_of
from fc_callback.values.safe_log import say_that_a_line_is_lost

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fc_callback.logs.processors import Processors
    from fc_callback.redaction import Redactor

    _StreamHandler = logging.StreamHandler[Any]
else:  # not subscriptable before Python 3.11
    _StreamHandler = logging.StreamHandler


def set_up(
    level: int,
    *,
    redactor: Redactor,
    processors: Processors,
    hold_debug: bool,
    sample: float,
    form: str | None,
    fields: Mapping[str, Any],
) -> None:
    """Set up the handlers that write the process's log; the arguments are as for `Logger`."""
    root = logging.getLogger()
    handlers = [handler for handler in root.handlers if _writes_lines(handler)]
    if not handlers:
        handlers = [_StandardError()]
        root.addHandler(handlers[0])
    root.setLevel(logging.DEBUG if hold_debug or sample else level)
    for handler in handlers:
        setattr(handler, "handleError", _say_that_it_is_lost)  # noqa: B010 - on FC's own handler too
        colour = _is_terminal(handler)
        formatter: LineFormatter
        if form == "console" or (form is None and colour):
            formatter = ConsoleFormatter(redactor=redactor, constants=fields, processors=processors, colour=colour)
        else:
            formatter = JsonFormatter(redactor=redactor, constants=fields, processors=processors)
        handler.setFormatter(formatter)
        for earlier in [one for one in handler.filters if isinstance(one, (HoldFilter, ProcessorFilter))]:
            handler.removeFilter(earlier)
        handler.setLevel(level)
        if hold_debug or sample:
            handler.setLevel(logging.NOTSET)
            handler.addFilter(HoldFilter(handler, formatter, level=level, hold=hold_debug, sample=sample))
        if processors:
            handler.addFilter(ProcessorFilter(formatter))


def is_set_up() -> bool:
    """Say whether a `Logger` has set the process's log up already."""
    return any(isinstance(handler.formatter, LineFormatter) for handler in logging.getLogger().handlers)


def _say_that_it_is_lost(record: logging.LogRecord) -> None:
    """Take the place of `Handler.handleError`, which prints the record's message and arguments unmasked."""
    say_that_a_line_is_lost(f"of {text_of(record.filename)}:{text_of(record.lineno)}", sys.exc_info()[1])


class _StandardError(_StreamHandler):
    """A handler for a process without one: writes to what `sys.stderr` is at that time."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        """The stream that lines are written to."""
        return sys.stderr


def _writes_lines(handler: logging.Handler) -> bool:
    """Say whether a handler gets our form: FC's own and those of a standard stream do; files and a test's capture do not."""
    if isinstance(handler, logging.StreamHandler):
        return handler.stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    return handler.formatter is not None and type(handler).__module__.partition(".")[0] not in {"logging", "_pytest"}


def _is_terminal(handler: logging.Handler) -> bool:
    stream = getattr(handler, "stream", None)
    try:
        return bool(stream is not None and stream.isatty())
    except (AttributeError, ValueError):  # no file, or a closed one
        return False
