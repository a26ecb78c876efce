"""How large a package is, and what makes it so."""

from __future__ import annotations

import zlib
from pathlib import Path

import attrs

_ENTRY_BYTES = 100  # what a zip writes about each file, roughly


@attrs.frozen(kw_only=True)
class Part:
    """One thing in the package.

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
class Size:
    """A package's parts, the largest first."""

    parts: tuple[Part, ...]

    @property
    def packed(self) -> int:
        """Bytes in a zip."""
        return sum(part.packed for part in self.parts)

    @property
    def unpacked(self) -> int:
        """Bytes on disk."""
        return sum(part.unpacked for part in self.parts)


def size_of(code_dir: Path) -> Size:
    """Measure a code directory; caches of this machine's own Python at its top are left out, as .fcignore does."""
    sums: dict[str, list[int]] = {}
    for path in sorted(code_dir.rglob("*")):
        parts = path.relative_to(code_dir).parts
        if not path.is_file() or path.is_symlink() or parts[0] in {"__pycache__", ".pytest_cache"}:
            continue
        name = "/".join(parts[:2]) if parts[0] == "python" else parts[0]
        content = path.read_bytes()
        entry = sums.setdefault(_package(name), [0, 0, 0])
        entry[0] += 1
        entry[1] += len(content)
        entry[2] += len(zlib.compress(content, 9)) + _ENTRY_BYTES + 2 * len(str(Path(*parts)))
    ordered = sorted(sums.items(), key=lambda item: -item[1][2])
    return Size(
        parts=tuple(
            Part(name=name, files=files, unpacked=unpacked, packed=packed)
            for name, (files, unpacked, packed) in ordered
        )
    )


def _package(name: str) -> str:
    """Count a distribution's metadata with nothing but itself, and its shared libraries with it."""
    return name.removesuffix(".libs")
