"""`fc-callback invoke --debugpy`: a debugger attaches before the function is loaded."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.commands import run_command

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "index.py").write_text("def handler(event, context):\n    return {'seen': len(event)}\n")
    return tmp_path


class Debugger:
    """A client of the Debug Adapter Protocol."""

    def __init__(self, port: int) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
                break
            except OSError:
                assert time.monotonic() < deadline, "debugpy does not listen"
                time.sleep(0.1)
        self._file = self._socket.makefile("rb")
        self._sent = 0

    def ask(self, command: str, **arguments: Any) -> None:
        self._sent += 1
        message = {"seq": self._sent, "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(message).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    def read_until(self, name: str) -> None:
        while True:
            length = int(self._file.readline().partition(b":")[2])
            self._file.readline()
            message = json.loads(self._file.read(length))
            if name in (message.get("event"), message.get("command") if message["type"] == "response" else None):
                return

    def attach(self) -> None:
        self.ask("initialize", adapterID="test")
        self.read_until("initialize")
        self.ask("attach", justMyCode=True)
        self.read_until("initialized")
        self.ask("configurationDone")
        self.read_until("attach")

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def test_the_function_waits_for_a_debugger_and_then_runs(project: Path, port: int) -> None:
    command = [sys.executable, "-m", "fc_callback", "invoke", "index.handler", "--payload", "{}"]
    with subprocess.Popen(
        [*command, "--debugpy", str(port)],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            debugger = Debugger(port)
            assert process.poll() is None
            debugger.attach()
            stdout, stderr = process.communicate(timeout=60)
            debugger.close()
        finally:
            process.kill()
    assert json.loads(stdout)["seen"] > 0, stderr
    assert f"debugpy waits for a debugger at 127.0.0.1:{port}." in stderr


def test_an_interpreter_without_debugpy_is_named_with_the_command_that_installs_it(
    project: Path, port: int, tmp_path: Path
) -> None:
    python = tmp_path / "python-without"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S -I "$@"\n')
    python.chmod(0o755)
    ended = run_command(
        "invoke", "index.handler", "--code-dir", str(project), "--python", str(python), "--debugpy", str(port)
    )
    assert ended.returncode == 2
    assert f"{python} -m pip install debugpy" in ended.stderr


def test_a_custom_runtime_cannot_be_debugged_so(project: Path, port: int) -> None:
    ended = run_command(
        "invoke", "index.handler", "--code-dir", str(project), "--profile", "custom", "--debugpy", str(port)
    )
    assert ended.returncode == 2
    assert "python3.10 or python3.12" in ended.stderr
