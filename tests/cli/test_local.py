"""`fc-callback local`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fc_callback import CloudFlowClient, Credentials
from fc_callback.local import LocalCloudFlow
from tests.cli.commands import run_command
from tests.cli.flow_samples import APPROVE

if TYPE_CHECKING:
    from pathlib import Path


def test_a_script_may_end_it_as_soon_as_it_has_said_where_it_is() -> None:
    command = [sys.executable, "-m", "fc_callback", "local", "--port", "0", "--json"]
    for _ in range(4):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as service:
            try:
                assert service.stdout is not None
                assert "CLOUDFLOW_ENDPOINT" in json.loads(service.stdout.readline())
                service.send_signal(signal.SIGTERM)
                assert service.wait(30) == 0
            finally:
                service.kill()


def test_what_a_function_writes_comes_to_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "index.py").write_text("def handler(event, context):\n    print('here I am')\n    return {}\n")
    (tmp_path / "flow.yaml").write_text(
        "version: v1\ntype: flow\nsteps:\n  - type: task\n    name: one\n"
        "    resourceArn: acs:fc:::services/s/functions/one\n"
    )
    command = [sys.executable, "-m", "fc_callback", "local", "--port", "0", "--json"]
    command += ["-f", f"one={tmp_path}:index.handler", "--flow", f"one={tmp_path}/flow.yaml"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as service:
        try:
            assert service.stdout is not None
            assert service.stderr is not None
            environment = json.loads(service.stdout.readline())
            key = Credentials(
                access_key_id=environment["ALIBABA_CLOUD_ACCESS_KEY_ID"],
                access_key_secret=environment["ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
            )
            client = CloudFlowClient(endpoint=environment["CLOUDFLOW_ENDPOINT"], credentials=key)
            client.call("StartExecution", form={"FlowName": "one", "Input": "{}"})
            lines = iter(service.stderr.readline, "")
            assert next(line for line in lines if "here I am" in line) == "[one] here I am\n"
        finally:
            service.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_an_ended_service_leaves_nothing_in_the_temporary_folder(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "fc_callback", "local", "--port", "0", "--json"]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "SQLITE_TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as service:
        try:
            assert service.stdout is not None
            assert "CLOUDFLOW_ENDPOINT" in service.stdout.readline()
            service.send_signal(number)
            service.wait(30)
        finally:
            service.kill()

    assert list(tmp_path.iterdir()) == []


def test_a_service_of_a_test_makes_no_files_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with LocalCloudFlow() as service:
        service.create_flow("big", {"version": "v1", "type": "flow", "steps": [{"type": "pass", "name": "one"}]})
        for _ in range(20):  # more than SQLite keeps in memory
            service.wait("big", service.start("big", {"text": "x" * 25_000}))
        assert list(tmp_path.iterdir()) == []


def test_a_process_that_never_closes_its_service_leaves_nothing(tmp_path: Path) -> None:
    program = (
        "import os; from fc_callback.local import LocalCloudFlow\n"
        "service = LocalCloudFlow(); service.start_service(); os._exit(0)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path), "SQLITE_TMPDIR": str(tmp_path)}

    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)

    assert list(tmp_path.iterdir()) == []


def test_each_event_that_a_person_cares_about_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "index.py").write_text("def handler(event, context):\n    return {}\n")
    (tmp_path / "flow.yaml").write_text(APPROVE)
    command = [sys.executable, "-m", "fc_callback", "local", "--port", "0", "--json"]
    command += ["-f", f"ask={tmp_path}:index.handler", "--flow", f"approve={tmp_path}/flow.yaml"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as service:
        try:
            assert service.stdout is not None
            assert service.stderr is not None
            environment = json.loads(service.stdout.readline())
            lines: list[str] = []

            with pytest.MonkeyPatch.context() as patched:
                for name, value in environment.items():
                    patched.setenv(name, value)
                run_command("flow", "start", "approve", "--name", "one", "--input", '{"order": 7}')
                while "waits for a report" not in (lines[-1] if lines else ""):
                    lines.append(service.stderr.readline().rstrip("\n"))
                run_command("flow", "fail", "one", "--error", "Rejected", "--cause", "too dear")
                while "approve/one failed" not in lines[-1]:
                    lines.append(service.stderr.readline().rstrip("\n"))
        finally:
            service.kill()
    told = [re.sub(r"\d\d:\d\d:\d\d", "TIME", re.sub(r"after .+? s", "after TIME", line)) for line in lines]
    assert [line for line in told if line.startswith("approve/")] == [
        'approve/one started with {"order": 7}',
        "approve/one Approve: entered",
        "approve/one Approve: waits for a report since TIME",
        "approve/one Approve: the task failed: Rejected: too dear",
        "approve/one Sorry: entered",
        "approve/one Sorry: failed: Refused: too dear",
        "approve/one failed after TIME: Refused: too dear",
    ]
