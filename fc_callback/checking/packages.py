"""Check what a package holds: the code, its dependencies, and files that do not belong in it.

Sources: FC documentation, "Python runtimes" (/code is on the path, /code/python is not) and Serverless Devs, `.fcignore`.
"""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

from fc_callback.checking.findings import Finding, finding_at
from fc_callback.checking.handlers import handler_of
from fc_callback.checking.imports import imports_of
from fc_callback.project.documents import relative_name
from fc_callback.project.requirements import Requirements, read_requirements
from fc_callback.project.wheels import DEPENDENCIES_DIR, DEPENDENCIES_IN_CLOUD, TargetPlatform, incompatible_wheels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fc_callback.project import Function, Project

_BUILDS = re.compile(r"fc-callback\s+build|pip3?\s+install|\bs\s+build|fc3\s+build")


def check(project: Project) -> Iterator[Finding]:
    """Find what is wrong with the packages."""
    for function in project.functions:
        yield from _code_path(function)
        if function.code_dir is not None:
            yield from _secrets(project, function, function.code_dir)
            target = TargetPlatform.of_runtime(function.runtime)
            if target is not None:
                yield from _dependencies(project, function, function.code_dir, target)
                yield from _platform(project, function, function.code_dir, target)


def _code_path(function: Function) -> Iterator[Finding]:
    code = function.props.get("code")
    given = code.get("src") if isinstance(code, dict) else code
    if not isinstance(given, str) or given.startswith(("http://", "https://")):
        return
    if not (function.document.path.parent / given).exists():
        problem = f"code: {given} does not exist."
        yield finding_at(function, "code-path", problem, "Write a path relative to the directory of s.yaml.", "code")


def _secrets(project: Project, function: Function, code_dir: Path) -> Iterator[Finding]:
    ignored = _ignore_patterns(code_dir)
    for path in sorted(code_dir.glob(".env*")):
        if path.name == ".env.example" or not path.is_file() or _is_ignored(path.name, ignored):
            continue
        yield Finding(
            rule="secret-file",
            file=relative_name(path, project.root),
            line=1,
            message=f"{path.name} goes into the package of {function.name!r}: `s` leaves out only what .fcignore names.",
            hint=f"Add `{path.name}` to {relative_name(code_dir / '.fcignore', project.root)}, or move it beside s.yaml.",
        )


def _ignore_patterns(code_dir: Path) -> list[str]:
    path = code_dir / ".fcignore"
    if not path.is_file():
        return []
    lines = (line.strip() for line in path.read_text("utf-8", "replace").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _is_ignored(name: str, patterns: list[str]) -> bool:
    """Whether gitignore's rules leave out a file at the top; the last matching pattern decides."""
    ignored = False
    for pattern in patterns:
        if fnmatch.fnmatchcase(name, pattern.lstrip("!").strip("/")):
            ignored = not pattern.startswith("!")
    return ignored


def _dependencies(project: Project, function: Function, code_dir: Path, target: TargetPlatform) -> Iterator[Finding]:
    if handler_of(project, function) is None:
        return
    requirements = read_requirements(code_dir, project.root, target.marker_environment)
    built = _is_built(function)
    third_party = False
    for name, (path, line) in imports_of(code_dir).items():
        if _is_in(code_dir, name):
            continue
        third_party = True
        if _is_in(code_dir / DEPENDENCIES_DIR, name):
            continue
        problem = _missing(name, requirements, built=built)
        if problem is not None:
            message, hint = problem
            file = relative_name(path, project.root)
            yield Finding(rule="dependency-missing", file=file, line=line, message=message, hint=hint)
    if third_party and (built or (code_dir / DEPENDENCIES_DIR).is_dir()):
        yield from _pythonpath(function)


def _missing(name: str, requirements: Requirements, *, built: bool) -> tuple[str, str] | None:
    distribution = requirements.provider(name)
    if distribution is None:
        return None  # it is not installed here either: the import of the handler has failed on it
    if not requirements.covers(distribution):
        return (
            f"The code imports {name}, and {distribution} is not among the requirements: FC has none, or another version.",
            f"Add {distribution} to {requirements.file_to_edit}.",
        )
    if built:
        return None
    return (
        f"The code imports {name}, and {distribution} is not in the package.",
        "Run `fc-callback build`, best as a pre-deploy action of s.yaml.",
    )


def _is_in(folder: Path, name: str) -> bool:
    return (folder / name).is_dir() or (folder / f"{name}.py").is_file() or any(folder.glob(f"{name}.*.so"))


def _is_built(function: Function) -> bool:
    """Whether an action puts the dependencies into the package before a deploy."""
    document = function.document
    for actions in (document.get("actions"), document.get("resources", function.key, "actions")):
        for name, steps in actions.items() if isinstance(actions, dict) else ():
            if not name.startswith("pre-") or "deploy" not in name or not isinstance(steps, list):
                continue
            each = [step for step in steps if isinstance(step, dict)]
            if any(_BUILDS.search(f"{step.get('run')} {step.get('component')}") for step in each):
                return True
    return False


def _pythonpath(function: Function) -> Iterator[Finding]:
    given = function.mapping("environmentVariables").get("PYTHONPATH", "")
    if isinstance(given, str) and DEPENDENCIES_IN_CLOUD not in [part.rstrip("/") for part in given.split(":")]:
        problem = f"PYTHONPATH is {given!r}" if given else "PYTHONPATH is not set"
        yield finding_at(
            function,
            "pythonpath",
            f"{problem}, and the dependencies are in {DEPENDENCIES_IN_CLOUD}: FC looks for modules in /code and "
            "/opt/python only.",
            f"Write `PYTHONPATH: {DEPENDENCIES_IN_CLOUD}` into environmentVariables.",
            *(("environmentVariables", "PYTHONPATH") if given else ("environmentVariables",)),
        )


def _platform(project: Project, function: Function, code_dir: Path, target: TargetPlatform) -> Iterator[Finding]:
    for folder in (code_dir, code_dir / DEPENDENCIES_DIR):
        for wheel in incompatible_wheels(folder, target):
            yield Finding(
                rule="dependency-platform",
                file=relative_name(wheel.path, project.root),
                line=1,
                message=f"{wheel.name} is built for {wheel.built_for}, and {function.runtime} on FC is "
                f"{target.description}.",
                hint="Run `fc-callback build`: it installs wheels for the function's platform.",
            )
