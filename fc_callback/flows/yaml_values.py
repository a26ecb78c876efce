"""YAML as values of JSON's types, at a bounded cost.

`yes`, `010` and dates stay text (example L10 of the flow languages). The depth has a bound, and so has the number of values
and characters to which aliases and merge keys expand. The reader takes the parser's events and stops at a bound; PyYAML's
composer would first recurse as deep as the text is nested.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import yaml

from fc_callback.flows.definition import DefinitionError
from fc_callback.flows.targets import REPLACING_TAGS, replaced_before_create

if TYPE_CHECKING:
    from collections.abc import Iterator

# The size of a request is the largest size of a definition that the service can get.
MAX_CHARACTERS: Final = 1024 * 1024
MAX_DEPTH: Final = 150
MAX_VALUES: Final = 100_000

Lines = dict[int, dict[str | int, int]]
"""For each mapping and list, by its `id()`: the line of each key or element."""

# PyYAML has libyaml in its wheels. A build without it reads the same with its own, slower parser.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STANDARD = "tag:yaml.org,2002:"
_PLAIN = re.compile(
    r"(?P<null>~|null|Null|NULL|)"
    r"|(?P<bool>true|True|TRUE|false|False|FALSE)"
    r"|(?P<int>[-+]?(?:0|[1-9][0-9]*))"
    r"|(?P<float>[-+]?(?:(?:0|[1-9][0-9]*)?\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?[eE][-+]?[0-9]+|(?:0|[1-9][0-9]*)\.))"
)


def parse_yaml(text: str) -> tuple[Any, Lines]:
    """Return the value of a YAML text, and the lines of its keys and elements. The ids live as long as the value.

    Raises:
        DefinitionError: It is not YAML with JSON's types, holds more than one document, or is nested too deep.
    """
    try:
        reader = _Reader(yaml.parse(text, Loader=_LOADER))
        return reader.document(), reader.lines
    except DefinitionError:
        raise
    except yaml.MarkedYAMLError as error:
        raise _unreadable(error.problem or str(error), error.problem_mark or error.context_mark) from None
    except (yaml.YAMLError, OverflowError, ValueError) as error:
        raise _unreadable(str(error)) from None


def require_bounds(document: Any) -> None:
    """Check the depth of a document, and the size that its aliases expand to.

    Raises:
        DefinitionError: It exceeds a bound.
    """
    level, values, characters = [document], 0, 0
    for _depth in range(MAX_DEPTH):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below.extend(value.values())
                characters += sum(map(len, value))
            elif isinstance(value, list):
                below.extend(value)
            elif isinstance(value, str):
                characters += len(value)
            if values + len(below) > MAX_VALUES or characters > MAX_CHARACTERS:
                raise _too_large()
        values += len(below)
        level = below
        if not level:
            return
    raise _too_deep()


class _Reader:
    """Builds the value of one document from the parser's events."""

    def __init__(self, events: Iterator[Any]) -> None:  # PyYAML has no types for them
        self.lines: Lines = {}
        self._events = events
        self._anchors: dict[str, Any] = {}
        self._values = 0

    def document(self) -> Any:
        events = self._events
        next(events)
        if isinstance(next(events), yaml.StreamEndEvent):
            return None
        value = self._value(next(events), 1)
        next(events)
        if not isinstance(further := next(events), yaml.StreamEndEvent):
            raise _unreadable("it holds a second document", further.start_mark)
        return value

    def _value(self, event: Any, depth: int) -> Any:
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise _unreadable(f"the alias *{event.anchor} names no complete value above it", event.start_mark)
            return self._anchors[event.anchor]
        if depth > MAX_DEPTH:
            raise _too_deep(event.start_mark)
        self._count(1, event.start_mark)
        if event.anchor:
            self._anchors.pop(event.anchor, None)  # a value cannot hold itself
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
        elif isinstance(event, yaml.MappingStartEvent):
            value = self._mapping(event, depth)
        else:
            value = self._list(event, depth)
        if event.anchor:
            self._anchors[event.anchor] = value
        return value

    def _count(self, values: int, mark: Any) -> None:
        self._values += values
        if self._values > 2 * MAX_VALUES:  # keys count here as well; `require_bounds` counts exactly
            raise _too_large(mark)

    def _list(self, event: Any, depth: int) -> list[Any]:
        _require_tag(event, "seq")
        result: list[Any] = []
        lines = self.lines[id(result)] = {}
        while not isinstance(element := next(self._events), yaml.SequenceEndEvent):
            lines[len(result)] = element.start_mark.line + 1
            result.append(self._value(element, depth + 1))
        return result

    def _mapping(self, event: Any, depth: int) -> dict[str, Any]:
        _require_tag(event, "map")
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        lines: dict[str | int, int] = {}
        while not isinstance(start := next(self._events), yaml.MappingEndEvent):
            line = start.start_mark.line + 1
            key = self._value(start, depth + 1)
            if not isinstance(key, str):
                shown = "that is a list or a mapping" if isinstance(key, list | dict) else repr(key)
                raise DefinitionError(f"The key {shown} is not text: put it in quotes (line {line}).", line=line)
            if key in lines:
                raise DefinitionError(
                    f"{key!r} is given twice: in line {lines[key]}, and again (line {line}).", line=line
                )
            lines[key] = line
            value = self._value(next(self._events), depth + 1)
            if _is_merge(start):
                merged = self._merge(value, start.start_mark)
            else:
                own[key] = value
        result = {**merged, **own}
        self.lines[id(result)] = lines
        return result

    def _merge(self, given: Any, mark: Any) -> dict[str, Any]:
        """Return the keys that `<<: *name` adds, or a list of such: the first mapping that has a key wins."""
        merged: dict[str, Any] = {}
        for source in given if isinstance(given, list) else [given]:
            if not isinstance(source, dict):
                raise _unreadable("`<<` takes a mapping or a list of mappings", mark)
            self._count(len(source), mark)
            for key, value in source.items():
                merged.setdefault(key, value)
        return merged


def _is_merge(event: Any) -> bool:
    if not isinstance(event, yaml.ScalarEvent) or event.value != "<<":
        return False
    return bool(event.tag == f"{_STANDARD}merge" or (event.tag is None and event.implicit[0]))


def _scalar(event: Any) -> Any:
    text: str = event.value
    if event.tag in {None, "!"}:
        found = _PLAIN.fullmatch(text) if event.implicit[0] else None
        return text if found is None else _converted(found.lastgroup or "str", text)
    kind = event.tag.removeprefix(_STANDARD)
    if kind in {"str", "merge"}:
        return text
    if kind not in {"null", "bool", "int", "float"}:
        raise _unknown_tag(event)
    found = _PLAIN.fullmatch(text)
    if found is None or (found.lastgroup != kind and (found.lastgroup, kind) != ("int", "float")):
        raise _unreadable(f"the value is not a !!{kind}", event.start_mark)
    return _converted(kind, text)


def _converted(kind: str, text: str) -> Any:
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int":
        return int(text)
    return float(text) if kind == "float" else text


def _require_tag(event: Any, kind: str) -> None:
    if event.tag not in {None, "!", _STANDARD + kind}:
        raise _unknown_tag(event)


def _unknown_tag(event: Any) -> DefinitionError:
    line = event.start_mark.line + 1
    if event.tag in REPLACING_TAGS:
        return DefinitionError(f"{replaced_before_create(event.tag)} (line {line})", line=line)
    return _unreadable(f"the tag {event.tag.replace(_STANDARD, '!!')} is not known for this value", event.start_mark)


def _too_deep(mark: Any = None) -> DefinitionError:
    return _error(f"The definition is nested deeper than {MAX_DEPTH} levels", mark)


def _too_large(mark: Any = None) -> DefinitionError:
    bounds = f"{MAX_VALUES:,} values or {MAX_CHARACTERS:,} characters"
    return _error(f"The definition, with its aliases replaced, has more than {bounds}", mark)


def _unreadable(problem: str, mark: Any = None) -> DefinitionError:
    return _error(f"The definition is neither YAML nor JSON: {problem}", mark)


def _error(text: str, mark: Any) -> DefinitionError:
    if mark is None:
        return DefinitionError(f"{text}.")
    return DefinitionError(f"{text} (line {mark.line + 1}, column {mark.column + 1}).", line=mark.line + 1)
