"""A local CloudFlow in a process that a test can kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from fc_callback.values.context import Credentials
from tests.local.raw_client import DATA, RawClient

if TYPE_CHECKING:
    from pathlib import Path


class Process:
    """`tests/local/data/serve.py` in a process of its own."""

    def __init__(self, directory: Path, *, delay: str = "0.05") -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(DATA / "serve.py"), str(directory), delay], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        about = json.loads(self.process.stdout.readline())
        self.client = RawClient(
            about["endpoint"], Credentials(access_key_id=about["id"], access_key_secret=about["secret"])
        )

    def kill(self) -> None:
        self.client.session.close()
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def start(self, flow: str, name: str) -> None:
        assert self.client.v1("StartExecution", {"FlowName": flow, "ExecutionName": name}).status_code == 200

    def describe(self, flow: str, name: str) -> Any:
        return self.client.v1("DescribeExecution", {"FlowName": flow, "ExecutionName": name}).json()

    def invocations(self) -> Any:
        return self.client.session.get(f"{self.client.endpoint}/_local/invocations", timeout=10).json()

    def create(self, name: str, definition: str) -> None:
        form = {"Name": name, "Definition": definition, "Description": "", "Type": "FDL"}
        assert self.client.v1("CreateFlow", form=form).status_code == 200
