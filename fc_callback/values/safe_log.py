"""Log lines of this package that must not change how an invocation ends."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TYPE_CHECKING

from fc_callback.values.record_text import PASSING_THROUGH

if TYPE_CHECKING:
    from collections.abc import Mapping


def log_safely(
    logger: logging.Logger,
    level: int,
    message: str,
    *args: object,
    extra: Mapping[str, object] | None = None,
    exc_info: BaseException | None = None,
) -> None:
    """Log a line. If a filter or a handler raises, only the line is lost.

    `logging` passes on exceptions of a filter and of a handler's `emit`. After the result of a task is final, such an exception
    must not fail the invocation, because FC would deliver the event again. Its class is written to standard error.

    Args:
        logger: The logger.
        level: The level, like `logging.WARNING`.
        message: The message, with `%s` for each argument.
        args: The message's arguments.
        extra: Fields of the record, as for `Logger.log`.
        exc_info: The exception to write below the message.
    """
    try:
        if logger.isEnabledFor(level):
            # As `Logger.log` does, which takes longer to find the caller.
            frame = sys._getframe(1)  # noqa: SLF001 - as logging does
            place = frame.f_code.co_filename, frame.f_lineno
            error = None if exc_info is None else (type(exc_info), exc_info, exc_info.__traceback__)
            name = frame.f_code.co_name
            logger.handle(logger.makeRecord(logger.name, level, *place, message, args, error, name, extra))
    except PASSING_THROUGH:
        raise
    except BaseException as raised:  # noqa: BLE001 - a user's filter may raise anything
        say_that_a_line_is_lost(f"of {logger.name}", raised)


def handle_safely(handler: logging.Handler, record: logging.LogRecord) -> None:
    """Pass a record to a handler. If the handler or one of its filters raises, only the record is lost."""
    try:
        handler.handle(record)
    except PASSING_THROUGH:
        raise
    except BaseException as error:  # noqa: BLE001
        say_that_a_line_is_lost(f"of {record.name}", error)


def say_that_a_line_is_lost(origin: str, error: BaseException | None) -> None:
    """Write to standard error that a log record could not be written, without its message and arguments.

    Args:
        origin: The origin of the record, like `of index.py:12`.
        error: The exception. Only its class is written.
    """
    if logging.raiseExceptions and sys.stderr:
        with contextlib.suppress(OSError, ValueError):  # standard error itself may be closed
            name = type.__dict__["__name__"].__get__(type(error))
            sys.stderr.write(f"A log record {origin} could not be written: {name}.\n")
