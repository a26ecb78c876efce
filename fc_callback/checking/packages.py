"""Check what a package holds: the code, files that do not belong in it, and packages that are built for another platform.

Source: Serverless Devs, `.fcignore`.
"""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

from fc_callback.checking.actions import may_make_code
from fc_callback.checking.findings import Finding, finding_at
from fc_callback.project.documents import relative_name
from fc_callback.project.wheels import DEPENDENCIES_DIR, TargetPlatform, incompatible_wheels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fc_callback.project import Function, Project

# Files of these names show others what to write into their own .env.
_EXAMPLES = (".example", ".sample", ".template", ".dist", ".tmpl")


def check(project: Project) -> Iterator[Finding]:
    """Find what is wrong with the packages."""
    for function in project.functions:
        yield from _code_path(function)
        if function.code_dir is not None:
            yield from _secrets(project, function.code_dir)
            target = TargetPlatform.of_runtime(function.runtime)
            if target is not None:
                yield from _platform(project, function, function.code_dir, target)


def _code_path(function: Function) -> Iterator[Finding]:
    code = function.props.get("code")
    given = code.get("src") if isinstance(code, dict) else code
    if not isinstance(given, str) or given.startswith(("http://", "https://")):
        return
    if not function.is_python or may_make_code(function):
        return  # a compiler or another command may create it
    if not (function.document.path.parent / given.replace("\0", "")).exists():
        problem = f"code: {given} does not exist."
        yield finding_at(function, "code-path", problem, "Write a path relative to the directory of s.yaml.", "code")


def _secrets(project: Project, code_dir: Path) -> Iterator[Finding]:
    ignored, ignore_file = _ignore_patterns(code_dir), code_dir / ".fcignore"
    named = relative_name(ignore_file, project.root)
    for path in sorted(code_dir.glob(".env*")):
        if path.name.endswith(_EXAMPLES) or not path.is_file() or _is_ignored(path.name, ignored):
            continue
        yield Finding(
            rule="secret-file",
            file=relative_name(path, project.root),
            line=1,
            message=f"{path.name} goes into the package: `s` leaves out only what .fcignore names.",
            hint=f"Add `{path.name}` to {named if ignore_file.is_file() else f'a new file {named}'}, or move it beside s.yaml.",
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
