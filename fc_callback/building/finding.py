"""Choose the installer."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from fc_callback.building.pip import Pip
from fc_callback.building.uv import Uv

if TYPE_CHECKING:
    from fc_callback.building.installers import Installer


def find_installer() -> Installer:
    """Return uv if it is on PATH, else pip."""
    command = shutil.which("uv")
    return Uv(command=command) if command else Pip()
