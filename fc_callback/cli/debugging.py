"""Prepares a function for a debugger."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import attrs

from fc_callback.errors import SettingsError

if TYPE_CHECKING:
    from fc_callback.runtime import FunctionSpec

# A person may look at a breakpoint for a day.
_TIMEOUT_SECONDS = 86_400


def debugged(spec: FunctionSpec, port: int) -> FunctionSpec:
    """Return a function that waits for a debugger at a port, and has a day for everything.

    Raises:
        SettingsError: The runtime or the interpreter cannot do it.
    """
    if spec.runtime == "custom":
        raise SettingsError(
            "--debugpy needs the profile python3.10 or python3.12.",
            hint="A custom runtime's own command can start debugpy.",
        )
    found = subprocess.run([spec.python, "-c", "import debugpy"], capture_output=True, check=False)  # noqa: S603
    if found.returncode:
        raise SettingsError(
            f"The interpreter {spec.python} does not have debugpy.",
            hint=f"Install it: {spec.python} -m pip install debugpy",
        )
    return attrs.evolve(spec, debug_port=port, timeout_seconds=_TIMEOUT_SECONDS)
