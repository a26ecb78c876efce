"""Put a wheel of fc-callback into a project, for as long as the release is not on an index.

The wheel is in `code/wheels/`, and the requirements find it there by a relative path: pip and uv take it on every machine, in
CI and in a Dockerfile.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from fc_callback.building.finding import find_installer
from fc_callback.errors import SettingsError
from fc_callback.project.requirements import is_url, requirement_url, with_own_source, with_own_version

WHEELS_DIR = "code/wheels"
REQUIREMENT_FILES = ("code/requirements.txt", "requirements-dev.txt")


def use_own_source(project: Path, where: str) -> None:
    """Let a project take fc-callback from elsewhere than the package index.

    Args:
        project: The project's directory.
        where: The path of a wheel or of a source tree, or a URL.

    Raises:
        SettingsError: There is no wheel and no source tree at the path.
        BuildError: No wheel can be built from the source tree.
    """
    files = [project / name for name in REQUIREMENT_FILES if (project / name).is_file()]
    if is_url(where):
        for path in files:
            path.write_bytes(
                with_own_source(path.read_bytes().decode(), where).encode()
            )  # keeps the line ends, also on Windows
        return
    requirement_url(where)
    version = _copy_wheel(Path(where).expanduser().resolve(), project / WHEELS_DIR)
    for path in files:
        text = with_own_version(path.read_bytes().decode(), version)
        wheels = (project / WHEELS_DIR).relative_to(path.parent).as_posix()
        path.write_bytes(f"--find-links {wheels}\n{text}".encode())


def _copy_wheel(source: Path, folder: Path) -> str:
    """Copy a wheel, or build one from a source tree; return its version."""
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        wheel = source
        if source.is_dir():
            wheel = find_installer().make_wheel(str(source), Path(scratch) / "wheel", sys.executable)
        try:
            version = str(parse_wheel_filename(wheel.name)[1])
        except InvalidWheelFilename:
            raise SettingsError(
                f"{wheel.name} is not the name of a wheel.", hint="Keep the name that the build gave it."
            ) from None
        shutil.copyfile(wheel, folder / wheel.name)
    return version
