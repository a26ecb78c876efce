"""The WSGI application under a server that is not ours."""

from __future__ import annotations

import http.client
import threading
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.validate import validator

import pytest

from fc_callback import FcContext, task_callback
from fc_callback.runtime import wsgi_app
from tests.runtime.reporting import Recorder
from tests.runtime.serving_support import headers_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Quiet(WSGIRequestHandler):
    def log_message(self, *_arguments: Any) -> None:
        pass


class Threads(ThreadingMixIn, WSGIServer):
    daemon_threads = True


@pytest.fixture
def call() -> Iterator[Callable[..., tuple[int, bytes]]]:
    servers = []

    def start(application: Any, event: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        server = make_server("127.0.0.1", 0, validator(application), Threads, Quiet)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
        connection.request("POST", "/invoke", event, headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.close()


def test_any_wsgi_server_serves_a_task(
    call: Callable[..., tuple[int, bytes]], recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDFLOW_ENDPOINT", recorder.endpoint)

    @task_callback
    def handler(event: bytes, context: FcContext) -> dict[str, object]:
        return {"request": context.request_id, "timeout": context.timeout_seconds}

    task, session = recorder.new_task(id="o-1"), recorder.session()
    status, body = call(wsgi_app(handler), task.event, headers_for(session, "r-1"))
    assert (status, body) == (200, b'{"request":"r-1","timeout":30}')
    task.assert_succeeded()
    assert recorder.signer(task) == [session.access_key_id]


def test_a_function_is_named_by_its_handler_string_where_that_is_given(
    call: Callable[..., tuple[int, bytes]], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "served_by_name.py").write_text("def handler(event, context): return event", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert call(wsgi_app("served_by_name.handler"), b"e", headers_for(None, "r-1")) == (200, b"e")


def test_the_context_shows_no_secret(call: Callable[..., tuple[int, bytes]], recorder: Recorder) -> None:
    session = recorder.session()
    status, body = call(
        wsgi_app(lambda _event, context: f"{context!r} {context.credentials!r} {context.function!r}"),
        b"",
        headers_for(session, "r-1"),
    )
    assert status == 200
    assert not [s for s in (session.access_key_secret, session.security_token) if s and s.encode() in body]
