"""`fc-callback serve` in a process of its own, called as FC calls it."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import attrs

from fc_callback.runtime.instance import new_request_id
from tests.runtime.runtime_support import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fc_callback.values.context import Credentials


@attrs.frozen(kw_only=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def headers_for(
    credentials: Credentials | None, request_id: str, *, path: str = "/invoke", retry_count: int = 0
) -> dict[str, str]:
    return {
        "x-fc-request-id": request_id,
        "x-fc-access-key-id": credentials.access_key_id if credentials else "",
        "x-fc-access-key-secret": credentials.access_key_secret if credentials else "",
        "x-fc-security-token": (credentials.security_token or "") if credentials else "",
        "x-fc-function-name": "orders",
        "x-fc-function-handler": "index.handler",
        "x-fc-function-memory": "512",
        "x-fc-function-timeout": "30",
        "x-fc-region": "cn-hangzhou",
        "x-fc-account-id": "1000000000000001",
        "x-fc-qualifier": "LATEST",
        "x-fc-version-id": "",
        "x-fc-control-path": path,
        "x-fc-retry-count": str(retry_count),
        "content-type": "application/octet-stream",
    }


class Served:
    """One server process; its log is read as it comes."""

    def __init__(self, code_dir: Path, *options: str, environment: Mapping[str, str] | None = None) -> None:
        command = [sys.executable, "-m", "fc_callback", "serve", "index.handler", "--port", "0", *options]
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.process = subprocess.Popen(
            command,
            cwd=code_dir,
            env={**kept, "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._inited = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._inited.wait(60), self.log
        found = re.search(r"inited: .* at http://(\S+):(\d+)\.", self.log)
        assert found is not None, self.log
        self.host, self.port = found[1], int(found[2])

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if "runtime inited" in line:
                self._inited.set()
        self._inited.set()

    @property
    def log(self) -> str:
        return "".join(self.lines)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host, self.port, timeout=30)

    def call(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """Make a request; it has ended when its log is here, too."""
        given = dict(headers or headers_for(None, "r-1", path=path))
        connection = self.connect()
        try:
            connection.request(method, path, body, given)
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            result = Answer(status=answer.status, headers=names, body=answer.read())
        finally:
            connection.close()
        if "x-fc-status" in names:  # not a page of an HTTP trigger
            ending = f"End RequestId: {given['x-fc-request-id']}"
            assert eventually(lambda: any(ending in line for line in list(self.lines))), self.log
        return result

    def invoke(self, event: bytes, *, credentials: Credentials | None, request_id: str = "") -> Answer:
        return self.call("POST", "/invoke", event, headers_for(credentials, request_id or new_request_id()))

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        code = self.process.wait(30)
        self._reader.join(10)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
