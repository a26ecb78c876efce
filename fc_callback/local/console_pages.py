"""The console's pages: what each reads from the service, and the template that shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.responses import Response

from fc_callback.local.clock import iso_milliseconds
from fc_callback.local.console_execution_page import EXECUTION_PAGES
from fc_callback.local.console_gate import read_number
from fc_callback.local.console_graph import flow_graph_json
from fc_callback.local.console_rendering import as_json, render
from fc_callback.local.execution_list import STATUSES, count_executions, find_executions
from fc_callback.local.execution_record import parsed_flow
from fc_callback.local.faults import KINDS, RandomFaults
from fc_callback.local.flow_list import flow_names, list_flows
from fc_callback.local.invocation_list import find_invocations
from fc_callback.local.listed_executions import listed
from fc_callback.local.waiting_tasks import count_waiting_tasks, output_limit_bytes, waiting_tasks

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from fc_callback.local.components import Components
    from fc_callback.local.faults import Fault

    Page = Callable[[Components, Request], str | Response]

PAGE_ROWS = 50
_WAITING_ROWS = 20
_FAILED_ROWS = 5
_DAY_SECONDS = 86_400
_PERIODS = {"": 1e12, "hour": 3600.0, "day": _DAY_SECONDS, "week": 7 * _DAY_SECONDS}


def _home(components: Components, request: Request) -> str | Response:
    """Show what waits, what failed lately, and all executions.

    With `seen`, the number of the last change that the page knows, only the lists are sent, and only if they changed.
    """
    seen, chosen = request.query_params.get("seen"), _filters(request)
    changes, now = str(components.engine.changes), components.clock.now()
    if seen == changes:
        return Response(status_code=204)
    store, account = components.store, components.options.account_id
    rows = find_executions(
        store,
        account,
        flow=chosen["flow"],
        status=chosen["status"],
        name_prefix=chosen["name"],
        begin=now - _PERIODS[chosen["period"]] if chosen["period"] else 0.0,
        before=_number(request, "before", 2**62),
        limit=PAGE_ROWS + 1,
    )
    failed = [
        row
        for status in ("Failed", "TimedOut")
        for row in find_executions(store, account, status=status, limit=_FAILED_ROWS)
    ]
    waiting = waiting_tasks(components, limit=_WAITING_ROWS)
    next_page = {**chosen, "before": rows[PAGE_ROWS - 1]["id"]} if len(rows) > PAGE_ROWS else None
    return render(
        "home.html" if seen is None else "lists.html",
        section="/console/",
        now=now,
        waiting=waiting,
        waiting_count=count_waiting_tasks(components),
        limits={task.id: output_limit_bytes(components, task) for task in waiting},
        failed=listed(components, sorted(failed, key=lambda row: -row["id"])[:_FAILED_ROWS]),
        executions=listed(components, rows[:PAGE_ROWS]),
        count=count_executions(store, account),
        next_page=next_page and "/console/?" + urlencode({name: text for name, text in next_page.items() if text}),
        is_first=not request.query_params.get("before"),
        is_running=count_executions(store, account, status="Running") > 0,
        news="/console/?" + urlencode({**dict(request.query_params), "seen": changes}),
        chosen=chosen,
        statuses=STATUSES[1:],
        periods=list(_PERIODS),
        flows=flow_names(store, account),
    )


def _filters(request: Request) -> dict[str, str]:
    chosen = {name: request.query_params.get(name, "").strip() for name in ("flow", "status", "name", "period")}
    if chosen["status"] and chosen["status"] not in STATUSES:
        raise ValueError(f"There is no status {chosen['status']!r}; there are {', '.join(STATUSES)}.")
    if chosen["period"] not in _PERIODS:
        raise ValueError("The period is hour, day or week.")
    return chosen


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, "")
    number = read_number(text) if text else default
    if number is None:
        raise ValueError(f"{name} must be a number.")
    return number


def _flows(components: Components, request: Request) -> str:
    del request
    flows = list_flows(components.store, components.options.account_id)
    return render("flows.html", section="/console/flows", now=components.clock.now(), flows=flows)


def _flow(components: Components, request: Request) -> str:
    name = request.path_params["flow"]
    described = components.perform("DescribeFlow", Name=name)
    rows = find_executions(components.store, components.options.account_id, flow=name, limit=10)
    executions = listed(components, rows)
    return render(
        "flow.html",
        section="/console/flows",
        now=components.clock.now(),
        flow=described,
        graph=flow_graph_json(parsed_flow(described["Definition"])),
        lines=described["Definition"].splitlines(),
        executions=executions,
        last_input=executions[0].execution.input if executions else {},
    )


def _graph_of_flow(components: Components, request: Request) -> Response:
    described = components.perform("DescribeFlow", Name=request.path_params["flow"])
    return Response(as_json(flow_graph_json(parsed_flow(described["Definition"]))), media_type="application/json")


def _invocations(components: Components, request: Request) -> str:
    function = request.query_params.get("function", "")
    found = find_invocations(
        components.store,
        account=components.options.account_id,
        function=function,
        before=_number(request, "before", 2**62),
        limit=PAGE_ROWS + 1,
    )
    next_page = {"function": function, "before": str(found[PAGE_ROWS - 1].id)} if len(found) > PAGE_ROWS else None
    return render(
        "invocations.html",
        section="/console/invocations",
        now=components.clock.now(),
        found=found[:PAGE_ROWS],
        function=function,
        functions=components.invoker.names,
        is_first=not request.query_params.get("before"),
        next_page=next_page and "/console/invocations?" + urlencode(next_page),
    )


def _clock(components: Components, request: Request) -> str:
    del request
    now, due = components.clock.now(), components.engine.next_due()
    return render(
        "clock.html",
        section="/console/clock",
        now=now,
        time=iso_milliseconds(now),
        moved_seconds=components.clock.moved_seconds,
        next_timer=None if due is None else {"time": iso_milliseconds(due), "seconds": max(0.0, due - now)},
        faults=[(_fault_text(fault), left) for fault, left in components.faults.active()],
        kinds=KINDS,
        calls=sorted(components.calls.items()),
    )


def _fault_text(fault: Fault | RandomFaults) -> str:
    if isinstance(fault, RandomFaults):
        kinds = ", ".join(dict.fromkeys(each.kind for each in fault.faults))
        return f"at random ({fault.rate:.0%}) {kinds} for {fault.action}"
    seconds = f", {fault.seconds:g} s" if fault.seconds else ""
    return f"{fault.kind}{seconds} for {fault.action}"


PAGES: dict[str, Page] = {
    "/console/": _home,
    "/console/flows": _flows,
    "/console/flows/{flow}": _flow,
    "/console/flows/{flow}/graph": _graph_of_flow,
    "/console/invocations": _invocations,
    "/console/clock": _clock,
    **EXECUTION_PAGES,
}
