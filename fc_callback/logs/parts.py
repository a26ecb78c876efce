"""Read the parts of a log record, also of one whose values raise when they are read."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fc_callback.logs.exceptions import describe_exception
from fc_callback.values.invocation import current_invocation, running_task
from fc_callback.values.record_text import PASSING_THROUGH, message_of, text_of

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable


def guarded(part: Callable[[logging.LogRecord], Any], record: logging.LogRecord) -> Any:
    """Return a part of a record, or the class of what it raised: that must not cost the other parts."""
    try:
        return part(record)
    except PASSING_THROUGH:
        raise
    except BaseException as error:  # noqa: BLE001 - a person's object may raise anything
        return f"<{type(error).__name__}>"


def raw_message(record: logging.LogRecord) -> Any:
    """Return a record's message: a dict as it was given, all else as text."""
    if not record.args:
        kind = type(record.msg)
        if kind is str or issubclass(kind, dict):
            return record.msg
    return message_of(record)


def exception_fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return the exception of a record that has one, in the form that a line has it."""
    return describe_exception(record.exc_info[1])  # type: ignore[index, arg-type]  # the caller has checked both


def head_of(record: logging.LogRecord) -> tuple[str, str, str, str]:
    """Return the first fields of a line: timestamp, level, logger, location."""
    try:
        second = int(record.created)
        timestamp = f"{_clock(second)}.{int((record.created - second) * 1000):03d}Z"  # 2020-09-22T23:43:40.073Z
        location = f"{record.filename}:{record.lineno}"
    except PASSING_THROUGH:
        raise
    except BaseException as error:  # noqa: BLE001 - a record that a person has made may hold anything
        timestamp = location = f"<{type(error).__name__}>"
    return timestamp, text_of(record.levelname), text_of(record.name), location


@lru_cache(maxsize=2)
def _clock(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def place_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields that name the invocation and its task."""
    invocation, task = current_invocation(), running_task()
    if invocation is None:
        request_id = record.__dict__.get("request_id")  # outside of invocations the runtime's own handler knows it
        return {"request_id": text_of(request_id)} if request_id else {}
    context = invocation.context
    place: dict[str, Any] = {"cold_start": invocation.cold_start}
    if context.request_id:
        place["request_id"] = context.request_id
    if context.function_name:
        place["function"] = context.function_name
    if context.region:
        place["region"] = context.region
    if task is not None:
        token = task.token
        layout = token.layout
        if layout is not None:
            place["flow"], place["execution"], _ = layout
        place["task"] = token.fingerprint
    if invocation.sampled:
        place["sampled"] = True
    return place
