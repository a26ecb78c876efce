"""uv.lock and poetry.lock: every package that the project needs on the function's Python, with its version and hashes.

Sources: uv documentation, "Project structure: the lockfile" (version 1); Poetry, `poetry.lock` of the versions 1 and 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from fc_callback.project.pyproject import (
    PYPROJECT_FILE,
    TomlUnreadable,
    poetry_applies,
    poetry_dependencies,
    poetry_specifier,
    project_dependencies,
    read_toml,
)
from fc_callback.project.requirement_files import DependencyLines, applicable, holds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

UV_LOCK_FILE = "uv.lock"
POETRY_LOCK_FILE = "poetry.lock"
_PYPI = "https://pypi.org/simple"


@attrs.frozen(kw_only=True)
class _Wanted:
    """A package that something needs; `extras` of it are needed too."""

    name: str
    extras: frozenset[str] = frozenset()
    allows: Callable[[dict[str, Any]], bool] = lambda _package: True


def read_uv_lock(path: Path, environment: Mapping[str, str]) -> DependencyLines:
    """Return what uv.lock says for the project beside it, without extras and dependency groups."""

    def edges(package: dict[str, Any], extras: frozenset[str]) -> Iterator[_Wanted]:
        optional = package.get("optional-dependencies", {})
        given = [*package.get("dependencies", []), *(each for extra in extras for each in optional.get(extra, []))]
        for each in given:
            if _marker_holds(each.get("marker"), environment):
                given_keys = {key: each[key] for key in ("version", "source") if key in each}
                extras_of = frozenset(each.get("extra", []))
                yield _Wanted(name=each["name"], extras=extras_of, allows=_has_all(given_keys))

    def roots(lock: dict[str, Any], _tables: dict[str, Any]) -> Iterator[_Wanted]:
        for package in lock.get("package", []):
            if "." in {package["source"].get("editable"), package["source"].get("virtual")}:
                yield from edges(package, frozenset())

    return _read_lock(path, environment, roots, edges, _uv_lines)


def _has_all(wanted: Mapping[str, Any]) -> Callable[[dict[str, Any]], bool]:
    return lambda package: all(package.get(key) == value for key, value in wanted.items())


def _uv_lines(package: dict[str, Any], folder: Path) -> Iterator[str]:
    name, source = package["name"], package.get("source", {})
    hashes = [each.get("hash") for each in (*package.get("wheels", []), package.get("sdist", {}))]
    tail = "".join(f" --hash={digest}" for digest in sorted({each for each in hashes if each}))
    if "registry" in source:
        registry = source["registry"]
        if "://" not in registry:
            yield f"--find-links {(folder / registry).resolve()}"
        elif registry.rstrip("/") != _PYPI:
            yield f"--extra-index-url {registry}"
        yield f"{name}=={package['version']}{tail}"
    elif "git" in source:
        repository, _, revision = source["git"].partition("#")
        repository, _, query = repository.partition("?")
        options = dict(pair.partition("=")[::2] for pair in query.split("&"))
        below = f"#subdirectory={options['subdirectory']}" if "subdirectory" in options else ""
        yield f"{name} @ git+{repository}@{revision}{below}"
    elif "url" in source:
        yield f"{name} @ {source['url']}{tail}"
    else:
        place = next((source[key] for key in ("path", "directory", "editable") if key in source), None)
        if place is not None:  # a virtual package has no code
            yield f"{(folder / place).resolve()}"


def read_poetry_lock(path: Path, environment: Mapping[str, str]) -> DependencyLines:
    """Return what poetry.lock says for the pyproject.toml beside it, without extras and dependency groups."""

    def edges(package: dict[str, Any], extras: frozenset[str]) -> Iterator[_Wanted]:
        in_extras = {
            canonicalize_name(line.split(" ", 1)[0].partition("[")[0])
            for extra in extras
            for line in package.get("extras", {}).get(extra, [])
        }
        for name, given in package.get("dependencies", {}).items():
            for one in given if isinstance(given, list) else [given]:
                each = one if isinstance(one, dict) else {"version": one}
                needed = not each.get("optional") or canonicalize_name(name) in in_extras
                markers = each.get("markers", "")
                # The condition on the extra was decided above.
                condition = {**each, "markers": "" if "extra ==" in markers else markers}
                if needed and poetry_applies(condition, environment):
                    yield _poetry_wanted(name, each)

    def roots(_lock: dict[str, Any], tables: dict[str, Any]) -> Iterator[_Wanted]:
        for requirement in applicable(project_dependencies(tables), environment):
            allows = _allows(str(requirement.specifier))
            yield _Wanted(name=requirement.name, extras=frozenset(requirement.extras), allows=allows)
        for name, constraint in poetry_dependencies(tables):
            if poetry_applies(constraint, environment):
                yield _poetry_wanted(name, constraint)

    return _read_lock(path, environment, roots, edges, _poetry_lines)


def _poetry_wanted(name: str, constraint: Mapping[str, Any]) -> _Wanted:
    allows = _allows(str(constraint.get("version", "*")))
    return _Wanted(name=name, extras=frozenset(constraint.get("extras", [])), allows=allows)


def _allows(constraint: str) -> Callable[[dict[str, Any]], bool]:
    specifier = poetry_specifier(constraint)
    return lambda package: specifier.contains(package["version"], prereleases=True)


def _poetry_lines(package: dict[str, Any], folder: Path) -> Iterator[str]:
    name, source = package["name"], package.get("source", {})
    hashes = sorted({each["hash"] for each in package.get("files", []) if "hash" in each})
    tail = "".join(f" --hash={digest}" for digest in hashes)
    kind, url = source.get("type", "registry"), source.get("url", "")
    if kind == "git":
        below = f"#subdirectory={source['subdirectory']}" if "subdirectory" in source else ""
        yield f"{name} @ git+{url}@{source.get('resolved_reference', source.get('reference', ''))}{below}"
    elif kind == "url":
        yield f"{name} @ {url}{tail}"
    elif kind in {"directory", "file"}:
        yield f"{(folder / url).resolve()}"
    else:
        if kind == "legacy":
            yield f"--extra-index-url {url}"
        yield f"{name}=={package['version']}{tail}"


def _read_lock(
    path: Path,
    environment: Mapping[str, str],
    roots: Callable[[dict[str, Any], dict[str, Any]], Iterator[_Wanted]],
    edges: Callable[[dict[str, Any], frozenset[str]], Iterator[_Wanted]],
    lines_of: Callable[[dict[str, Any], Path], Iterator[str]],
) -> DependencyLines:
    """Walk a lock from the project's own dependencies to everything that they need."""
    try:
        lock, tables = read_toml(path), read_toml(path.parent / PYPROJECT_FILE)
        packages: dict[str, list[dict[str, Any]]] = {}
        for package in lock.get("package", []):
            packages.setdefault(canonicalize_name(package["name"]), []).append(package)
        lines: dict[str, None] = {}
        problems: list[str] = []
        seen: set[tuple[int, frozenset[str]]] = set()
        waiting = list(roots(lock, tables))
        problems += _older_than_pyproject(path, tables, {canonicalize_name(one.name) for one in waiting}, environment)
        while waiting:
            wanted = waiting.pop()
            package = _chosen(packages.get(canonicalize_name(wanted.name), []), wanted, environment)
            if package is None:
                problems.append(f"{path.name} has no {wanted.name} that fits. Lock the project again.")
            elif (id(package), wanted.extras) not in seen:
                seen.add((id(package), wanted.extras))
                lines |= dict.fromkeys(lines_of(package, path.parent))
                waiting += edges(package, wanted.extras)
    except TomlUnreadable as error:
        return DependencyLines(problems=(str(error),))
    except (KeyError, TypeError, AttributeError) as error:
        return DependencyLines(problems=(f"{path.name} has another form than expected: {error!r}.",))
    ordered = sorted(lines, key=lambda line: (not line.startswith("-"), line))
    return DependencyLines(lines=tuple(ordered), is_complete=True, problems=tuple(dict.fromkeys(problems)))


def _chosen(candidates: list[dict[str, Any]], wanted: _Wanted, environment: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the one of several locked versions that is meant for the function's Python."""
    fitting = [one for one in candidates if wanted.allows(one)]
    here = [one for one in fitting if _is_for(one, environment)]
    return next(iter(here or fitting), None)


def _is_for(package: dict[str, Any], environment: Mapping[str, str]) -> bool:
    markers = package.get("markers")
    if isinstance(markers, dict):  # by group
        markers = markers.get("main")
    alternatives = package.get("resolution-markers", [])
    return _marker_holds(markers, environment) and (
        not alternatives or any(_marker_holds(one, environment) for one in alternatives)
    )


def _marker_holds(marker: str | None, environment: Mapping[str, str]) -> bool:
    try:
        return not marker or holds(Marker(marker), {**environment, "extra": ""})
    except InvalidMarker:
        return True


def _older_than_pyproject(
    path: Path, tables: dict[str, Any], locked: set[str], environment: Mapping[str, str]
) -> Iterator[str]:
    for line in project_dependencies(tables):
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        if canonicalize_name(requirement.name) not in locked and list(applicable([line], environment)):
            yield f"{path.name} is older than {PYPROJECT_FILE}: it has no {requirement.name}. Lock the project again."
