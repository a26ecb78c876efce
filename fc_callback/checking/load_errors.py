"""Judge why a handler could not be imported here: whether FC would fail in the same way, or whether that is not known.

The check imports with this machine's Python and packages, without the network, the mounts and the credentials of the function.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from fc_callback.checking.sources import is_in, is_standard
from fc_callback.project.documents import relative_name
from fc_callback.project.wheels import DEPENDENCIES_DIR

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fc_callback.checking.importing import Imported
    from fc_callback.project import Function, Project

# Classes of errors of files, networks and databases.
_OUTSIDE = {"OSError", "RequestException", "ConnectionError", "TimeoutError", "OperationalError"}
_SET_BY_FC = ("'ALIBABA_CLOUD_", "'FC_")


def why_uncertain(function: Function, handler: str, code_dir: Path, seen: Imported) -> str:
    """Return why the import may work on FC; empty if it fails there in the same way."""
    if absent := module_of_others(handler, code_dir, seen):
        return f"{absent} is not installed here, or in another version"
    if seen.kind in {"HandlerNotFound", "InvalidHandleName", "FunctionTimeout", ""}:
        return ""
    if function.is_python and (function.fc_runtime is None or function.fc_runtime.state == "old"):
        return f"{function.runtime} is not like this machine's Python"
    python = function.fc_runtime.python if function.fc_runtime else None
    if "SyntaxError" in seen.causes:
        return "" if python and python <= sys.version_info[:2] else "the function's Python may be newer than this one"
    if not _OUTSIDE.isdisjoint(seen.causes):
        return "it needs a file, a network or a service that this machine may not have"
    if "KeyError" in seen.causes and any(name in seen.problem for name in _SET_BY_FC):
        return "it reads variables that only FC sets"
    if seen.kind == "UserCodeError" and not _knows_variables(function):
        return "the function has variables that only a deployment knows"
    return ""


def module_of_others(handler: str, code_dir: Path, seen: Imported) -> str:
    """Return the module that an import failed on, if it is not one of the function's own code; empty otherwise."""
    module = (seen.module or "").replace("/", ".")
    top = module.partition(".")[0]
    own = handler.rpartition(".")[0].replace("/", ".")
    if not top or f"{own}.".startswith(f"{module}."):
        return ""
    is_own = is_in(code_dir, top) and not is_in(code_dir / DEPENDENCIES_DIR, top)
    return "" if is_own and not is_standard(top) else top


def install_hint(project: Project, code_dir: Path, module: str) -> str:
    """Return how a module gets onto this machine, with the requirements file that the project has."""
    files: Sequence[Path] = (
        project.root / "requirements-dev.txt",
        code_dir / "requirements.txt",
        project.root / "requirements.txt",
    )
    file = next((relative_name(path, project.root) for path in files if path.is_file()), None)
    how = f"python -m pip install -r {file}" if file else f"python -m pip install {module}"
    return f"Install what the function needs on this machine, so that the check can look at it: {how}."


def _knows_variables(function: Function) -> bool:
    given = function.props.get("environmentVariables", {})
    return isinstance(given, dict) and all(isinstance(value, str) for value in given.values())
