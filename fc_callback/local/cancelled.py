"""Invocations that end without their function: nothing waits for them, or their end could not be stored.

FC cancels functions that still run when an execution ends. The same is inferred for a cancelled branch or iteration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fc_callback.local.clock import Clock
    from fc_callback.local.store import Row, ServiceStore

# The error type of an invocation that nothing waits for. The name is this project's own.
CANCELLED = "InvocationCancelled"


def end_invocations(store: ServiceStore, clock: Clock, task: int) -> list[Row]:
    """End the queued and running invocations of a task, in a transaction; return their rows. None of them is retried."""
    rows = store.all("SELECT * FROM invocations WHERE task = ? AND status != 'ended'", task)
    for row in rows:
        message = "The execution no longer waits for this invocation."
        store.update(
            "invocations", row["id"], status="ended", ended=clock.now(), error_type=CANCELLED, error_message=message
        )
        store.run("DELETE FROM timers WHERE kind = 'invocation' AND invocation = ?", row["id"])
    return rows


def end_after_error(store: ServiceStore, clock: Clock, invocation: int, error: Exception) -> None:
    """End an invocation whose end could not be stored because of an internal error."""
    store.update(
        "invocations",
        invocation,
        status="ended",
        ended=clock.now(),
        error_type="InternalServerError",
        error_name="FC.InternalServerError",
        error_message=f"The local CloudFlow has an internal error, {type(error).__name__}.",
    )


def was_cancelled(store: ServiceStore, invocation: int) -> bool:
    """Return whether an invocation was ended before its function has returned."""
    row = store.one("SELECT status FROM invocations WHERE id = ?", invocation)
    return row is None or row["status"] == "ended"
