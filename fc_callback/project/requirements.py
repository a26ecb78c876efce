"""The requirements of a project, read once for the function's Python and platform: for check, build and the local CloudFlow."""

from __future__ import annotations

import functools
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
from packaging.utils import canonicalize_name

from fc_callback.errors import SettingsError
from fc_callback.project.documents import relative_name
from fc_callback.project.lock_files import POETRY_LOCK_FILE, UV_LOCK_FILE, read_poetry_lock, read_uv_lock
from fc_callback.project.pyproject import (
    PYPROJECT_FILE,
    TomlUnreadable,
    has_dependencies,
    read_pyproject,
    read_toml,
    table_at,
)
from fc_callback.project.requirement_files import (
    REQUIREMENTS_FILE,
    DependencyLines,
    applicable,
    parse_requirement,
    read_requirements_file,
    source_path,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from packaging.requirements import Requirement

OWN_NAME = "fc-callback"
_SCHEMES = ("https://", "http://", "file://", "git+")


@attrs.frozen(kw_only=True)
class Requirements:
    """The requirements of a function.

    Attributes:
        path: The file; None if there is none.
        file: Its name for people.
        named: What it names for the function's Python and platform; of a lock, also what these need.
        needed: Those, and what they need in turn (as far as they are installed here).
        lines: What the file says, in the form of a requirements file for the function's Python and platform.
    """

    path: Path | None
    file: str
    named: tuple[Requirement, ...]
    needed: frozenset[str]
    lines: DependencyLines = attrs.field(factory=DependencyLines)

    @property
    def file_to_edit(self) -> str:
        """The name of the file in which people name a requirement: a lock is written by its tool."""
        folder, slash, name = self.file.rpartition("/")
        return f"{folder}{slash}{PYPROJECT_FILE}" if name in {UV_LOCK_FILE, POETRY_LOCK_FILE} else self.file

    def covers(self, distribution: str) -> bool:
        """Whether a distribution is named, or needed by a named one."""
        return canonicalize_name(distribution) in self.needed

    def provider(self, module: str) -> str | None:
        """Return the distribution that a module comes from; None where that is not known here."""
        known = _providers().get(module, [])
        covered = [name for name in known if self.covers(name)]
        if not covered and canonicalize_name(module) in {canonicalize_name(one.name) for one in self.named}:
            return canonicalize_name(module)
        for name in (*covered, *known):
            return canonicalize_name(name)
        try:
            return canonicalize_name(metadata.distribution(module).metadata["Name"])
        except (metadata.PackageNotFoundError, ValueError):
            return None


@functools.cache
def _providers() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


def closure(
    named: Iterable[Requirement], environment: Mapping[str, str], requires: Callable[[str], Iterable[str]]
) -> dict[str, Requirement]:
    """Return everything that requirements need in turn, by canonical name; the requirements themselves are among it.

    Args:
        named: The requirements to begin with.
        environment: The variables of the environment markers.
        requires: Returns the requirement lines of an installed distribution; none for one that is not installed.
    """
    found: dict[str, Requirement] = {}
    seen: set[tuple[str, str]] = set()
    waiting = list(named)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        found.setdefault(name, requirement)
        for extra in ("", *sorted(map(canonicalize_name, requirement.extras))):
            if (name, extra) not in seen:
                seen.add((name, extra))
                waiting += applicable(requires(name), environment, extra=extra)
    return found


def _requires_of_installed(name: str) -> list[str]:
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []


def read_requirements(code_dir: Path, root: Path, environment: Mapping[str, str]) -> Requirements:
    """Read the requirements of a code directory, or else of the project.

    In each of both, the first of these counts: requirements.txt, uv.lock, poetry.lock, pyproject.toml.

    Args:
        code_dir: What becomes /code.
        root: The directory of s.yaml.
        environment: The variables of the function's environment markers, as `TargetPlatform` gives them.
    """
    for folder in dict.fromkeys((code_dir, root)):
        path, lines = _read_folder(folder, environment)
        if path is not None:
            named = tuple(_requirements_in(lines.lines))
            needed = frozenset(closure(named, environment, _requires_of_installed))
            return Requirements(path=path, file=relative_name(path, root), named=named, needed=needed, lines=lines)
    return Requirements(path=None, file=REQUIREMENTS_FILE, named=(), needed=frozenset())


def _read_folder(folder: Path, environment: Mapping[str, str]) -> tuple[Path | None, DependencyLines]:
    path = folder / REQUIREMENTS_FILE
    if path.is_file():
        return path, read_requirements_file(path, environment)
    pyproject = folder / PYPROJECT_FILE
    if not pyproject.is_file():
        return None, DependencyLines()
    for name, read_lock in ((UV_LOCK_FILE, read_uv_lock), (POETRY_LOCK_FILE, read_poetry_lock)):
        if (folder / name).is_file():
            return folder / name, read_lock(folder / name, environment)
    try:
        if not has_dependencies(read_toml(pyproject)):
            return None, DependencyLines()
    except TomlUnreadable:
        pass  # the reader tells what is wrong
    return pyproject, read_pyproject(pyproject, environment)


def _requirements_in(lines: Iterable[str]) -> Iterator[Requirement]:
    for line in lines:
        requirement = None if line.startswith("-") else parse_requirement(line) or _named_by_tree(source_path(line))
        if requirement is not None:
            yield requirement


def _named_by_tree(folder: Path) -> Requirement | None:
    """Return the requirement that a source tree fulfils; None if its name is not in a pyproject.toml."""
    try:
        tables = read_toml(folder / PYPROJECT_FILE) if folder.is_absolute() else {}
    except TomlUnreadable:
        return None
    name = table_at(tables, "project").get("name") or table_at(tables, "tool", "poetry").get("name")
    return parse_requirement(name) if isinstance(name, str) else None


def is_url(where: str) -> bool:
    """Whether a source of fc-callback is given by a URL, not by a path."""
    return where.startswith(_SCHEMES)


def requirement_url(where: str) -> str:
    """Return the URL of a wheel, a source tree or a URL, for a requirement `fc-callback @ URL`.

    Raises:
        SettingsError: There is no wheel and no source tree at the path.
    """
    if is_url(where):
        return where
    path = Path(where).expanduser().resolve()
    if not (path.suffix == ".whl" and path.is_file()) and not (path / "pyproject.toml").is_file():
        raise SettingsError(
            f"{path} is neither a wheel nor a source tree of fc-callback.",
            hint="Build a wheel with `python -m build --wheel`, and pass its path.",
        )
    return path.as_uri()


def with_own_source(text: str, where: str) -> str:
    """Return a requirements file's text in which fc-callback comes from elsewhere; its extras and markers stay.

    Args:
        text: The file's text.
        where: A wheel, a source tree or a URL.

    Raises:
        SettingsError: There is no wheel and no source tree at the path.
    """
    return _with_own_line(text, f" @ {requirement_url(where)}")


def with_own_version(text: str, version: str) -> str:
    """Return a requirements file's text that asks for exactly this version of fc-callback."""
    return _with_own_line(text, f"=={version}")


def _with_own_line(text: str, source: str) -> str:
    return "".join(_line_with_source(line, source) for line in text.splitlines(keepends=True))


def _line_with_source(line: str, source: str) -> str:
    requirement = parse_requirement(line)
    if requirement is None or canonicalize_name(requirement.name) != OWN_NAME:
        return line
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    marker = f" ; {requirement.marker}" if requirement.marker else ""
    return f"{OWN_NAME}{extras}{source}{marker}" + line[len(line.rstrip("\r\n")) :]
