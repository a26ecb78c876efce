"""How a record is written: one line of JSON for FC's log, a readable line for a terminal.

FC takes log records of 32 KB (FC documentation, "Limits"): a longer line is made to fit, its longest parts first.
"""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

from fc_callback.invocation import Invocation, current_invocation
from fc_callback.logs.binding import bound_keys
from fc_callback.logs.exceptions import describe_exception
from fc_callback.logs.records import CONSTANTS
from fc_callback.redaction import MASK, SHORTEST_SECRET, brought, holds_one, message_of
from fc_callback.task import running_task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fc_callback.redaction import Redactor
    from fc_callback.task import Task

    Marks = tuple[str, ...]  # of which one stands in each text that holds a secret
    Name = tuple[str, bool, Marks | None]  # as it is written, whether it is a secret's, and the marks it holds none of

RECORD_MAX_BYTES = 32_000  # FC's limit is 32 KB, whatever it counts as one
WRITTEN = "fc_line"  # where a record that was held back carries its line

_LEAST_ROOM = 120
_FRAMES_KEPT = 5
_NAMES_KEPT = _ORIGINS_KEPT = 1000
_LOWEST, _HIGHEST = -1.7e308, 1.7e308  # between the infinities, which are not JSON
_COLOURS = {"DEBUG": "2", "INFO": "32", "WARNING": "33", "ERROR": "31", "CRITICAL": "31;1"}
_ALWAYS = ("timestamp", "level", "message", "logger", "location", "request_id", "task", "exception")

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
_quote = json.encoder.encode_basestring  # a text as JSON has it
_OWN = frozenset(
    {
        "timestamp",
        "level",
        "message",
        "logger",
        "location",
        "service",
        "sampled",
        "cut",
        "request_id",
        "function",
        "region",
        "cold_start",
    }
    | {"flow", "execution", "task", "exception", "stack"}
)


class RecordFormatter(logging.Formatter):
    """What both forms share: which fields a record has.

    Args:
        redactor: What masks secrets.
        constants: Fields of every record.
    """

    def __init__(self, *, redactor: Redactor, constants: Mapping[str, Any]) -> None:
        super().__init__()
        self.redactor = redactor
        self.constants: dict[str, Any] = redactor.value(dict(constants))
        self._reserved = _OWN | self.constants.keys()

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return what was bound and what the record brought, as they are."""
        return {**bound_keys(), **brought(record)}


class JsonFormatter(RecordFormatter):
    """One line of JSON for each record.

    The line is put together as text: a dict of it, encoded, would take twice as long, and a function logs all the time.
    """

    def __init__(self, *, redactor: Redactor, constants: Mapping[str, Any]) -> None:
        super().__init__(redactor=redactor, constants=constants)
        self._constants = _members(self.constants)
        self._names: dict[str, Name] = {}
        self._messages: dict[str, tuple[str, Marks]] = {}
        self._origins: dict[tuple[str, str, str, int], tuple[str, str]] = {}
        self._second = (-1, "")
        self._milliseconds: dict[int, str] = {}  # a thousand of them

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        own = record.__dict__
        if WRITTEN in own:
            return own[WRITTEN]  # type: ignore[no-any-return]  # a line
        invocation = current_invocation()
        where, marks = self._outside(own) if invocation is None else _place_of(invocation, self.redactor)
        origin = own["levelname"], own["name"], own["filename"], own["lineno"]
        level, place = self._origins.get(origin) or self._origin(origin)
        message, unread = self._message(record, marks)
        rest, more = self._fields(record, invocation, marks)
        unread += more
        if own["exc_info"] or own["exc_text"] or own["stack_info"]:
            trouble = self._trouble(record)
            rest += trouble
            unread += trouble
        if unread and holds_one(unread, marks):
            message, rest = self.redactor.line(message), self.redactor.line(rest)
        line = f'{{"timestamp":"{self._timestamp(own["created"])}{level}{message}{place}{where}{rest}}}'
        if len(line) <= RECORD_MAX_BYTES and line.isascii():
            return line
        return _fitting(line)

    def _origin(self, origin: tuple[str, str, str, int]) -> tuple[str, str]:
        """Return what comes before and after the message; one line of code always logs the same."""
        level, name, filename, number = origin
        known = (
            f'","level":{_quote(level)},"message":',
            self.redactor.line(
                f',"logger":{_quote(name)},"location":{_quote(filename)[:-1]}:{number}"{self._constants}'
            ),
        )
        if len(self._origins) < _ORIGINS_KEPT:
            self._origins[origin] = known
        return known

    # Most of a line is the same each time, or too short for a secret. What comes back with a text from here on is the
    # part of it that has to be looked through. What holds no mark is remembered with the marks: it is clean for every task
    # that has these. What holds one is looked through each time: whether it is a secret depends on the task.

    def _message(self, record: logging.LogRecord, marks: Marks) -> tuple[str, str]:
        message: Any = record.msg
        if record.args or type(message) is not str:
            if isinstance(message, dict) and not record.args:
                shown = _encode(self.redactor.value_by_name(message))
                return shown, shown
            message = message_of(record)
        else:
            known = self._messages.get(message)
            if known is not None and known[1] is marks:
                return known[0], ""
        shown = _quote(self.redactor.by_name(message) if "=" in message or ":" in message else message)
        if message in CONSTANTS and not record.args and not holds_one(shown, marks):
            self._messages[message] = shown, marks
            return shown, ""
        return shown, shown

    def _outside(self, own: dict[str, Any]) -> tuple[str, Marks]:
        request_id = own.get("request_id")  # outside of invocations the runtime's own handler knows it
        where = self.redactor.line(f',"request_id":{_quote(str(request_id))}') if request_id else ""
        return where, self.redactor.marks()

    def _fields(self, record: logging.LogRecord, invocation: Invocation | None, marks: Marks) -> tuple[str, str]:
        bound, fields = bound_keys(), brought(record)
        if invocation is None or not bound or not bound.keys().isdisjoint(fields):
            return self._written({**bound, **fields}, marks)
        # Keys are bound once, and written with each record after that.
        kept = invocation.notes.get(self)
        text, unread = self._written(fields, marks)
        if kept is None or kept[0] is not bound or kept[1] is not marks:
            before, more = self._written(bound, marks)
            if more and holds_one(more, marks):
                return before + text, more + unread
            kept = invocation.notes[self] = bound, marks, before
        return kept[2] + text, unread

    def _written(self, fields: Mapping[str, Any], marks: Marks) -> tuple[str, str]:
        text = unread = ""
        redactor, names = self.redactor, self._names
        for name, value in fields.items():
            known = names.get(name)
            if known is None or known[2] is not marks:
                known = self._named(name, marks)
                if known[2] is not marks:
                    unread += known[0]
            kind = type(value)
            if known[1] and value is not None:
                text += f'{known[0]}"{MASK}"'
            elif kind is str:
                shown = _quote(redactor.by_name(value) if "=" in value or ":" in value else value)
                text += known[0] + shown
                if len(value) >= SHORTEST_SECRET:
                    unread += shown
            elif kind is int or (kind is float and _LOWEST < value < _HIGHEST):  # as JSON writes them
                text += f"{known[0]}{value!r}"
            elif kind is bool:
                text += f"{known[0]}true" if value else f"{known[0]}false"
            else:
                shown = _encode(redactor.value_by_name(value))
                text += known[0] + shown
                unread += shown
        return text, unread

    def _named(self, name: str, marks: Marks) -> Name:
        text = str(name)  # `extra` takes anything
        written = f",{_quote(self.redactor.by_name(f'{text}_' if text in self._reserved else text))}:"
        if holds_one(written, marks):
            return written, self.redactor.is_secret(text), None
        known = written, self.redactor.is_secret(text), marks
        if len(self._names) < _NAMES_KEPT or name in self._names:
            self._names[name] = known
        return known

    def _trouble(self, record: logging.LogRecord) -> str:
        redactor, text = self.redactor, ""
        if record.exc_info and record.exc_info[1] is not None:
            text = f',"exception":{_encode(describe_exception(record.exc_info[1], redactor))}'
        elif record.exc_text:
            text = f',"exception":{_encode({"stack": redactor.by_name(record.exc_text)})}'
        if record.stack_info:
            text += f',"stack":{_quote(redactor.by_name(record.stack_info))}'
        return text

    def _timestamp(self, created: float) -> str:
        """Write a time like `2020-09-22T23:43:40.073Z`."""
        second = int(created)
        known, text = self._second
        if known != second:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = (second, text)
        millisecond = int((created - second) * 1000)
        return text + (self._milliseconds.get(millisecond) or self._ending(millisecond))

    def _ending(self, millisecond: int) -> str:
        ending = self._milliseconds[millisecond] = f".{millisecond:03d}Z"
        return ending


class ConsoleFormatter(RecordFormatter):
    """A line for people: time, level, message, fields; an exception below it as Python writes it."""

    def __init__(self, *, redactor: Redactor, constants: Mapping[str, Any], colour: bool) -> None:
        super().__init__(redactor=redactor, constants=constants)
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        written: str | None = record.__dict__.get(WRITTEN)
        if written is not None:
            return written
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        level = f"{record.levelname:<8}"
        if self._colour:
            level = f"\x1b[{_COLOURS.get(record.levelname, '0')}m{level}\x1b[0m"
        fields: dict[str, Any] = self.redactor.value_by_name(self.fields(record))
        invocation = current_invocation()
        if invocation is not None:
            where = json.loads(f"{{{_place_of(invocation, self.redactor)[0][1:]}}}")
            fields |= {name: where[name] for name in ("flow", "execution") if name in where}
        shown = [f"{name}={value if isinstance(value, str) else _encode(value)}" for name, value in fields.items()]
        lines = [" ".join([clock, level, self.redactor.by_name(message_of(record)), *shown])]
        if record.exc_info:
            lines.append(self.formatException(record.exc_info))
        elif record.exc_text:
            lines.append(record.exc_text)
        if record.stack_info:
            lines.append(record.stack_info)
        return self.redactor.text("\n".join(lines))


def _members(fields: Mapping[str, Any]) -> str:
    return "".join(f",{_quote(name)}:{_written(value)}" for name, value in fields.items())


def _written(value: Any) -> str:
    """Write a value as JSON; the encoder itself takes several times as long for the simple ones."""
    kind = type(value)
    if kind is str:
        return _quote(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is int or (kind is float and _LOWEST < value < _HIGHEST):
        return repr(value)
    return _encode(value)


def _place_of(invocation: Invocation, redactor: Redactor) -> tuple[str, Marks]:
    """Return what names an invocation and its task, as members of JSON, and the marks of its secrets.

    They are made once for each task, not for each record.
    """
    task = running_task()
    kept = invocation.notes.get(redactor)
    if kept is None or kept[1] is not task or kept[2] is not invocation.sampled or invocation.ended:
        place = _place_text(invocation, task), redactor.marks()  # names and ids of FC's and of the flow's: no secrets
        kept = invocation.notes[redactor] = place, task, invocation.sampled
    return kept[0]


def _place_text(invocation: Invocation, task: Task | None) -> str:
    context = invocation.context
    text = ',"cold_start":true' if invocation.cold_start else ',"cold_start":false'
    if context.request_id:
        text += f',"request_id":{_quote(context.request_id)}'
    if context.function_name:
        text += f',"function":{_quote(context.function_name)}'
    if context.region:
        text += f',"region":{_quote(context.region)}'
    if task is not None:
        layout = task.token.layout
        if layout is not None:
            text += f',"flow":{_quote(layout[0])},"execution":{_quote(layout[1])}'
        text += f',"task":"{task.token.fingerprint}"'
    return f'{text},"sampled":true' if invocation.sampled else text


def _fitting(line: str) -> str:
    """Return a masked line as valid UTF-8 within FC's limit, its longest parts cut."""
    size = _size(line)
    if size is None:  # lone surrogates: written as escapes
        line = json.dumps(json.loads(line), separators=(",", ":"))
        size = len(line)
    if size <= RECORD_MAX_BYTES:
        return line
    entry: dict[str, Any] = json.loads(line)
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
