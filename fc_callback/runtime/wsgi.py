"""A function as a WSGI application, for FC's custom runtimes and custom containers.

    POST /invoke       an event: the body is its bytes, the answer's body is the result
    POST /initialize   the hook that runs once in each instance
    GET  /pre-stop     the hook that runs before an instance is stopped; POST does as well

FC returns the body alone, and takes every call for a success that does not carry `x-fc-status: 404`. Everything else,
HTTP triggers among it, goes to the application given as `http`, or is answered with 404.
Source: FC documentation, "Web functions", "Lifecycle hooks" and "Context and log format" (custom runtime).
"""

from __future__ import annotations

import json
import logging
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from fc_callback import validators
from fc_callback.runtime.headers import HeaderContext, current_request_id
from fc_callback.runtime.worker import encode_result, error_document, load_handler, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
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


def wsgi_app(
    handler: Function,
    *,
    initializer: Function | None = None,
    pre_stop: Function | None = None,
    http: WSGIApplication | None = None,
) -> FunctionApp:
    """Return a WSGI application that serves a function in a custom runtime or a custom container.

    Any WSGI server can run it. It must listen on 0.0.0.0 at FC's port (9000), speak HTTP/1.1, keep idle connections for
    more than 15 minutes, and have as many threads as the function's `instanceConcurrency`.

    Args:
        handler: The function, or `module.function`, which is imported at the first request.
        initializer: What `POST /initialize` runs with the context; by default `fc_callback.initializer`.
        pre_stop: What `GET /pre-stop` runs with the context; by default nothing.
        http: Serves every other path, and every request of an HTTP trigger; by default these are answered with 404.

    Raises:
        SettingsError: An argument is no function.
    """
    functions: dict[str, Any] = {"handler": handler, "initializer": initializer, "pre_stop": pre_stop}
    for option, function in functions.items():
        is_left_out = function is None and option != "handler"
        if not (is_left_out or callable(function) or (isinstance(function, str) and function)):
            validators.refuse(option, function, "Give a function, or its name, like index.handler.")
    if http is not None and not callable(http):
        validators.refuse("http", http, "Give a WSGI application.")
    if initializer is None:
        from fc_callback.warmup import initializer as warm_up

        initializer = warm_up
    phases = {_INVOKE: handler, "Initialize": initializer, "PreStop": pre_stop or _nothing}
    return FunctionApp(phases, http=http)


class FunctionApp:
    """The application that `wsgi_app` returns. It keeps the functions it has loaded, and nothing of any request."""

    def __init__(self, functions: Mapping[str, Function], *, http: WSGIApplication | None) -> None:
        self._functions = dict(functions)
        self._names = {phase: one if isinstance(one, str) else "" for phase, one in functions.items()}
        self._http = http

    def load(self) -> None:
        """Import the functions now.

        Raises:
            LoadError: One cannot be imported. The next request that needs it tries again.
        """
        for phase in self._functions:
            self._function(phase)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        phase = _PHASES.get((environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")))
        if phase is None or environ.get("HTTP_X_FC_CONTROL_PATH") == _HTTP_TRIGGER:
            return (self._http or _not_served)(environ, start_response)
        # In a contextvars context of its own: a server's thread serves one request after the other.
        succeeded, body = copy_context().run(self._run, phase, environ)
        status = ("200 OK", "200") if succeeded else ("404 Not Found", "404")
        kind = "application/octet-stream" if succeeded else "application/json"
        headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("x-fc-status", status[1])]
        start_response(status[0], headers)
        return [body]

    def _run(self, phase: str, environ: dict[str, Any]) -> tuple[bool, bytes]:
        context = HeaderContext(_headers(environ), handler=self._names[phase])
        current_request_id.set(context.request_id)
        say(f"FC {phase} Start RequestId: {context.request_id}")
        try:
            function = self._function(phase)
            result = function(_event(environ), context) if phase == _INVOKE else function(context)
            body, failed = (encode_result(result) if phase == _INVOKE else b""), False
        except BaseException as error:  # noqa: BLE001 - SystemExit too: other requests share this process
            text = json.dumps(error_document(error))
            logging.getLogger().error(text)
            body, failed = text.encode(), True
        ending = ", Error: Unhandled function error" if failed else ""
        say(f"FC {phase} End RequestId: {context.request_id}{ending}")
        return not failed, body

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


def _event(environ: Mapping[str, Any]) -> bytes:
    length = environ.get("CONTENT_LENGTH") or ""
    body: bytes
    if length.isdecimal():
        body = environ["wsgi.input"].read(int(length))
    else:  # a chunked body, where the server says that reading ends with it
        body = environ["wsgi.input"].read() if environ.get("wsgi.input_terminated") else b""
    return body


def _not_served(environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    asked = f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '')}"
    message = (
        f"{asked} is not served: this function takes events, at POST /invoke (and POST /initialize, GET /pre-stop). "
        "To serve HTTP triggers as well, give it a WSGI application: wsgi_app(handler, http=...) or serve --http."
    )
    body = json.dumps({"errorMessage": message, "errorType": "NotServed"}).encode()
    start_response("404 Not Found", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def _nothing(_context: object) -> None:
    """No hook."""
