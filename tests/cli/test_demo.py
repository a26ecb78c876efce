"""`fc-callback demo` and `fc-callback local`, as a person runs them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fc_callback import CloudFlowClient, Credentials
from tests.cli.commands import run_command, run_process

if TYPE_CHECKING:
    from pathlib import Path


def test_the_demo_ends_by_itself_with_three_executions_as_they_should_be() -> None:
    ended = run_process("demo")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "All three executions ended as expected." in ended.stdout
    assert ended.stdout.count("ExecutionSucceeded") == 3
    assert "delivery 2" in ended.stdout
    assert ended.stderr == ""  # no warning of its flows either


def test_the_demo_shows_no_token() -> None:
    assert "djEj" not in run_command("demo").stdout


def test_keep_leaves_the_project(tmp_path: Path) -> None:
    ended = run_command("demo", "--keep", str(tmp_path / "project"))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (tmp_path / "project" / "s.yaml").is_file()


def test_the_demo_never_writes_into_a_directory_with_files(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    ended = run_command("demo", "--keep", str(tmp_path))
    assert ended.returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "index.py").write_text(
        "from fc_callback import task_callback\n\n\n@task_callback\ndef handler(event, context):\n    return {'ok': True}\n"
    )
    (tmp_path / "flow.yaml").write_text(
        "Type: StateMachine\nName: one\nSpecVersion: v1\nStartAt: Wait\nStates:\n"
        "  - Name: Wait\n    Type: Task\n    Action: FC:InvokeFunction\n    TaskMode: WaitForCustomCallback\n"
        "    Timeout: 60\n    Parameters:\n      resourceArn: acs:fc:cn-hangzhou:1:functions/one/LATEST\n"
        "      invocationType: Async\n      body:\n        taskToken.$: $Context.Current.TaskToken\n    End: true\n"
    )
    return tmp_path


def test_local_says_what_to_export_runs_flows_and_ends_on_a_signal(project: Path) -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "fc_callback",
            "local",
            "--port",
            "0",
            "--json",
            "-f",
            f"one={project}/code:index.handler",
        ]
        + ["--flow", f"one={project}/flow.yaml"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        environment = json.loads(process.stdout.readline())
        key = Credentials(
            access_key_id=environment["ALIBABA_CLOUD_ACCESS_KEY_ID"],
            access_key_secret=environment["ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
        )
        client = CloudFlowClient(endpoint=environment["CLOUDFLOW_ENDPOINT"], credentials=key, read_timeout=40)
        name = client.call("StartExecution", form={"FlowName": "one", "Input": "{}"})["Name"]
        query = {"FlowName": "one", "ExecutionName": name, "WaitTimeSeconds": "30"}
        ended = client.call("DescribeExecution", query=query)
        assert (ended["Status"], json.loads(ended["Output"])) == ("Succeeded", {"ok": True})
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.communicate()


def test_local_names_a_code_directory_that_is_not_there() -> None:
    ended = run_command("local", "-f", "one=nowhere:index.handler")
    assert ended.returncode == 2
    assert "nowhere" in ended.stderr


def test_local_refuses_a_port_that_is_taken() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = run_command("local", "--port", str(taken.getsockname()[1]))
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr


def test_without_the_extra_the_command_line_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise ImportError('No module named typer', name='typer')")
    ended = run_process("demo", env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert ended.returncode == 1
    assert "pip install 'fc-callback[local]'" in ended.stderr


def test_a_machine_without_a_temporary_folder_is_told_in_a_line(tmp_path: Path) -> None:
    program = f"import tempfile; tempfile.tempdir = '{tmp_path}/nowhere'; from fc_callback.cli import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", program, "demo"], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert "The demo stopped" in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr
