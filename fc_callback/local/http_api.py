"""The HTTP face: requests in, answers in the service's own form out."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
import uuid
from collections import Counter
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
from fc_callback.local.operations import API_VERSION, wait_seconds
from fc_callback.settings import KIB

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import Receive, Scope, Send

    from fc_callback.local.components import Components
    from fc_callback.local.faults import Fault

_LOG = logging.getLogger("fc_callback.local")
# Source: CloudFlow documentation, "Limits": the size of a request.
MAX_REQUEST_BYTES = 1024 * KIB
_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"
HTML_PAGE = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>502 Bad Gateway</body>\r\n</html>\r\n"


class Protocol(H11Protocol):
    """uvicorn's HTTP protocol; it lets a fault get at the connection that it is to break."""

    transports: dict[tuple[str, int], asyncio.Transport]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Note the connection."""
        self.access_log = False  # URLs hold task tokens, and pytest listens even to loggers that do not propagate
        super().connection_made(transport)
        if self.client is not None:
            self.transports[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        if self.client is not None:
            self.transports.pop(self.client, None)
        super().connection_lost(exc)


class BrokenAnswer(Response):
    """No answer, or the beginning of one, and then a broken connection.

    Args:
        begin: Bytes that are still sent.
        reset: Whether the connection is reset instead of closed.
    """

    def __init__(self, transports: Mapping[tuple[str, int], asyncio.Transport], *, begin: bytes, reset: bool) -> None:
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
            # Closing a socket that lingers for no time sends a reset instead of a goodbye.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
        # uvicorn complains about an answer that never began, unless it has seen the connection go.
        while (await receive())["type"] != "http.disconnect":
            pass


class HttpApi:
    """Answers requests. One event loop calls it; nothing in it waits but the long poll and the slow fault.

    Args:
        components: What it stands before.

    Attributes:
        calls: How often each operation ended in what: `ok`, an error code, or `fault:` and its kind.
    """

    def __init__(self, components: Components) -> None:
        self._components = components
        self.calls: Counter[tuple[str, str]] = Counter()
        self.transports: dict[tuple[str, int], asyncio.Transport] = {}

    @property
    def protocol(self) -> type[Protocol]:
        """The HTTP protocol that keeps this face's transports."""
        return type("LocalProtocol", (Protocol,), {"transports": self.transports})

    def application(self, control: list[Route]) -> Starlette:
        """Return the ASGI application, with further routes beside the API's own."""
        application = Starlette(routes=[Route("/", self.answer, methods=["GET", "POST"]), *control])
        application.router.redirect_slashes = False  # a Location header would repeat the query, and the secrets in it
        return application

    async def answer(self, request: Request) -> Response:
        """Answer one call."""
        try:
            call = await _read(request)
        except ClientDisconnect:
            return Response()
        action = call.action if self._components.operations.knows(call.action) else "unknown"
        fault = self._components.faults.next(call.action)
        if fault is None:
            return await self._answer(call, action)
        if fault.kind in {"slow", "skew"}:
            if fault.kind == "slow":
                await asyncio.sleep(fault.seconds)
            skew = fault.seconds if fault.kind == "skew" else 0.0
            return await self._answer(call, action, skew_seconds=skew)
        if fault.takes_effect:
            await self._answer(call, action)
        self.calls[action, f"fault:{fault.kind}"] += 1
        return self._broken(fault)

    async def _answer(self, call: ApiRequest, action: str, *, skew_seconds: float = 0.0) -> Response:
        request_id = _request_id(call)
        try:
            body = await self._perform(call, skew_seconds)
        except ApiError as error:
            self.calls[action, error.code] += 1
            content = {
                "Code": error.code,
                "Message": error.message,
                "RequestId": request_id,
                "HostId": call.headers.get("host", ""),
            }
            return self._json(content, error.status, skew_seconds)
        except Exception:  # noqa: BLE001 - whatever it is, the caller gets an answer in the service's form
            _LOG.exception("%s could not be answered", action)
            self.calls[action, "InternalServerError"] += 1
            return self._error("InternalServerError")
        self.calls[action, "ok"] += 1
        return self._json({**body, "RequestId": request_id}, 200, skew_seconds)

    async def _perform(self, call: ApiRequest, skew_seconds: float) -> dict[str, Any]:
        components = self._components
        _check_form(call, components.operations.knows)
        account = components.authenticator.account_of(call, skew_seconds=skew_seconds)
        if not components.quota.take(account, call.action):
            raise ApiError("ResourceThrottled")
        given = call.parameters
        answer = components.operations.perform(call.action, account, given)
        if call.action == "DescribeExecution" and wait_seconds(given):
            await self._wait(account, given)
            answer = components.operations.perform(call.action, account, given)
        return answer

    async def _wait(self, account: str, given: Mapping[str, str]) -> None:
        row = self._components.operations.execution_row(account, given["FlowName"], given["ExecutionName"])
        ended = asyncio.wrap_future(self._components.engine.when_ended(row["id"]))
        await asyncio.wait([ended], timeout=wait_seconds(given))
        ended.cancel()

    def _json(self, content: Mapping[str, Any], status: int, skew_seconds: float = 0.0) -> Response:
        body = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
        return self._respond(body, status, "application/json; charset=utf-8", skew_seconds=skew_seconds)

    def _respond(self, body: bytes, status: int, content_type: str, *, skew_seconds: float = 0.0) -> Response:
        date = formatdate(self._components.clock.caller_time() + skew_seconds, usegmt=True)
        return Response(body, status, {"date": date, "content-type": content_type})

    def _broken(self, fault: Fault) -> Response:
        if fault.kind == "throttle":
            response = self._error("ResourceThrottled")
            if fault.seconds:
                response.headers["retry-after"] = f"{fault.seconds:g}"
            return response
        if fault.kind in {"error-before", "error-after"}:
            return self._error("InternalServerError")
        if fault.kind == "garbage":
            return self._respond(b'{"EventId": 1, "Requ\xff\x00', 200, _JSON)
        if fault.kind == "html":
            return self._respond(HTML_PAGE, 502, "text/html")
        if fault.kind == "empty":
            return self._respond(b"", 200, _JSON)
        begin = b""
        if fault.kind == "reset":
            begin = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 80\r\n\r\n{"EventId": '
        return BrokenAnswer(self.transports, begin=begin, reset=fault.kind != "close")

    def _error(self, code: str) -> Response:
        error = ApiError(code)
        content = {"Code": code, "Message": error.message, "RequestId": _new_id(), "HostId": "127.0.0.1"}
        return self._json(content, error.status)


async def _read(request: Request) -> ApiRequest:
    body = await request.body()
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        # Several headers of one name are signed as one, joined by commas.
        headers[name] = f"{headers[name]},{value.strip()}" if name in headers else value.strip()
    form: dict[str, str] = {}
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == _FORM and len(body) <= MAX_REQUEST_BYTES:
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    query = dict(parse_qsl(request.scope["query_string"].decode("utf-8", "replace"), keep_blank_values=True))
    return ApiRequest(method=request.method, path=request.url.path, query=query, form=form, headers=headers, body=body)


def _check_form(call: ApiRequest, knows: Callable[[str], bool]) -> None:
    """Refuse what cannot be a call of this API, before asking who makes it."""
    if len(call.body) > MAX_REQUEST_BYTES:
        raise ApiError("EntityTooLarge", MAX_REQUEST_BYTES)
    content_type = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if call.body and not content_type:
        raise ApiError("MissingRequiredHeader", "Content-Type")
    if call.method == "POST" and content_type not in {"", _FORM, _JSON}:
        raise ApiError("UnsupportedMediaType")
    if not call.action:
        raise ApiError("MissingRequiredParams", "Action")
    if not knows(call.action):
        raise ApiError("ActionNotSupported", call.action)
    if not call.version:
        raise ApiError("MissingRequiredParams", "Version")
    if call.version != API_VERSION:
        raise ApiError("APIVersionNotSupported", call.version)


def _new_id() -> str:
    return str(uuid.uuid4()).upper()


def _request_id(call: ApiRequest) -> str:
    """Return the caller's own id, which older clients may choose, or a new one."""
    given = call.parameters.get("RequestId", "")
    return given if given and len(given) <= 64 and all(c.isalnum() or c == "-" for c in given) else _new_id()  # noqa: PLR2004
