"""Starts Python as on another system: this package finds no name there that the system does not have."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import fc_callback

_HERE = Path(__file__).parent
PACKAGE = Path(fc_callback.__file__).parent
WINDOWS, MACOS = _HERE / "windows.json", _HERE / "macos.json"


def names_of(system: Path) -> dict[str, list[str]]:
    """Return the names that a system lacks, by module; under `modules` the modules that it lacks."""
    return {name: given for name, given in json.loads(system.read_text("utf-8")).items() if name != "source"}


def environment_of(system: Path) -> dict[str, str]:
    """Return the variables that make a Python start as on a system."""
    return {
        "PYTHONPATH": os.pathsep.join([str(_HERE), str(PACKAGE.parent)]),
        "LACKING_NAMES": str(system),
        "LACKING_PACKAGE": str(PACKAGE),
        "PYTHONWARNDEFAULTENCODING": "1",
        # The encoding of a pipe on a Windows of Western Europe.
        "PYTHONIOENCODING": "cp1252",
    }


def run_python(*arguments: str, system: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder as on a system."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, **environment_of(system)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="cp1252",
        timeout=90,
        check=False,
    )


def run_code(code: str, *, system: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script as on a system."""
    file = folder / "script.py"
    file.write_text(textwrap.dedent(code), "utf-8")
    return run_python(str(file), system=system, folder=folder)
