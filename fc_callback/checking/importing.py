"""Import a handler and its hooks in a process of their own. `probe` is the code of that process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.checking.sources import python_path
from fc_callback.project.wheels import DEPENDENCIES_DIR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TIME_LIMIT_SECONDS = 30.0
_PROBE = Path(__file__).with_name("probe.py")
_OUTPUT_CHARACTERS = 300
_ENDING_SECONDS = 5.0
_OF_PYTHON = {"PYTHONPATH", "PYTHONHOME"}  # they name places of FC
_SECRET_VARIABLES = ("ALIBABA_CLOUD_", "ALICLOUD_", "AccessKey", "AWS_")


@attrs.frozen(kw_only=True)
class Imported:
    """The result of importing a handler.

    Attributes:
        problem: Why it cannot be used; empty if it can.
        kind: FC's errorType for that.
        file: Where the problem is, if that is known; the file of the function itself if there is no problem.
        line: The line there.
        module: The module that was not found, or that lacks a name, if that is the problem.
        causes: The names of the exception's class and of its bases.
        on_failure: `raise` or `report` if task_callback decorates it, else empty.
        token_paths: The places of the token that the decorator names; empty for its default, which looks for the usual
            keys. None if a function finds it, or if nothing decorates the handler.
        mismatches: For each payload that a step sends to it, what does not fit its type: the fields of `Mismatch`.
    """

    problem: str = ""
    kind: str = ""
    file: str = ""
    line: int = 1
    module: str | None = None
    causes: Sequence[str] = ()
    on_failure: str = ""
    token_paths: Sequence[str] | None = None
    mismatches: tuple[list[dict[str, Any]], ...] = attrs.field(default=(), converter=tuple)


def import_handlers(
    code_dir: Path,
    handlers: Sequence[str],
    *,
    runtime: str,
    environment: Mapping[str, str],
    payloads: Sequence[Mapping[str, Any]] = (),
    time_limit_seconds: float = TIME_LIMIT_SECONDS,
) -> list[Imported]:
    """Import handlers with this Python, one after another, in one process with a time limit.

    Args:
        code_dir: What becomes /code.
        handlers: Each `module.function`.
        runtime: The runtime of FC whose way of importing is imitated.
        environment: The function's variables. Credentials of this machine are removed from the environment.
        payloads: The payloads that steps send to the first handler: the arguments of `mismatches_of`.
        time_limit_seconds: How long the imports may take together.

    Returns:
        One for each handler, in order. If a handler ended the process or took too long, it is the last one.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_SECRET_VARIABLES)}
    # The packages for FC's own Python come last: `probe` adds them.
    folders = [str(path) for path in python_path(environment, code_dir)[0] if path.name != DEPENDENCIES_DIR]
    kept["PYTHONPATH"] = os.pathsep.join([*folders, *filter(None, [kept.get("PYTHONPATH")])])
    function_own = {name: value for name, value in environment.items() if _can_be_passed(name, value)}
    # On Windows a process that is still running keeps its current directory from being deleted.
    with tempfile.TemporaryDirectory(prefix="fc-callback-check-", ignore_cleanup_errors=True) as folder:
        result = Path(folder) / "result.json"
        sent = Path(folder) / "payloads.json"
        sent.write_text(json.dumps(payloads), encoding="utf-8")
        names = (handler.replace("\0", "?") for handler in handlers)
        arguments = (str(code_dir), runtime, str(sent), str(result), *names)
        process = subprocess.Popen(  # noqa: S603 - this Python, on the user's own project
            [sys.executable, "-W", "ignore", "-B", str(_PROBE), *arguments],
            cwd=folder,
            env={**kept, **function_own},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # has no effect on Windows
        )
        try:
            output, _ = process.communicate(timeout=time_limit_seconds)
        except subprocess.TimeoutExpired:
            _kill_with_its_children(process)
            problem = f"Importing it took longer than {time_limit_seconds:g} seconds, which FC counts as well."
            missing = Imported(problem=problem, kind="FunctionTimeout")
        else:
            tail = output.decode("utf-8", "replace").strip()[-_OUTPUT_CHARACTERS:]
            problem = f"Importing it ended the process (exit code {process.returncode}). {tail}".strip()
            missing = Imported(problem=problem)
        lines = result.read_text("utf-8").splitlines() if result.is_file() else []
        seen = [Imported(**json.loads(line)) for line in lines]
        return seen if len(seen) == len(handlers) else [*seen, missing]


def _can_be_passed(name: str, value: str) -> bool:
    """Whether a variable can be passed to the process, and does not change where its Python is."""
    return bool(name) and not set(name) & {"=", "\0"} and "\0" not in value and name not in _OF_PYTHON


def _kill_with_its_children(process: subprocess.Popen[bytes]) -> None:
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the session holds the processes that the import has started, too
    else:  # on Windows those processes go on, and may keep the output open
        process.kill()
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=_ENDING_SECONDS)
