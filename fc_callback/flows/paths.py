"""Paths into JSON values, as both languages write them: `.name`, `[0]` and `[*]`."""

from __future__ import annotations

import re
from typing import Any

from fc_callback.flows.definition import DefinitionError

_SEGMENT = re.compile(r"\.([^\s.\[\](){},\"'`&|=<>!]+)|\[\s*(\d+|\*)\s*\]")


class Every:
    """Stands in a path for `[*]`; a key may itself be a star."""


def parse_segments(text: str, start: int = 0) -> tuple[tuple[Any, ...], int]:
    """Read segments from `start` on: keys as text, places as numbers, and `Every`; return them and where they end."""
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


def parse_path(text: str, start: int, place: str) -> tuple[Any, ...]:
    """Read a path that must take up the whole of `text` from `start` on.

    Raises:
        DefinitionError: Something else stands in it.
    """
    segments, end = parse_segments(text, start)
    if end != len(text):
        raise DefinitionError(f"{place}: {text!r} is not a path; a path has .name, [0] and [*].")
    return segments


def read_path(value: Any, segments: tuple[Any, ...]) -> Any:
    """Return what stands at a path; None where nothing does.

    With `[*]` the answer is a list, nested ones flattened, of the elements that have what is asked for.
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
