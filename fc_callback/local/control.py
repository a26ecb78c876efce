"""The way in for tests whose service runs in another process: `/_local/...`, JSON in and out, from this machine only.

| call | does |
|---|---|
| `GET /_local/health` | answers at once, with the functions and the time |
| `POST /_local/faults` | adds faults: a list of objects with the fields of `Fault`, or of `RandomFaults` |
| `DELETE /_local/faults` | takes them away |
| `GET /_local/calls` | how often each operation ended in what |
| `GET /_local/invocations?function=` | what functions were given, returned and wrote |
| `POST /_local/tasks` | starts an execution that waits for a report: `{"payload": {}}`; answers with its token and names |
| `POST /_local/clock` | moves the clock: `{"seconds": 60}`, and `"skew": false` to take the callers' clocks along |
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import attrs
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fc_callback.local.api_errors import ApiError
from fc_callback.local.clock import iso_milliseconds
from fc_callback.local.faults import Fault, RandomFaults
from fc_callback.local.waiting_tasks import start_task

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from fc_callback.local.service import LocalCloudFlow

PREFIX = "/_local"


def control_routes(service: LocalCloudFlow) -> list[Route]:
    """Return the routes."""

    async def health(_request: Request) -> Response:
        now = iso_milliseconds(service.now)
        return JSONResponse({"status": "ok", "functions": list(service.functions), "now": now})

    async def faults(request: Request) -> Response:
        if request.method == "DELETE":
            service.clear_faults()
            return JSONResponse({})
        content = await _content(request)
        entries = content if isinstance(content, list) else [content]
        service.inject(*[read_fault(entry) for entry in entries])
        return JSONResponse({"faults": len(entries)})

    async def calls(_request: Request) -> Response:
        counted = sorted(service.calls.items())
        return JSONResponse([{"action": action, "outcome": outcome, "count": n} for (action, outcome), n in counted])

    async def invocations(request: Request) -> Response:
        found = service.invocations(request.query_params.get("function"))
        return JSONResponse([attrs.asdict(invocation) for invocation in found])

    async def tasks(request: Request) -> Response:
        payload = (await _content(request)).get("payload", {})
        task = await asyncio.to_thread(start_task, service, payload)
        return JSONResponse({"token": task.token.reveal(), "flow": task.flow, "execution": task.execution})

    async def clock(request: Request) -> Response:
        content = await _content(request)
        seconds, skew = content.get("seconds"), content.get("skew", True)
        # Timers that become due run functions and steps: not on the loop that must answer them.
        await asyncio.to_thread(service.advance, seconds, skew=skew)
        return JSONResponse({"now": iso_milliseconds(service.now)})

    return [
        Route(f"{PREFIX}/health", _guarded(health)),
        Route(f"{PREFIX}/faults", _guarded(faults), methods=["POST", "DELETE"]),
        Route(f"{PREFIX}/calls", _guarded(calls)),
        Route(f"{PREFIX}/invocations", _guarded(invocations)),
        Route(f"{PREFIX}/tasks", _guarded(tasks), methods=["POST"]),
        Route(f"{PREFIX}/clock", _guarded(clock), methods=["POST"]),
    ]


def read_fault(entry: Any) -> Fault | RandomFaults:
    """Read a fault from JSON.

    Raises:
        TypeError, ValueError: It is none.
    """
    if not isinstance(entry, dict):
        raise TypeError("A fault is an object.")
    if "seed" not in entry:
        return Fault(**entry)
    given = dict(entry)
    if "faults" in given:
        given["faults"] = [Fault(**fault) for fault in given["faults"]]
    return RandomFaults(**given)


async def _content(request: Request) -> Any:
    # A page in a browser can send a form to any port without asking, but not JSON.
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise ValueError("Send application/json.")
    return json.loads(await request.body())


def _guarded(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def guarded(request: Request) -> Response:
        if not is_local(request):
            return JSONResponse({"error": "This is for the machine that the service runs on."}, 403)
        try:
            return await endpoint(request)
        except (ApiError, AttributeError, TypeError, ValueError) as error:
            return JSONResponse({"error": str(error)}, 400)

    return guarded


def is_local(request: Request) -> bool:
    """Say whether a request comes from this machine, and not by way of a page that a browser has loaded.

    The Host header is looked at because a page's own domain may be made to lead to 127.0.0.1.
    """
    host = request.headers.get("host", "").partition(":")[0]
    from_here = request.client is not None and request.client.host == "127.0.0.1"
    return from_here and host in {"127.0.0.1", "localhost"} and "origin" not in request.headers
