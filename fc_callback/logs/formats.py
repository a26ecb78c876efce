"""How a record is written: one line of JSON for FC's log, a readable line for a terminal.

FC takes log records of 32 KB (FC documentation, "Limits"): a longer line is made to fit, its longest parts first.
"""

from __future__ import annotations

import json
import logging
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fc_callback.logs.binding import bound_keys
from fc_callback.logs.exceptions import describe_exception
from fc_callback.values.invocation import current_invocation, running_task
from fc_callback.values.record_text import PASSING_THROUGH, brought, exception_text, message_of, text_of, writable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fc_callback.redaction import Redactor
    from fc_callback.values.invocation import Invocation
    from fc_callback.values.task import Task

RECORD_MAX_BYTES = 32_000  # FC's limit is 32 KB, whatever it counts as one
WRITTEN = "fc_line"  # where a record that was held back carries its line

_LEAST_ROOM = 120
_FRAMES_KEPT = 5
_COLOURS = {"DEBUG": "2", "INFO": "32", "WARNING": "33", "ERROR": "31", "CRITICAL": "31;1"}
_ALWAYS = ("timestamp", "level", "message", "logger", "location", "request_id", "task", "exception")
_NOTHING_ELSE = '{"level":"ERROR","message":"A log record could not be written, and is left out."}'

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
_OWN = frozenset(
    {*_ALWAYS, "service", "sampled", "cut", "function", "region", "cold_start", "flow", "execution", "stack"}
)


class RecordFormatter(logging.Formatter):
    """What both forms share. `format` raises nothing: `logging` would print the record's message and arguments unmasked.

    Args:
        redactor: What masks secrets.
        constants: Fields of every record.
    """

    def __init__(self, *, redactor: Redactor, constants: Mapping[str, Any]) -> None:
        super().__init__()
        self.redactor = redactor
        self.constants: dict[str, Any] = redactor.value_by_name(dict(constants))
        self._reserved = _OWN | self.constants.keys()

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        written: str | None = record.__dict__.get(WRITTEN)
        if written is not None:
            return written
        try:
            return self.line(record)
        except PASSING_THROUGH:
            raise
        except BaseException:  # noqa: BLE001 - each part is guarded; this is for a stack or a memory with no room left
            return _NOTHING_ELSE

    def line(self, record: logging.LogRecord) -> str:
        """Write a record, with secrets masked."""
        raise NotImplementedError

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return what was bound and what the record brought; secrets under a telling name are masked."""
        return self.redactor.members_by_name({**bound_keys(), **brought(record)})


class JsonFormatter(RecordFormatter):
    """One line of JSON for each record."""

    def line(self, record: logging.LogRecord) -> str:
        """Write a record, with secrets masked."""
        entry = self._entry(record)
        line = _encode(entry)
        if self.redactor.may_change(line):
            entry = self.redactor.entry_by_line(entry)
            line = _encode(entry)
        if len(line) <= RECORD_MAX_BYTES and line.isascii():
            return line
        return _fitting(line, entry)

    def _entry(self, record: logging.LogRecord) -> dict[str, Any]:
        try:
            when, message, where = _timestamp(record), self._message(record), _location(record)
            place, fields = _place(record), self.fields(record)
        except PASSING_THROUGH:
            raise
        except BaseException:  # noqa: BLE001 - one part that cannot be written does not cost the others
            when, message, where = (_read(part, record) for part in (_timestamp, self._message, _location))
            place, fields = _read_all(_place, record), _read_all(self.fields, record)
        entry: dict[str, Any] = {
            "timestamp": when,
            "level": text_of(record.levelname),
            "message": message,
            "logger": text_of(record.name),
            "location": where,
            **self.constants,
            **place,
        }
        if self._reserved.isdisjoint(fields):
            entry.update(fields)
        else:
            entry.update((f"{name}_" if name in self._reserved else name, value) for name, value in fields.items())
        if record.exc_info and record.exc_info[1] is not None:
            entry["exception"] = _read(self._exception, record)
        elif record.exc_text:
            entry["exception"] = {"stack": self.redactor.by_name(text_of(record.exc_text))}
        if record.stack_info:
            entry["stack"] = self.redactor.by_name(text_of(record.stack_info))
        return entry

    def _message(self, record: logging.LogRecord) -> Any:
        if not record.args:
            kind = type(record.msg)
            if kind is str or issubclass(kind, dict):
                return self.redactor.value_by_name(record.msg)
        return self.redactor.by_name(message_of(record))

    def _exception(self, record: logging.LogRecord) -> dict[str, Any]:
        return describe_exception(record.exc_info[1], self.redactor)  # type: ignore[index, arg-type]


class ConsoleFormatter(RecordFormatter):
    """A line for people: time, level, message, fields; an exception below it as Python writes it."""

    def __init__(self, *, redactor: Redactor, constants: Mapping[str, Any], colour: bool) -> None:
        super().__init__(redactor=redactor, constants=constants)
        self._colour = colour

    def line(self, record: logging.LogRecord) -> str:
        """Write a record, with secrets masked."""
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        level = f"{text_of(record.levelname):<8}"
        if self._colour:
            level = f"\x1b[{_COLOURS.get(record.levelname, '0')}m{level}\x1b[0m"
        fields = _read_all(self.fields, record)
        task = None if current_invocation() is None else running_task()
        if task is not None and task.token.layout is not None:
            fields["flow"], fields["execution"], _ = task.token.layout
        shown = [f"{name}={value if isinstance(value, str) else _encode(value)}" for name, value in fields.items()]
        lines = [" ".join([clock, level, self.redactor.by_name(message_of(record)), *shown])]
        if record.exc_info:
            lines.append(self.redactor.by_name(exception_text(record.exc_info)))
        elif record.exc_text:
            lines.append(self.redactor.by_name(text_of(record.exc_text)))
        if record.stack_info:
            lines.append(self.redactor.by_name(text_of(record.stack_info)))
        return writable(self.redactor.line("\n".join(lines)))


def _read(part: Callable[[logging.LogRecord], Any], record: logging.LogRecord) -> Any:
    """Return a part of a record; where that raises, what it raised."""
    try:
        return part(record)
    except PASSING_THROUGH:
        raise
    except BaseException as error:  # noqa: BLE001 - one part that cannot be written does not cost the others
        return f"<{type(error).__name__}>"


def _read_all(parts: Callable[[logging.LogRecord], dict[str, Any]], record: logging.LogRecord) -> dict[str, Any]:
    """Return several parts of a record; where that raises, none of them."""
    given = _read(parts, record)
    return given if type(given) is dict else {"unwritten": given}


def _location(record: logging.LogRecord) -> str:
    return f"{record.filename}:{record.lineno}"


def _timestamp(record: logging.LogRecord) -> str:
    """Write a record's time like `2020-09-22T23:43:40.073Z`."""
    second = int(record.created)
    return f"{_clock(second)}.{int((record.created - second) * 1000):03d}Z"


@lru_cache(maxsize=2)
def _clock(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def _place(record: logging.LogRecord) -> dict[str, Any]:
    """Return where a line belongs: its invocation, and its task."""
    invocation, task = current_invocation(), running_task()
    if invocation is None:
        request_id = record.__dict__.get("request_id")  # outside of invocations the runtime's own handler knows it
        return {"request_id": text_of(request_id)} if request_id else {}
    kept: tuple[Task | None, bool, dict[str, Any]] | None = invocation.notes.get(_place)
    if kept is None or kept[0] is not task or kept[1] is not invocation.sampled:
        kept = invocation.notes[_place] = task, invocation.sampled, _place_of(invocation, task)
    return kept[2]


def _place_of(invocation: Invocation, task: Task | None) -> dict[str, Any]:
    context = invocation.context
    place: dict[str, Any] = {"cold_start": invocation.cold_start}
    if context.request_id:
        place["request_id"] = context.request_id
    if context.function_name:
        place["function"] = context.function_name
    if context.region:
        place["region"] = context.region
    if task is not None:
        if task.token.layout is not None:
            place["flow"], place["execution"], _ = task.token.layout
        place["task"] = task.token.fingerprint
    if invocation.sampled:
        place["sampled"] = True
    return place


def _fitting(line: str, entry: dict[str, Any]) -> str:
    """Return a masked line as valid UTF-8 within FC's limit, its longest parts cut."""
    size = _size(line)
    if size is None:  # lone surrogates: written as escapes
        line = json.dumps(entry, separators=(",", ":"))
        size = len(line)
    if size <= RECORD_MAX_BYTES:
        return line
    room = RECORD_MAX_BYTES // 2
    while room > _LEAST_ROOM:
        short = {name: _shortened(value, room) for name, value in entry.items()}
        line = json.dumps({**short, "cut": True}, separators=(",", ":"))
        if len(line) <= RECORD_MAX_BYTES:
            return line
        room //= 2
    return json.dumps({name: _shortened(entry[name], _LEAST_ROOM) for name in _ALWAYS if name in entry} | {"cut": True})


def _size(line: str) -> int | None:
    try:
        return len(line.encode())
    except UnicodeEncodeError:
        return None


def _shortened(value: Any, room: int) -> Any:
    text = json.dumps(value)
    if len(text) <= room:
        return value
    if isinstance(value, dict) and "stack" in value:  # an exception keeps its type, and the innermost of its stack
        stack = value["stack"][-_FRAMES_KEPT:]
        return {name: _shortened(part, room // 4) for name, part in {**value, "stack": stack}.items()}
    shown = (value if isinstance(value, str) else text)[: room // 6]  # an escape takes six characters
    return f"{shown}... ({len(text)} characters)"
