"""The control API, for tests whose service runs in another process: `/_local/...`, with JSON bodies, from loopback only.

| call | effect |
|---|---|
| `GET /_local/health` | returns the functions and the service's time |
| `POST /_local/faults` | adds faults: a list of objects with the fields of `Fault` or of `RandomFaults` |
| `DELETE /_local/faults` | removes all faults |
| `GET /_local/calls` | returns how often each operation ended in which outcome |
| `GET /_local/invocations?function=` | returns the events, results and logs of functions |
| `POST /_local/tasks` | starts an execution that waits for a report: `{"payload": {}}`; returns its token and names |
| `GET /_local/waiting?flow=&execution=&step=` | returns the tasks that wait for a report, the oldest first, without tokens |
| `POST /_local/waiting/{id}` | completes one of them: `{"output": {}}`, or `{"error": "Name", "cause": "text"}` |
| `POST /_local/clock` | moves the clock: `{"seconds": 60}`; `"skew": false` moves the callers' clocks too |
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import attrs
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fc_callback.errors import FcCallbackError
from fc_callback.local.clock import iso_milliseconds
from fc_callback.local.faults import Fault, RandomFaults
from fc_callback.local.request_body import json_object, read_json
from fc_callback.local.values import read_invocations
from fc_callback.local.waiting_tasks import report_task, start_task, waiting_tasks
from fc_callback.redaction import mask_secrets

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from fc_callback.local.components import Components
    from fc_callback.local.waiting_tasks import WaitingTask

PREFIX = "/_local"


def control_routes(components: Components) -> list[Route]:
    """Return the routes of the control API."""

    async def health(_request: Request) -> Response:
        now = iso_milliseconds(components.clock.now())
        return JSONResponse({"status": "ok", "functions": list(components.invoker.names), "now": now})

    async def faults(request: Request) -> Response:
        if request.method == "DELETE":
            components.faults.clear()
            return JSONResponse({})
        content = await read_json(request)
        entries = content if isinstance(content, list) else [content]
        components.faults.inject([read_fault(entry) for entry in entries])
        return JSONResponse({"faults": len(entries)})

    async def calls(_request: Request) -> Response:
        counted = sorted(components.calls.items())
        return JSONResponse([{"action": action, "outcome": outcome, "count": n} for (action, outcome), n in counted])

    async def invocations(request: Request) -> Response:
        def read() -> Response:
            found = read_invocations(components.store, request.query_params.get("function"))
            return JSONResponse([_without_tokens(attrs.asdict(invocation)) for invocation in found])

        return await asyncio.to_thread(read)  # a long history takes a while

    async def tasks(request: Request) -> Response:
        payload = (await json_object(request)).get("payload", {})
        task = await asyncio.to_thread(start_task, components, payload)
        return JSONResponse({"token": task.token.reveal(), "flow": task.flow, "execution": task.execution})

    async def waiting(request: Request) -> Response:
        flow, execution, step = (request.query_params.get(name) for name in ("flow", "execution", "step"))
        found = waiting_tasks(components, flow=flow, execution=execution, step=step)
        return JSONResponse([_shown_task(task) for task in found])

    async def report(request: Request) -> Response:
        content = await json_object(request)
        # The end of a task starts the next steps, which may call functions.
        await asyncio.to_thread(report_task, components, request.path_params["task"], content)
        return JSONResponse({})

    async def clock(request: Request) -> Response:
        content = await json_object(request)
        skew = content.get("skew", True)
        if not isinstance(skew, bool):
            raise TypeError("skew must be true or false.")
        # Timers that become due run functions and steps. They need the event loop to answer them.
        await asyncio.to_thread(components.engine.advance, content.get("seconds"), skew=skew)
        return JSONResponse({"now": iso_milliseconds(components.clock.now())})

    return [
        Route(f"{PREFIX}/health", _loopback_only(health)),
        Route(f"{PREFIX}/faults", _loopback_only(faults), methods=["POST", "DELETE"]),
        Route(f"{PREFIX}/calls", _loopback_only(calls)),
        Route(f"{PREFIX}/invocations", _loopback_only(invocations)),
        Route(f"{PREFIX}/tasks", _loopback_only(tasks), methods=["POST"]),
        Route(f"{PREFIX}/waiting", _loopback_only(waiting)),
        Route(f"{PREFIX}/waiting/{{task:int}}", _loopback_only(report), methods=["POST"]),
        Route(f"{PREFIX}/clock", _loopback_only(clock), methods=["POST"]),
    ]


def _without_tokens(values: dict[str, Any]) -> dict[str, Any]:
    """Mask tokens that another service made: the store knows its own only."""
    return {name: mask_secrets(value) if isinstance(value, str) else value for name, value in values.items()}


def _shown_task(task: WaitingTask) -> dict[str, Any]:
    shown = attrs.asdict(task, filter=lambda field, _value: field.name not in {"event_id", "_report"})
    seconds = {name: shown[name] and round(shown[name], 3) for name in ("age_seconds", "seconds_left")}
    return {**shown, **seconds, "input": json.loads(mask_secrets(json.dumps(task.input)))}


def read_fault(entry: Any) -> Fault | RandomFaults:
    """Build a fault from a JSON object.

    Raises:
        TypeError, ValueError: The entry does not describe a fault.
    """
    if not isinstance(entry, dict):
        raise TypeError("A fault must be an object.")
    if "seed" not in entry:
        return Fault(**entry)
    given = dict(entry)
    if "faults" in given:
        given["faults"] = [Fault(**fault) for fault in given["faults"]]
    return RandomFaults(**given)


def _loopback_only(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def checked(request: Request) -> Response:
        if not is_local(request):
            return JSONResponse({"error": "The control API answers requests from this machine only."}, 403)
        try:
            return await endpoint(request)
        except ClientDisconnect:
            return Response()
        except (FcCallbackError, AttributeError, RecursionError, TypeError, ValueError) as error:
            return JSONResponse({"error": str(error)}, 400)

    return checked


def is_local(request: Request) -> bool:
    """Return whether a request comes from this machine, and not from a page in a browser.

    The Host header is checked because a page's own domain may resolve to 127.0.0.1 (DNS rebinding).
    """
    host = request.headers.get("host", "").partition(":")[0]
    from_here = request.client is not None and request.client.host == "127.0.0.1"
    return from_here and host in {"127.0.0.1", "localhost"} and "origin" not in request.headers
