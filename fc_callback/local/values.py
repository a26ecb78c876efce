"""What the service tells people in Python: executions, events, invocations. Task tokens are masked in all of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.local.clock import iso_milliseconds

if TYPE_CHECKING:
    from fc_callback.local.store import Row, Store


@attrs.frozen(kw_only=True)
class Execution:
    """One execution of a flow.

    Attributes:
        flow: The flow's name.
        name: Its own.
        status: `Running`, `Succeeded`, `Failed`, `Stopped` or `TimedOut`.
        input: What it was started with.
        output: What it gave; None unless it succeeded.
        error: What it failed with, by name; empty otherwise.
        cause: The words with it.
        started: Like `2020-09-22T23:43:40.073Z`.
        stopped: The same, or empty.
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
    def read(cls, row: Row, store: Store) -> Execution:
        """Read a row of the store."""
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
class Event:
    """One event of an execution's history.

    Attributes:
        id: From 1.
        type: Like `TaskSucceeded`.
        step: The step's name; empty for the execution's own events.
        schedule_event_id: The event that caused it; 0 for the first.
        time: Like `2020-09-22T23:43:40.073Z`.
        detail: What the service writes as the JSON text `EventDetail`.
    """

    id: int
    type: str
    step: str
    schedule_event_id: int
    time: str
    detail: dict[str, Any]

    @classmethod
    def read(cls, row: Row, store: Store) -> Event:
        """Read a row of the store."""
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
    """One invocation of a function, with every try it took.

    Attributes:
        request_id: FC's id of it.
        function: The function's name.
        asynchronous: Whether it came from FC's queue.
        status: `queued`, `running` or `ended`.
        retry_count: How often it was repeated.
        event: What the function was given.
        result: What it returned last, or its error document.
        log: What it wrote, over all tries.
        error_type: Like `UnhandledInvocationError`; empty where it went well.
        error_name: What a flow sees of the error.
        error_message: The words with it.
        queued: Like `2020-09-22T23:43:40.073Z`.
        ended: The same; empty before its first end.
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
    def read(cls, row: Row, store: Store) -> FunctionInvocation:
        """Read a row of the store."""
        masked = store.masked
        return cls(
            request_id=row["request_id"],
            function=row["function"],
            asynchronous=bool(row["asynchronous"]),
            status=row["status"],
            retry_count=row["retry_count"],
            event=masked(row["event"]),
            result=masked(row["result"]),
            log=masked(row["log"]),
            error_type=row["error_type"],
            error_name=masked(row["error_name"]),
            error_message=masked(row["error_message"]),
            queued=iso_milliseconds(row["queued"]),
            ended=iso_milliseconds(row["ended"]),
        )
