"""Paths into JSON values as both flow languages write them: `.name`, `[0]` and `[*]`.

This is not the grammar of `fc_callback.payload.paths`: a flow's path has no quoted keys, `[*]` selects every element, and
it may end in the middle of an expression, so a name ends before any operator.
"""

from __future__ import annotations

import re
from typing import Any

from fc_callback.flows.definition import DefinitionError

_SEGMENT = re.compile(r"\.([^\s.\[\](){},\"'`&|=<>!]+)|\[\s*(\d+|\*)\s*\]")


class Every:
    """The segment `[*]`; the text `*` is a key."""


def parse_segments(text: str, start: int = 0) -> tuple[tuple[Any, ...], int]:
    """Read the segments that follow `start`: keys (str), indexes (int) and `Every`; return them and their end."""
    segments: list[Any] = []
    position = start
    while match := _SEGMENT.match(text, position):
        name, index = match.groups()
        if name is not None:
            segments.append(name)
        else:
            segments.append(Every if index == "*" else int(index))
        position = match.end()
    return tuple(segments), position


def parse_path(text: str, start: int, label: str) -> tuple[Any, ...]:
    """Read a path that extends from `start` to the end of the text.

    Raises:
        DefinitionError: The text has another part that is not a path.
    """
    segments, end = parse_segments(text, start)
    if end != len(text):
        raise DefinitionError(f"{label}: {text!r} is not a path; a path has .name, [0] and [*].")
    return segments


def read_path(value: Any, segments: tuple[Any, ...]) -> Any:
    """Return the value at a path; None if there is none.

    A path with `[*]` returns a flat list of the values of all elements that have one.
    """
    found = [value]
    for segment in segments:
        if segment is Every:
            found = [element for item in found if isinstance(item, list) for element in item]
        elif isinstance(segment, int):
            found = [item[segment] for item in found if isinstance(item, list) and segment < len(item)]
        else:
            found = [item[segment] for item in found if isinstance(item, dict) and segment in item]
    if Every in segments:
        return found
    return found[0] if found else None
