"""How the end of an execution completes a task of another one: that of its parent, or that of CallbackFnFTaskToken.

One transaction touches one execution, so the task learns of the end by a timer that is due at once.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fc_callback.flows.definition import RUNTIME_ERROR, TASK_TIMEOUT

if TYPE_CHECKING:
    from fc_callback.local.clock import Clock
    from fc_callback.local.execution import ExecutionRun
    from fc_callback.local.store import Row, ServiceStore


def schedule_completion(store: ServiceStore, clock: Clock, execution: Row) -> None:
    """Add the timer that completes the task which waits for an execution that has just ended."""
    task = store.one("SELECT * FROM tasks WHERE id = ? AND status != 'ended'", execution["reports_to"])
    if task is not None:
        store.insert(
            "timers",
            due=clock.now(),
            kind="child",
            execution=task["execution"],
            frame=task["frame"],
            task=task["id"],
            child=execution["id"],
        )


def complete_task(run: ExecutionRun, timer: Row) -> None:
    """Complete the task of such a timer; `run` is the task's own execution.

    Source: Serverless Workflow documentation 149829 (the output, the error of a `fail` step) and published flows (the
    error of StopExecution, FnF.TaskTimeout). The error of an execution that ended without one is inferred.
    """
    restored = run.store.restore_tokens
    row = run.store.one("SELECT * FROM executions WHERE id = ?", timer["child"])
    task = run.store.one("SELECT status FROM tasks WHERE id = ?", timer["task"])
    assert row is not None
    assert task is not None
    if task["status"] == "scheduled":  # a Sync invocation that has not returned yet
        run.task_submitted(timer["frame"])
        if run.status != "Running":  # its history had no room for that event
            return
    who = f"Execution {row['name']} of flow {row['flow_name']}"
    if row["status"] == "Succeeded":
        run.task_succeeded(timer["frame"], json.loads(restored(row["output"])))
    elif row["status"] == "TimedOut":
        run.task_failed(timer["frame"], TASK_TIMEOUT, f"{who} has timed out.")
    else:
        cause = restored(row["cause"]) or ("" if row["error"] else f"{who} has ended as {row['status']}.")
        run.task_failed(timer["frame"], restored(row["error"]) or RUNTIME_ERROR, cause)
