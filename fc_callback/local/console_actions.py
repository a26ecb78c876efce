"""What the console's pages change. Each action takes a JSON object and returns one; `location` is the page to show next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fc_callback.local.api_errors import ApiError, NoWaitingTask
from fc_callback.local.console_gate import read_number
from fc_callback.local.console_rendering import execution_path
from fc_callback.local.control import read_fault
from fc_callback.local.replay import replay_invocation
from fc_callback.local.waiting_tasks import report_task, waiting_tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fc_callback.local.components import Components

    Action = Callable[[Components, Mapping[str, str], dict[str, Any]], dict[str, Any]]

_ENDED = "This task does not wait any more: it was completed, timed out or stopped meanwhile."


def _complete(components: Components, path: Mapping[str, str], content: dict[str, Any]) -> dict[str, Any]:
    flow, name, event = path["flow"], path["name"], read_number(path["event"])
    tasks = waiting_tasks(components, flow=flow, execution=name)
    task = next((task for task in tasks if task.event_id == event), None)
    if task is None:
        raise NoWaitingTask(_ENDED)
    try:
        report_task(components, task.id, content)
    except ApiError as error:
        if error.code != "TaskAlreadyCompleted":
            raise
        raise NoWaitingTask(_ENDED) from None  # another window was faster
    return {"location": execution_path(flow, name)}


def _start(components: Components, path: Mapping[str, str], content: dict[str, Any]) -> dict[str, Any]:
    given, name = content.get("input", {}), content.get("name", "")
    if not isinstance(given, dict) or not isinstance(name, str):
        raise TypeError('Send {"input": {}, "name": "text"}.')
    started = components.start_execution(path["flow"], given, execution_name=name)
    return {"location": execution_path(path["flow"], started)}


def _rerun(components: Components, path: Mapping[str, str], content: dict[str, Any]) -> dict[str, Any]:
    """Start an execution with the input of another. Without `input` it is the stored one, with the tokens that pages mask."""
    row = components.execution_row(path["flow"], path["name"])
    if "input" in content:
        return _start(components, path, content)
    stored = components.store.restore_tokens(row["input"])
    started = components.perform("StartExecution", FlowName=path["flow"], Input=stored)
    return {"location": execution_path(path["flow"], str(started["Name"]))}


def _stop(components: Components, path: Mapping[str, str], content: dict[str, Any]) -> dict[str, Any]:
    del content
    components.perform("StopExecution", FlowName=path["flow"], ExecutionName=path["name"])
    return {"location": execution_path(path["flow"], path["name"])}


def _move_clock(components: Components, path: Mapping[str, str], content: dict[str, Any]) -> dict[str, Any]:
    """Move the clock by `seconds`, or to the next timer with `skip`. With `skew` the callers' clocks stay behind."""
    del path
    seconds = content.get("seconds")
    if content.get("skip"):
        due = components.engine.next_due()
        if due is None:
            raise LookupError("Nothing waits for the time, so there is nothing to skip to.")
        seconds = max(0.0, due - components.clock.now())
    components.engine.advance(seconds, skew=bool(content.get("skew", False)))
    return {"location": "/console/clock"}


def _inject(components: Components, path: Mapping[str, str], content: dict[str, Any]) -> dict[str, Any]:
    del path
    components.faults.inject([read_fault(content)])
    return {"location": "/console/clock"}


def _clear_faults(components: Components, path: Mapping[str, str], content: dict[str, Any]) -> dict[str, Any]:
    del path, content
    components.faults.clear()
    return {"location": "/console/clock"}


def _replay(components: Components, path: Mapping[str, str], content: dict[str, Any]) -> dict[str, Any]:
    del content
    number = read_number(path["id"])
    if number is None:
        raise LookupError("There is no such invocation.")
    replay_invocation(components.store, components.invoker, number)
    return {"location": "/console/invocations"}


ACTIONS: dict[str, Action] = {
    "/console/executions/{flow}/{name}/tasks/{event}": _complete,
    "/console/executions/{flow}/{name}/rerun": _rerun,
    "/console/executions/{flow}/{name}/stop": _stop,
    "/console/flows/{flow}/start": _start,
    "/console/clock": _move_clock,
    "/console/faults": _inject,
    "/console/faults/clear": _clear_faults,
    "/console/invocations/{id}/replay": _replay,
}
