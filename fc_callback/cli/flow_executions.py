"""The commands of `fc-callback flow` for executions: start, rerun, list, describe, history, stop."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import typer

from fc_callback.cli.flow_options import (
    AsJson,
    Endpoint,
    ExecutionName,
    Follow,
    Input,
    NewName,
    Region,
    opened,
    read_object,
)
from fc_callback.cli.flow_output import (
    FAILED,
    RUNNING,
    ago_text,
    duration_text,
    event_line,
    execution_document,
    print_json,
    print_line,
    print_steps,
    print_table,
    print_tasks,
    status_text,
)
from fc_callback.cli.flow_tasks import Task, callback_steps, tasks_in, waiting_tasks
from fc_callback.cli.remote import MASKED_TOKEN
from fc_callback.errors import FcCallbackError
from fc_callback.local.progress import progress

if TYPE_CHECKING:
    from fc_callback.cli.flow_calls import FlowCalls
    from fc_callback.local.history import HistoryEvent
    from fc_callback.local.progress import StepProgress

_NEWEST = 20


def start(
    flow: Annotated[str, typer.Argument(metavar="FLOW", help="The flow's name.", show_default=False)],
    execution_input: Input = None,
    name: NewName = "",
    follow: Follow = False,
    region: Region = None,
    endpoint: Endpoint = None,
    as_json: AsJson = False,
) -> None:
    """Start an execution of a flow."""
    given = read_object("--input", execution_input)
    with opened(region, endpoint) as calls:
        _start(calls, flow, given, name=name, follow=follow, as_json=as_json)


def rerun(
    execution: ExecutionName,
    execution_input: Input = None,
    name: NewName = "",
    follow: Follow = False,
    region: Region = None,
    endpoint: Endpoint = None,
    as_json: AsJson = False,
) -> None:
    """Start an execution again, with its input or another one."""
    given = read_object("--input", execution_input) if execution_input is not None else None
    with opened(region, endpoint) as calls:
        flow, old = calls.find(execution)
        stored = calls.describe(flow, old).get("Input") or "{}"
        if given is None and MASKED_TOKEN in stored:
            raise FcCallbackError("The stored input holds a task token, which is not shown.", hint="Give --input.")
        _start(calls, flow, json.loads(stored) if given is None else given, name=name, follow=follow, as_json=as_json)


def _start(calls: FlowCalls, flow: str, given: dict[str, Any], *, name: str, follow: bool, as_json: bool) -> None:
    execution = calls.start(flow, given, name=name)
    if not as_json:
        print_line(f"Started {flow}/{execution}.")
    if follow:
        _follow(calls, flow, execution, as_json=as_json)
    elif as_json:
        print_json(execution_document(calls.describe(flow, execution), calls.now))


def _follow(calls: FlowCalls, flow: str, execution: str, *, as_json: bool) -> None:
    """Show the events of an execution until it has ended; exit with 1 if it has not succeeded."""
    history: list[HistoryEvent] = []
    for event in calls.follow(flow, execution):
        history.append(event)
        if not as_json:
            typer.echo(event_line(event, history[0].time))
    # The last event counts: the state of an execution may be a little behind its history.
    described = {**calls.describe(flow, execution), "Status": history[-1].type.removeprefix("Execution")}
    if as_json:
        print_json(_description(calls, described, history))
    else:
        took = duration_text(execution_document(described, calls.now)["duration_seconds"])
        print_line(f"{status_text(described['Status'])} after {took}.")
    if described["Status"] != "Succeeded":
        raise typer.Exit(1)


def list_executions(
    flow: Annotated[
        str | None, typer.Argument(metavar="FLOW", help="The flow's name.", show_default="all flows")
    ] = None,
    status: Annotated[
        str, typer.Option(help="Running, Succeeded, Failed, Stopped or TimedOut only.", show_default="all")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, help="The newest executions of each flow.")] = _NEWEST,
    region: Region = None,
    endpoint: Endpoint = None,
    as_json: AsJson = False,
) -> None:
    """List executions, the failed ones first.

    Then come the running ones, then the others; of each kind the newest first.
    """
    with opened(region, endpoint) as calls:
        flows = calls.flows() if flow is None else [flow]
        found = [
            execution_document(each, calls.now)
            for one in flows
            for each in calls.executions(one, status=status, most=limit, metadata_only=True)
        ]
        found.sort(key=lambda each: each["started"], reverse=True)
        found.sort(key=lambda each: 0 if each["status"] in FAILED else 1 if each["status"] in RUNNING else 2)
        if as_json:
            print_json({"executions": found})
        elif found:
            rows = [
                (
                    each["status"],
                    f"{each['flow']}/{each['name']}",
                    ago_text(each["started"], calls.now),
                    duration_text(each["duration_seconds"]),
                )
                for each in found
            ]
            print_table(("STATUS", "EXECUTION", "STARTED", "TOOK"), rows)
        else:
            print_line(f"No executions. Flows: {', '.join(flows) or 'none'}.")


def describe(
    execution: ExecutionName, region: Region = None, endpoint: Endpoint = None, as_json: AsJson = False
) -> None:
    """Show what happened in an execution, and what it waits for."""
    with opened(region, endpoint) as calls:
        flow, name = calls.find(execution)
        described = calls.describe(flow, name)
        history = calls.history(flow, name)
        document = _description(calls, described, history)
        if as_json:
            print_json(document)
            return
        running = described["Status"] in RUNNING
        print_line(f"{flow}/{name}  {status_text(described['Status'])}")
        since = ago_text(document["started"], calls.now)
        took = duration_text(document["duration_seconds"])
        print_line(f"started {since} ({document['started']}), {'runs for' if running else 'took'} {took}")
        for label in ("input", "output"):
            if document[label] is not None:
                print_line(f"{label}: {json.dumps(document[label], ensure_ascii=False)}")
        if document["error"] or document["cause"]:
            print_line(f"error: {document['error']}: {document['cause']}")
        typer.echo()
        print_steps(_progress(described, history))
        if document["waiting"]:
            typer.echo()
            print_tasks([Task(**task) for task in document["waiting"]])
            if calls.is_local:
                print_line(f"\nTo finish it: fc-callback flow complete {flow}/{name} --output '{{}}'")


def _progress(described: dict[str, Any], history: list[HistoryEvent]) -> list[StepProgress]:
    return progress(history, callback_steps(described.get("FlowDefinition") or ""))


def _description(calls: FlowCalls, described: dict[str, Any], history: list[HistoryEvent]) -> dict[str, Any]:
    flow, name = described["FlowName"], described["Name"]
    end = history[-1].detail if history and described["Status"] not in RUNNING else {}
    if calls.is_local:
        waiting = waiting_tasks(calls, flow=flow, execution=name)
    else:
        callbacks = callback_steps(described.get("FlowDefinition") or "")
        waiting = tasks_in(history, callbacks, flow=flow, execution=name, now=calls.now)
    return {
        **execution_document(described, calls.now),
        "input": _parsed(described.get("Input")),
        "output": _parsed(described.get("Output")),
        "error": end.get("error", ""),
        "cause": end.get("cause", ""),
        "steps": [attrs.asdict(step) for step in _progress(described, history)],
        "waiting": [attrs.asdict(task) for task in waiting],
    }


def _parsed(text: str | None) -> Any:
    return json.loads(text) if text else None


def history(
    execution: ExecutionName,
    follow: Follow = False,
    region: Region = None,
    endpoint: Endpoint = None,
    as_json: AsJson = False,
) -> None:
    """Show the events of an execution."""
    with opened(region, endpoint) as calls:
        flow, name = calls.find(execution)
        if follow and not as_json:
            _follow(calls, flow, name, as_json=False)
            return
        events = list(calls.follow(flow, name)) if follow else calls.history(flow, name)
        if as_json:
            print_json({"flow": flow, "name": name, "events": [attrs.asdict(event) for event in events]})
        else:
            for event in events:
                typer.echo(event_line(event, events[0].time))
        if follow and events[-1].type != "ExecutionSucceeded":
            raise typer.Exit(1)


def stop(
    execution: ExecutionName,
    error: Annotated[str, typer.Option(help="The name of the reason.")] = "",
    cause: Annotated[str, typer.Option(help="The reason, for people.")] = "",
    region: Region = None,
    endpoint: Endpoint = None,
    as_json: AsJson = False,
) -> None:
    """Stop a running execution."""
    with opened(region, endpoint) as calls:
        flow, name = calls.find(execution)
        calls.stop(flow, name, error=error, cause=cause)
        if as_json:
            print_json(execution_document(calls.describe(flow, name), calls.now))
        else:
            print_line(f"Stopped {flow}/{name}.")
