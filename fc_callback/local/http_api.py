"""The HTTP API: reads requests, and writes responses in the service's own format."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
import uuid
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from fc_callback.local.api_errors import ApiError
from fc_callback.local.authentication import ApiRequest
from fc_callback.local.console import to_console, wants_console
from fc_callback.local.missing import DOCUMENTED_OPERATIONS
from fc_callback.local.operations import API_VERSION, READ_A_DEFINITION
from fc_callback.local.parameters import wait_seconds
from fc_callback.local.request_body import MAX_REQUEST_BYTES, read_body

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import Receive, Scope, Send

    from fc_callback.local.components import Components
    from fc_callback.local.faults import Fault

    Transports = dict[tuple[str, int], asyncio.Transport]

_LOG = logging.getLogger("fc_callback.local")
_LONGEST_REQUEST_ID = 64
_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"
# Body, status and content type of the faults that end in a whole response.
_FAULTY_RESPONSES = {
    "garbage": (b'{"EventId": 1, "Requ\xff\x00', 200, _JSON),
    "html": (b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>502 Bad Gateway</body>\r\n</html>\r\n", 502, "text/html"),
    "empty": (b"", 200, _JSON),
}  # fmt: skip
_HALF_RESPONSE = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 80\r\n\r\n{"EventId": '


class TrackedProtocol(H11Protocol):
    """uvicorn's HTTP protocol. It records each connection, so that a fault can break it."""

    transports: Transports

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Record the connection."""
        self.access_log = False  # URLs hold task tokens, and pytest listens even to loggers that do not propagate
        super().connection_made(transport)
        if self.client is not None:
            self.transports[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self.client is not None:
            self.transports.pop(self.client, None)
        super().connection_lost(exc)


class BrokenResponse(Response):
    """Sends `begin`, and then closes the connection, or resets it."""

    def __init__(self, transports: Transports, *, begin: bytes, reset: bool) -> None:
        super().__init__()
        self._transports = transports
        self._begin = begin
        self._reset = reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Break the connection."""
        del send
        transport = self._transports.get(tuple(scope["client"]))
        if transport is None:
            return
        if self._begin:
            transport.write(self._begin)
        if self._reset:
            connection = transport.get_extra_info("socket")
            # SO_LINGER with a zero timeout makes close() send RST instead of FIN.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
        # uvicorn logs an error about a missing response unless it has noticed the disconnect.
        while (await receive())["type"] != "http.disconnect":
            pass


class HttpApi:
    """Answers the requests of the HTTP API. One event loop calls it; only the calls that wait for the end of an execution, and the slow fault, take their time."""

    def __init__(self, components: Components) -> None:
        self._components = components
        self._transports: Transports = {}

    @property
    def protocol(self) -> type[TrackedProtocol]:
        """The HTTP protocol class that records this API's connections."""
        return type("LocalProtocol", (TrackedProtocol,), {"transports": self._transports})

    def application(self, further: list[Route]) -> Starlette:
        """Return the ASGI application, with further routes beside the API's own."""
        application = Starlette(routes=[Route("/", self.respond, methods=["GET", "POST"]), *further])
        application.router.redirect_slashes = False  # a Location header would repeat the query, and the secrets in it
        return application

    async def respond(self, request: Request) -> Response:
        """Perform one call, or the fault that applies to it; lead a browser to the console."""
        if wants_console(request):
            return to_console()
        try:
            call = await _read_request(request)
        except ClientDisconnect:
            return Response()
        action = call.action if call.action in DOCUMENTED_OPERATIONS else "unknown"
        fault = self._components.faults.next(call.action)
        if fault is None:
            return await self._respond_to(call, action)
        if fault.kind in {"slow", "skew"}:
            if fault.kind == "slow":
                await asyncio.sleep(fault.seconds)
            return await self._respond_to(call, action, skew_seconds=fault.seconds if fault.kind == "skew" else 0.0)
        if fault.takes_effect:
            await self._respond_to(call, action)
        self._components.calls[action, f"fault:{fault.kind}"] += 1
        return self._faulty_response(fault)

    async def _respond_to(self, call: ApiRequest, action: str, *, skew_seconds: float = 0.0) -> Response:
        calls, request_id = self._components.calls, _request_id(call)
        try:
            body = await self._perform(call, skew_seconds)
        except ApiError as error:
            calls[action, error.code] += 1
            return self._error(error, request_id, host=call.headers.get("host", ""), skew_seconds=skew_seconds)
        except Exception:  # noqa: BLE001 - every caller gets a response in the service's format
            _LOG.exception("%s failed", action)
            calls[action, "InternalServerError"] += 1
            return self._error(ApiError("InternalServerError"), _new_id())
        calls[action, "ok"] += 1
        return self._json({**body, "RequestId": request_id}, 200, skew_seconds)

    async def _perform(self, call: ApiRequest, skew_seconds: float) -> dict[str, Any]:
        components, given = self._components, call.parameters
        _check_form(call, components.operations.require)
        account = components.authenticator.account_of(call, skew_seconds=skew_seconds)
        if not components.quota.take(account, call.action):
            raise ApiError("ResourceThrottled")
        if call.action in READ_A_DEFINITION:  # a large one takes a while; the event loop answers other calls meanwhile
            response = await asyncio.to_thread(components.operations.perform, call.action, account, given)
        else:
            response = components.operations.perform(call.action, account, given)
        if call.action == "DescribeExecution" and (seconds := wait_seconds(given)):
            row = components.operations.execution_row(account, given["FlowName"], given["ExecutionName"])
            ended = asyncio.wrap_future(components.engine.when_ended(row["id"]))
            await asyncio.wait([ended], timeout=seconds)
            ended.cancel()
            response = components.operations.perform(call.action, account, given)
        elif call.action == "StartSyncExecution":
            row = components.operations.execution_row(account, given["FlowName"], response["Name"])
            # The execution's own timeout bounds the wait. A closing service cancels it.
            await asyncio.wait([ended := asyncio.wrap_future(components.engine.when_ended(row["id"]))])
            if ended.cancelled():
                raise ApiError("InternalServerError")
            row = components.operations.execution_row(account, given["FlowName"], response["Name"])
            response = components.operations.sync_response(row)
        return response

    def _json(self, content: Mapping[str, Any], status: int, skew_seconds: float = 0.0) -> Response:
        body = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
        return self._response(body, status, "application/json; charset=utf-8", skew_seconds=skew_seconds)

    def _response(self, body: bytes, status: int, content_type: str, *, skew_seconds: float = 0.0) -> Response:
        date = formatdate(self._components.clock.caller_time() + skew_seconds, usegmt=True)
        return Response(body, status, {"date": date, "content-type": content_type})

    def _error(
        self, error: ApiError, request_id: str, *, host: str = "127.0.0.1", skew_seconds: float = 0.0
    ) -> Response:
        content = {"Code": error.code, "Message": error.message, "RequestId": request_id, "HostId": host}
        return self._json(content, error.status, skew_seconds)

    def _faulty_response(self, fault: Fault) -> Response:
        if fault.kind in _FAULTY_RESPONSES:
            return self._response(*_FAULTY_RESPONSES[fault.kind])
        if fault.kind in {"error-before", "error-after"}:
            return self._error(ApiError("InternalServerError"), _new_id())
        if fault.kind == "throttle":
            response = self._error(ApiError("ResourceThrottled"), _new_id())
            if fault.seconds:
                response.headers["retry-after"] = f"{fault.seconds:g}"
            return response
        begin = _HALF_RESPONSE if fault.kind == "reset" else b""
        return BrokenResponse(self._transports, begin=begin, reset=fault.kind != "close")


async def _read_request(request: Request) -> ApiRequest:
    body, is_too_large = b"", False
    try:
        body = await read_body(request)
    except ApiError:
        is_too_large = True
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        # Several headers of one name are signed as one, joined by commas.
        headers[name] = f"{headers[name]},{value.strip()}" if name in headers else value.strip()
    form: dict[str, str] = {}
    if _content_type(headers) == _FORM:
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    query = dict(parse_qsl(request.scope["query_string"].decode("utf-8", "replace"), keep_blank_values=True))
    return ApiRequest(
        method=request.method,
        path=request.url.path,
        query=query,
        form=form,
        headers=headers,
        body=body,
        is_too_large=is_too_large,
    )


def _content_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _check_form(call: ApiRequest, require_operation: Callable[[str], None]) -> None:
    """Refuse what cannot be a call of this API, before the signature is checked."""
    if call.is_too_large:
        raise ApiError("EntityTooLarge", MAX_REQUEST_BYTES)
    content_type = _content_type(call.headers)
    if call.body and not content_type:
        raise ApiError("MissingRequiredHeader", "Content-Type")
    if call.method == "POST" and content_type not in {"", _FORM, _JSON}:
        raise ApiError("UnsupportedMediaType")
    if not call.action:
        raise ApiError("MissingRequiredParams", "Action")
    require_operation(call.action)
    if not call.version:
        raise ApiError("MissingRequiredParams", "Version")
    if call.version != API_VERSION:
        raise ApiError("APIVersionNotSupported", call.version)


def _new_id() -> str:
    return str(uuid.uuid4()).upper()


def _request_id(call: ApiRequest) -> str:
    """Return the caller's own id, which older clients may choose, or a new one."""
    given = call.parameters.get("RequestId", "")
    is_usable = given and len(given) <= _LONGEST_REQUEST_ID and all(c.isalnum() or c == "-" for c in given)
    return given if is_usable else _new_id()
