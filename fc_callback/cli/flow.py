"""`fc-callback flow`: start executions, see what happened and what waits, and finish it.

The endpoint chooses the service: a local CloudFlow, or the real one with the credentials of the environment.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import typer

from fc_callback.cli import flow_executions
from fc_callback.cli.flow_options import AsJson, Endpoint, Region, errors_shown, opened, read_object
from fc_callback.cli.flow_output import duration_text, print_json, print_line, print_tasks, read_age
from fc_callback.cli.flow_tasks import report_task, waiting_tasks

if TYPE_CHECKING:
    from fc_callback.cli.flow_calls import FlowCalls
    from fc_callback.local.history import HistoryEvent

_Selected = Annotated[
    str | None, typer.Argument(metavar="EXECUTION", help="FLOW/NAME, or NAME alone.", show_default="any")
]
_Step = Annotated[str | None, typer.Option(help="The step that waits.", show_default="any")]
_Task = Annotated[int | None, typer.Option(help="The task's number, as `waiting` shows it.", show_default="any")]

app = typer.Typer(
    help="Start executions, see what happened and what waits, and finish it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("start")(flow_executions.start)
app.command("list")(flow_executions.list_executions)
app.command("describe")(flow_executions.describe)
app.command("history")(flow_executions.history)


@app.command("waiting")
def waiting(
    flow: Annotated[
        str | None, typer.Argument(metavar="FLOW", help="The flow's name.", show_default="all flows")
    ] = None,
    step: _Step = None,
    older_than: Annotated[
        str | None,
        typer.Option(
            metavar="AGE",
            help="Only tasks that have waited longer, such as 90s, 15m, 1h, 2d. The exit code is 1 if there is one.",
            show_default=False,
        ),
    ] = None,
    region: Region = None,
    endpoint: Endpoint = None,
    as_json: AsJson = False,
) -> None:
    """List the tasks that wait for a report, the oldest first."""
    oldest = None if older_than is None else read_age(older_than)
    with opened(region, endpoint) as calls:
        found = waiting_tasks(calls, flow=flow, step=step)
    if oldest is not None:
        found = [task for task in found if task.age_seconds > oldest]
    if as_json:
        print_json({"waiting": [attrs.asdict(task) for task in found]})
    elif found:
        print_tasks(found)
    else:
        longer = "" if oldest is None else f" longer than {duration_text(oldest)}"
        print_line(f"No task waits for a report{longer}.")
    if oldest is not None and found:
        raise typer.Exit(1)


@app.command("complete")
def complete(
    execution: _Selected = None,
    output: Annotated[
        str | None, typer.Option(help="The Output: a JSON object, @FILE, or - for standard input.", show_default="{}")
    ] = None,
    step: _Step = None,
    task: _Task = None,
    region: Region = None,
    endpoint: Endpoint = None,
    as_json: AsJson = False,
) -> None:
    """Complete a waiting task of a local CloudFlow.

    It needs no token. The arguments must select one task. In the cloud, use `fc-callback report` with the token.
    """
    content = {"output": read_object("--output", output)}
    _report(region, endpoint, execution, content, step=step, task=task, as_json=as_json)


@app.command("fail")
def fail(
    error: Annotated[str, typer.Option(help="The name that the flow's Catch and Retry see.", show_default=False)],
    execution: _Selected = None,
    cause: Annotated[str, typer.Option(help="What happened, for people.", show_default=False)] = "",
    step: _Step = None,
    task: _Task = None,
    region: Region = None,
    endpoint: Endpoint = None,
    as_json: AsJson = False,
) -> None:
    """Fail a waiting task of a local CloudFlow by name.

    It needs no token. The arguments must select one task. In the cloud, use `fc-callback report --error` with the token.
    """
    _report(region, endpoint, execution, {"error": error, "cause": cause}, step=step, task=task, as_json=as_json)


def _report(
    region: str | None,
    endpoint: str | None,
    execution: str | None,
    content: dict[str, Any],
    *,
    step: str | None,
    task: int | None,
    as_json: bool,
) -> None:
    with opened(region, endpoint) as calls:
        done = report_task(calls, execution, content, step=step, task=task)
    if as_json:
        names = {name: getattr(done, name) for name in ("id", "flow", "execution", "step", "attempt")}
        print_json({**names, "result": "failed" if "error" in content else "succeeded"})
        return
    result = f"failed as {content['error']}" if "error" in content else "completed"
    print_line(f"{result[0].upper()}{result[1:]}: step {done.step} of {done.flow}/{done.execution}.")


app.command("stop")(flow_executions.stop)
app.command("rerun")(flow_executions.rerun)


@app.command("graph")
def graph(
    drawn: Annotated[
        str,
        typer.Argument(
            metavar="FLOW|FILE|EXECUTION", help="A flow, a file with a definition, or FLOW/NAME.", show_default=False
        ),
    ],
    region: Region = None,
    endpoint: Endpoint = None,
    as_json: AsJson = False,
) -> None:
    """Print a flow or an execution as Mermaid text.

    The picture of an execution shows the states of its steps.
    """
    if Path(drawn).is_file():
        with errors_shown():
            text = _mermaid(Path(drawn).read_text(encoding="utf-8"))
    else:
        with opened(region, endpoint) as calls:
            text = _graph_of(calls, drawn)
    if as_json:
        print_json({"mermaid": text})
    else:
        print_line(text.rstrip("\n"))


def _graph_of(calls: FlowCalls, drawn: str) -> str:
    from fc_callback.cloudflow.errors import FlowNotExists

    if "/" not in drawn:
        with contextlib.suppress(FlowNotExists):
            return _mermaid(calls.definition(drawn))
    flow, name = calls.find(drawn, what="file, flow or execution")
    return _mermaid(calls.describe(flow, name)["FlowDefinition"], calls.history(flow, name))


def _mermaid(definition: str, history: list[HistoryEvent] | None = None) -> str:
    """Return a flow as Mermaid text; with a history, the states of that execution's steps."""
    from fc_callback.flows import parse_flow
    from fc_callback.flows.graph import flow_graph
    from fc_callback.flows.picture import draw_graph
    from fc_callback.local.graph_progress import graph_progress

    flow = parse_flow(definition)
    graph = flow_graph(flow)
    if history is None:
        return draw_graph(graph)
    nodes = graph_progress(flow, graph, history).nodes
    return draw_graph(graph, {name: node.state for name, node in nodes.items()})
