"""Write a log record as a line: JSON for FC's log, plain text for a terminal."""

from __future__ import annotations

import json
import logging
import time
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any

from fc_callback.logs.binding import bound_keys
from fc_callback.logs.fitting import fitting
from fc_callback.logs.parts import exception_fields, guarded, head_of, place_of, raw_message
from fc_callback.redaction import known_secrets, may_hold_secrets
from fc_callback.values.invocation import current_invocation, running_task
from fc_callback.values.json_copy import MASK, PLAIN_NUMBER, is_maskable
from fc_callback.values.record_text import (
    PASSING_THROUGH,
    WRITTEN_LINE,
    exception_text,
    fields_of,
    text_of,
    writable,
)

if TYPE_CHECKING:
    from collections.abc import KeysView, Mapping

    from fc_callback.logs.processors import Processors
    from fc_callback.redaction import Redactor
    from fc_callback.values.spellings import Spellings
    from fc_callback.values.task import Task

_COLOURS = {"DEBUG": "2", "INFO": "32", "WARNING": "33", "ERROR": "31", "CRITICAL": "31;1"}
_HEAD = ("timestamp", "level", "logger", "location")
_RESERVED = frozenset(
    {"message", "request_id", "task", "exception", "service", "sampled", "cut", "function", "region", "cold_start"}
    | {*_HEAD, "flow", "execution", "stack"}
)
_NOT_ON_CONSOLE = _RESERVED - {"flow", "execution"}
_UNWRITABLE = '{"level":"ERROR","message":"A log record could not be written, and is left out."}'

_MOST_NAMES = 2000
_LONG_TEXT = 1000
_quoted = encode_basestring
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
        entry = dict(zip(_HEAD, head_of(record), strict=True))
        entry.update({"message": guarded(raw_message, record), **self._constants, **place_of(record)})
        entry.update({**self._renamed(bound_keys()), **self._own_fields(record)})
        processed = entry if self._processors is None else self._processors.apply(entry)
        return None if processed is None else self._redactor.members_by_name(processed)

    def _own_fields(self, record: logging.LogRecord) -> Mapping[str, Any]:
        """Return what only this record has beside its head: fields, exception, stack."""
        fields = guarded(fields_of, record)
        own = self._renamed(fields) if type(fields) is dict else {"unwritten": fields}
        if not (record.exc_info or record.exc_text or record.stack_info):
            return own
        own = {**own}
        if record.exc_info and record.exc_info[1] is not None:
            own["exception"] = guarded(exception_fields, record)
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
    """Writes each record as one line of JSON.

    The line is put together from JSON texts, because `json.dumps` takes longer for the few short fields of a record, and
    because the lines of one invocation share half of their text (`python -m benchmarks.helpers`).
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._usual_names: set[str] = set()  # names that were seen, and whose values are no secrets
        self._constants_json = self._members(self._constants)

    def _line(self, record: logging.LogRecord) -> str | None:
        if self._processors is not None:
            entry = self._entry(record)
            return None if entry is None else fitting(self._masked(_encode(entry), known_secrets()))
        shared = self._shared(record)
        fields = self._without_named_secrets(self._own_fields(record))
        if not shared.names.isdisjoint(fields):  # a field of this record has the name of a bound key
            shared = self._made_shared(record, bound_keys(), without=fields)
        timestamp, level, logger, location = head_of(record)
        own = self._masked(
            f'{{"timestamp":{_quoted(timestamp)},"level":{_quoted(level)},"message":{self._message_json(record)}'
            f',"logger":{_quoted(logger)},"location":{_quoted(location)}{self._members(fields)}}}',
            shared.secrets,
        )
        return fitting(f"{own[:-1]}{shared.members}}}")

    def _message_json(self, record: logging.LogRecord) -> str:
        message = guarded(raw_message, record) if record.args or type(record.msg) is not str else record.msg
        if type(message) is str:
            return _quoted(self._redactor.by_name(message))
        return _encode(self._redactor.value_by_name(message))

    def _without_named_secrets(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return fields with values under telling names masked."""
        if self._usual_names.issuperset(fields):
            return fields
        masked: dict[str, Any] = {}
        for name, value in fields.items():
            shown, is_secret = self._redactor.by_name(name), self._redactor.is_secret(name)
            if shown == name and not is_secret and len(self._usual_names) < _MOST_NAMES:
                self._usual_names.add(name)
            masked[shown] = MASK if is_secret and is_maskable(value) else value
        return masked

    def _members(self, fields: Mapping[str, Any]) -> str:
        """Return fields as members of a JSON object, a comma before each, with values under telling names masked in texts."""
        redactor = self._redactor
        members = []
        for name, value in fields.items():
            kind = type(value)
            if kind is str:
                has_names = ":" in value or "=" in value or len(value) > _LONG_TEXT
                text = _quoted(redactor.by_name(value) if has_names else value)
            elif (kind is int or kind is float) and -PLAIN_NUMBER < value < PLAIN_NUMBER:
                text = str(value)
            elif kind is bool:
                text = "true" if value else "false"
            else:
                text = _encode(redactor.value_by_name(value))
            members.append(f",{_quoted(name)}:{text}")
        return "".join(members)

    def _masked(self, line: str, secrets: Spellings) -> str:
        """Return a JSON object without known secrets and what looks like one."""
        if self._redactor.enabled and may_hold_secrets(line, secrets):
            return _encode(self._redactor.entry_by_line(json.loads(line)))
        return line

    def _shared(self, record: logging.LogRecord) -> _Shared:
        """Return what the lines of one invocation share: constants, its task and bound keys."""
        invocation = current_invocation()
        if invocation is None or invocation.ended:  # of a thread that outlives it: other secrets are known by now
            return self._made_shared(record, bound_keys())
        bound, task = bound_keys(), running_task()
        kept: _Shared | None = invocation.notes.get(self)
        if kept is not None and kept.bound is bound and kept.task is task and kept.sampled is invocation.sampled:
            return kept
        made = self._made_shared(record, bound)
        made.bound, made.task, made.sampled = bound, task, invocation.sampled
        if all(map(_is_immutable, bound.values())):
            invocation.notes[self] = made
        return made

    def _made_shared(
        self, record: logging.LogRecord, bound: Mapping[str, Any], *, without: Mapping[str, Any] = {}
    ) -> _Shared:
        keys = self._without_named_secrets(self._renamed(bound))
        if without:
            keys = {name: value for name, value in keys.items() if name not in without}
        members = f"{self._constants_json}{self._members(place_of(record))}{self._members(keys)}"
        made = _Shared()
        made.names, made.secrets = keys.keys(), known_secrets()
        made.members = f",{self._masked(f'{{{members[1:]}}}', made.secrets)[1:-1]}" if members else ""
        return made


class _Shared:
    """What the lines of one invocation share, as long as its running task and its bound keys are the same.

    Attributes:
        members: JSON, with a comma before each member.
        names: The names of the bound keys, as a line has them.
        secrets: The known secrets.
        bound, task, sampled: What it was made of.
    """

    __slots__ = ("bound", "members", "names", "sampled", "secrets", "task")

    members: str
    names: KeysView[str]
    secrets: Spellings
    bound: Mapping[str, Any]
    task: Task | None
    sampled: bool


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
