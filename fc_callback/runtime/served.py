"""The process of a function in a custom runtime: `fc-callback serve`, called over HTTP on loopback."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, Any

from fc_callback.runtime.process import GRACE_SECONDS, PACKAGE_HOME, START_SECONDS, Exchange, FunctionProcess

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fc_callback.runtime.function import FunctionSpec

# The code directory is first on sys.path, as with `python -m`. This package is last, for interpreters without it.
_START = "import sys; sys.path.append(sys.argv.pop(1)); from fc_callback.cli import main; main()"
_HEAD_ENDS = b"\r\n\r\n"
_TARGETS = {"invoke": "POST /invoke", "initialize": "POST /initialize", "pre_stop": "GET /pre-stop"}


class ServedProcess(FunctionProcess):
    """A process that serves the function on an inherited socket; the parent keeps one connection to it."""

    ends_when_closed = False

    def __init__(self, spec: FunctionSpec, environment: Mapping[str, str]) -> None:
        self._fixed = {
            "function-name": spec.name,
            "function-memory": str(spec.memory_mb),
            "function-timeout": str(max(1, round(spec.timeout_seconds))),
            "region": spec.region,
            "account-id": spec.account_id,
            "qualifier": "LATEST",
            "version-id": "",
        }
        listening = socket.create_server(("127.0.0.1", 0))
        connection = socket.create_connection(listening.getsockname())
        self._loading_fd, child_loading = os.pipe()
        try:
            super().__init__(
                spec,
                command=_serve_command(spec, listening.fileno(), child_loading),
                environment=environment,
                request_fd=os.dup(connection.fileno()),
                response_fd=connection.detach(),
                inherited=(listening.detach(), child_loading),
            )
        except BaseException:
            os.close(self._loading_fd)
            raise

    def start(self, *, seconds: float) -> Exchange | None:
        """Wait for the server, then at most `seconds` for the import of the function's module."""
        if self.spec.limit_memory:
            _limit_memory(self.pid, self.spec.memory_mb * 1024 * 1024)
        if not self.wait_for_byte(self._loading_fd, seconds=START_SECONDS):
            return None
        began = time.monotonic()
        # Any server responds to this request as soon as it serves, if only with 404.
        exchange = self.exchange({}, b"", seconds=seconds)
        self.import_seconds = time.monotonic() - began
        return exchange

    def end(self, *, ask: bool = True, seconds: float = GRACE_SECONDS) -> int:
        """End the process and its process group; return its exit code."""
        os.close(self._loading_fd)
        return super().end(ask=ask, seconds=seconds)

    def encode(self, header: dict[str, Any], body: bytes) -> bytes:
        """Return the HTTP request of a call."""
        target = _TARGETS.get(header.get("kind", ""), "GET /")
        fields = {"host": "127.0.0.1", "content-type": "application/octet-stream", "content-length": str(len(body))}
        if header:
            given = {
                **self._fixed,
                "request-id": header["request_id"],
                "retry-count": str(header["retry_count"]),
                "function-handler": header["handler"],
                "control-path": target.partition(" ")[2],
                **dict(
                    zip(("access-key-id", "access-key-secret", "security-token"), header["credentials"], strict=True)
                ),
            }
            fields |= {f"x-fc-{name}": value for name, value in given.items()}
        lines = [f"{target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        return "\r\n".join(lines).encode() + _HEAD_ENDS + body

    def decode(self, data: bytearray) -> tuple[dict[str, Any], bytes] | None:
        """Read the HTTP response. As on FC, `x-fc-status: 404` means a failure."""
        end = data.find(_HEAD_ENDS)
        if end < 0:
            return None
        fields = {}
        for line in data[:end].decode("latin-1").split("\r\n")[1:]:
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        body = bytes(data[end + len(_HEAD_ENDS) :])
        if len(body) < int(fields.get("content-length", 0)):
            return None
        return {"succeeded": fields.get("x-fc-status") != "404"}, body


def _serve_command(spec: FunctionSpec, fd: int, loading_fd: int) -> list[str]:
    command = [spec.python, "-c", _START, PACKAGE_HOME, "serve", spec.handler, "--fd", str(fd)]
    command += ["--loading-fd", str(loading_fd)]
    # Enough for a request that was about to end. After it the process exits with 143.
    command += ["--threads", "1", "--drain-seconds", "1"]
    if spec.initializer:
        command += ["--initializer", spec.initializer]
    if spec.pre_stop:
        command += ["--pre-stop", spec.pre_stop]
    return [*command, "--lifeline-fd"]


def _limit_memory(pid: int, size: int) -> None:
    import resource

    if hasattr(resource, "prlimit"):  # Linux
        resource.prlimit(pid, resource.RLIMIT_AS, (size, size))
