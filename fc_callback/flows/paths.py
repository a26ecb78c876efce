"""Paths into JSON values as both flow languages write them: `.name`, `[0]` and `[*]`; and what an expression reads.

This is not the grammar of `fc_callback.payload.paths`: a flow's path has no quoted keys, `[*]` selects every element, and
it may end in the middle of an expression, so a name ends before any operator.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import attrs

from fc_callback.flows.definition import DefinitionError, Warn, ignore

SEGMENT_PATTERN = r"""(?:\.[^\s.\[\](){},"'`&|=<>!]+|\[\s*(?:[0-9]{1,9}|\*)\s*\])"""
ROOT_PATTERN = r"\$[A-Za-z]*"
_SEGMENT = re.compile(SEGMENT_PATTERN)
_PATH = re.compile(rf"\s*({ROOT_PATTERN})({SEGMENT_PATTERN}*)\s*")


class Every:
    """The segment `[*]`; the text `*` is a key."""


@attrs.frozen
class Values:
    """What an expression reads.

    Attributes:
        roots: The value of each root, like `{"$Input": ...}`.
        missing: Called with the text of a path that leads nowhere, like `$Input.a.b`. The path's value is None then.
    """

    roots: Mapping[str, Any]
    missing: Warn = ignore


# They raise FlowError if a function does not accept its arguments.
Expression: TypeAlias = Callable[[Values], Any]
# Returns the object that a constructor or `Parameters` describes.
Constructor: TypeAlias = Callable[[Values], dict[str, Any]]
Condition: TypeAlias = Callable[[Values], bool]


def constant(value: Any) -> Expression:
    """Return an expression that has always the same value."""
    return lambda _values: value


@attrs.frozen
class Path:
    """A path.

    Attributes:
        text: The path as written, with its root.
        segments: Keys (str), indexes (int) and `Every`.
    """

    text: str
    segments: tuple[Any, ...]

    def read(self, value: Any, missing: Warn) -> Any:
        """Return the value at the path in the value of its root; None if there is none, after a call of `missing`.

        A path with `[*]` returns a flat list of the values of all elements that have one, and is never missing.
        """
        found = [value]
        for segment in self.segments:
            if segment is Every:
                found = [element for item in found if isinstance(item, list) for element in item]
            elif isinstance(segment, int):
                found = [item[segment] for item in found if isinstance(item, list) and segment < len(item)]
            else:
                found = [item[segment] for item in found if isinstance(item, dict) and segment in item]
        if Every in self.segments:
            return found
        if not found:
            missing(self.text)
            return None
        return found[0]


def split_path(text: str) -> tuple[str, Path] | None:
    """Return the root and the path of a text that is a path and nothing else; None for any other text."""
    match = _PATH.fullmatch(text)
    return (match[1], Path(text.strip(), parse_segments(match[2]))) if match else None


def parse_segments(text: str) -> tuple[Any, ...]:
    """Return the segments of a text that matches `SEGMENT_PATTERN` any number of times."""
    return tuple(_segment(part) for part in _SEGMENT.findall(text))


def _segment(text: str) -> Any:
    if text[0] == ".":
        return text[1:]
    index = text[1:-1].strip()
    return Every if index == "*" else int(index)


def parse_input_path(text: object, label: str) -> Path:
    """Return the path that a field like `$.a.b` of the legacy language gives: a part of the step's input.

    Raises:
        DefinitionError: The field is not such a path.
    """
    found = split_path(text) if isinstance(text, str) else None
    if found is None or found[0] != "$" or not found[1].segments:
        raise DefinitionError(f"{label}: {text!r} is not a path; a member of the step's input is $.name.")
    return found[1]
