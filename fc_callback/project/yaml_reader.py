"""Read YAML as js-yaml 4.1 does, which Serverless Devs reads s.yaml with: its structure, its tags, its merge keys.

The cost of a text is bounded: its length, its depth, and the number of values that its aliases expand to. Known differences
from js-yaml: an alias inside of its own value is an error, a key on one line has at most 1,024 characters, and U+0085,
U+2028 and U+2029 end a line, as in YAML 1.1.
"""

from __future__ import annotations

from typing import Any, Final

import yaml

from fc_callback.errors import FcCallbackError
from fc_callback.project.yaml_scalars import NOT_OF_TYPE, as_text, resolve_plain, resolve_tagged

MAX_CHARACTERS: Final = 1_000_000
MAX_DEPTH: Final = 100
MAX_VALUES: Final = 100_000
PREFIX = "tag:yaml.org,2002:"
_TAGS: dict[type[yaml.Event], tuple[str, ...]] = {  # those of the default schema for mappings and lists
    yaml.MappingStartEvent: ("map", "set"),
    yaml.SequenceStartEvent: ("seq", "omap", "pairs"),
}

Lines = dict[int, dict[str | int, int]]
"""For each mapping and list, by its `id()`: the line of each key or element."""


class DocumentError(FcCallbackError, ValueError):
    """A document cannot be read.

    Attributes:
        problem: The reason, without the place.
        line: From 1.
        column: From 1.
    """

    def __init__(self, problem: str, line: int = 1, column: int = 1) -> None:
        super().__init__(f"{problem} (line {line}, column {column})")
        self.problem, self.line, self.column = problem, line, column


class DuplicateKey(DocumentError):
    """A mapping has the same key twice."""


def parse_yaml(text: str) -> Any:
    """Return the value of a YAML text.

    Raises:
        DocumentError: It is not YAML, holds more than one document, or exceeds a bound.
    """
    return parse_with_lines(text)[0]


def parse_with_lines(text: str) -> tuple[Any, Lines]:
    """Return the value of a YAML text, and the lines of its keys and elements. The ids live as long as the value.

    Raises:
        DocumentError: As for `parse_yaml`.
    """
    if len(text) > MAX_CHARACTERS:
        raise DocumentError(f"it has more than {MAX_CHARACTERS:,} characters")
    try:
        events: Any = _Events(text)
        builder = _Builder(events)
        return builder.document(), builder.lines
    except DocumentError:
        raise
    except (OverflowError, ValueError):  # PyYAML lets those of chr() and int() pass: "\\UFFFFFFFF"
        line, column = events.line + 1, events.column + 1
        raise DocumentError("an escape or a version number is out of range", line, column) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - text.rfind("\n", 0, error.position)
        raise DocumentError("it holds a character that YAML does not allow", line, column) from None
    except yaml.MarkedYAMLError as error:
        mark, problem = error.problem_mark or error.context_mark, error.problem or str(error)
        raise (_error(problem, mark) if mark else DocumentError(problem)) from None


def yaml_events(text: str) -> Any:
    """Return PyYAML's parser of a text, for its events and their positions."""
    return _Events(text)


class _Events(yaml.SafeLoader):
    """PyYAML's parser, which follows YAML 1.1. YAML 1.2 allows tabs between tokens (as in indented JSON) and inside texts."""

    def scan_to_next_token(self) -> None:
        super().scan_to_next_token()
        while self.peek() == "\t" and (self.flow_level or self._line_so_far().strip()):
            while self.peek() in " \t":
                self.forward()
            super().scan_to_next_token()

    def scan_plain_spaces(self, indent: int, start_mark: Any) -> Any:
        length = 0
        while self.peek(length) in " \t":
            length += 1
        spaces = self.prefix(length)
        if "\t" not in spaces:
            return super().scan_plain_spaces(indent, start_mark)
        self.forward(length)
        return super().scan_plain_spaces(indent, start_mark) if self.peek() in "\0\r\n" else [spaces]

    def _line_so_far(self) -> str:
        line: str = self.buffer[self.pointer - self.column : self.pointer]
        return line


class _Builder:
    """Builds the value of one document from the parser's events."""

    def __init__(self, events: Any) -> None:  # PyYAML's methods have no annotations
        self.lines: Lines = {}
        self._events = events
        self._anchors: dict[str, tuple[Any, int]] = {}  # each with the number of values that it expands to
        self._open_anchors: set[str] = set()
        self._values = 0

    def document(self) -> Any:
        self._events.get_event()
        if self._events.check_event(yaml.StreamEndEvent):
            return None
        self._events.get_event()
        value = self._node(1)
        self._events.get_event()
        if not self._events.check_event(yaml.StreamEndEvent):
            raise _error("it holds a second document, and one is expected", self._events.peek_event().start_mark)
        return value

    def _node(self, depth: int) -> Any:
        event = self._events.get_event()
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if depth > MAX_DEPTH:
            raise _error(f"it is nested deeper than {MAX_DEPTH} levels", event.start_mark)
        before = self._values
        self._count(1, event)
        if event.anchor:
            self._open_anchors.add(event.anchor)
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(event, depth)
        else:
            value = self._mapping(event, depth)
        if event.anchor:
            self._open_anchors.discard(event.anchor)
            self._anchors[event.anchor] = (value, self._values - before)
        return value

    def _count(self, values: int, event: Any) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            raise _error(f"its aliases expand to more than {MAX_VALUES:,} values", event.start_mark)

    def _alias(self, event: Any) -> Any:
        if event.anchor in self._open_anchors:
            raise _error(f"the alias *{event.anchor} is inside the value that it names", event.start_mark)
        if event.anchor not in self._anchors:
            raise _error(f"the alias *{event.anchor} has no anchor &{event.anchor} above it", event.start_mark)
        value, values = self._anchors[event.anchor]
        self._count(values, event)
        return value

    def _sequence(self, event: yaml.SequenceStartEvent, depth: int) -> list[Any]:
        result: list[Any] = []
        lines = self.lines[id(result)] = {}
        while not self._events.check_event(yaml.SequenceEndEvent):
            lines[len(result)] = self._events.peek_event().start_mark.line + 1
            result.append(self._node(depth + 1))
        self._events.get_event()
        kind = _collection_kind(event)
        if kind == "seq":
            return result
        keys = [as_text(key) for each in result if isinstance(each, dict) and len(each) == 1 for key in each]
        if len(keys) < len(result) or (kind == "omap" and len(set(keys)) < len(keys)):
            raise _error(f"the list is not an !!{kind}", event.start_mark)
        return result if kind == "omap" else [list(pair) for each in result for pair in each.items()]

    def _mapping(self, event: yaml.MappingStartEvent, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        lines = self.lines[id(result)] = {}
        merged: set[str] = set()  # keys that the mapping's own keys may still replace
        while not self._events.check_event(yaml.MappingEndEvent):
            start = self._events.peek_event()
            name = self._key(depth + 1)
            value = self._node(depth + 1)
            if _is_merge(start):
                self._merge(result, value, lines, merged, start)
                continue
            if name in result and name not in merged:
                raise _error(f"the key {name!r} is here for the second time", start.start_mark, DuplicateKey)
            result[name] = value
            lines[name] = start.start_mark.line + 1
            merged.discard(name)
        self._events.get_event()
        if _collection_kind(event) == "set" and any(value is not None for value in result.values()):
            raise _error("a key of the !!set has a value", event.start_mark)
        return result

    def _key(self, depth: int) -> str:
        start = self._events.peek_event()
        key = self._node(depth)
        if isinstance(key, list) and any(isinstance(each, list) for each in key):
            raise _error("a list inside of a list cannot be a key", start.start_mark)
        return as_text(key)

    def _merge(
        self, result: dict[str, Any], given: Any, lines: dict[str | int, int], merged: set[str], start: Any
    ) -> None:
        """Add the keys of `<<: *name`, or of a list of them, that are not in the mapping yet."""
        for source in given if isinstance(given, list) else [given]:
            if not isinstance(source, dict):
                raise _error("`<<` takes a mapping or a list of mappings", start.start_mark)
            for key, value in source.items():
                if key not in result:
                    result[key] = value
                    lines[key] = self.lines.get(id(source), {}).get(key, start.start_mark.line + 1)
                    merged.add(key)


def _error(problem: str, mark: Any, kind: type[DocumentError] = DocumentError) -> DocumentError:
    return kind(problem, mark.line + 1, mark.column + 1)


def _is_merge(event: Any) -> bool:
    if not isinstance(event, yaml.ScalarEvent):
        return False
    return event.tag == f"{PREFIX}merge" or (event.tag is None and event.implicit[0] and event.value == "<<")


def _scalar(event: Any) -> Any:
    if event.style == '"' and not event.value.isascii():  # JSON's escapes of one character in two halves
        event.value = event.value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if event.tag is None or event.tag == "!":
        return resolve_plain(event.value) if event.implicit[0] and not (event.tag and event.value) else event.value
    tag = event.tag.removeprefix(PREFIX)
    if tag == "null" and not event.value and event.style is None:
        return None
    try:
        value = resolve_tagged(tag, event.value)
    except KeyError:
        raise _unknown_tag(event) from None
    if value is NOT_OF_TYPE:
        raise _error(f"the value is not a !!{tag}", event.start_mark)
    return value


def _collection_kind(event: Any) -> str:
    first, *others = _TAGS[type(event)]
    kind: str = first if event.tag in {None, "!"} else event.tag.removeprefix(PREFIX)
    if kind not in (first, *others):
        raise _unknown_tag(event)
    return kind


def _unknown_tag(event: Any) -> DocumentError:
    return _error(f"the tag {event.tag.replace(PREFIX, '!!')} is not known for this value", event.start_mark)
