"""The history of an execution, as the Python interface returns it, and what it says about a step. Task tokens are masked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import attrs

from fc_callback.local.clock import iso_milliseconds

if TYPE_CHECKING:
    from fc_callback.local.store import Row, ServiceStore


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


def read_history(store: ServiceStore, execution: int) -> list[HistoryEvent]:
    """Return the whole history of an execution."""
    rows = store.all("SELECT * FROM events WHERE execution = ? ORDER BY id", execution)
    return [HistoryEvent.read(row, store) for row in rows]


@attrs.frozen(kw_only=True)
class ExecutedStep:
    """What happened to one step. If it ran several times, in iterations or in a loop, all but `attempts` is of the last run.

    Attributes:
        name: The step's name.
        status: `running`, `succeeded`, `failed`, or `caught` if a catch rule took its error.
        attempts: How often its task was called, or how often the step began if it is no task; of all runs together.
        input: The input; None before the step has it.
        output: The output; None unless it succeeded.
        error: The error's name; empty unless it failed or was caught.
        cause: The error's description.
    """

    name: str
    status: Literal["running", "succeeded", "failed", "caught"]
    attempts: int
    input: Any
    output: Any
    error: str
    cause: str


def read_step(name: str, history: list[HistoryEvent]) -> ExecutedStep | None:
    """Return what a history says about a step; None if the step never began."""
    events = [event for event in history if event.step == name]
    if not events:
        return None
    kinds = [event.type for event in events]
    last = _of_last_run(name, history)
    details = {event.type: event.detail for event in last}
    errors = [event.detail for event in last if "error" in event.detail]
    failure = errors[-1] if errors and "StepSucceeded" not in details else {}
    return ExecutedStep(
        name=name,
        status=_status(set(details)),
        attempts=kinds.count("TaskScheduled") or kinds.count("StepEntered"),
        input=details.get("StepStarted", {}).get("input"),
        output=details.get("StepSucceeded", {}).get("output"),
        error=failure.get("error", ""),
        cause=failure.get("cause", ""),
    )


def _of_last_run(name: str, history: list[HistoryEvent]) -> list[HistoryEvent]:
    """Return the events of the last run of a step; those of other iterations stand between them.

    Each event of a list of steps is caused by one before it in the same list, or in a list inside it.
    """
    first = max(event.id for event in history if event.step == name and event.type == "StepEntered")
    run = {first}
    for event in history:
        if event.id > first and event.schedule_event_id in run:
            run.add(event.id)
    return [event for event in history if event.id in run and event.step == name]


def _status(kinds: set[str]) -> Literal["running", "succeeded", "failed", "caught"]:
    if "StepFailed" in kinds:
        return "failed"
    if "StepExited" not in kinds:
        return "running"
    return "succeeded" if "StepSucceeded" in kinds else "caught"
