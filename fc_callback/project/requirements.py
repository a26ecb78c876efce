"""The requirements of a project (PEP 508), read with the `packaging` library for the function's Python and platform."""

from __future__ import annotations

import functools
import re
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from fc_callback.errors import SettingsError
from fc_callback.project.documents import relative_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from packaging.markers import Marker

REQUIREMENTS_FILE = "requirements.txt"
_OWN_NAME = "fc-callback"
_INCLUDE = re.compile(r"(?:-r|--requirement)[ =]*(\S.*)")
_RELATIVE_OPTION = re.compile(r"^(-c|--constraint|-f|--find-links)[ =]+(?!/|\w+:)(\S+)")
_SCHEMES = ("https://", "http://", "file://", "git+")


@attrs.frozen(kw_only=True)
class Requirements:
    """The requirements of a function.

    Attributes:
        path: The file; None if there is none.
        file: Its name for people.
        named: What it names for the function's Python and platform.
        needed: Those, and what they need in turn (as far as they are installed here).
    """

    path: Path | None
    file: str
    named: tuple[Requirement, ...]
    needed: frozenset[str]

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


def applicable(lines: Iterable[str], environment: Mapping[str, str], *, extra: str = "") -> Iterator[Requirement]:
    """Return the requirements whose markers hold in an environment. Lines that are not requirements are skipped."""
    for line in lines:
        requirement = parse_requirement(line)
        if requirement and _holds(requirement.marker, {**environment, "extra": extra}):
            yield requirement


def _holds(marker: Marker | None, environment: dict[str, str]) -> bool:
    try:
        return marker is None or marker.evaluate(environment)
    except ValueError:  # like `os_name ~= "posix"`, which has no meaning: pip says so
        return True


def parse_requirement(line: str) -> Requirement | None:
    """Read a line of a requirements file; None if it names no distribution.

    pip's options behind a requirement (`--hash=...`) are dropped, and of a wheel's path or URL the name is read.
    """
    text = re.split(r"\s+(?:#|--)", line.strip(), maxsplit=1)[0].strip()
    try:
        return Requirement(text)
    except InvalidRequirement:
        pass
    try:
        path, semicolon, marker = text.partition(";")
        name = parse_wheel_filename(path.strip().partition("#")[0].rpartition("/")[2])[0]
        return Requirement(f"{name}{semicolon}{marker}")
    except (InvalidWheelFilename, InvalidRequirement):
        return None


def read_requirements(code_dir: Path, root: Path, environment: Mapping[str, str]) -> Requirements:
    """Read requirements.txt of the code directory, or else of the project.

    Args:
        code_dir: What becomes /code.
        root: The directory of s.yaml.
        environment: The variables of the function's environment markers, as `TargetPlatform` gives them.
    """
    for folder in (code_dir, root):
        path = folder / REQUIREMENTS_FILE
        if path.is_file():
            named = tuple(applicable((line for _, line in _lines(path, set())), environment))
            needed = frozenset(closure(named, environment, _requires_of_installed))
            return Requirements(path=path, file=relative_name(path, root), named=named, needed=needed)
    return Requirements(path=None, file=REQUIREMENTS_FILE, named=(), needed=frozenset())


def text_for_target(path: Path, environment: Mapping[str, str]) -> str:
    """Return a requirements file for a target other than this machine, whose pip evaluates markers for its own Python.

    Included files are inserted, requirements whose markers do not hold are left out, and relative paths are absolute.
    """
    lines = (_line_for_target(line, folder, environment) for folder, line in _lines(path, set()))
    return "".join(f"{line}\n" for line in lines if line)


def _line_for_target(line: str, folder: Path, environment: Mapping[str, str]) -> str:
    if line.startswith("-"):
        return _RELATIVE_OPTION.sub(lambda found: f"{found[1]} {folder / found[2]}", line)
    requirement = parse_requirement(line)
    if requirement and requirement.marker:
        return re.sub(r"\s*;.*?(?=\s--|$)", "", line) if [*applicable([line], environment)] else ""
    return str(folder / line) if line.startswith(".") else line


def _lines(path: Path, seen: set[Path]) -> Iterator[tuple[Path, str]]:
    """Return the lines of a file and of the files that it includes, each with its file's directory."""
    if path.resolve() in seen or not path.is_file():
        return
    seen.add(path.resolve())
    for line in path.read_text("utf-8", "replace").replace("\\\n", "").splitlines():
        text = re.sub(r"(^|\s+)#.*", "", line).strip()
        included = _INCLUDE.match(text)
        if included:
            yield from _lines(path.parent / included[1], seen)
        elif text:
            yield path.parent, text


def requirement_url(where: str) -> str:
    """Return the URL of a wheel, a source tree or a URL, for a requirement `fc-callback @ URL`.

    Raises:
        SettingsError: There is no wheel and no source tree at the path.
    """
    if where.startswith(_SCHEMES):
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
    url = requirement_url(where)
    return "".join(_line_with_source(line, url) for line in text.splitlines(keepends=True))


def _line_with_source(line: str, url: str) -> str:
    requirement = parse_requirement(line)
    if requirement is None or canonicalize_name(requirement.name) != _OWN_NAME:
        return line
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    marker = f" ; {requirement.marker}" if requirement.marker else ""
    return f"{_OWN_NAME}{extras} @ {url}{marker}" + line[len(line.rstrip("\r\n")) :]
