"""Replace the directory of the dependencies in one step: it is always a whole one, the old or the new."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from fc_callback.building.errors import BuildError
from fc_callback.building.package import STAMP_FILE
from fc_callback.project.wheels import DEPENDENCIES_DIR

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX = ".fc-callback-build-"
_SECONDS_OF_A_BUILD = 6 * 60 * 60  # an older directory was left by a build that was killed
_MAX_SWAPS = 20


@contextmanager
def scratch_directory(code_dir: Path) -> Iterator[Path]:
    """Make a directory for unfinished files, on the file system of the code, and remove it afterwards.

    Beside the code if that can be written: then not even a killed build leaves files in the package.

    Raises:
        BuildError: Neither the code's directory nor the one around it can be written.
    """
    around = next((folder for folder in (code_dir.parent, code_dir) if os.access(folder, os.W_OK)), None)
    if around is None or not os.access(code_dir, os.W_OK):
        raise BuildError(f"{code_dir} cannot be written.", hint="Correct its permissions.")
    for folder in (code_dir.parent, code_dir):
        _remove_left_over(folder)
    scratch = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=around))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _remove_left_over(folder: Path) -> None:
    for path in folder.glob(f"{_PREFIX}*"):
        with suppress(FileNotFoundError):  # its own build removes it now
            if time.time() - path.stat().st_mtime > _SECONDS_OF_A_BUILD:
                shutil.rmtree(path, ignore_errors=True)


def require_own_directory(folder: Path, code: str) -> None:
    """Check that a build may replace the directory of the dependencies.

    Raises:
        BuildError: It holds files that no installer has put there.
    """
    if not folder.is_dir() or not any(folder.iterdir()) or (folder / STAMP_FILE).exists():
        return
    if not any(folder.glob("*.dist-info")) and not any(folder.glob("*.egg-info")):
        raise BuildError(
            f"{code}/{DEPENDENCIES_DIR} holds files that no build has put there, and a build replaces the whole directory.",
            hint="Give your own code another directory, or delete this one.",
        )


def swap_in(staged: Path, final: Path, scratch: Path) -> None:
    """Put a finished directory in place of the old one. Another build may do so at the same time: the last one stays.

    Raises:
        BuildError: Other builds have taken the place again and again.
    """
    for attempt in range(_MAX_SWAPS):
        with suppress(FileNotFoundError):
            final.rename(scratch / f"old-{attempt}")
        try:
            staged.rename(final)
        except OSError:
            if not final.exists():
                raise
            continue  # another build was faster
        return
    raise BuildError(f"Other builds write {final} at the same time.", hint="Run one build at a time.")
