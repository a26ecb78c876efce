"""Changes of a project's files: first as values that can be shown, then written, each file as a whole or not at all."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from fc_callback.redaction import Redactor
from fc_callback.scaffolding.errors import AddError, NotPlaced
from fc_callback.values.json_copy import MASK

if TYPE_CHECKING:
    from collections.abc import Iterable

BACKUP_SUFFIX = ".orig"
_NOTHING_WRITTEN = "Nothing was written."
# A line of base64 alone, like those of a private key.
_ENCODED = re.compile(r"^([ +-]\s*)[A-Za-z0-9+/=]{24,}\s*$")


@attrs.frozen(kw_only=True)
class FileChange:
    """One file that is created or changed.

    Attributes:
        path: The file itself; a link is followed.
        name: Its name for people, relative to the project.
        before: Its bytes now; None if it does not exist.
        after: Its new bytes.
    """

    path: Path
    name: str
    before: bytes | None = attrs.field(repr=False)
    after: bytes = attrs.field(repr=False)

    def diff(self) -> list[str]:
        """Return the lines of a unified diff, with secrets masked: the lines around a change are the person's own."""
        old, new = (self.before or b"").decode("utf-8", "replace"), self.after.decode("utf-8", "replace")
        before = "/dev/null" if self.before is None else self.name
        lines = difflib.unified_diff(old.splitlines(), new.splitlines(), before, self.name, lineterm="")
        mask = Redactor().text
        return [_ENCODED.sub(rf"\1{MASK}", mask(line)) for line in lines]


class ProjectFiles:
    """Reads the files of a project, and collects how they change.

    Args:
        root: The project's directory. A file outside of it is neither read nor changed.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._before: dict[Path, bytes | None] = {}
        self._after: dict[Path, bytes] = {}

    def text(self, path: Path) -> str | None:
        """Return a file's text as it would be after the changes so far; None if it does not exist.

        Line endings and a byte order mark stay as they are.

        Raises:
            AddError: The file is outside of the project, or it cannot be read.
            NotPlaced: It is not UTF-8.
        """
        own = self._own(path)
        content = self._after[own] if own in self._after else self._read(own, path)
        try:
            return None if content is None else content.decode("utf-8")
        except UnicodeDecodeError:
            raise NotPlaced("the file is not UTF-8") from None

    def exists(self, path: Path) -> bool:
        """Whether there is a file, or will be after the changes so far.

        Raises:
            AddError: As for `text`.
        """
        own = self._own(path)
        return own in self._after or self._read(own, path) is not None

    def write(self, path: Path, text: str) -> None:
        """Plan the new text of a file."""
        own = self._own(path)
        self._read(own, path)
        self._after[own] = text.encode("utf-8")

    def name(self, path: Path) -> str:
        """Return a file's name for people."""
        path = Path(os.path.normpath(self._root / path))
        return path.relative_to(self._root).as_posix() if path.is_relative_to(self._root) else str(path)

    def changes(self) -> tuple[FileChange, ...]:
        """Return the files whose bytes would change."""
        return tuple(
            FileChange(path=path, name=self.name(path), before=self._before[path], after=after)
            for path, after in self._after.items()
            if after != self._before[path]
        )

    def _read(self, own: Path, path: Path) -> bytes | None:
        if own not in self._before:
            try:
                exists, is_file = os.path.lexists(own), own.is_file()  # a circle of links exists, and leads nowhere
                self._before[own] = own.read_bytes() if is_file else None  # a pipe would block
            except OSError as error:
                problem = f"{self.name(path)} cannot be read: {error.strerror}."
                raise AddError(problem, hint=f"Check the file. {_NOTHING_WRITTEN}") from None
            if exists and not is_file:
                raise AddError(f"{self.name(path)} is not a file.", hint=f"Rename it. {_NOTHING_WRITTEN}")
        return self._before[own]

    def _own(self, path: Path) -> Path:
        try:
            own = (self._root / path).resolve()
        except (OSError, RuntimeError, ValueError):  # a circle of links, or a null byte
            problem = f"{self.name(path)} leads to no file."
            raise AddError(problem, hint=f"Correct the path or the link. {_NOTHING_WRITTEN}") from None
        if not own.is_relative_to(self._root):
            problem = f"{self.name(path)} is outside of the project: it leads to {own}."
            raise AddError(problem, hint=f"Only files below {self._root} are changed. {_NOTHING_WRITTEN}")
        return own


def write_changes(changes: Iterable[FileChange]) -> None:
    """Write files. A process that is killed leaves each of them old or new, and never a part of one.

    Raises:
        AddError: A file has changed since it was read, or cannot be written.
    """
    staged: list[tuple[FileChange, Path]] = []
    try:
        for change in changes:
            _require_unchanged(change)
            staged.append((change, _staged(change)))
        for change, path in staged:
            path.replace(change.path)
    except OSError as error:
        problem = f"{error.filename or 'A file'} cannot be written: {error.strerror}."
        hint = "Run the command again after you have corrected it: it adds what is missing."
        raise AddError(problem, hint=hint) from None
    finally:
        for _, path in staged:
            path.unlink(missing_ok=True)


def backup_of(change: FileChange) -> FileChange:
    """Return the change that keeps a file's old bytes under the first free name like `s.yaml.orig`."""
    path, number = change.path.with_name(f"{change.path.name}{BACKUP_SUFFIX}"), 1
    while os.path.lexists(path):
        number += 1
        path = path.with_name(f"{change.path.name}{BACKUP_SUFFIX}.{number}")
    name = change.name.removesuffix(change.path.name) + path.name
    return FileChange(path=path, name=name, before=None, after=change.before or b"")


def _require_unchanged(change: FileChange) -> None:
    with contextlib.suppress(FileNotFoundError):
        if change.path.read_bytes() == change.before:
            return
        raise AddError(f"{change.name} was changed meanwhile.", hint=f"Run the command again. {_NOTHING_WRITTEN}")
    if change.before is not None:
        raise AddError(f"{change.name} was removed meanwhile.", hint=f"Run the command again. {_NOTHING_WRITTEN}")


def _staged(change: FileChange) -> Path:
    """Write the new bytes into a file beside the old one, with its permissions."""
    change.path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{change.path.name}.", suffix=".new", dir=change.path.parent)
    path = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(change.after)
            file.flush()
            os.fsync(file.fileno())
        path.chmod(change.path.stat().st_mode & 0o777 if change.before is not None else 0o644)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path
