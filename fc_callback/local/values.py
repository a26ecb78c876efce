"""Executions, history events and invocations, as the Python interface returns them. Task tokens are masked in all of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.local.clock import iso_milliseconds

if TYPE_CHECKING:
    from fc_callback.local.store import Row, ServiceStore


@attrs.frozen(kw_only=True)
class Execution:
    """One execution of a flow.

    Attributes:
        flow: The flow's name.
        name: The execution's name.
        status: `Running`, `Succeeded`, `Failed`, `Stopped` or `TimedOut`.
        input: The input that it was started with.
        output: The output; None unless it succeeded.
        error: The name of its error; empty unless it failed.
        cause: The error's description.
        started: The time, like `2020-09-22T23:43:40.073Z`.
        stopped: The time; empty while it runs.
    """

    flow: str
    name: str
    status: str
    input: dict[str, Any]
    output: dict[str, Any] | None
    error: str
    cause: str
    started: str
    stopped: str

    @classmethod
    def read(cls, row: Row, store: ServiceStore) -> Execution:
        """Build an instance from a row of the store."""
        output = store.masked(row["output"])
        return cls(
            flow=row["flow_name"],
            name=row["name"],
            status=row["status"],
            input=json.loads(store.masked(row["input"])),
            output=json.loads(output) if output else None,
            error=store.masked(row["error"]),
            cause=store.masked(row["cause"]),
            started=iso_milliseconds(row["started"]),
            stopped=iso_milliseconds(row["stopped"]),
        )


@attrs.frozen(kw_only=True)
class HistoryEvent:
    """One event of an execution's history.

    Attributes:
        id: The event's number, from 1.
        type: Like `TaskSucceeded`.
        step: The step's name; empty for events of the execution itself.
        schedule_event_id: The id of the event that caused this one; 0 for the first.
        time: Like `2020-09-22T23:43:40.073Z`.
        detail: The content of `EventDetail`, which the HTTP API returns as JSON text.
    """

    id: int
    type: str
    step: str
    schedule_event_id: int
    time: str
    detail: dict[str, Any]

    @classmethod
    def read(cls, row: Row, store: ServiceStore) -> HistoryEvent:
        """Build an instance from a row of the store."""
        return cls(
            id=row["id"],
            type=row["type"],
            step=row["step"],
            schedule_event_id=row["cause"],
            time=iso_milliseconds(row["time"]),
            detail=json.loads(store.masked(row["detail"])),
        )


@attrs.frozen(kw_only=True)
class FunctionInvocation:
    """One invocation of a function, with all its attempts.

    Attributes:
        request_id: FC's request id.
        function: The function's name.
        asynchronous: Whether FC invoked the function from its queue.
        status: `queued`, `running` or `ended`.
        retry_count: How often FC has retried it.
        event: The event that the function received.
        result: The result of the last attempt, or its error document.
        log: The log of all attempts.
        error_type: Like `UnhandledInvocationError`; empty if it succeeded.
        error_name: The error's name, as a flow sees it.
        error_message: The error's description.
        queued: The time, like `2020-09-22T23:43:40.073Z`.
        ended: The time; empty before the end of the first attempt.
    """

    request_id: str
    function: str
    asynchronous: bool
    status: str
    retry_count: int
    event: str
    result: str
    log: str
    error_type: str
    error_name: str
    error_message: str
    queued: str
    ended: str

    @classmethod
    def read(cls, row: Row, store: ServiceStore) -> FunctionInvocation:
        """Build an instance from a row of the store."""
        values = {field.name: row[field.name] for field in attrs.fields(cls)}
        for name in ("event", "result", "log", "error_name", "error_message"):
            values[name] = store.masked(values[name])
        for name in ("queued", "ended"):
            values[name] = iso_milliseconds(values[name])
        return cls(**{**values, "asynchronous": bool(values["asynchronous"])})


def read_invocations(store: ServiceStore, function: str | None) -> list[FunctionInvocation]:
    """Return the invocations of one function, or of all functions for None, the oldest first."""
    rows = store.all("SELECT * FROM invocations WHERE ? IS NULL OR function = ? ORDER BY id", function, function)
    return [FunctionInvocation.read(row, store) for row in rows]
