"""A function as a WSGI application, for FC's custom runtimes and custom containers.

    POST /invoke       an event: the request's body is the event, the response's body is the result
    POST /initialize   the hook that runs once in each instance
    GET  /pre-stop     the hook that runs before an instance is stopped; POST works too

FC returns the body only, and counts every response without `x-fc-status: 404` as a success. The application given as
`http` serves every other request, also those of HTTP triggers; without one the response is 404.
Source: FC documentation, "Web functions", "Lifecycle hooks" and "Context and log format" (custom runtime).
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from fc_callback.errors import FcCallbackError
from fc_callback.runtime.headers import HeaderContext, current_request_id
from fc_callback.runtime.serving import REQUEST_MAX_BYTES, set_up_logging
from fc_callback.runtime.worker import LoadError, encode_result, load_handler, run_phase
from fc_callback.values import validators
from fc_callback.values.invocation import current_invocation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextvars import Context
    from typing import TypeAlias

    from _typeshed.wsgi import StartResponse, WSGIApplication

    Function: TypeAlias = str | Callable[..., Any]

_INVOKE = "Invoke"
_PHASES = {
    ("POST", "/invoke"): _INVOKE,
    ("POST", "/initialize"): "Initialize",
    ("GET", "/pre-stop"): "PreStop",
    ("POST", "/pre-stop"): "PreStop",  # the documentation says GET; the other hook is a POST
}
_HTTP_TRIGGER = "/http-invoke"
_READ_BYTES = 1 << 20


class EventIncompleteError(FcCallbackError):
    """The event's body is incomplete, or its end cannot be known. The function does not run."""


class HandlerNotLoaded(FcCallbackError, ImportError):
    """The function, or one of its hooks, cannot be imported.

    Attributes:
        kind: The errorType that FC gives, such as `ImportModuleError` or `HandlerNotFound`.
    """

    def __init__(self, message: str, *, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


def wsgi_app(
    handler: Function,
    *,
    initializer: Function | None = None,
    pre_stop: Function | None = None,
    http: WSGIApplication | None = None,
) -> FunctionApp:
    """Return a WSGI application that serves a function in a custom runtime or a custom container.

    Any WSGI server can run it. The server must listen on 0.0.0.0 at FC's port (9000), use HTTP/1.1, keep idle connections
    for more than 15 minutes, and have as many threads as the function's `instanceConcurrency`. A root logger without a
    handler is set up as in a built-in runtime: INFO, UTC, each record with its request id.

    Args:
        handler: The function, or `module.function`, which is imported at the first request.
        initializer: The function that `POST /initialize` runs with the context; by default `fc_callback.initializer`.
        pre_stop: The function that `GET /pre-stop` runs with the context; by default nothing.
        http: Serves every other path, and every request of an HTTP trigger; by default the response is 404.

    Raises:
        SettingsError: An argument is not a function.
    """
    functions: dict[str, Any] = {"handler": handler, "initializer": initializer, "pre_stop": pre_stop}
    for option, function in functions.items():
        is_left_out = function is None and option != "handler"
        if not (is_left_out or callable(function) or (isinstance(function, str) and function)):
            validators.refuse(option, function, "Give a function, or its name, like index.handler.")
    if http is not None and not callable(http):
        validators.refuse("http", http, "Give a WSGI application.")
    if initializer is None:
        from fc_callback.callback.initializer import initializer as warm_up

        initializer = warm_up
    if not logging.getLogger().handlers:
        set_up_logging()
    phases = {_INVOKE: handler, "Initialize": initializer, "PreStop": pre_stop or _nothing}
    return FunctionApp(phases, http=http)


class FunctionApp:
    """The application that `wsgi_app` returns. It keeps the loaded functions, and no state of a request after its end."""

    def __init__(self, functions: Mapping[str, Function], *, http: WSGIApplication | None) -> None:
        self._functions = dict(functions)
        self._names = {phase: one if isinstance(one, str) else "" for phase, one in functions.items()}
        self._http = http
        self._running: dict[int, Context] = {}

    def load(self) -> None:
        """Import the functions now.

        Raises:
            HandlerNotLoaded: A function cannot be imported. The next request that needs it tries again.
        """
        try:
            for phase in self._functions:
                self._function(phase)
        except LoadError as error:
            raise HandlerNotLoaded(str(error), kind=error.kind) from error

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        phase = _PHASES.get((environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")))
        if phase is None or environ.get("HTTP_X_FC_CONTROL_PATH") == _HTTP_TRIGGER:
            return (self._http or _not_served)(environ, start_response)
        try:
            event = _read_event(environ) if phase == _INVOKE else _discard_body(environ)
        except EventIncompleteError as error:
            return _refuse(environ, start_response, error)
        # In its own contextvars context, because a server's thread serves many requests.
        own = copy_context()
        self._running[id(own)] = own
        try:
            succeeded, body = own.run(self._run, phase, environ, event)
        finally:
            del self._running[id(own)]
        status = ("200 OK", "200") if succeeded else ("404 Not Found", "404")
        kind = "application/octet-stream" if succeeded else "application/json"
        headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("x-fc-status", status[1])]
        start_response(status[0], headers)
        return [body]

    def close_records(self) -> None:
        """Close the records of the running tasks, before the process ends while their functions still run.

        The records are the same as in a built-in runtime, where FC ends a function by a SystemExit.
        """
        for own in list(self._running.values()):
            own.copy().run(_close_records)

    def _run(self, phase: str, environ: dict[str, Any], event: bytes) -> tuple[bool, bytes]:
        context = HeaderContext(_headers(environ), handler=self._names[phase])
        current_request_id.set(context.request_id)

        def run() -> bytes:
            function = self._function(phase)
            if phase == _INVOKE:
                return encode_result(function(event, context))
            function(context)
            return b""

        return run_phase(phase, context.request_id, run, caught=BaseException)  # other requests share this process

    def _function(self, phase: str) -> Callable[..., Any]:
        function = self._functions[phase]
        if isinstance(function, str):
            function = self._functions[phase] = load_handler(function, "custom")
        return function


def _headers(environ: Mapping[str, Any]) -> dict[str, str]:
    return {
        name[len("HTTP_") :].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_X_FC_")
    }


def _read_event(environ: Mapping[str, Any]) -> bytes:
    """Return the whole body.

    After a broken connection some servers return an incomplete body (gunicorn), and some do not know the end of a chunked
    body at all (uWSGI, wsgiref).
    Source: PEP 3333, "Input and Error Streams"; servers that end every body set `wsgi.input_terminated`.

    Raises:
        EventIncompleteError: The body is incomplete, or that cannot be known.
    """
    told, ends = environ.get("CONTENT_LENGTH") or "", bool(environ.get("wsgi.input_terminated"))
    chunked = bool(environ.get("HTTP_TRANSFER_ENCODING"))
    if chunked and not ends:
        raise EventIncompleteError(
            "The event is chunked, and this server does not report the end of the chunks. Send it with a Content-Length."
        )
    if told and not chunked and not (told.isascii() and told.isdecimal()):
        _discard_body(environ)
        raise EventIncompleteError("The Content-Length of the event is not a number.")
    if not told and not ends:
        return b""
    length = int(told) if told and not chunked else None
    try:
        body = _read_body(environ["wsgi.input"], length)
    except Exception as error:  # each server has its own errors for a broken connection
        raise EventIncompleteError(f"The event could not be read: {type(error).__name__}.") from error
    if length is not None and len(body) < length:
        raise EventIncompleteError(f"The event is {len(body)} bytes, and its Content-Length says {length}.")
    return body


def _read_body(stream: Any, length: int | None) -> bytes:
    """Read a number of bytes, or all; in pieces, so that memory is allocated only for what arrives."""
    body = bytearray()
    while length is None or len(body) < length:
        part = stream.read(_READ_BYTES if length is None else min(_READ_BYTES, length - len(body)))
        if not part:
            break
        body += part
    return bytes(body)


def _discard_body(environ: Mapping[str, Any]) -> bytes:
    """Read a body that nothing needs, up to FC's limit, and return no bytes.

    A server may reset a connection with unread data before the client has received the response.
    """
    told, stream = environ.get("CONTENT_LENGTH") or "", environ.get("wsgi.input")
    left = REQUEST_MAX_BYTES
    if not environ.get("wsgi.input_terminated"):
        is_known = told.isascii() and told.isdecimal() and not environ.get("HTTP_TRANSFER_ENCODING")
        left = min(int(told), left) if is_known else 0
    with suppress(Exception):  # each server has its own errors for a broken connection
        while left > 0 and stream is not None and (part := stream.read(min(_READ_BYTES, left))):
            left -= len(part)
    return b""


def _refuse(environ: Mapping[str, Any], start_response: StartResponse, error: EventIncompleteError) -> Iterable[bytes]:
    message = f"{error} The function did not run."
    logging.getLogger().error("Request %s: %s", environ.get("HTTP_X_FC_REQUEST_ID", "-"), message)
    body = json.dumps({"errorMessage": message, "errorType": "EventIncomplete"}).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("x-fc-status", "404")]
    start_response("400 Bad Request", headers)
    return [body]


def _not_served(environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    _discard_body(environ)
    asked = f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '')}"
    trigger = " of an HTTP trigger" if environ.get("HTTP_X_FC_CONTROL_PATH") == _HTTP_TRIGGER else ""
    message = (
        f"{asked}{trigger} is not served: this function takes events at POST /invoke (and POST /initialize, GET /pre-stop). "
        "To serve HTTP triggers too, pass a WSGI application: wsgi_app(handler, http=...) or serve --http."
    )
    body = json.dumps({"errorMessage": message, "errorType": "NotServed"}).encode()
    start_response("404 Not Found", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def _close_records() -> None:
    invocation = current_invocation()
    for record in invocation.tasks if invocation else ():
        record.close("raised", error=SystemExit.__name__)


def _nothing(_context: object) -> None:
    """Do nothing: there is no hook."""
