"""What a project says it needs, and which of it provides a module."""

from __future__ import annotations

import functools
import re
from importlib import metadata
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from pathlib import Path

FILE = "requirements.txt"
_NAME = re.compile(r"\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[(?P<extras>[^\]]*)\])?(?P<rest>.*)")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")


def normal(name: str) -> str:
    """Return a distribution's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


@attrs.frozen(kw_only=True)
class Requirements:
    """The requirements of a function.

    Attributes:
        path: The file; None where there is none.
        file: How to call it.
        named: The distributions it names, with their extras.
    """

    path: Path | None
    file: str
    named: dict[str, frozenset[str]]

    def covers(self, distribution: str) -> bool:
        """Whether a distribution is named, or needed by one that is (as far as they are installed here)."""
        return normal(distribution) in self._closure()

    def provider(self, module: str) -> str | None:
        """Return the distribution that a module comes from; None where that is not known here."""
        for distribution in _providers().get(module, ()):
            if self.covers(distribution):
                return normal(distribution)
        if normal(module) in self.named:
            return normal(module)
        known = _providers().get(module)
        if known:
            return normal(known[0])
        try:
            return normal(metadata.distribution(module).metadata["Name"])
        except (metadata.PackageNotFoundError, ValueError):
            return None

    def _closure(self) -> set[str]:
        seen: set[tuple[str, str]] = set()
        waiting = [(name, extra) for name, extras in self.named.items() for extra in ("", *extras)]
        while waiting:
            current = waiting.pop()
            if current in seen:
                continue
            seen.add(current)
            waiting += _needs(*current)
        return {name for name, _ in seen}


@functools.cache
def _providers() -> dict[str, list[str]]:
    return dict(metadata.packages_distributions())


def _needs(name: str, extra: str) -> list[tuple[str, str]]:
    try:
        requires = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []
    needed: list[tuple[str, str]] = []
    for line in requires:
        found = _NAME.match(line)
        if found is None:
            continue
        wanted = _EXTRA.search(found["rest"])
        if (wanted.group(1) if wanted else "") == extra:
            extras = [normal(part.strip()) for part in (found["extras"] or "").split(",") if part.strip()]
            needed += [(normal(found["name"]), one) for one in ("", *extras)]
    return needed


def read_requirements(code_dir: Path, root: Path) -> Requirements:
    """Read requirements.txt of the code directory, or else of the project."""
    for folder in (code_dir, root):
        path = folder / FILE
        if path.is_file():
            named: dict[str, frozenset[str]] = {}
            _read(path, named)
            file = path.resolve().relative_to(root.resolve()).as_posix() if path.is_relative_to(root) else str(path)
            return Requirements(path=path, file=file, named=named)
    return Requirements(path=None, file=FILE, named={})


def _read(path: Path, named: dict[str, frozenset[str]]) -> None:
    for line in path.read_text("utf-8", "replace").splitlines():
        text = line.partition(" #")[0].strip()
        included = re.match(r"(?:-r|--requirement)[ =]*(.+)", text)
        if included and (path.parent / included.group(1)).is_file():
            _read(path.parent / included.group(1), named)
        found = None if text.startswith(("#", "-", "/", ".")) else _NAME.match(text)
        if found:
            extras = frozenset(normal(part.strip()) for part in (found["extras"] or "").split(",") if part.strip())
            named[normal(found["name"])] = named.get(normal(found["name"]), frozenset()) | extras
