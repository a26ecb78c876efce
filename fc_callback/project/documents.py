"""YAML and JSON files of a project as values, with the line of every key and element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.project.yaml_reader import DocumentError, Lines, parse_with_lines

if TYPE_CHECKING:
    from pathlib import Path

Place = tuple[str | int, ...]


@attrs.frozen(kw_only=True)
class Document:
    """A file, read.

    Attributes:
        path: Where it is.
        file: Its name for people, relative to the project.
        text: What it holds.
        data: The value of it; None where it cannot be read.
        error: Why it cannot be read.
    """

    path: Path
    file: str
    text: str = attrs.field(default="", repr=False)
    data: Any = None
    error: DocumentError | None = None
    _lines: Lines = attrs.field(factory=dict, repr=False)

    def line(self, *place: str | int) -> int:
        """Return the line of a place, or of the nearest place around it."""
        line, value = 1, self.data
        for step in place:
            line = self._lines.get(id(value), {}).get(step, line)
            value = _below(value, step)
        return line

    def get(self, *place: str | int) -> Any:
        """Return the value at a place; None if there is none."""
        value = self.data
        for step in place:
            value = _below(value, step)
        return value


def read_document(path: Path, root: Path) -> Document:
    """Read a YAML or JSON file; `error` says why it cannot be read."""
    try:
        file = path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        file = str(path)
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        data, lines = parse_with_lines(text)
        return Document(path=path, file=file, text=text, data=data, lines=lines)
    except DocumentError as error:
        return Document(path=path, file=file, text=text, error=error)
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a path with a null byte
        return Document(path=path, file=file, error=DocumentError(str(error)))


def _below(value: Any, step: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(step)
    return value[step] if isinstance(value, list) and isinstance(step, int) and step < len(value) else None
