"""The directory of the dependencies: what is left out, what is compiled, and the same bytes for the same dependencies."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from fc_callback.project.wheels import DEPENDENCIES_IN_CLOUD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fc_callback.project.wheels import TargetPlatform

STAMP_FILE = ".fc-callback-build.json"
# Folders of this package that are not needed in the cloud.
NOT_IN_THE_CLOUD = (
    "_templates", "building", "checking", "cli", "flows", "local", "project", "scaffolding", "testing", "workspace",
)  # fmt: skip
# Files that Python never reads when it runs a program; licences and METADATA stay.
_NEEDLESS_FILES = ("*.pyi", "*.pyx", "*.pxd", "py.typed")
# What installers note about an installation: it names paths and tools of this machine.
_NEEDLESS_METADATA = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json")
_SECONDS_OF_ALL_FILES = 315_532_800  # 1980-01-01, the first date that a zip can hold


def target_python(target: TargetPlatform) -> str | None:
    """Return a Python of this machine that has the target's version: this one, or `python3.x` on PATH."""
    if sys.implementation.name == "cpython" and sys.version_info[:2] == target.python:
        return sys.executable
    found = shutil.which(f"python{target.version}")
    if found is None:
        return None
    code = "import sys; print(sys.implementation.name, *sys.version_info[:2])"
    # pyenv has a command for each version, also where it is not active.
    done = subprocess.run([found, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603
    return found if done.stdout.split() == ["cpython", *map(str, target.python)] else None


def trim(staged: Path) -> None:
    """Remove what no function reads."""
    if not (staged / "bin" / "__init__.py").exists():
        shutil.rmtree(staged / "bin", ignore_errors=True)
    (staged / ".lock").unlink(missing_ok=True)  # uv's
    for room in NOT_IN_THE_CLOUD:
        shutil.rmtree(staged / "fc_callback" / room, ignore_errors=True)
    for pattern in _NEEDLESS_FILES:
        for path in staged.rglob(pattern):
            path.unlink()
    for info in staged.glob("*.dist-info"):
        for name in _NEEDLESS_METADATA:
            (info / name).unlink(missing_ok=True)
    for cache in staged.rglob("__pycache__"):
        shutil.rmtree(cache, ignore_errors=True)


def compile_package(staged: Path, python: str) -> None:
    """Write bytecode that Python uses without a check: `s` gives every file in the zip one fixed date.

    A process of its own with a fixed hash seed writes the same bytes each time: the order inside a frozenset depends on the
    seed. A file that this Python cannot compile stays a source.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    subprocess.run(  # noqa: S603 - the Python of the target's version
        [
            *(python, "-S", "-m", "compileall", "-qq", "-f", "-r", "64", "--invalidation-mode", "unchecked-hash"),
            *("-s", str(staged), "-p", DEPENDENCIES_IN_CLOUD, str(staged)),
        ],
        env={**environment, "PYTHONHASHSEED": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )


def hidden_modules(code_dir: Path, staged: Path) -> set[str]:
    """Return the modules of the code that Python finds before a dependency of the same name."""

    def modules(folder: Path) -> dict[str, str]:
        found = (path for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file())
        return {path.name.removesuffix(".py"): path.name for path in found}

    own = modules(code_dir)
    return {own[name] for name in own.keys() & modules(staged).keys()}


def level(staged: Path) -> None:
    """Give files and folders one date and the same permissions, whichever installer and user made them."""
    for path in (staged, *staged.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
            os.utime(path, (_SECONDS_OF_ALL_FILES, _SECONDS_OF_ALL_FILES))


def remove_foreign_bytecode(folder: Path, target: TargetPlatform, *, compiled: bool) -> None:
    """Remove the bytecode that runs on this machine have left: it would make another package of an unchanged one."""
    for path in list(folder.rglob("*.pyc")):
        if path.parent.name == "__pycache__" and not (compiled and path.stem.endswith(f".cpython-{target.abi[2:]}")):
            path.unlink()
    for cache in list(folder.rglob("__pycache__")):
        if not any(cache.iterdir()):
            cache.rmdir()


def tree_digest(folder: Path, *, without: Iterable[str] = ()) -> str:
    """Return a digest of the names and bytes of all files below a folder.

    Files and folders whose names match one of the patterns `without` do not count, nor does what a build has made.
    """
    digest = hashlib.sha256()
    for path in _files_below(folder, tuple(without)):
        content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        name = path.relative_to(folder).as_posix().encode()
        digest.update(b"%d %s %d " % (len(name), name, len(content)) + content)
    return digest.hexdigest()


def _files_below(folder: Path, ignored: tuple[str, ...]) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        here = Path(parent)
        counted = [name for name in sorted([*folders, *files]) if not any(fnmatchcase(name, each) for each in ignored)]
        folders[:] = [name for name in folders if name in counted and not (here / name / STAMP_FILE).exists()]
        folders.sort()
        yield from (here / name for name in counted if name in files or (here / name).is_symlink())
