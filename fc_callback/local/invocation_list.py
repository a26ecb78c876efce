"""Finds invocations, the newest first, each with the attempt of a step that made it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.local.values import FunctionInvocation

if TYPE_CHECKING:
    from collections.abc import Collection

    from fc_callback.local.store import ServiceStore


@attrs.frozen(kw_only=True)
class ListedInvocation:
    """An invocation as the lists show it.

    Attributes:
        id: Its number in this service.
        kind: `function`, `action`, or `message` for a function that a message invoked.
        flow: The flow of the execution that made it; empty for a message and a replay.
        execution: The execution's name.
        step: The step's name.
        event_id: The id of the event that the step's attempt began with; 0 if there is no step.
        invocation: The invocation.
    """

    id: int
    kind: str
    flow: str
    execution: str
    step: str
    event_id: int
    invocation: FunctionInvocation


def find_invocations(
    store: ServiceStore,
    *,
    account: str,
    function: str = "",
    execution: int | None = None,
    attempts: Collection[int] | None = None,
    before: int = 2**62,
    limit: int,
) -> list[ListedInvocation]:
    """Return invocations, the newest first.

    Args:
        store: The service's database.
        account: The account that they run in.
        function: The name of their function or action; empty for all.
        execution: The row id of the execution that made them; None for all.
        attempts: The ids of the events that attempts of its steps began with; None for all.
        before: Their ids are smaller: the id of the last one of the page before.
        limit: At most so many.
    """
    conditions, values = ["i.account = ?", "i.id < ?"], [account, before]
    if function:
        conditions.append("i.function = ?")
        values.append(function)
    if execution is not None:
        conditions.append("i.execution = ?")
        values.append(execution)
    if attempts is not None:
        conditions.append("t.event IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(list(attempts)))
    rows = store.all(
        "SELECT i.*, e.flow_name, e.name, t.step, t.event AS event_id FROM invocations i"  # noqa: S608
        " LEFT JOIN executions e ON e.id = i.execution LEFT JOIN tasks t ON t.id = i.task"
        f" WHERE {' AND '.join(conditions)} ORDER BY i.id DESC LIMIT ?",
        *(*values, limit),
    )
    return [_listed(row, store) for row in rows]


def _listed(row: Any, store: ServiceStore) -> ListedInvocation:
    return ListedInvocation(
        id=row["id"],
        kind=row["kind"],
        flow=row["flow_name"] or "",
        execution=row["name"] or "",
        step=row["step"] or "",
        event_id=row["event_id"] or 0,
        invocation=FunctionInvocation.read(row, store),
    )
