"""Find the Python that a function of a project runs with on this machine."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROBE_SECONDS = 5.0
_PROBE = """
import sys
from importlib import metadata
for name in sys.argv[1:]:
    metadata.distribution(name)
"""


def running_python() -> str:
    """Return the version of this process's Python, like `3.11`."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def find_python(version: tuple[int, int] | None, distributions: Sequence[str], python_path: str) -> str | None:
    """Return the interpreter of a version that can load distributions; None if this machine has none.

    Args:
        version: Like `(3, 10)`; None means any.
        distributions: The names of the distributions that the function needs.
        python_path: The PYTHONPATH of the function.
    """
    if version is None or version == sys.version_info[:2]:
        return sys.executable
    found = shutil.which(f"python{version[0]}.{version[1]}")
    return found if found and _has(found, tuple(distributions), python_path) else None


@functools.lru_cache(maxsize=256)
def _has(python: str, distributions: tuple[str, ...], python_path: str) -> bool:
    environment = {**os.environ, "PYTHONPATH": python_path}
    try:
        ended = subprocess.run(  # noqa: S603 - a Python of this machine, and names of distributions
            [python, "-c", _PROBE, *distributions],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ended.returncode == 0


def usable_python_path(python_path: str, code_dir: Path) -> str:
    """Return a PYTHONPATH without the folders of the function whose compiled modules this process cannot load."""
    parts = python_path.split(":")
    return ":".join(
        part for part in parts if code_dir not in Path(part).parents or not _holds_other_modules(Path(part))
    )


def _holds_other_modules(folder: Path) -> bool:
    """Return whether a folder has compiled modules, and one that is for another Python or system than this process.

    `fc-callback build` puts the packages for FC's Python and Linux into such a folder.
    """
    own = sysconfig.get_config_var("EXT_SUFFIX")
    return any(not path.name.endswith(own) for path in folder.rglob("*.cpython-*.so"))
