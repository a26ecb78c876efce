"""Put the dependencies of a project's functions into `code/python`, for the function's own Python and Linux.

pip takes wheels for the target platform on any machine; a dependency without such a wheel is an error. FC looks for modules
in /code and /opt/python by itself, so s.yaml sets PYTHONPATH to /code/python.
"""

from __future__ import annotations

import compileall
import os
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
from packaging.utils import canonicalize_name

from fc_callback.building.errors import BuildError
from fc_callback.building.size import PackageSize, size_of
from fc_callback.project.documents import relative_name
from fc_callback.project.reader import read_project
from fc_callback.project.requirements import (
    Requirements,
    closure,
    read_requirements,
    requirement_url,
    text_for_target,
    with_own_source,
)
from fc_callback.project.wheels import DEPENDENCIES_DIR, DEPENDENCIES_IN_CLOUD, TargetPlatform, incompatible_wheels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fc_callback.project.manifest import Function

_MAX_ROUNDS = 20  # each installs what the round before it has made necessary
# Folders of this package that are not needed in the cloud.
_OWN_ROOMS = ("_templates", "building", "checking", "cli", "flows", "local", "project", "scaffolding", "testing")
# Files that Python never reads when it runs a program; licences and METADATA stay.
_NEEDLESS_FILES = ("*.pyi", "*.pyx", "*.pxd", "py.typed")
_NEEDLESS_METADATA = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")


@attrs.frozen(kw_only=True)
class Built:
    """One package that was built.

    Attributes:
        code_dir: What becomes /code.
        functions: The functions that run it.
        target: What it is built for.
        compiled: Whether it holds bytecode; only the target's own Python can make that.
        size: Its parts, and how large they are.
    """

    code_dir: Path
    functions: tuple[str, ...]
    target: TargetPlatform
    compiled: bool
    size: PackageSize


def build_project(
    root: Path, *, fc_callback: str | None = None, on_progress: Callable[[str], None] = lambda _line: None
) -> list[Built]:
    """Build the packages of every function in s.yaml.

    Args:
        root: The directory of s.yaml.
        fc_callback: A wheel, a source tree or a URL that is packed instead of the released package.
        on_progress: Called with a line for each step, and for each function that is skipped.

    Raises:
        BuildError: There is no s.yaml, no function, a dependency has no wheel for the target, or pip fails.
        SettingsError: There is nothing at the path of `fc_callback`.
    """
    project = read_project(root)
    if not project.manifests:
        raise BuildError(f"There is no s.yaml in {root} that can be read.", hint="`fc-callback check` says why.")
    if not project.functions:
        raise BuildError(
            "s.yaml has no resource of the component fc3.",
            hint="Add a function with `component: fc3`; there is nothing to build.",
        )
    built = []
    for code_dir, functions in _by_code_dir(project.functions, on_progress):
        target = _target(functions)
        names = tuple(function.name for function in functions)
        on_progress(f"{relative_name(code_dir, Path())} for {', '.join(names)}: {target.description}")
        compiled = _build(code_dir, root, target, fc_callback, on_progress)
        size = size_of(code_dir)
        built.append(Built(code_dir=code_dir, functions=names, target=target, compiled=compiled, size=size))
    return built


def _by_code_dir(
    functions: Iterable[Function], on_progress: Callable[[str], None]
) -> list[tuple[Path, list[Function]]]:
    groups: dict[Path, list[Function]] = {}
    for function in functions:
        if not function.is_python:
            on_progress(
                f"{function.name} is skipped: a function of the runtime {function.runtime} brings its own Python."
            )
        elif function.code_dir is None:
            raise BuildError(
                f"The code directory of {function.name} does not exist.", hint="Correct `code:` in s.yaml."
            )
        else:
            groups.setdefault(function.code_dir, []).append(function)
    return list(groups.items())


def _target(functions: list[Function]) -> TargetPlatform:
    wanted = {function.runtime for function in functions}
    if len(wanted) > 1:
        raise BuildError(
            f"{' and '.join(sorted(wanted))} share one code directory.",
            hint="Give each runtime a directory of its own.",
        )
    target = TargetPlatform.of_runtime(functions[0].runtime)
    if target is None:
        raise BuildError(
            f"fc_callback does not run on {functions[0].runtime}.", hint="Write python3.10 or python3.12 in s.yaml."
        )
    return target


def _build(
    code_dir: Path, root: Path, target: TargetPlatform, fc_callback: str | None, on_progress: Callable[[str], None]
) -> bool:
    requirements = read_requirements(code_dir, root, target.marker_environment)
    if requirements.path is None:
        on_progress(
            f"{relative_name(code_dir, Path())} has no requirements.txt: there is nothing to put into the package."
        )
        return False
    # Beside the code directory: the package never holds unfinished files, and the last step is a rename.
    with tempfile.TemporaryDirectory(prefix=".fc-callback-build-", dir=code_dir.parent) as scratch:
        staged = Path(scratch) / DEPENDENCIES_DIR
        staged.mkdir()
        text = _requirements_text(requirements.path, target, fc_callback, Path(scratch))
        on_progress(f"Installing the packages of {requirements.file}")
        _install(text, staged, target, cwd=requirements.path.parent)
        options = [line for line in text.splitlines() if line.startswith("-")]
        _install_missing(requirements, options, staged, target, cwd=requirements.path.parent)
        _check(staged, target)
        _trim(staged)
        compiled = _compile(staged, target)
        final = code_dir / DEPENDENCIES_DIR
        if final.exists():
            final.rename(Path(scratch) / "old")
        staged.rename(final)
    if not compiled:
        on_progress(
            f"Not byte-compiled: this is Python {sys.version_info[0]}.{sys.version_info[1]}, and the function's is "
            f"{target.version}. Its first start takes a little longer. To avoid that, run the build with Python "
            f"{target.version}."
        )
    return compiled


def _requirements_text(path: Path, target: TargetPlatform, fc_callback: str | None, scratch: Path) -> str:
    text = text_for_target(path, target.marker_environment)
    if fc_callback is None:
        return text
    url = requirement_url(fc_callback)
    tree = Path(fc_callback).expanduser()
    # A source tree becomes a wheel first: with a target platform, pip takes nothing but wheels.
    return with_own_source(text, str(_wheel(tree.resolve(), scratch)) if tree.is_dir() else url)


def _wheel(tree: Path, scratch: Path) -> Path:
    folder = scratch / "wheels"
    _pip("wheel", "--no-deps", "--wheel-dir", str(folder), str(tree), cwd=scratch)
    return next(folder.glob("*.whl"))


def _install(requirements: str, staged: Path, target: TargetPlatform, *, cwd: Path) -> None:
    file = staged.parent / "requirements.txt"
    file.write_text(requirements, encoding="utf-8")
    _pip(
        "install",
        *("--requirement", str(file), "--target", str(staged), "--no-compile", "--upgrade"),
        *("--only-binary", ":all:", "--implementation", "cp", "--python-version", target.version, "--abi", target.abi),
        *(argument for platform in target.platforms for argument in ("--platform", platform)),
        cwd=cwd,
    )


def _install_missing(
    requirements: Requirements, options: list[str], staged: Path, target: TargetPlatform, *, cwd: Path
) -> None:
    """Install what dependencies need on the target only: pip evaluates their markers for the Python that runs pip."""
    for _attempt in range(_MAX_ROUNDS):
        installed: dict[str, metadata.Distribution] = {
            canonicalize_name(each.metadata["Name"]): each for each in metadata.distributions(path=[str(staged)])
        }
        needed = closure(
            requirements.named,
            target.marker_environment,
            lambda name: (installed[name].requires or []) if name in installed else [],  # noqa: B023 - called at once
        )
        missing = [requirement for name, requirement in needed.items() if name not in installed]
        if not missing:
            return
        for requirement in missing:
            requirement.marker = None
        constraints = staged.parent / "constraints.txt"
        constraints.write_text("".join(f"{name}=={each.version}\n" for name, each in installed.items()), "utf-8")
        lines = [*options, f"-c {constraints}", *map(str, missing)]
        _install("\n".join(lines) + "\n", staged, target, cwd=cwd)
    raise BuildError("The dependencies need each other in too long a chain.", hint="Name them in requirements.txt.")


def _pip(command: str, *arguments: str, cwd: Path) -> None:
    done = subprocess.run(  # noqa: S603 - this Python's own pip
        [sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return
    output = done.stderr.strip() or done.stdout.strip()
    if "No module named pip" in output:
        raise BuildError("This Python has no pip.", hint="Run: python -m ensurepip")
    missing = re.search(r"No matching distribution found for (\S+)", output)
    if missing:
        raise BuildError(
            f"{missing.group(1)} has no wheel for the function's platform (or does not exist).\n{output}",
            hint="Require a version that has one, or build a wheel for manylinux and name its path in requirements.txt.",
        )
    raise BuildError(f"pip {command} failed.\n{output}", hint="Fix what pip says above, and run the build again.")


def _check(staged: Path, target: TargetPlatform) -> None:
    for wheel in incompatible_wheels(staged, target):
        raise BuildError(
            f"{wheel.name} is built for {wheel.built_for}, and the function runs on {target.description}.",
            hint="Name a wheel for that platform in requirements.txt.",
        )


def _trim(staged: Path) -> None:
    shutil.rmtree(staged / "bin", ignore_errors=True)
    for room in _OWN_ROOMS:
        shutil.rmtree(staged / "fc_callback" / room, ignore_errors=True)
    for pattern in _NEEDLESS_FILES:
        for path in staged.rglob(pattern):
            path.unlink()
    for info in staged.glob("*.dist-info"):
        for name in _NEEDLESS_METADATA:
            (info / name).unlink(missing_ok=True)
    for cache in staged.rglob("__pycache__"):
        shutil.rmtree(cache, ignore_errors=True)


def _compile(staged: Path, target: TargetPlatform) -> bool:
    """Write bytecode that Python uses without a check: `s` gives every file in the zip one fixed date."""
    if sys.version_info[:2] != target.python or sys.implementation.name != "cpython":
        return False
    compileall.compile_dir(
        staged,
        maxlevels=64,
        quiet=2,
        stripdir=str(staged),
        prependdir=DEPENDENCIES_IN_CLOUD,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    return True
