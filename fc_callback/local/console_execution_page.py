"""The page of one execution: its header, the graph of its steps, the chosen step, and the timeline or the history.

While it runs, the page asks for what is newer than the last event it knows; the number of events alone answers that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.responses import Response

from fc_callback.local.console_execution import history_of, timeline_of
from fc_callback.local.console_gate import read_number
from fc_callback.local.console_graph import execution_graph_json
from fc_callback.local.console_reading import ExecutionReading
from fc_callback.local.console_rendering import as_json, execution_path, render
from fc_callback.local.console_step import parent_of, step_of
from fc_callback.local.execution_record import parsed_flow
from fc_callback.local.listed_executions import listed
from fc_callback.local.task_attempts import run_state
from fc_callback.local.waiting_tasks import output_limit_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from fc_callback.local.components import Components
    from fc_callback.local.console_step import StepView
    from fc_callback.local.store import Row

_TABS = ("timeline", "history")


def execution_page(components: Components, request: Request) -> str | Response:
    """Show an execution. With `after`, an event's number, only its changing parts are sent, and only if they changed."""
    row, after = _row(components, request), request.query_params.get("after")
    given = dict(request.query_params)
    tab = given.setdefault("tab", _TABS[0])
    if tab not in _TABS:
        raise ValueError(f"The tab is one of {', '.join(_TABS)}.")
    if after == str(row["events"]):
        return _grown_timeline(components, row, given) if tab == "timeline" else Response(status_code=204)
    reading = ExecutionReading(components, row)
    path = given.get("step") or _urgent_step(reading)
    step = _step(reading, path, given) if path else None
    return render(
        "execution.html" if after is None else "execution_news.html",
        section="/console/",
        now=components.clock.now(),
        path=execution_path(row["flow_name"], row["name"]),
        each=listed(components, [row])[0],
        events=row["events"],
        is_running=row["status"] == "Running",
        parent=parent_of(components, row),
        tab=tab,
        news=_news(components, row, given),
        is_news=after is not None,
        step=step,
        limits=_limits(components, step),
        graph=_graph(reading) if after is None else None,
        timeline=timeline_of(reading, given) if tab == "timeline" else None,
        history=history_of(reading, given) if tab == "history" else None,
    )


def _news(components: Components, row: Row, given: Mapping[str, str]) -> str:
    """Return the query of the address that has what is newer: than the last event, and than the bars of running steps."""
    return "?" + urlencode({**given, "after": row["events"], "drawn": f"{components.clock.now():.0f}"})


def _grown_timeline(components: Components, row: Row, given: Mapping[str, str]) -> str | Response:
    """Return the timeline alone if its running bars are a twentieth too short; nothing else has changed."""
    now, drawn = components.clock.now(), read_number(given.get("drawn", ""))
    if row["status"] != "Running" or drawn is None or now - drawn < max(2.0, (now - row["started"]) / 20):
        return Response(status_code=204)
    return render(
        "timeline_news.html",
        now=now,
        path=execution_path(row["flow_name"], row["name"]),
        events=row["events"],
        is_running=True,
        is_news=True,
        news=_news(components, row, given),
        timeline=timeline_of(ExecutionReading(components, row), given),
    )


def graph_of_execution(components: Components, request: Request) -> Response:
    """Return the graph of an execution's flow with the states of its steps, as JSON; nothing if no event is newer."""
    row = _row(components, request)
    if request.query_params.get("after") == str(row["events"]):
        return Response(status_code=204)
    return Response(as_json(_graph(ExecutionReading(components, row))), media_type="application/json")


def _graph(reading: ExecutionReading) -> dict[str, Any]:
    flow = parsed_flow(reading.row["definition"])
    return execution_graph_json(flow, reading.history, reading.components.clock.now())


def _row(components: Components, request: Request) -> Row:
    return components.execution_row(request.path_params["flow"], request.path_params["name"])


def _step(reading: ExecutionReading, path: str, given: Mapping[str, str]) -> StepView:
    return step_of(reading, path, read_number(given.get("run", "")), given)


def _limits(components: Components, step: StepView | None) -> dict[int, int]:
    task = None if step is None else step.task
    return {} if task is None else {task.id: output_limit_bytes(components, task)}


def _urgent_step(reading: ExecutionReading) -> str:
    """Return the path of the step that a person looks for first: one that waits, or the first one that failed."""
    runs, waits = reading.runs, reading.waits
    waiting = (run.path for run in runs if run_state(run, waits, is_ended=reading.is_ended) == "waiting")
    failed = (
        run.path for run in runs if run.has("StepFailed") and not any(each.has("StepFailed") for each in run.inside)
    )
    return next(waiting, "") or next(failed, "")


EXECUTION_PAGES = {
    "/console/executions/{flow}/{name}": execution_page,
    "/console/executions/{flow}/{name}/graph": graph_of_execution,
}
