"""How a record is written: one line of JSON for FC's log, a readable line for a terminal.

FC takes log records of 32 KB (FC documentation, "Limits"): a longer line is made to fit, its longest parts first.
"""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

from fc_callback.invocation import LOG_TASK, Invocation, PlainRecordText, current_invocation
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

    # Where a line belongs: its invocation and task, and what is bound there, both as members of JSON; the keys that are
    # bound; and what is known to be clean.
    Place = tuple[str, str, Mapping[str, Any], "_Clean"]

RECORD_MAX_BYTES = 32_000  # FC's limit is 32 KB, whatever it counts as one
WRITTEN = "fc_line"  # where a record that was held back carries its line

_A_TASK = [LOG_TASK]  # what a task's record brings
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


class _Clean:
    """What was written before, and holds none of these marks: names, and what stands around messages of the code's own."""

    __slots__ = ("heads", "marks", "names")

    def __init__(self, marks: Marks) -> None:
        self.marks = marks
        self.names: dict[str, str] = {}
        self.heads: dict[tuple[Any, ...], str] = {}


class JsonFormatter(RecordFormatter):
    """One line of JSON for each record.

    The line is put together as text: a dict of it, encoded, would take twice as long, and a function logs all the time.
    """

    def __init__(self, *, redactor: Redactor, constants: Mapping[str, Any]) -> None:
        super().__init__(redactor=redactor, constants=constants)
        self._constants = f",{_encode(self.constants)[1:-1]}" if self.constants else ""
        self._has_tasks_names = not any(name in self._reserved or redactor.is_secret(name) for name in FIELDS)
        self._clean = _Clean(())
        self._origins: dict[tuple[str, str, str, int], tuple[str, str]] = {}
        self._second = 0, "1970-01-01T00:00:00"
        self._milliseconds: dict[int, str] = {}  # a thousand of them

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        own = record.__dict__
        if WRITTEN in own:
            return own[WRITTEN]  # type: ignore[no-any-return]  # a line
        invocation = current_invocation()
        where, bound_text, bound, clean = self._outside(own) if invocation is None else self._place_of(invocation)
        head, unread = self._head(record, clean)
        given = [*own][OWN_COUNT:]
        if given and given[-1] == "request_id":  # FC's own handler puts it on each record, after all else
            given.pop()
        if given == _A_TASK and self._writes_tasks(own[LOG_TASK], bound):
            rest = f"{bound_text},{own[LOG_TASK][1:-1]}"
        else:
            values: Mapping[str, Any] = own
            if not NOT_BROUGHT.isdisjoint(given):
                values = brought(record)
                given = [*values]
            if not bound.keys().isdisjoint(given):  # where both have a name, it is the record's
                values = {**bound, **{name: values[name] for name in given}}
                given, bound_text = [*values], ""
            text, more = self._written(given, values, clean)
            rest = bound_text + text
            unread += more
        if own["exc_info"] or own["exc_text"] or own["stack_info"]:
            trouble = self._trouble(record)
            rest += trouble
            unread += trouble
        if unread and holds_one(unread, clean.marks):
            head, rest = self.redactor.line(head), self.redactor.line(rest)
        line = f'{{"timestamp":"{self._timestamp(own["created"])}{head}{where}{rest}}}'
        if len(line) <= RECORD_MAX_BYTES and line.isascii():
            return line
        return _fitting(line)

    # Most of a line is the same each time, or too short for a secret. What comes back with a text from here on is the
    # part of it that has to be looked through. What holds no mark is remembered: it is clean for every task that has these
    # marks. What holds one is looked through each time: whether it is a secret depends on the task.

    def _head(self, record: logging.LogRecord, clean: _Clean) -> tuple[str, str]:
        """Return the level, the message, and the place in the code, as members of JSON."""
        own = record.__dict__
        message: Any = own["msg"]
        if own["args"] or type(message) is not str:
            if isinstance(message, dict) and not own["args"]:
                shown = _encode(self.redactor.value_by_name(message))
            else:
                shown = self._quoted(message_of(record))
            head = self._around(own, shown)
            return head, head
        origin = own["levelname"], own["name"], own["filename"], own["lineno"], message
        known = clean.heads.get(origin)
        if known is not None:
            return known, ""
        head = self._around(own, self._quoted(message))
        if message not in CONSTANTS or holds_one(head, clean.marks):
            return head, head
        if len(clean.heads) < _ORIGINS_KEPT:
            clean.heads[origin] = head
        return head, ""

    def _around(self, own: dict[str, Any], message: str) -> str:
        level, place = self._origin(own)
        return f"{level}{message}{place}"

    def _writes_tasks(self, task: object, bound: Mapping[str, Any]) -> bool:
        """Say whether a task's record is written as it is: under the names that it has, which nobody else has here."""
        return type(task) is PlainRecordText and self._has_tasks_names and bound.keys().isdisjoint(FIELDS)

    def _origin(self, own: dict[str, Any]) -> tuple[str, str]:
        """Return what comes before and after the message; one line of code always logs the same."""
        origin = own["levelname"], own["name"], own["filename"], own["lineno"]
        known = self._origins.get(origin)
        if known is None:
            level, name, filename, number = origin
            place = f',"logger":{_quote(name)},"location":{_quote(filename)[:-1]}:{number}"{self._constants}'
            known = f'","level":{_quote(level)},"message":', place
            if len(self._origins) < _ORIGINS_KEPT:
                self._origins[origin] = known
        return known

    def _quoted(self, text: str) -> str:
        return _quote(self.redactor.by_name(text) if "=" in text or ":" in text else text)

    def _outside(self, own: dict[str, Any]) -> Place:
        request_id = own.get("request_id")  # outside of invocations the runtime's own handler knows it
        where = self.redactor.line(f',"request_id":{_quote(str(request_id))}') if request_id else ""
        return self._place(where)

    def _place_of(self, invocation: Invocation) -> Place:
        """Return the place of an invocation's lines: made once for each task and binding, not for each record."""
        kept: tuple[Place, Task | None, object, bool] | None = invocation.notes.get(self)
        binding, task = current_binding(), running_task()
        keys = binding and binding[1]  # and not all of it, which holds the invocation, which holds this
        if (
            kept is None
            or kept[1] is not task
            or kept[2] is not keys
            or kept[3] is not invocation.sampled
            or invocation.ended
        ):
            # Names and ids of FC's and of the flow's: no secrets.
            kept = self._place(_place_text(invocation, task)), task, keys, invocation.sampled
            invocation.notes[self] = kept
        return kept[0]

    def _place(self, where: str) -> Place:
        bound, marks = bound_keys(), self.redactor.marks()
        clean = self._clean
        if clean.marks is not marks:
            clean = self._clean = _Clean(marks)
        bound_text, unread = self._written(bound, bound, clean) if bound else ("", "")
        if unread and holds_one(unread, marks):
            bound_text = self.redactor.line(bound_text)
        return where, bound_text, bound, clean

    def _written(self, names: Iterable[str], values: Mapping[str, Any], clean: _Clean) -> tuple[str, str]:
        text = unread = ""
        known = clean.names
        for name in names:
            value = values[name]
            kind = type(value)
            before = known.get(name)
            if before is None:
                before, is_secret = self._named(name, clean)
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

    def _named(self, name: str, clean: _Clean) -> tuple[str, bool]:
        text = str(name)  # `extra` takes anything
        written = f",{_quote(self.redactor.by_name(f'{text}_' if text in self._reserved else text))}:"
        is_secret = self.redactor.is_secret(text)
        if not is_secret and len(clean.names) < _NAMES_KEPT and not holds_one(written, clean.marks):
            clean.names[name] = written
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

    def _timestamp(self, created: float) -> str:
        """Write a time like `2020-09-22T23:43:40.073Z`."""
        second, text = self._second
        if not 0 <= created - second < 1:
            second = int(created)
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = second, text
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
