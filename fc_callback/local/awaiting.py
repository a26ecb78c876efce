"""Waits until an execution has ended, or until one of its tasks waits for a report; it can skip the time in between."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from fc_callback.local.api_errors import NoWaitingTask, StillRunning

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.local.components import Components


def wait_until_ended(components: Components, execution: int, *, timeout: float) -> None:
    """Wait until an execution has ended.

    Raises:
        StillRunning: It has not, after `timeout` seconds of real time.
        FcCallbackError: The service was closed.
    """
    _wait(components, execution, timeout, lambda: not _is_running(components, execution))


def wait_until_waiting(components: Components, execution: int, *, step: str | None, timeout: float) -> None:
    """Wait until a task of an execution waits for a report; of one step, if `step` names one.

    Raises:
        NoWaitingTask: The execution has ended.
        StillRunning: No task waits, after `timeout` seconds of real time.
        FcCallbackError: The service was closed.
    """

    def is_waiting() -> bool:
        row = components.store.one(
            "SELECT 1 FROM tasks WHERE execution = ? AND status != 'ended' AND waits_for = 'report'"
            " AND (? IS NULL OR step = ?)",
            *(execution, step, step),
        )
        if row is None and not _is_running(components, execution):
            raise NoWaitingTask(f"{_name(components, execution)} has ended, and no task waits for a report.")
        return row is not None

    _wait(components, execution, timeout, is_waiting)


def _wait(components: Components, execution: int, timeout: float, is_over: Callable[[], bool]) -> None:
    engine, deadline = components.engine, time.monotonic() + timeout

    def is_stuck() -> bool:
        # In this order: what is over when the last invocation has ended must not be skipped.
        return components.invoker.is_idle() and not is_over()

    while True:
        seen = engine.changes
        if is_over():
            return
        if components.options.skip_time and engine.skip_to_next(is_stuck):
            continue
        left = deadline - time.monotonic()
        if left <= 0:
            steps = ", ".join(map(repr, _current_steps(components, execution)))
            raise StillRunning(f"{_name(components, execution)} still runs after {timeout:g} s, at step {steps}.")
        engine.wait_for_change(seen, left)


def _current_steps(components: Components, execution: int) -> list[str]:
    """Return the names of the steps that wait for a call, a report, a time or a retry."""
    rows = components.store.all(
        "SELECT state FROM frames WHERE execution = ? AND output = '' AND id NOT IN"
        " (SELECT parent FROM frames WHERE execution = ? AND parent IS NOT NULL AND output = '') ORDER BY id",
        *(execution, execution),
    )
    return [json.loads(row["state"])["step_name"] for row in rows]


def _is_running(components: Components, execution: int) -> bool:
    row = components.store.one("SELECT status FROM executions WHERE id = ?", execution)
    return row is not None and row["status"] == "Running"


def _name(components: Components, execution: int) -> str:
    row = components.store.one("SELECT flow_name, name FROM executions WHERE id = ?", execution)
    assert row is not None
    return f"Execution {row['name']} of flow {row['flow_name']}"
