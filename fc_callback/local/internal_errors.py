"""What an internal error of this service does to an execution: it fails, so that its callers learn of it, and the log says why."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fc_callback.flows.definition import RUNTIME_ERROR
from fc_callback.local.execution_ends import schedule_completion

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.local.clock import Clock
    from fc_callback.local.execution import ExecutionRun
    from fc_callback.local.store import ServiceStore

_LOG = logging.getLogger("fc_callback.local")


def fail_internally(
    store: ServiceStore, clock: Clock, execution: int, error: Exception, load: Callable[[int], ExecutionRun]
) -> None:
    """Fail a running execution because of an internal error, in a transaction; the transaction of the error is undone.

    The error's text can hold values of the execution, so the log has its type and its traceback's places, and not the text.
    """
    row = store.one("SELECT * FROM executions WHERE id = ?", execution)
    if row is None or row["status"] != "Running":
        return
    cause = f"The local CloudFlow has an internal error, {type(error).__name__}. Its log says where."
    _LOG.error("Execution %s of flow %s fails: %s\n%s", row["name"], row["flow_name"], cause, _places(error))
    try:
        run = load(execution)
        run.fail(RUNTIME_ERROR, cause)
        run.save()
    except Exception as further:  # noqa: BLE001 - then its row cannot be read; it must still end
        _LOG.error("It cannot be ended in order either: %s\n%s", type(further).__name__, _places(further))
        store.run("UPDATE tasks SET status = 'ended' WHERE execution = ?", execution)
        store.run("DELETE FROM timers WHERE execution = ?", execution)
        store.run("DELETE FROM frames WHERE execution = ?", execution)
        store.update("executions", execution, status="Failed", error=RUNTIME_ERROR, cause=cause, stopped=clock.now())
        schedule_completion(store, clock, row)


def _places(error: BaseException) -> str:
    """Return the files and lines of an error's traceback."""
    places = []
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        places.append(f"  {code.co_filename}:{traceback.tb_lineno} in {code.co_name}")
        traceback = traceback.tb_next
    return "\n".join(places)
