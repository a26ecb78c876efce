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

if TYPE_CHECKING:
    from types import FrameType

    _Exception = tuple[type[BaseException], BaseException, Any] | tuple[None, None, None] | None

_KEPT = 1000
_LOGGING = logging.Logger.info.__code__.co_filename
_PLAIN = frozenset({str, int, float, bool})
_TASKS_HAVE_NAMES = sys.version_info >= (3, 12)  # LogRecord.taskName
_started = time.time() - logging.makeLogRecord({}).relativeCreated / 1000

_Place = tuple[str, int, str, str, int]
_records: dict[_Place, dict[str, Any]] = {}
os.register_at_fork(after_in_child=_records.clear)  # they hold the number of the process


def calling_frame(stacklevel: int) -> FrameType:
    """Return the frame that called the logger, as `logging` finds it.

    Args:
        stacklevel: 1 for the caller, 2 for its caller, and so on.
    """
    frame = sys._getframe(2)  # noqa: SLF001 - as logging does; the one above the logger's method
    while frame.f_back is not None and (stacklevel > 1 or frame.f_code.co_filename == _LOGGING):
        if frame.f_code.co_filename != _LOGGING:
            stacklevel -= 1
        frame = frame.f_back
    return frame


def is_standard(logger: logging.Logger) -> bool:
    """Say whether a logger's records are plain `LogRecord`s; people can put their own in place."""
    return logging.getLogRecordFactory() is logging.LogRecord and type(logger).makeRecord is logging.Logger.makeRecord


def make_record(
    name: str, level: int, place: tuple[str, int, str], msg: object, args: Any, extra: Mapping[str, Any] | None = None
) -> logging.LogRecord:
    """Make a record as `logging.Logger.makeRecord` does.

    Args:
        name: The logger's.
        level: The record's.
        place: Path, line and function of the caller.
        msg: The message.
        args: The message's arguments.
        extra: Attributes of the record.

    Raises:
        KeyError: `extra` would overwrite what a record has.
    """
    path, number, function = place
    key = path, number, function, name, level
    kept = _records.get(key)
    if kept is None or (_TASKS_HAVE_NAMES and "asyncio" in sys.modules):
        record = logging.LogRecord(name, level, path, number, msg, args, None, function)
        if len(_records) < _KEPT:
            _records[key] = {**record.__dict__, "msg": None, "args": None}
        own = record.__dict__
    else:
        record = logging.LogRecord.__new__(logging.LogRecord)
        own = record.__dict__ = kept.copy()  # faster than setting one after the other
        if args and len(args) == 1 and type(args[0]) not in _PLAIN and isinstance(args[0], Mapping) and args[0]:
            args = args[0]  # "%(name)s" % mapping
        created = time.time()
        own["msg"], own["args"], own["created"] = msg, args, created
        own["msecs"] = (created - int(created)) * 1000 // 1
        own["relativeCreated"] = (created - _started) * 1000
        if own["thread"] is not None:  # logging.logThreads
            own["thread"], own["threadName"] = threading.get_ident(), threading.current_thread().name
    if extra:
        for attribute, value in extra.items():
            if attribute in own or attribute in {"message", "asctime"}:
                raise KeyError(f"Attempt to overwrite {attribute!r} in LogRecord")
            own[attribute] = value
    return record
