"""This checkout as a wheel, and what is built with it: made once for all workers and all later runs on the same files."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.parts import skip_or_fail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[1]
CACHES = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fc-callback"
_FOLDERS, _FILES = ("fc_callback", "templates"), ("pyproject.toml", "README.md", "LICENSE")
_SECONDS_KEPT = 24 * 60 * 60


@contextmanager
def locked(folder: Path) -> Iterator[Path]:
    """One process at a time has the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def shared_wheel() -> Path:
    """A checkout as a wheel, after its own s.yaml was built and its templates' tests have run in place."""
    with locked(CACHES / "wheels" / _hash_of_the_tree()) as folder:
        if not list(folder.glob("*.whl")):
            _remove_old(folder.parent)
            _make_wheel(folder)
        return next(folder.glob("*.whl"))


def shared_packages(wheel: Path, requirements: str, make: Callable[[], Path]) -> Path:
    """What was built with the wheel for a requirements.txt: made once, by the first test that asks."""
    name = hashlib.sha256(f"{sys.version} {requirements}".encode()).hexdigest()[:16]
    with locked(wheel.parent / name) as folder:
        if not (folder / "python").exists():
            shutil.copytree(make(), folder / "unfinished", dirs_exist_ok=True)
            (folder / "unfinished").rename(folder / "python")
        return folder / "python"


def _sources() -> Iterator[Path]:
    for name in _FOLDERS:
        for path in sorted((ROOT / name).rglob("*")):
            if path.is_file() and not {"__pycache__", "python", ".pytest_cache"} & set(path.relative_to(ROOT).parts):
                yield path
    yield from (ROOT / name for name in _FILES)


def _hash_of_the_tree() -> str:
    digest = hashlib.sha256(sys.version.encode())
    for path in _sources():
        digest.update(f"{path.relative_to(ROOT)} {path.stat().st_size} ".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _make_wheel(folder: Path) -> None:
    checkout = folder / "checkout"
    shutil.rmtree(checkout, ignore_errors=True)
    for path in _sources():
        copy = checkout / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    source = checkout / "templates" / "event-callback" / "src"
    for left in ("code/python/requests/__init__.py", "code/__pycache__/index.pyc", ".pytest_cache/README.md"):
        (source / left).parent.mkdir(parents=True)
        (source / left).touch()
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(checkout)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    shutil.rmtree(checkout)
    if done.returncode:
        skip_or_fail(f"pip cannot make a wheel: {done.stderr[-300:]}")


def _remove_old(folder: Path) -> None:
    for one in folder.iterdir():
        if time.time() - one.stat().st_mtime > _SECONDS_KEPT:
            shutil.rmtree(one, ignore_errors=True)
