"""Write a log record as a line: JSON for FC's log, plain text for a terminal.

FC takes log records of up to 32 KB (FC documentation, "Limits"): the longest parts of a longer line are cut.
"""

from __future__ import annotations

import json
import logging
import time
from functools import lru_cache
from operator import is_
from typing import TYPE_CHECKING, Any

from fc_callback.logs.binding import bound_keys
from fc_callback.logs.exceptions import describe_exception
from fc_callback.values.invocation import current_invocation, running_task
from fc_callback.values.record_text import (
    PASSING_THROUGH,
    WRITTEN_LINE,
    exception_text,
    fields_of,
    message_of,
    text_of,
    writable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fc_callback.logs.processors import Processors
    from fc_callback.redaction import Redactor

RECORD_MAX_BYTES = 32_000  # The documentation does not say whether FC's 32 KB are 32,000 or 32,768 bytes.

_LEAST_ROOM = 120
_FRAMES_KEPT = 5
_COLOURS = {"DEBUG": "2", "INFO": "32", "WARNING": "33", "ERROR": "31", "CRITICAL": "31;1"}
_HEAD = ("timestamp", "level", "message", "logger", "location")
_KEPT_WHEN_CUT = (*_HEAD, "request_id", "task", "exception")
_RESERVED = frozenset(
    {*_KEPT_WHEN_CUT, "service", "sampled", "cut", "function", "region", "cold_start", "flow", "execution", "stack"}
)
_NOT_ON_CONSOLE = _RESERVED - {"flow", "execution"}
_UNWRITABLE = '{"level":"ERROR","message":"A log record could not be written, and is left out."}'

_NOTHING_SHARED: tuple[dict[str, Any], str] = ({}, "{}")

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


class LineFormatter(logging.Formatter):
    """The base of both forms. `format` never raises: `logging` would print the record's message and arguments unmasked.

    Args:
        redactor: Masks secrets.
        constants: Fields of every record.
        processors: Change or drop a record's fields before they are masked.
    """

    def __init__(self, *, redactor: Redactor, constants: Mapping[str, Any], processors: Processors) -> None:
        super().__init__()
        self._redactor = redactor
        self._constants: dict[str, Any] = redactor.value_by_name(dict(constants))
        self._reserved = _RESERVED | self._constants.keys()
        self._processors = processors or None

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        if WRITTEN_LINE not in record.__dict__:
            return self.line(record) or ""
        formatter, line = record.__dict__.pop(WRITTEN_LINE)
        return line if formatter is self else self.line(record) or ""

    def keep_line(self, record: logging.LogRecord, line: str) -> None:
        """Leave the line of a record on it, for `format`: a filter has to make the line to know whether it is dropped."""
        record.__dict__[WRITTEN_LINE] = self, line

    def has_line(self, record: logging.LogRecord) -> bool:
        """Say whether `keep_line` has left a line of this formatter on a record."""
        return WRITTEN_LINE in record.__dict__ and record.__dict__[WRITTEN_LINE][0] is self

    def line(self, record: logging.LogRecord) -> str | None:
        """Return the line of a record with secrets masked; None where a processor dropped the record."""
        try:
            return self._line(record)
        except PASSING_THROUGH:
            raise
        except BaseException:  # noqa: BLE001 - each part is guarded; this is for a full stack or memory
            return _UNWRITABLE

    def _line(self, record: logging.LogRecord) -> str | None:
        raise NotImplementedError

    def _entry(self, record: logging.LogRecord) -> dict[str, Any] | None:
        """Return the fields of a line as JSON can hold them, values under telling names masked; None to drop the record."""
        entry = {**_head(record), **self._constants, **_place(record), **self._renamed(bound_keys())}
        entry.update(self._own_fields(record))
        processed = entry if self._processors is None else self._processors.apply(entry)
        return None if processed is None else self._redactor.members_by_name(processed)

    def _own_fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return what only this record has: message, fields, exception, stack."""
        own = {"message": _guarded(_message, record)}
        fields = _guarded(fields_of, record)
        if fields:
            own.update(self._renamed(fields) if type(fields) is dict else {"unwritten": fields})
        if record.exc_info and record.exc_info[1] is not None:
            own["exception"] = _guarded(_exception, record)
        elif record.exc_text:
            own["exception"] = {"stack": text_of(record.exc_text).splitlines()}
        if record.stack_info:
            own["stack"] = text_of(record.stack_info)
        return own

    def _renamed(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return fields with `_` behind each name that a line uses itself."""
        if self._reserved.isdisjoint(fields):
            return fields
        return {f"{name}_" if name in self._reserved else name: value for name, value in fields.items()}


class JsonFormatter(LineFormatter):
    """Writes each record as one line of JSON."""

    def _line(self, record: logging.LogRecord) -> str | None:
        shared, shared_json = _NOTHING_SHARED
        entry: dict[str, Any] | None
        if self._processors is not None:
            entry = self._entry(record)
            if entry is None:
                return None
        else:
            entry = {**_head(record), **self._redactor.members_by_name(self._own_fields(record))}
            shared, shared_json = self._shared(record)
            if not shared.keys().isdisjoint(entry):  # a field of this record has the name of a bound key
                entry, (shared, shared_json) = {**shared, **entry}, _NOTHING_SHARED
        entry, line = self._masked_json(entry)
        if shared:
            line = f"{line[:-1]},{shared_json[1:]}"
        return line if len(line) <= RECORD_MAX_BYTES and line.isascii() else _fitting({**entry, **shared}, line)

    def _masked_json(self, entry: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """Return an entry without known secrets, and its JSON."""
        line = _encode(entry)
        if self._redactor.may_change(line):
            entry = self._redactor.entry_by_line(entry)
            line = _encode(entry)
        return entry, line

    def _shared(self, record: logging.LogRecord) -> tuple[dict[str, Any], str]:
        """Return what the lines of one invocation share, constants, its task and bound keys, and their JSON, made once."""
        invocation, bound = current_invocation(), bound_keys()
        if invocation is not None and invocation.ended:  # of a thread that outlives it: other secrets are known by now
            invocation = None
        made_for = running_task(), bound, invocation and invocation.sampled
        kept = None if invocation is None else invocation.notes.get(self)
        if kept is not None and all(map(is_, kept[0], made_for)):
            return kept[1]  # type: ignore[no-any-return]  # which this method has put there
        own = self._redactor.members_by_name(self._renamed(bound))
        made = self._masked_json({**self._constants, **_place(record), **own})
        if invocation is not None and all(map(_is_immutable, bound.values())):
            invocation.notes[self] = made_for, made
        return made


class ConsoleFormatter(LineFormatter):
    """Writes each record as a line for people: time, level, message, fields; an exception below it as Python writes it."""

    def __init__(self, *, colour: bool, **options: Any) -> None:
        super().__init__(**options)
        self._colour = colour
        self._hidden = _NOT_ON_CONSOLE | self._constants.keys()

    def _line(self, record: logging.LogRecord) -> str | None:
        entry = self._entry(record)
        if entry is None:
            return None
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        level = f"{_plain_text(entry.get('level', '')):<8}"
        if self._colour:
            level = f"\x1b[{_COLOURS.get(level.rstrip(), '0')}m{level}\x1b[0m"
        shown = [f"{name}={_plain_text(value)}" for name, value in entry.items() if name not in self._hidden]
        lines = [" ".join([clock, level, _plain_text(entry.get("message", "")), *shown])]
        if "exception" in entry:
            told = exception_text(record.exc_info) if record.exc_info else text_of(record.exc_text)
            lines.append(self._redactor.by_name(told))
        if "stack" in entry:
            lines.append(_plain_text(entry["stack"]))
        return writable(self._redactor.line("\n".join(lines)))


def _plain_text(value: Any) -> str:
    return value if isinstance(value, str) else _encode(value)


def _is_immutable(value: object) -> bool:
    # Not by a set of types: a class whose metaclass defines `__eq__` alone has no hash.
    kind = type(value)
    return kind is str or kind is int or kind is float or kind is bool or value is None


def _guarded(part: Callable[[logging.LogRecord], Any], record: logging.LogRecord) -> Any:
    """Return a part of a record, or the class of what it raised: that must not cost the other parts."""
    try:
        return part(record)
    except PASSING_THROUGH:
        raise
    except BaseException as error:  # noqa: BLE001 - a person's object may raise anything
        return f"<{type(error).__name__}>"


def _message(record: logging.LogRecord) -> Any:
    if not record.args:
        kind = type(record.msg)
        if kind is str or issubclass(kind, dict):
            return record.msg
    return message_of(record)


def _exception(record: logging.LogRecord) -> dict[str, Any]:
    return describe_exception(record.exc_info[1])  # type: ignore[index, arg-type]  # the caller has checked both


def _head(record: logging.LogRecord) -> dict[str, Any]:
    """Return the first fields of a line; the message, which comes with the record's own fields, has its place here."""
    head = _guarded(_head_fields, record)
    return head if type(head) is dict else {"level": text_of(record.levelname), "message": "", "unwritten": head}


def _head_fields(record: logging.LogRecord) -> dict[str, Any]:
    second = int(record.created)
    return {
        "timestamp": f"{_clock(second)}.{int((record.created - second) * 1000):03d}Z",  # 2020-09-22T23:43:40.073Z
        "level": text_of(record.levelname),
        "message": "",
        "logger": text_of(record.name),
        "location": f"{record.filename}:{record.lineno}",
    }


@lru_cache(maxsize=2)
def _clock(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def _place(record: logging.LogRecord) -> dict[str, Any]:
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
        if task.token.layout is not None:
            place["flow"], place["execution"], _ = task.token.layout
        place["task"] = task.token.fingerprint
    if invocation.sampled:
        place["sampled"] = True
    return place


def _fitting(entry: dict[str, Any], line: str) -> str:
    """Return a masked line as valid UTF-8 within FC's limit, its longest parts cut.

    Args:
        entry: The fields of the line.
        line: The line.
    """
    if _size(line) <= RECORD_MAX_BYTES:
        return line
    line = json.dumps(entry, separators=(",", ":"))  # which writes lone surrogates, and all beyond ASCII, as escapes
    room = RECORD_MAX_BYTES
    while len(line) > RECORD_MAX_BYTES and room > _LEAST_ROOM:
        room //= 2
        short = {name: _shortened(value, room) for name, value in entry.items()}
        line = json.dumps({**short, "cut": True}, separators=(",", ":"))
    if len(line) <= RECORD_MAX_BYTES:
        return line
    kept = {name: _shortened(entry[name], _LEAST_ROOM) for name in _KEPT_WHEN_CUT if name in entry}
    return json.dumps({**kept, "cut": True})


def _size(line: str) -> int:
    """Return the size of a line in bytes; too many for one with lone surrogates, which have no form in UTF-8."""
    try:
        return len(line.encode())
    except UnicodeEncodeError:
        return RECORD_MAX_BYTES + 1


def _shortened(value: Any, room: int) -> Any:
    text = json.dumps(value)
    if len(text) <= room:
        return value
    if isinstance(value, dict) and isinstance(value.get("stack"), list):
        # An exception keeps its type and its innermost frames.
        stack = value["stack"][-_FRAMES_KEPT:]
        return {name: _shortened(part, room // 4) for name, part in {**value, "stack": stack}.items()}
    shown = (value if isinstance(value, str) else text)[: room // 6]  # an escape takes six characters
    return f"{shown}... ({len(text)} characters)"


class ProcessorFilter(logging.Filter):
    """Builds the line of each record before its handler does, because only a filter can drop a record.

    Args:
        formatter: The handler's formatter.
    """

    def __init__(self, formatter: LineFormatter) -> None:
        super().__init__()
        self._formatter = formatter

    def filter(self, record: logging.LogRecord) -> bool:
        """Store the line on the record for the formatter. Return False if a processor dropped the record."""
        if not self._formatter.has_line(record):
            line = self._formatter.line(record)
            if line is None:
                return False
            self._formatter.keep_line(record, line)
        return True
