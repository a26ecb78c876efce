"""The dependencies of a project's functions, put into `code/python` for the function's own Python and Linux.

pip takes wheels for the target platform, whatever machine this is; what has none is an error, never a build for the wrong
one. Source of the layout: FC looks in /code and /opt/python by itself, so s.yaml sets PYTHONPATH to /code/python.
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
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from fc_callback.building.errors import BuildError
from fc_callback.building.platform import Target, misfits
from fc_callback.building.requirements import read_requirements
from fc_callback.building.size import Size, size_of
from fc_callback.checking.project import Function, read_project
from fc_callback.scaffolding.requirement import point_at, requirement_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DEPENDENCIES = "python"
_IN_THE_CLOUD = f"/code/{DEPENDENCIES}"
# Rooms of this package that only people's machines use.
_OWN_ROOMS = ("_templates", "building", "checking", "cli", "flows", "local", "project", "scaffolding", "testing")
# What Python never reads when it runs a program; licences and METADATA stay.
_NEEDLESS_FILES = ("*.pyi", "*.pyx", "*.pxd", "py.typed")
_NEEDLESS_METADATA = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")


@attrs.frozen(kw_only=True)
class Built:
    """One package, built.

    Attributes:
        code_dir: What becomes /code.
        functions: The functions that run it.
        target: What it is built for.
        compiled: Whether it holds bytecode; only the target's own Python can make that.
        size: What it holds, and how much that is.
    """

    code_dir: Path
    functions: tuple[str, ...]
    target: Target
    compiled: bool
    size: Size


def build_project(
    root: Path, *, fc_callback: str | None = None, say: Callable[[str], None] = lambda _line: None
) -> list[Built]:
    """Build the packages of every function in s.yaml.

    Args:
        root: The directory of s.yaml.
        fc_callback: A wheel, a source tree or a URL that is taken instead of the released package.
        say: Called with what is being done, and with what is passed over.

    Raises:
        BuildError: There is no s.yaml, no function, a dependency has no wheel for the target, or pip fails.
        TemplateError: There is nothing at the path of `fc_callback`.
    """
    project = read_project(root)
    if not project.manifests:
        raise BuildError(f"There is no s.yaml in {root} that can be read.", hint="Run `fc-callback check` for more.")
    if not project.functions:
        raise BuildError("s.yaml has no resource of the component fc3.", hint="There is nothing to build.")
    built = []
    for code_dir, functions in _by_code_dir(project.functions, say):
        target = _target(functions)
        names = tuple(function.name for function in functions)
        say(f"{_shown(code_dir)} for {', '.join(names)}: {target.description}")
        compiled = _build(code_dir, root, target, fc_callback, say)
        size = size_of(code_dir)
        built.append(Built(code_dir=code_dir, functions=names, target=target, compiled=compiled, size=size))
    return built


def _by_code_dir(functions: Iterable[Function], say: Callable[[str], None]) -> list[tuple[Path, list[Function]]]:
    groups: dict[Path, list[Function]] = {}
    for function in functions:
        if not function.is_python:
            say(f"{function.name} has the runtime {function.runtime}: its image or its bootstrap brings its Python.")
        elif function.code_dir is None:
            raise BuildError(f"The code directory of {function.name} is not there.", hint="See `code:` in s.yaml.")
        else:
            groups.setdefault(function.code_dir, []).append(function)
    return list(groups.items())


def _target(functions: list[Function]) -> Target:
    wanted = {function.runtime for function in functions}
    if len(wanted) > 1:
        raise BuildError(
            f"{' and '.join(sorted(wanted))} share one code directory.",
            hint="Give each runtime a directory of its own.",
        )
    target = Target.of_runtime(functions[0].runtime)
    if target is None:
        raise BuildError(
            f"fc_callback does not run on {functions[0].runtime}.", hint="Take python3.10 or python3.12 in s.yaml."
        )
    return target


def _build(code_dir: Path, root: Path, target: Target, fc_callback: str | None, say: Callable[[str], None]) -> bool:
    requirements = read_requirements(code_dir, root)
    final = code_dir / DEPENDENCIES
    if requirements.path is None:
        say(f"There is no requirements.txt in {_shown(code_dir)}: nothing to put into the package.")
        return False
    # Beside the code directory: what is unfinished never stands in the package, and the last step is a rename.
    with tempfile.TemporaryDirectory(prefix=".fc-callback-build-", dir=code_dir.parent) as scratch:
        staged = Path(scratch) / DEPENDENCIES
        staged.mkdir()
        text = _requirements_text(requirements.path, fc_callback, Path(scratch))
        say(f"Fetching what {requirements.file} names")
        _install(text, staged, target, cwd=requirements.path.parent)
        _check(staged, target)
        _trim(staged)
        compiled = _compile(staged, target)
        if final.exists():
            final.rename(Path(scratch) / "old")
        staged.rename(final)
    if not compiled:
        say(
            f"Not byte-compiled: this is Python {sys.version_info[0]}.{sys.version_info[1]}, and the function's is "
            f"{target.version}. Its first start takes a little longer; run the build with {target.version} to mend that."
        )
    return compiled


def _requirements_text(path: Path, fc_callback: str | None, scratch: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if fc_callback is None:
        return text
    url = requirement_url(fc_callback)
    tree = Path(fc_callback).expanduser()
    # A source tree becomes a wheel first: with a target platform, pip takes nothing but wheels.
    return point_at(text, str(_wheel(tree.resolve(), scratch)) if tree.is_dir() else url)


def _wheel(tree: Path, scratch: Path) -> Path:
    folder = scratch / "wheels"
    _pip("wheel", "--no-deps", "--wheel-dir", str(folder), str(tree), cwd=scratch)
    return next(folder.glob("*.whl"))


def _install(requirements: str, staged: Path, target: Target, *, cwd: Path) -> None:
    file = staged.parent / "requirements.txt"
    file.write_text(_absolute_includes(requirements, cwd), encoding="utf-8")
    _pip(
        "install",
        *("--requirement", str(file), "--target", str(staged), "--no-compile", "--upgrade"),
        *("--only-binary", ":all:", "--implementation", "cp", "--python-version", target.version, "--abi", target.abi),
        *(argument for platform in target.platforms for argument in ("--platform", platform)),
        cwd=cwd,
    )


def _absolute_includes(text: str, folder: Path) -> str:
    """Let `-r other.txt` and `./wheel` mean what they mean beside the original file."""
    text = re.sub(
        r"^(-r|-c|--requirement|--constraint)[ =]+(?!/)(\S+)",
        lambda found: f"{found.group(1)} {folder / found.group(2)}",
        text,
        flags=re.MULTILINE,
    )
    return re.sub(r"^(\.{1,2}/\S+)", lambda found: str(folder / found.group(1)), text, flags=re.MULTILINE)


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
    said = done.stderr.strip() or done.stdout.strip()
    if "No module named pip" in said:
        raise BuildError("This Python has no pip.", hint="Run: python -m ensurepip")
    missing = re.search(r"No matching distribution found for (\S+)", said)
    if missing:
        raise BuildError(
            f"{missing.group(1)} has no wheel for the function's platform (or does not exist).\n{said}",
            hint="Take a version that has one, or build a wheel for manylinux and name its path in requirements.txt.",
        )
    raise BuildError(f"pip {command} failed.\n{said}", hint="What pip says is above.")


def _check(staged: Path, target: Target) -> None:
    for misfit in misfits(staged, target):
        raise BuildError(
            f"{misfit.name} is built for {misfit.built_for}, and the function is {target.description}.",
            hint="Name a wheel that fits in requirements.txt.",
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


def _compile(staged: Path, target: Target) -> bool:
    """Write bytecode that is trusted as it is: `s` gives every file in the zip one fixed date, so dates say nothing."""
    if sys.version_info[:2] != target.python or sys.implementation.name != "cpython":
        return False
    compileall.compile_dir(
        staged,
        maxlevels=64,
        quiet=2,
        stripdir=str(staged),
        prependdir=_IN_THE_CLOUD,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    return True


def _shown(path: Path) -> str:
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(path)
