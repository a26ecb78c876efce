"""How a record is written: one line of JSON for FC's log, a readable line for a terminal.

FC takes log records of 32 KB (FC documentation, "Limits"): a longer line is made to fit, its longest parts first.
"""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

from fc_callback.invocation import LOG_TASK, Invocation, current_invocation
from fc_callback.logs.binding import bound_keys, current_binding
from fc_callback.logs.exceptions import describe_exception
from fc_callback.logs.records import CONSTANTS
from fc_callback.metrics import FIELDS
from fc_callback.redaction import MASK, NOT_BROUGHT, OWN_COUNT, SHORTEST_SECRET, brought, holds_one, message_of
from fc_callback.task import running_task

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fc_callback.redaction import Redactor
    from fc_callback.task import Task

    Marks = tuple[str, ...]  # of which one stands in each text that holds a secret
    Place = tuple[str, str, Mapping[str, Any], Marks]  # of the invocation, of what is bound, both as members of JSON

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
        # Whether a task's record is written under the names that it has.
        self._writes_tasks = not any(name in self._reserved or redactor.is_secret(name) for name in FIELDS)
        self._names: tuple[Marks, dict[str, str]] = (), {}
        self._heads: dict[tuple[Any, ...], tuple[str, Marks]] = {}
        self._origins: dict[tuple[str, str, str, int], tuple[str, str]] = {}
        self._second = 0, "1970-01-01T00:00:00"
        self._milliseconds: dict[float, str] = {}  # a thousand of them

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        own = record.__dict__
        if WRITTEN in own:
            return own[WRITTEN]  # type: ignore[no-any-return]  # a line
        invocation = current_invocation()
        place, before, bound, marks = self._outside(own) if invocation is None else self._place_of(invocation)
        head, unread = self._head(record, marks)
        task = own.get(LOG_TASK)
        if task and self._writes_tasks and bound.keys().isdisjoint(FIELDS) and '"error"' not in task:
            rest = f",{task[1:-1]}"  # numbers, and words of our own
        else:
            given = [*own][OWN_COUNT:]
            if given and given[-1] == "request_id":  # as FC's own handler puts it on each record
                given.pop()
            names: Iterable[str] = given
            values: Mapping[str, Any] = own
            if not NOT_BROUGHT.isdisjoint(given):
                names = values = brought(record)
            if not bound.keys().isdisjoint(names):  # the record's own win
                names = values = {**bound, **{name: values[name] for name in names}}
                before = ""
            rest, more = self._written(names, values, marks)
            unread += more
        if own["exc_info"] or own["exc_text"] or own["stack_info"]:
            trouble = self._trouble(record)
            rest += trouble
            unread += trouble
        if unread and holds_one(unread, marks):
            head, rest = self.redactor.line(head), self.redactor.line(rest)
        line = f'{{"timestamp":"{self._timestamp(own)}{head}{place}{before}{rest}}}'
        if len(line) <= RECORD_MAX_BYTES and line.isascii():
            return line
        return _fitting(line)

    # Most of a line is the same each time, or too short for a secret. What comes back with a text from here on is the
    # part of it that has to be looked through. What holds no mark is remembered with the marks: it is clean for every task
    # that has these. What holds one is looked through each time: whether it is a secret depends on the task.

    def _head(self, record: logging.LogRecord, marks: Marks) -> tuple[str, str]:
        """Return the level, the message, and the place in the code, as members of JSON."""
        own = record.__dict__
        message: Any = own["msg"]
        if own["args"] or type(message) is not str:
            if isinstance(message, dict) and not record.args:
                shown = _encode(self.redactor.value_by_name(message))
            else:
                shown = self._quoted(message_of(record))
            level, place = self._origin(own)
            return f"{level}{shown}{place}", shown
        origin = own["levelname"], own["name"], own["filename"], own["lineno"], message
        known = self._heads.get(origin)
        if known is not None and known[1] is marks:
            return known[0], ""
        shown = self._quoted(message)
        level, place = self._origin(own)
        head = f"{level}{shown}{place}"
        if message in CONSTANTS and not holds_one(head, marks):
            if len(self._heads) < _ORIGINS_KEPT or origin in self._heads:
                self._heads[origin] = head, marks
            return head, ""
        return head, shown

    def _origin(self, own: dict[str, Any]) -> tuple[str, str]:
        """Return what comes before and after the message; one line of code always logs the same."""
        origin = own["levelname"], own["name"], own["filename"], own["lineno"]
        known = self._origins.get(origin)
        if known is None:
            level, name, filename, number = origin
            place = f',"logger":{_quote(name)},"location":{_quote(filename)[:-1]}:{number}"{self._constants}'
            known = f'","level":{_quote(level)},"message":', self.redactor.line(place)
            if len(self._origins) < _ORIGINS_KEPT:
                self._origins[origin] = known
        return known

    def _quoted(self, text: str) -> str:
        return _quote(self.redactor.by_name(text) if "=" in text or ":" in text else text)

    def _outside(self, own: dict[str, Any]) -> Place:
        request_id = own.get("request_id")  # outside of invocations the runtime's own handler knows it
        where = self.redactor.line(f',"request_id":{_quote(str(request_id))}') if request_id else ""
        bound, marks = bound_keys(), self.redactor.marks()
        return where, self._bound_text(bound, marks), bound, marks

    def _place_of(self, invocation: Invocation) -> Place:
        """Return what names an invocation and its task, and what is bound: made once for each task, not for each record."""
        kept, binding = invocation.notes.get(self), current_binding()
        keys = binding and binding[1]  # and not all of it, which holds the invocation, which holds this
        if (
            kept is None
            or kept[1] is not running_task()
            or kept[2] is not keys
            or kept[3] is not invocation.sampled
            or invocation.ended
        ):
            task, bound, marks = running_task(), bound_keys(), self.redactor.marks()
            text = _place_text(invocation, task)  # names and ids of FC's and of the flow's: no secrets
            place = text, self._bound_text(bound, marks), bound, marks
            kept = invocation.notes[self] = place, task, keys, invocation.sampled
        return kept[0]

    def _bound_text(self, bound: Mapping[str, Any], marks: Marks) -> str:
        if not bound:
            return ""
        text, unread = self._written(bound, bound, marks)
        return self.redactor.line(text) if unread and holds_one(unread, marks) else text

    def _written(self, names: Iterable[str], values: Mapping[str, Any], marks: Marks) -> tuple[str, str]:
        text = unread = ""
        clean = self._names[1] if self._names[0] is marks else self._renamed(marks)
        for name in names:
            value = values[name]
            kind = type(value)
            before = clean.get(name)
            if before is None:
                before, is_secret = self._named(name, marks)
                unread += before
                if is_secret and value is not None:
                    text += f'{before}"{MASK}"'
                    continue
            if kind is str:
                shown = _quote(self.redactor.by_name(value) if "=" in value or ":" in value else value)
                text += before + shown
                if len(value) >= SHORTEST_SECRET:
                    unread += shown
            elif kind is int or (kind is float and _LOWEST < value < _HIGHEST):  # as JSON writes them
                text += f"{before}{value!r}"
            elif kind is bool:
                text += f"{before}true" if value else f"{before}false"
            else:
                shown = _encode(self.redactor.value_by_name(value))
                text += before + shown
                unread += shown
        return text, unread

    def _renamed(self, marks: Marks) -> dict[str, str]:
        names: dict[str, str] = {}
        self._names = marks, names
        return names

    def _named(self, name: str, marks: Marks) -> tuple[str, bool]:
        text = str(name)  # `extra` takes anything
        written = f",{_quote(self.redactor.by_name(f'{text}_' if text in self._reserved else text))}:"
        is_secret = self.redactor.is_secret(text)
        known, names = self._names
        if not is_secret and known is marks and len(names) < _NAMES_KEPT and not holds_one(written, marks):
            names[name] = written
        return written, is_secret

    def _trouble(self, record: logging.LogRecord) -> str:
        redactor, text = self.redactor, ""
        if record.exc_info and record.exc_info[1] is not None:
            text = f',"exception":{_encode(describe_exception(record.exc_info[1], redactor))}'
        elif record.exc_text:
            text = f',"exception":{_encode({"stack": redactor.by_name(record.exc_text)})}'
        if record.stack_info:
            text += f',"stack":{_quote(redactor.by_name(record.stack_info))}'
        return text

    def _timestamp(self, own: dict[str, Any]) -> str:
        """Write a time like `2020-09-22T23:43:40.073Z`."""
        began, text = self._second
        if not 0 <= own["created"] - began < 1:
            began = int(own["created"])
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(began))
            self._second = began, text
        return text + (self._milliseconds.get(own["msecs"]) or self._ending(own["msecs"]))

    def _ending(self, milliseconds: float) -> str:
        ending = f".{int(milliseconds):03d}Z"
        if int(milliseconds) == milliseconds:  # as they are in every Python that is kept up to date
            self._milliseconds[milliseconds] = ending
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
            task = running_task()
            layout = None if task is None else task.token.layout
            if layout is not None:
                fields["flow"], fields["execution"], _ = layout
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
