"""pyproject.toml as a source of requirements: `[project]`, and `[tool.poetry]` with Poetry's own constraints."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from packaging.markers import InvalidMarker, Marker
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from fc_callback.errors import FcCallbackError
from fc_callback.project.requirement_files import DependencyLines, applicable, holds

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PYPROJECT_FILE = "pyproject.toml"
_CARET_OR_TILDE = re.compile(r"(?P<sign>[\^~])\s*(?P<version>\d[\w.]*)")


class TomlUnreadable(FcCallbackError, ValueError):
    """A TOML file cannot be read; its text says why."""


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file.

    Raises:
        TomlUnreadable: It is not TOML, or not UTF-8.
    """
    try:
        tables: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise TomlUnreadable(f"{path.name} cannot be read: {error}.") from None
    return tables


def table_at(tables: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return a table of a TOML file; an empty one if it is missing."""
    found: Any = tables
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def has_dependencies(tables: Mapping[str, Any]) -> bool:
    """Whether a pyproject.toml can name dependencies; one that only configures tools cannot."""
    return bool(table_at(tables, "project") or table_at(tables, "tool", "poetry"))


def read_pyproject(path: Path, environment: Mapping[str, str]) -> DependencyLines:
    """Return what pyproject.toml requires. Extras, dependency groups and the project itself are not among it.

    Args:
        path: The file.
        environment: The variables of the function's environment markers.
    """
    try:
        tables = read_toml(path)
    except TomlUnreadable as error:
        return DependencyLines(problems=(str(error),))
    lines = [_without_marker(line, environment) for line in project_dependencies(tables)]
    for name, constraint in poetry_dependencies(tables):
        if poetry_applies(constraint, environment):
            lines.append(_poetry_line(name, constraint, path.parent))
    project = table_at(tables, "project")
    problems = []
    if "dependencies" in project.get("dynamic", []):
        problems.append(f"{path.name} says that its dependencies are dynamic: only a build of the project knows them.")
    return DependencyLines(lines=tuple(line for line in lines if line), problems=tuple(problems))


def project_dependencies(tables: Mapping[str, Any]) -> list[str]:
    """Return the requirements of `[project]`."""
    given = table_at(tables, "project").get("dependencies", [])
    return [line for line in given if isinstance(line, str)] if isinstance(given, list) else []


def poetry_dependencies(tables: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the names and constraints of `[tool.poetry.dependencies]` that no extra hides; `python` is not among them."""
    for name, given in table_at(tables, "tool", "poetry", "dependencies").items():
        if name.lower() == "python":
            continue
        for one in given if isinstance(given, list) else [given]:
            constraint = one if isinstance(one, dict) else {"version": str(one)}
            if not constraint.get("optional"):
                yield name, constraint


def poetry_applies(constraint: Mapping[str, Any], environment: Mapping[str, str]) -> bool:
    """Whether a dependency in Poetry's form is needed for a Python and platform."""
    marker, python, platform = (constraint.get(key) for key in ("markers", "python", "platform"))
    version = environment.get("python_full_version")
    if platform is not None and platform != environment.get("sys_platform", platform):
        return False
    if isinstance(python, str) and version is not None and not poetry_specifier(python).contains(version):
        return False
    try:
        return not marker or holds(Marker(str(marker)), {**environment, "extra": ""})
    except InvalidMarker:
        return True


def poetry_specifier(constraint: str) -> SpecifierSet:
    """Return a constraint like `^1.2`, `~1.2`, `1.2` or `>=1,<3` as a specifier; one that cannot be read allows all."""
    text = constraint.split("||", maxsplit=1)[0].strip()  # of alternatives, the first
    text = _CARET_OR_TILDE.sub(lambda found: _range_of(found["sign"], found["version"]), text)
    text = re.sub(r"(?<=[\w*])\s+(?=[<>=!])", ",", text)
    if re.fullmatch(r"\d[\w.*]*", text):
        text = f"=={text}"
    try:
        return SpecifierSet("" if text == "*" else text)
    except InvalidSpecifier:
        return SpecifierSet()


def _range_of(sign: str, version: str) -> str:
    """Return the range of a caret or tilde constraint: the first number that is not zero (or the second one) may not grow."""
    try:
        numbers = list(Version(version).release)
    except InvalidVersion:
        return f"=={version}"
    if sign == "~":
        last = min(1, len(numbers) - 1)
    else:
        last = next((at for at, number in enumerate(numbers) if number), len(numbers) - 1)
    above = [*numbers[:last], numbers[last] + 1]
    return f">={version},<{'.'.join(map(str, above))}"


def _without_marker(line: str, environment: Mapping[str, str]) -> str:
    for requirement in applicable([line], environment):
        requirement.marker = None
        return str(requirement)
    return ""


def _poetry_line(name: str, constraint: Mapping[str, Any], folder: Path) -> str:
    extras = f"[{','.join(constraint['extras'])}]" if constraint.get("extras") else ""
    if "path" in constraint:
        return f"{(folder / str(constraint['path'])).resolve()}{extras}"
    if "url" in constraint:
        return f"{name}{extras} @ {constraint['url']}"
    if "git" in constraint:
        revision = next((constraint[key] for key in ("rev", "tag", "branch") if key in constraint), "")
        return f"{name}{extras} @ git+{constraint['git']}{'@' if revision else ''}{revision}"
    return f"{name}{extras}{poetry_specifier(str(constraint.get('version', '*')))}"
