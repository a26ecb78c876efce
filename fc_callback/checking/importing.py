"""A handler and its hooks, imported in a process of their own: the parent's side."""

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

from fc_callback.checking import probe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TIME_LIMIT_SECONDS = 30.0
_OUTPUT_CHARACTERS = 300
_SECRET_VARIABLES = ("ALIBABA_CLOUD_", "ALICLOUD_", "AccessKey", "AWS_")


@attrs.frozen(kw_only=True)
class Imported:
    """What importing a handler gave.

    Attributes:
        problem: Why it cannot be used; empty where it can.
        kind: FC's errorType for that.
        file: Where, if that is known; of the function itself where there is no problem.
        line: The line there.
        module: The module that was not found, where that was the problem.
        decorated: Whether it is made by task_callback.
        on_failure: `raise` or `report`, of a decorated one.
    """

    problem: str = ""
    kind: str = ""
    file: str = ""
    line: int = 1
    module: str | None = None
    decorated: bool = False
    on_failure: str = ""


def import_handlers(
    code_dir: Path,
    handlers: Sequence[str],
    *,
    runtime: str,
    environment: Mapping[str, str],
    time_limit_seconds: float = TIME_LIMIT_SECONDS,
) -> list[Imported]:
    """Import handlers with this Python, one after another, in one process that ends with its time.

    Args:
        code_dir: What becomes /code.
        handlers: Each `module.function`.
        runtime: FC's, for the way it imports.
        environment: The function's variables, which the module may read. The person's keys are kept from it.
        time_limit_seconds: How long the imports may take together.

    Returns:
        One for each handler, in order; the last is the one that ended the process or took too long, where one did.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_SECRET_VARIABLES)}
    function_own = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
    with tempfile.TemporaryDirectory(prefix="fc-callback-check-") as folder:
        result = Path(folder) / "result.json"
        arguments = (str(code_dir), runtime, str(result), *handlers)
        process = subprocess.Popen(  # noqa: S603 - this Python, on the person's own project
            [sys.executable, "-W", "ignore", "-B", probe.__file__, *arguments],
            cwd=folder,
            env={**kept, **function_own},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=time_limit_seconds)
        except subprocess.TimeoutExpired:
            _end(process)
            problem = f"Importing it did not end within {time_limit_seconds:g} seconds, and FC counts that time too."
            missing = Imported(problem=problem, kind="FunctionTimeout")
        else:
            tail = output.decode("utf-8", "replace").strip()[-_OUTPUT_CHARACTERS:]
            problem = f"Importing it ended the process (exit code {process.returncode}). {tail}".strip()
            missing = Imported(problem=problem)
        lines = result.read_text("utf-8").splitlines() if result.is_file() else []
        seen = [_read(json.loads(line)) for line in lines]
        return seen if len(seen) == len(handlers) else [*seen, missing]


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # what the import may have started, too: it is a session of its own
    process.communicate()


def _read(seen: dict[str, Any]) -> Imported:
    if seen["kind"]:
        return Imported(
            problem=seen["message"], kind=seen["kind"], file=seen["file"], line=seen["line"], module=seen["module"]
        )
    if not seen["callable"]:
        return Imported(problem="It is there, and is no function.", kind="HandlerNotFound")
    return Imported(file=seen["file"], line=seen["line"], decorated=seen["decorated"], on_failure=seen["on_failure"])
