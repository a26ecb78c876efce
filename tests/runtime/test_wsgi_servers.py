"""The WSGI application under the servers that people choose: waitress, gunicorn, uWSGI."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from tests.parts import UWSGI, need
from tests.runtime.reporting import Recorder
from tests.runtime.runtime_support import CREDENTIALS, eventually
from tests.runtime.serving_support import headers_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

APPLICATION = """
    import logging, threading
    from fc_callback import task_callback
    from fc_callback.runtime import wsgi_app

    @task_callback
    def complete(event: dict, context):
        return {"id": event["id"], "request": context.request_id}

    def handler(event, context):
        if event.startswith(b"{"):
            return complete(event, context)
        logging.info("%d bytes", len(event))
        thread = threading.Thread(target=context.getLogger().info, args=("from a thread",))
        thread.start()
        thread.join()
        return event

    application = wsgi_app(handler)
"""
WAITRESS = (
    "import sys; sys.path.insert(0, '.'); from application import application; from waitress import serve; "
    "serve(application, listen=sys.argv[1], threads=4, channel_timeout=1200)"
)


def _command(server: str, address: str) -> list[str]:
    """Return the command that docs/runtimes.md shows."""
    if server == "waitress":
        return [sys.executable, "-c", WAITRESS, address]
    if server == "gunicorn":
        options = ["--threads", "4", "--keep-alive", "1200", "--timeout", "0"]
        return [sys.executable, "-m", "gunicorn", "--bind", address, *options, "application:application"]
    assert UWSGI is not None
    options = ["--http", address, "--http-keepalive=1200", "--http-timeout=86400"]
    options += ["--add-header", "Connection: Keep-Alive", "--master", "--die-on-term", "--enable-threads"]
    return [UWSGI, *options, "--threads", "4", "--virtualenv", sys.prefix, "--wsgi-file", "application.py"]


class Server:
    """A server in a process of its own; what it and the function write is its log."""

    def __init__(self, server: str, folder: Path, environment: Mapping[str, str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                _command(server, f"127.0.0.1:{self.port}"),
                cwd=folder,
                env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def lines(self, request_id: str) -> list[str]:
        """Return what stands in the log with a request's id, without the time, when all of it is there."""
        ending = f"FC Invoke End RequestId: {request_id}"
        assert eventually(lambda: ending in self.log), self.log
        return [re.sub(r"^\S+Z ", "", line) for line in self.log.splitlines() if request_id in line]

    def invoke(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", "/invoke", body, dict(headers))
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def send(self, request_id: str, head: str, body: bytes) -> bytes:
        """Send a request as it stands, and then no more; return all that comes."""
        fields = [f"{name}: {value}" for name, value in headers_for(None, request_id).items()]
        request = "\r\n".join(["POST /invoke HTTP/1.1", "host: 127.0.0.1", *fields, head, "", ""]).encode() + body
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while part := connection.recv(65536):
                answer += part
        return answer

    def answers(self) -> bool:
        try:
            return self.invoke(b"", headers_for(None, "r-ready"))[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.close()


@pytest.fixture(scope="module", params=["waitress", "gunicorn", "uwsgi"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, recorder: Recorder
) -> Iterator[Server]:
    if request.param == "uwsgi":
        need("uWSGI")
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "application.py").write_text(textwrap.dedent(APPLICATION), encoding="utf-8")
    server = Server(request.param, folder, recorder.environment)
    try:
        assert eventually(server.answers, seconds=60), server.log
        yield server
    finally:
        server.close()


def test_an_event_is_served_byte_by_byte(server: Server) -> None:
    status, headers, body = server.invoke(b"\x00\xff" * 100_000, headers_for(CREDENTIALS, "r-bytes"))
    assert (status, headers["x-fc-status"], body) == (200, "200", b"\x00\xff" * 100_000), server.log


def test_an_empty_event_is_an_event(server: Server) -> None:
    assert server.invoke(b"", headers_for(None, "r-empty"))[::2] == (200, b"")


def test_one_connection_serves_many_requests(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    bodies, sockets = [], set()
    for number in range(3):
        connection.request("POST", "/invoke", b"%d" % number, headers_for(None, f"r-kept-{number}"))
        sockets.add(connection.sock)
        bodies.append(connection.getresponse().read())
    connection.close()
    assert (bodies, len(sockets)) == ([b"0", b"1", b"2"], 1)


def test_a_task_is_completed(server: Server, recorder: Recorder) -> None:
    task = recorder.new_task(id="o-1")
    status, _, body = server.invoke(task.event, headers_for(recorder.session(), "r-task"))
    assert (status, body) == (200, b'{"id":"o-1","request":"r-task"}'), server.log
    task.assert_succeeded()


def test_a_failure_is_404_with_the_error_document(server: Server) -> None:
    status, headers, body = server.invoke(b"{}", headers_for(None, "r-failed"))
    assert (status, headers["x-fc-status"]) == (404, "404")
    assert json.loads(body)["errorType"] == "TaskTokenNotFound"


def test_the_log_is_fcs_with_the_requests_id(server: Server) -> None:
    server.invoke(b"123", headers_for(None, "r-logged"))
    assert server.lines("r-logged") == [
        "FC Invoke Start RequestId: r-logged",
        "r-logged [INFO] 3 bytes",
        "r-logged [INFO] from a thread",
        "FC Invoke End RequestId: r-logged",
    ]


def test_requests_at_once_keep_their_ids_in_the_log(server: Server) -> None:
    names = [f"r-once-{number}." for number in range(8)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda name: server.invoke(name.encode(), headers_for(None, name)), names))
    for name in names:
        assert server.lines(name)[1:3] == [f"{name} [INFO] {len(name)} bytes", f"{name} [INFO] from a thread"]


def _function_ran(server: Server, request_id: str) -> bool:
    # What is sent afterwards is served, so what came before has been.
    server.invoke(b"", headers_for(None, f"after {request_id}"))
    server.lines(f"after {request_id}")
    return f"FC Invoke Start RequestId: {request_id}" in server.log


def test_a_body_that_breaks_off_never_reaches_the_function(server: Server) -> None:
    answer = server.send("r-short", "content-length: 100", b"only this")
    assert not _function_ran(server, "r-short"), server.log
    if answer:  # waitress waits for the rest until the connection ends, and does not even call the application
        assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
        assert b"x-fc-status: 404" in answer
        assert b'"errorType": "EventIncomplete"' in answer


def test_a_chunked_body_reaches_the_function_whole_or_not_at_all(server: Server) -> None:
    # A server that closes with the body unread may reset the connection, and the answer is lost with it: ask again.
    for attempt in range(10):
        name = f"r-chunks-{attempt}"
        answer = server.send(name, "transfer-encoding: chunked", b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")
        if _function_ran(server, name):
            assert answer.endswith(b"hello world"), answer
            return
        if answer:
            break
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
    assert b"Send it with a Content-Length." in answer


def test_a_chunked_body_that_breaks_off_never_reaches_the_function(server: Server) -> None:
    server.send("r-broken", "transfer-encoding: chunked", b"5\r\nhello\r\n6\r\n wor")
    assert not _function_ran(server, "r-broken"), server.log


def test_chunks_without_their_end_never_reach_the_function(server: Server) -> None:
    server.send("r-endless", "transfer-encoding: chunked", b"5\r\nhello\r\n")
    assert not _function_ran(server, "r-endless"), server.log


# In this process: environments that a server may hand over, whatever it is.


@attrs.frozen
class Body:
    """A body as some servers give it: in pieces, and at its end with what they have, or with an error."""

    pieces: list[bytes | Exception]

    def read(self, _size: int = -1) -> bytes:
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece


@pytest.fixture
def call() -> Callable[..., tuple[str, bytes]]:
    from fc_callback.runtime import wsgi_app

    def call(pieces: list[bytes | Exception], **environ: Any) -> tuple[str, bytes]:
        statuses: list[str] = []
        given = {"REQUEST_METHOD": "POST", "PATH_INFO": "/invoke", "wsgi.input": Body(pieces), **environ}
        application: Any = wsgi_app(lambda event, _context: b"ran with " + event)
        body = application(given, lambda status, _headers: statuses.append(status))
        return statuses[0], b"".join(body)

    return call


def test_a_body_that_comes_in_pieces_is_put_together(call: Callable[..., tuple[str, bytes]]) -> None:
    assert call([b"ab", b"c"], CONTENT_LENGTH="3") == ("200 OK", b"ran with abc")


@pytest.mark.parametrize("length", ["-3", "+3", "3.0", "three", "3, 3"])
def test_a_length_that_is_no_number_is_refused(call: Callable[..., tuple[str, bytes]], length: str) -> None:
    status, body = call([b"abc"], CONTENT_LENGTH=length)
    assert (status, b"not a number" in body) == ("400 Bad Request", True)


def test_a_length_far_above_what_comes_takes_no_memory(call: Callable[..., tuple[str, bytes]]) -> None:
    assert call([b"abc"], CONTENT_LENGTH=str(1 << 62))[0] == "400 Bad Request"


def test_an_error_of_the_servers_own_is_no_end_of_the_body(call: Callable[..., tuple[str, bytes]]) -> None:
    status, body = call([b"abc", OSError("of the server")], CONTENT_LENGTH="6")
    assert (status, b"could not be read: OSError." in body) == ("400 Bad Request", True)


def test_a_body_that_the_server_ends_is_read_to_its_end(call: Callable[..., tuple[str, bytes]]) -> None:
    environ = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    assert call([b"ab", b"c"], **environ) == ("200 OK", b"ran with abc")


@pytest.mark.parametrize(
    ("environ", "left"),
    [
        ({"PATH_INFO": "/elsewhere", "CONTENT_LENGTH": "3"}, []),
        ({"PATH_INFO": "/elsewhere", "HTTP_X_FC_CONTROL_PATH": "/http-invoke", "CONTENT_LENGTH": "3"}, []),
        ({"PATH_INFO": "/initialize", "CONTENT_LENGTH": "3"}, []),
        ({"CONTENT_LENGTH": "three", "wsgi.input_terminated": True}, []),
        ({"PATH_INFO": "/elsewhere", "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}, []),
        ({"PATH_INFO": "/elsewhere", "CONTENT_LENGTH": "2"}, [b"c"]),  # a read beyond the length would block
        ({"PATH_INFO": "/elsewhere"}, [b"ab", b"c"]),
        ({"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "3"}, [b"ab", b"c"]),
    ],
)
def test_a_body_that_nothing_needs_is_read_before_the_response(environ: dict[str, Any], left: list[bytes]) -> None:
    from fc_callback.runtime import wsgi_app

    body = Body([b"ab", b"c"])
    given = {"REQUEST_METHOD": "POST", "PATH_INFO": "/invoke", "wsgi.input": body, **environ}
    unread: list[list[bytes | Exception]] = []
    application: Any = wsgi_app(lambda event, _context: event, initializer=lambda _context: None)

    application(given, lambda _status, _headers: unread.append(list(body.pieces)))

    assert unread == [left]


def test_a_refused_request_with_a_large_body_gets_its_response(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    for path in ("/elsewhere", "/elsewhere", "/invoke"):
        connection.request("POST", path, b"x" * 3_000_000, headers_for(None, "r-large"))
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == (200 if path == "/invoke" else 404), server.log
    connection.close()
    assert len(body) == 3_000_000


def test_chunks_beside_a_length_are_not_cut_by_it(call: Callable[..., tuple[str, bytes]]) -> None:
    status, _ = call([b"abc"], CONTENT_LENGTH="3", HTTP_TRANSFER_ENCODING="chunked")
    assert status == "400 Bad Request"
