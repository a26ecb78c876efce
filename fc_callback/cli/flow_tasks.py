"""The tasks that wait for a report: of a local CloudFlow by its control API, of the real service by its histories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import typer

from fc_callback.errors import FcCallbackError
from fc_callback.local.clock import parse_time
from fc_callback.local.progress import has_ended, step_runs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fc_callback.cli.flow_calls import FlowCalls
    from fc_callback.local.history import HistoryEvent
    from fc_callback.local.progress import StepRun


@attrs.frozen(kw_only=True)
class Task:
    """A task that waits for a report.

    Attributes:
        id: Its number in a local CloudFlow; None in the cloud.
        flow: The flow's name.
        execution: The execution's name.
        step: The step's name.
        attempt: 1, and one more after each retry.
        age_seconds: How long it has waited.
        seconds_left: The time before it times out; None for no timeout, and in the cloud, whose histories do not tell it.
        input: The step's input.
    """

    id: int | None
    flow: str
    execution: str
    step: str
    attempt: int
    age_seconds: float
    seconds_left: float | None
    input: Any


def callback_steps(definition: str) -> frozenset[str]:
    """Return the names of the steps of a definition that wait for a report; empty if it cannot be read."""
    from fc_callback.flows import DefinitionError, outline_flow, read_definition

    try:
        outline = outline_flow(read_definition(definition).data)
    except DefinitionError:
        return frozenset()
    return frozenset() if outline is None else frozenset(task.name for task in outline.tasks if task.callback)


def waiting_tasks(
    calls: FlowCalls, *, flow: str | None = None, execution: str | None = None, step: str | None = None
) -> list[Task]:
    """Return the tasks that wait, the oldest first; each argument selects."""
    if calls.is_local:
        if flow is not None:
            calls.definition(flow)  # a flow that does not exist is an error here too, and not "no task waits"
        found = calls.control("GET", "/_local/waiting", flow=flow, execution=execution, step=step)
        return [Task(**each) for each in found]
    tasks = [
        task
        for each in ([flow] if flow is not None else calls.flows())
        for one in _running(calls, each, execution)
        for task in _tasks_of(calls, one)
        if step is None or task.step == step
    ]
    return sorted(tasks, key=lambda task: -task.age_seconds)


def _running(calls: FlowCalls, flow: str, execution: str | None) -> Iterable[dict[str, Any]]:
    if execution is None:
        return calls.executions(flow, status="Running")
    described = calls.describe(flow, execution)
    return [described] if described["Status"] == "Running" else []


def _tasks_of(calls: FlowCalls, execution: dict[str, Any]) -> list[Task]:
    callbacks = callback_steps(execution.get("FlowDefinition") or "")
    if not callbacks:
        return []
    history = calls.history(execution["FlowName"], execution["Name"])
    return tasks_in(history, callbacks, flow=execution["FlowName"], execution=execution["Name"], now=calls.now)


def tasks_in(
    history: list[HistoryEvent], callbacks: frozenset[str], *, flow: str, execution: str, now: float
) -> list[Task]:
    """Return the tasks that wait according to the history of an execution."""
    if has_ended(history):
        return []
    found = [(run, run.open_task) for run in step_runs(history) if run.step in callbacks]
    return [
        Task(
            id=None,
            flow=flow,
            execution=execution,
            step=run.step,
            attempt=run.attempts,
            age_seconds=round(max(0.0, now - (parse_time(scheduled.time) or now)), 3),
            seconds_left=None,
            input=scheduled.detail.get("input", _input_of(run)),
        )
        for run, scheduled in found
        if scheduled is not None
    ]


def _input_of(run: StepRun) -> Any:
    return next((event.detail["input"] for event in run.events if "input" in event.detail), None)


def report_task(
    calls: FlowCalls, execution: str | None, content: dict[str, Any], *, step: str | None, task: int | None
) -> Task:
    """Complete the one waiting task that the arguments select, on a local CloudFlow; return it.

    Raises:
        typer.BadParameter: The service is not local, or the arguments select several tasks.
        FcCallbackError: They select none, or the service refuses the report.
    """
    if not calls.is_local:
        raise typer.BadParameter(
            f"{calls.client.endpoint} is not a local CloudFlow, and the real service does not show task tokens. Report with "
            "the token that the function received: fc-callback report."
        )
    flow, name = (None, None) if execution is None else calls.find(execution)
    found = waiting_tasks(calls, flow=flow, execution=name, step=step)
    chosen = [each for each in found if task is None or each.id == task]
    if not chosen:
        what = "No such task waits" if task is not None or step is not None else "No task waits"
        raise FcCallbackError(f"{what} for a report.", hint="`fc-callback flow waiting` shows the tasks that do.")
    if len(chosen) > 1:
        listed = ", ".join(f"{each.id} ({each.flow}/{each.execution}, {each.step})" for each in chosen[:10])
        raise typer.BadParameter(f"{len(chosen)} tasks wait: choose one with --task: {listed}.")
    calls.control("POST", f"/_local/waiting/{chosen[0].id}", content)
    return chosen[0]
