"""A log record made at once: what is the same for each call of one line of code is kept.

`logging.LogRecord` takes the caller's path to pieces and asks for the thread and the process each time, which is most of
what a record costs. What comes out here is a `LogRecord` with the same attributes, for handlers and formatters of anyone.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fc_callback.values.record_text import PASSING_THROUGH, text_of

if TYPE_CHECKING:
    from types import CodeType, FrameType

_KEPT = 1000
LOGGING = logging.Logger.info.__code__.co_filename
_TASKS_HAVE_NAMES = sys.version_info >= (3, 12)  # LogRecord.taskName
_started = time.time() - logging.makeLogRecord({}).relativeCreated / 1000

# What the records of one call have in common; by the call's code and the instruction in it, for its line is
# looked for each time. The code is kept with it, so that its id stays its own.
_calls: dict[tuple[int, int, str, int], tuple[CodeType, dict[str, Any]]] = {}
os.register_at_fork(after_in_child=_calls.clear)  # they hold the number of the process


def calling_frame(frame: FrameType, stacklevel: int) -> FrameType:
    """Return the frame that called the logger, as `logging` finds it.

    Args:
        frame: What called the logger's method.
        stacklevel: 1 for the caller, 2 for its caller, and so on.
    """
    while frame.f_back is not None and (stacklevel > 1 or frame.f_code.co_filename == LOGGING):
        if frame.f_code.co_filename != LOGGING:
            stacklevel -= 1
        frame = frame.f_back
    return frame


def is_standard(logger: logging.Logger) -> bool:
    """Say whether a logger's records are plain `LogRecord`s; people can put their own in place."""
    return logging.getLogRecordFactory() is logging.LogRecord and type(logger).makeRecord is logging.Logger.makeRecord


def readable_arguments(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a message's arguments; a single one that raises when it is asked whether it is a mapping becomes its text.

    `logging` asks that in the caller's code, before anything is written: `"%(name)s" % mapping`.
    """
    if len(args) == 1 and not _is_plain(args[0]):
        try:
            bool(isinstance(args[0], Mapping) and args[0])
        except PASSING_THROUGH:
            raise
        except BaseException:  # noqa: BLE001 - a person's object may do anything; the line must still be written
            return (text_of(args[0]),)
    return args


def _is_plain(value: object) -> bool:
    # Not by a set of them: a class whose metaclass defines `__eq__` alone has no hash.
    kind = type(value)
    return kind is str or kind is int or kind is float or kind is bool


def record_at(
    frame: FrameType, name: str, level: int, msg: object, args: Any, extra: Mapping[str, Any] | None = None
) -> logging.LogRecord:
    """Make a record as `logging.Logger.makeRecord` does.

    Args:
        frame: The caller's.
        name: The logger's.
        level: The record's.
        msg: The message.
        args: The message's arguments.
        extra: Attributes of the record.

    Raises:
        KeyError: `extra` would overwrite what a record has.
    """
    code = frame.f_code
    key = id(code), frame.f_lasti, name, level
    kept = _calls.get(key)
    if kept is None or (_TASKS_HAVE_NAMES and "asyncio" in sys.modules):
        record = logging.LogRecord(name, level, code.co_filename, frame.f_lineno, msg, args, None, code.co_name)
        common = record.__dict__
        if len(_calls) < _KEPT:
            _calls[key] = code, {**common, "msg": None, "args": None}
        own = record.__dict__ = {**common, **extra} if extra else common
    else:
        record = logging.LogRecord.__new__(logging.LogRecord)
        common = kept[1]
        own = record.__dict__ = {**common, **extra} if extra else common.copy()  # faster than one after the other
        if args and len(args) == 1 and not _is_plain(args[0]) and isinstance(args[0], Mapping) and args[0]:
            args = args[0]  # "%(name)s" % mapping
        created = time.time()
        own["msg"], own["args"], own["created"] = msg, args, created
        own["msecs"] = created % 1 * 1000 // 1
        own["relativeCreated"] = (created - _started) * 1000
        if own["thread"] is not None:  # logging.logThreads
            own["thread"], own["threadName"] = threading.get_ident(), threading.current_thread().name
    if extra and (len(own) != len(common) + len(extra) or "message" in own or "asctime" in own):
        taken = [attribute for attribute in extra if attribute in common or attribute in {"message", "asctime"}]
        raise KeyError(f"Attempt to overwrite {(taken or [*extra])[0]!r} in LogRecord")
    return record
