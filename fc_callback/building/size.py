"""Measure how large a package is, and which parts make it large."""

from __future__ import annotations

import zlib
from pathlib import Path

import attrs

_ENTRY_BYTES = 100  # what a zip writes about each file, roughly


@attrs.frozen(kw_only=True)
class PackagePart:
    """One part of a package.

    Attributes:
        name: A file or directory at the top of the package, or a dependency, like `python/pydantic_core`.
        files: How many files it has.
        unpacked: Its bytes.
        packed: Its bytes in a zip.
    """

    name: str
    files: int
    unpacked: int
    packed: int


@attrs.frozen(kw_only=True)
class PackageSize:
    """A package's parts, the largest first."""

    parts: tuple[PackagePart, ...]

    @property
    def packed(self) -> int:
        """Bytes in a zip."""
        return sum(part.packed for part in self.parts)

    @property
    def unpacked(self) -> int:
        """Bytes on disk."""
        return sum(part.unpacked for part in self.parts)


def size_of(code_dir: Path) -> PackageSize:
    """Measure a code directory, without the caches at its top that the templates' .fcignore leaves out."""
    sums: dict[str, list[int]] = {}
    for path in sorted(code_dir.rglob("*")):
        parts = path.relative_to(code_dir).parts
        if not path.is_file() or path.is_symlink() or parts[0] in {"__pycache__", ".pytest_cache", "wheels"}:
            continue
        name = "/".join(parts[:2]) if parts[0] == "python" else parts[0]
        content = path.read_bytes()
        entry = sums.setdefault(name.removesuffix(".libs"), [0, 0, 0])  # shared libraries count with their distribution
        entry[0] += 1
        entry[1] += len(content)
        entry[2] += len(zlib.compress(content, 9)) + _ENTRY_BYTES + 2 * len(str(Path(*parts)))
    ordered = sorted(sums.items(), key=lambda item: -item[1][2])
    measured = [PackagePart(name=name, files=one[0], unpacked=one[1], packed=one[2]) for name, one in ordered]
    return PackageSize(parts=tuple(measured))
