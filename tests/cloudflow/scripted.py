"""A service on a real socket that answers as it is told: for what no CloudFlow would say, and connections that break."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import attrs

OK = {"EventId": 7, "RequestId": "A-1"}


@attrs.frozen
class Reply:
    """One answer. `cut` bytes of the body are left out, and the connection is closed after it."""

    body: Any = attrs.field(factory=lambda: dict(OK))
    status: int = attrs.field(default=200, kw_only=True)
    headers: dict[str, str] = attrs.field(factory=dict, kw_only=True)
    close: bool = attrs.field(default=False, kw_only=True)
    after_seconds: float = attrs.field(default=0.0, kw_only=True)
    cut: int = attrs.field(default=0, kw_only=True)

    def content(self) -> bytes:
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **self.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"HTTP/1.1 {self.status} Said\r\n{lines}\r\n".encode() + body[: len(body) - self.cut]


@attrs.frozen
class Request:
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def parameters(self) -> dict[str, str]:
        """What was sent in the query and in the form."""
        parts = (urlsplit(self.path).query, self.body.decode())
        return dict(pair for part in parts for pair in parse_qsl(part, keep_blank_values=True))


def error(code: str, status: int, message: str = "m", **headers: str) -> Reply:
    return Reply({"Code": code, "Message": message, "RequestId": "R-1"}, status=status, headers=headers)


class ScriptedService:
    """Each request gets the next step of a script; the last step is for all that follow.

    A step is a `Reply`, or `close` (no answer), `reset` (no answer, rudely), `hang` (no answer, the connection stays),
    `trickle` (an answer without an end, a byte at a time), `trickle-header` (the same, and no end to its headers) or
    `trickle-continue` (one 100 Continue after another).
    """

    def __init__(
        self, *steps: Reply | str, tls: ssl.SSLContext | None = None, port: int = 0, receive_buffer: int | None = None
    ) -> None:
        self.steps = list(steps) or [Reply()]
        self.requests: list[Request] = []
        self.connections = 0
        self._silent = 0
        self._tls = tls
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listening = socket.create_server(("127.0.0.1", port))
        if receive_buffer is not None:  # bytes; connections inherit it
            self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.port: int = self._listening.getsockname()[1]
        self.endpoint = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> ScriptedService:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        # A close alone does not wake the thread that waits in accept().
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.drop_connections()
        for thread in self._threads:
            thread.join(10)

    @property
    def calls(self) -> int:
        return len(self.requests)

    def drop_connections(self) -> None:
        """Close all kept connections, as a service does with idle ones; returns when they are closed."""
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue
                connection.close()
            self._open.clear()

    def silence(self) -> None:
        """From now on the connections that are open are silent: nothing is read from them, and nothing said."""
        self._silent = self.connections

    def _start(self, target: Any, *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listening.accept()
                connection = self._tls.wrap_socket(plain, server_side=True) if self._tls else plain
            except ssl.SSLError:
                continue
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.append(connection)
                number = self.connections
            self._start(self._serve, connection, number)

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            with connection, connection.makefile("rb") as stream:
                while (request := self._read(stream, number)) is not None:
                    with self._lock:
                        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
                        self.requests.append(request)
                    if not self._answer(connection, step):
                        return
        except (OSError, UnicodeDecodeError):  # the second: a client that speaks TLS
            return

    def _answer(self, connection: socket.socket, step: Reply | str) -> bool:
        if isinstance(step, Reply):
            self._ended.wait(step.after_seconds)
            connection.sendall(step.content())
            return not (step.close or step.cut)
        if step == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif step == "hang":
            self._ended.wait(30)
        elif step == "trickle":
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{")
            while not self._ended.wait(0.02):
                connection.sendall(b" ")
        elif step == "trickle-header":
            connection.sendall(b"HTTP/1.1 200 OK\r\nx-slow: ")
            while not self._ended.wait(0.02):
                connection.sendall(b"x")
        elif step == "trickle-continue":
            while not self._ended.wait(0.02):
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return False

    def _read(self, stream: Any, number: int) -> Request | None:
        line = stream.readline().decode()
        if not line:
            return None
        headers: dict[str, str] = {}
        while (header := stream.readline().decode().strip()) != "":
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        if number <= self._silent:
            self._ended.wait(30)
            return None
        body = stream.read(int(headers.get("content-length", "0")))
        return Request(path=line.split()[1], headers=headers, body=body, connection=number)
