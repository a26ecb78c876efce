"""Check that the start command of a custom runtime finds a Python that runs fc_callback.

Only commands that start fc_callback are judged, and only where FC itself brings the Python: a path of the package, of a layer
or of a mounted directory may have any. Source: the table of runtimes.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from fc_callback.checking.findings import Finding, finding_at
from fc_callback.project.expressions import UNKNOWN
from fc_callback.project.start_command import start_command
from fc_callback.runtime.runtimes import LANGUAGES_DIR, OLDEST_PYTHON, RUNTIMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fc_callback.project import Function, Project
    from fc_callback.project.start_command import StartCommand
    from fc_callback.runtime.runtimes import FcRuntime

_SYSTEM_DIRS = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}
_PYTHON = re.compile(r"python(?:(?P<major>\d)(?:\.(?P<minor>\d+))?)?")


def check(project: Project) -> Iterator[Finding]:
    """Find start commands whose Python does not exist or does not run fc_callback."""
    for function in project.functions:
        runtime, command = function.fc_runtime, start_command(function)
        if runtime is None or runtime.python is None or command is None or not command.is_exact:
            continue
        if command.handler is None and not _runs_a_script_with_fc_callback(function, command):
            continue
        problem = _problem(function, runtime, command)
        if problem is None:
            continue
        message, hint = problem
        if runtime.runs_fc_callback:
            yield Finding(rule="start-command", file=command.file, line=command.line, message=message, hint=hint)
        else:
            yield finding_at(function, "start-command", message, hint, "runtime")


def _runs_a_script_with_fc_callback(function: Function, command: StartCommand) -> bool:
    """Return whether a word of the command is a script of the code that names fc_callback."""
    folder = function.code_dir
    scripts = [folder / word.removeprefix("/code/") for word in command.words if word.endswith(".py")] if folder else []
    return any(script.is_file() and b"fc_callback" in script.read_bytes() for script in scripts)


def _problem(function: Function, runtime: FcRuntime, command: StartCommand) -> tuple[str, str] | None:
    """Return what is wrong with the Python of a command, and what to do; None if nothing is certain."""
    program = PurePosixPath(command.words[0])
    python = _PYTHON.fullmatch(program.name)
    if python is None and program.name != "fc-callback":
        return None
    if program.is_absolute():
        folder: str | None = str(program.parent) if _is_of_fc(str(program.parent)) else None
    else:
        folder = _first_folder(function, runtime) if program.parent == PurePosixPath() else None
    if folder is None:
        return None
    if python is None:
        if _may_bring_programs(function):
            return None
        problem = f"{runtime.id} has no program fc-callback: pip writes it for the machine that builds the package."
        return problem, "Begin the command with `python3 -m fc_callback serve`."
    return _python_problem(runtime, python, program, folder)


def _python_problem(
    runtime: FcRuntime, python: re.Match[str], program: PurePosixPath, folder: str
) -> tuple[str, str] | None:
    assert runtime.python is not None
    version, oldest = ("{}.{}".format(*one) for one in (runtime.python, OLDEST_PYTHON))
    if not runtime.runs_fc_callback:
        newer = ", ".join(one.id for one in RUNTIMES.values() if one.path)
        problem = f"The Python of the runtime {runtime.id!r} is {version}, and fc_callback needs {oldest}."
        return problem, f"Use {newer}, or a container."
    if folder != runtime.path and (runtime.path_line or folder.startswith(LANGUAGES_DIR)):
        hint = f"Write `{runtime.path}/python3`."
        if not program.is_absolute():
            hint = f"Write `PATH: {runtime.path_line}` into environmentVariables."
        problem = f"{program} is not the Python {version} of {runtime.id}, which is in {runtime.path}."
        return problem, hint
    named = python["minor"] and (int(python["major"]), int(python["minor"])) != runtime.python
    if folder == runtime.path and (named or python["major"] == "2"):
        return f"{program} is not the Python of {runtime.id}, which is {version}.", "Write `python3`."
    return None


def _first_folder(function: Function, runtime: FcRuntime) -> str | None:
    """Return the first directory of PATH that may have a Python; None if FC does not say what is there."""
    given = function.mapping("environmentVariables").get("PATH")
    if given is UNKNOWN:
        return None
    # FC has no other Python in its directory of languages, nor below /usr.
    parts = [part.rstrip("/") for part in str(given).split(":")] if given else []
    parts = [part for part in parts if part == runtime.path or part in _SYSTEM_DIRS or not _is_of_fc(part)]
    first = parts[0] if parts else "/usr/bin"
    if first in _SYSTEM_DIRS:
        return first if runtime.path_line else "/usr/bin"
    return first if first == runtime.path else None


def _is_of_fc(folder: str) -> bool:
    return folder in _SYSTEM_DIRS or folder.startswith(("/usr/", LANGUAGES_DIR))


def _may_bring_programs(function: Function) -> bool:
    """Return whether a layer, or a directory of the code where FC looks for programs, may have one."""
    code_dir = function.code_dir
    own = [] if code_dir is None else [code_dir / "fc-callback", code_dir / "bin" / "fc-callback"]
    return bool(function.props.get("layers")) or any(path.exists() for path in own)
