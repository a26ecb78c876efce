"""A small file in the directory of the dependencies that says what was built there, so that it is not built again.

It holds digests only. They do not depend on where the project is, so that the same project gives the same package everywhere.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

import fc_callback
from fc_callback.building.package import STAMP_FILE, remove_foreign_bytecode, tree_digest
from fc_callback.project.requirement_files import source_path, source_url

if TYPE_CHECKING:
    from fc_callback.project.requirement_files import DependencyLines
    from fc_callback.project.wheels import TargetPlatform

_FORM = 1
# In a source tree: what builds, tests and editors leave.
_NOT_SOURCES = (
    *(
        "__pycache__",
        ".git",
        ".venv",
        "venv",
        "node_modules",
        "build",
        "dist",
        ".tox",
        ".idea",
        ".vscode",
        ".hypothesis",
    ),
    *(".pytest_cache", ".mypy_cache", ".ruff_cache", ".s", ".coverage", ".DS_Store", "*.egg-info"),
)


@attrs.frozen(kw_only=True)
class Stamp:
    """What was built.

    Attributes:
        inputs: A digest of the requirements, of the local files that they name, and of the target.
        files: A digest of the files that were built.
        compiled: Whether bytecode is among them.
    """

    inputs: str
    files: str
    compiled: bool

    def write(self, folder: Path) -> None:
        """Write it into the directory that it describes."""
        (folder / STAMP_FILE).write_text(json.dumps(attrs.asdict(self), sort_keys=True) + "\n", encoding="utf-8")


def read_stamp(folder: Path) -> Stamp | None:
    """Return the stamp of a directory; None if no build has made it, or one of another version."""
    try:
        return Stamp(**json.loads((folder / STAMP_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def built_digest(folder: Path) -> str:
    """Return the digest of what a build has made."""
    return tree_digest(folder, without=(STAMP_FILE,))


def is_unchanged(folder: Path, inputs: str, target: TargetPlatform) -> Stamp | None:
    """Return the stamp of a directory that was built from the same inputs and still holds the same files."""
    stamp = read_stamp(folder)
    if stamp is None or stamp.inputs != inputs:
        return None
    remove_foreign_bytecode(folder, target, compiled=stamp.compiled)
    return stamp if built_digest(folder) == stamp.files else None


def inputs_digest(lines: DependencyLines, root: Path, target: TargetPlatform) -> str:
    """Return a digest of what a build depends on.

    Args:
        lines: The requirements, with the source of fc-callback that is packed.
        root: The project's directory; the digest does not depend on where it is.
        target: The function's Python and platform.
    """
    digest = hashlib.sha256(f"{_FORM} {fc_callback.__version__} {target} {lines.is_complete}\n".encode())
    for line in (*lines.lines, "--", *lines.constraints):
        place = _local_place(line)
        if place is None or not place.exists():
            digest.update(f"{line}\n".replace(str(root), ".").encode())
        else:
            digest.update(f"{line}\n".replace(str(place.parent), ".").replace(place.parent.as_uri(), ".").encode())
            digest.update(_content_digest(place).encode())
    return digest.hexdigest()


def _local_place(line: str) -> Path | None:
    """Return the local file or directory that a line names."""
    if line.startswith("--find-links "):
        return Path(line.partition(" ")[2])
    url = source_url(line)
    if line.startswith("-") or (url is not None and not url.startswith("file:")):
        return None
    path = source_path(line)
    return path if path.is_absolute() else None


def _content_digest(place: Path) -> str:
    if place.is_file():
        return hashlib.sha256(place.read_bytes()).hexdigest()
    return tree_digest(place, without=_NOT_SOURCES)
