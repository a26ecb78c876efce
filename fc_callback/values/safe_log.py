"""Log lines of this package that must not change how an invocation ends."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import Any

from fc_callback.values.record_text import PASSING_THROUGH


def log_safely(logger: logging.Logger, level: int, message: str, *args: object, **options: Any) -> None:
    """Log a line. If a filter or a handler raises, only the line is lost.

    `logging` passes on exceptions of a filter and of a handler's `emit`. After the result of a task is final, such an exception
    must not fail the invocation, because FC would deliver the event again. Its class is written to standard error.

    Args:
        logger: The logger.
        level: The level, like `logging.WARNING`.
        message: The message, with `%s` for each argument.
        args: The message's arguments.
        options: `extra`, `exc_info` or `stack_info`, as for `Logger.log`.
    """
    try:
        logger.log(level, message, *args, stacklevel=2, **options)
    except PASSING_THROUGH:
        raise
    except BaseException as error:  # noqa: BLE001 - a user's filter may raise anything
        say_that_a_line_is_lost(f"of {logger.name}", error)


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
