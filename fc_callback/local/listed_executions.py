"""Executions as the console lists them: with the state that a person sees, and how long they ran."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.local.values import Execution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fc_callback.local.components import Components


@attrs.frozen(kw_only=True)
class ListedExecution:
    """An execution as the lists show it.

    Attributes:
        row: The id of its row, by which the list is paged.
        execution: The execution.
        state: The state as the page draws it.
        seconds: How long it ran, or has run until now.
    """

    row: int
    execution: Execution
    state: str
    seconds: float


_STATES = {"Succeeded": "done", "Failed": "failed", "TimedOut": "failed", "Stopped": "stopped"}


def listed(components: Components, rows: Sequence[Any]) -> list[ListedExecution]:
    """Return rows of executions as the lists show them."""
    store, now = components.store, components.clock.now()
    waiting = {
        row["execution"]
        for row in store.all(
            "SELECT execution FROM tasks WHERE execution IN (SELECT value FROM json_each(?)) AND status != 'ended'"
            " AND waits_for = 'report'",
            json.dumps([row["id"] for row in rows]),
        )
    }
    return [
        ListedExecution(
            row=row["id"],
            execution=Execution.read(row, store),
            state=_STATES.get(row["status"], "waiting" if row["id"] in waiting else "running"),
            seconds=(now if row["stopped"] is None else row["stopped"]) - row["started"],
        )
        for row in rows
    ]
