"""YAML and JSON files of a project as values, with the line of every key and element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from fc_callback.project.yaml_reader import DocumentError, Lines, parse_with_lines

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_BYTES: Final = 4_000_000  # as many as the characters that YAML's reader takes can have in UTF-8
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
            value = value_at(value, step)
        return line

    def get(self, *place: str | int) -> Any:
        """Return the value at a place; None if there is none."""
        return value_at(self.data, *place)


def read_document(path: Path, root: Path) -> Document:
    """Read a YAML or JSON file; `error` says why it cannot be read."""
    file, text = relative_name(path, root), ""
    try:
        text = _text_of(path)
        data, lines = parse_with_lines(text)
        return Document(path=path, file=file, text=text, data=data, lines=lines)
    except DocumentError as error:
        return Document(path=path, file=file, text=text, error=error)
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a path with a null byte
        return Document(path=path, file=file, error=DocumentError(str(error)))


def _text_of(path: Path) -> str:
    if not path.is_file():  # a named pipe would block
        raise DocumentError("there is no such file")
    if path.stat().st_size > MAX_BYTES:
        raise DocumentError(f"it has more than {MAX_BYTES:,} bytes")
    return path.read_text(encoding="utf-8")


def real_path(path: Path) -> Path:
    """Return a path without symbolic links; the absolute path where they lead in a circle."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # ValueError: a null byte
        return path.absolute()


def repository_of(folder: Path) -> Path:
    """Return the repository that holds a directory, or the directory itself outside of one.

    A project may include files of its repository. A file elsewhere on the machine is none of the project's.
    """
    folder = real_path(folder)
    return next((each for each in (folder, *folder.parents) if (each / ".git").exists()), folder)


def locate(document: Document, origins: Mapping[Place, Document], place: Place) -> tuple[str, int]:
    """Return the file and the line of a place in a manifest.

    Args:
        document: The manifest.
        origins: The included files, by the places where the manifest includes them.
        place: The place; inside an included file it is the place of the file and the place inside it.
    """
    for length in range(len(place), 0, -1):
        if included := origins.get(place[:length]):
            return included.file, included.line(*place[length:])
    return document.file, document.line(*place)


def value_at(value: Any, *place: str | int) -> Any:
    """Return the value at a place below mappings and lists; None if there is none."""
    for step in place:
        if isinstance(value, dict):
            value = value.get(step)
        else:
            value = value[step] if isinstance(value, list) and isinstance(step, int) and step < len(value) else None
    return value


def relative_name(path: Path, root: Path) -> str:
    """Return a file's name for people: relative to the project if it is inside, with forward slashes."""
    try:
        return real_path(path).relative_to(real_path(root)).as_posix()
    except ValueError:
        return str(path)
