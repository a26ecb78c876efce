"""`fc-callback report`: one task by hand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from fc_callback import TaskToken, TokenSeal
from tests.cli.commands import run_command, run_process
from tests.cli.screen import terminal
from tests.waiting import WaitingTasks

if TYPE_CHECKING:
    from pathlib import Path


def test_a_task_is_completed_by_hand_with_its_token_from_standard_input(tasks: WaitingTasks) -> None:
    task = tasks.new()
    ended = run_process("report", "--output", '{"approved": true}', stdin=task.token + "\n")
    assert ended.returncode == 0, ended.stderr
    assert task.output == {"approved": True}
    assert task.token not in ended.stdout + ended.stderr


@pytest.mark.parametrize("place", [("report",), ("report", "--"), ("report", "--output"), ("demo", "--"), (), ("--",)])
def test_a_token_in_the_wrong_place_is_not_shown(place: tuple[str, ...], tasks: WaitingTasks) -> None:
    token = tasks.new().token

    ended = run_command(*place, token, "too many")

    assert ended.returncode == 2
    assert "Error: " in ended.stderr
    assert token not in ended.stdout + ended.stderr
    assert "***" in ended.stderr or "too many" in ended.stderr


def test_the_output_comes_from_a_file(tasks: WaitingTasks, tmp_path: Path) -> None:
    task = tasks.new()
    (tmp_path / "out.json").write_text('{"n": 1}')
    assert run_command("report", "--output", f"@{tmp_path}/out.json", stdin=task.token).returncode == 0
    assert task.output == {"n": 1}


def test_a_task_is_failed_by_hand(tasks: WaitingTasks) -> None:
    task = tasks.new()
    assert run_command("report", "--error", "Rejected", "--cause", "too dear", stdin=task.token).returncode == 0
    assert task.failure == ("Rejected", "too dear")


def test_a_sealed_token_is_opened(tasks: WaitingTasks, monkeypatch: pytest.MonkeyPatch) -> None:
    key = TokenSeal.generate_key()
    monkeypatch.setenv("CLOUDFLOW_SEAL_KEY", key)
    task = tasks.new()
    assert run_command("report", "--sealed", stdin=TokenSeal(key).seal(TaskToken(task.token))).returncode == 0
    assert task.output == {}


def test_json_tells_a_script_what_the_service_said(tasks: WaitingTasks) -> None:
    ended = run_command("report", "--json", stdin=tasks.new().token)
    assert json.loads(ended.stdout)["attempts"] == 1


def test_a_second_report_is_refused_with_exit_code_1(tasks: WaitingTasks) -> None:
    task = tasks.new()
    run_command("report", stdin=task.token)
    ended = run_command("report", stdin=task.token)
    assert ended.returncode == 1
    assert "TaskAlreadyCompleted" in ended.stderr


@pytest.mark.parametrize("output", ["no json", "[1]", "3"])
def test_an_output_that_is_no_object_is_refused_before_anything_is_sent(tasks: WaitingTasks, output: str) -> None:
    task = tasks.new()
    assert run_command("report", "--output", output, stdin=task.token).returncode == 2
    assert task.status == "Running"


def test_an_empty_standard_input_says_what_to_give() -> None:
    ended = run_command("report")
    assert ended.returncode == 2
    assert "standard input" in ended.stderr


NOWHERE = ("--endpoint", "http://127.0.0.1:1", "--token", "t")
KEY = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "id", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret"}


def test_a_terminal_says_after_the_first_failed_call_what_happens_and_ends_within_half_a_minute() -> None:
    with terminal("report", *NOWHERE, environment=KEY) as screen:
        shown = screen.read_until("Ctrl-C ends it.")
        assert "Call 1 failed: No answer from http://127.0.0.1:1: the connection was refused." in shown
        assert re.search(r"The command tries again until \d\d:\d\d:\d\d\.", shown)
        began = time.monotonic()
        assert screen.end() == 1
        assert time.monotonic() - began < 30
        plain = screen.plain
    assert plain.count("Ctrl-C ends it.") == 1
    assert "was not delivered before the deadline" in plain
    assert "FC delivers the event again" not in plain


def test_a_pipe_says_so_too_and_tries_for_a_minute() -> None:
    command = [sys.executable, "-m", "fc_callback", "report", *NOWHERE]
    began = datetime.now()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **KEY}) as running:
        try:
            assert running.stderr is not None
            told = running.stderr.readline()
        finally:
            running.kill()
    until = re.search(r"until (\d\d:\d\d:\d\d)", told)
    assert until is not None, told
    end = datetime.combine(began.date(), datetime.strptime(until[1], "%H:%M:%S").time())
    assert (end - began).seconds >= 59


def test_a_report_that_succeeds_says_nothing_of_calls(tasks: WaitingTasks) -> None:
    with terminal("report", "--token", tasks.new().token) as screen:
        assert screen.end() == 0
        assert "Call 1" not in screen.plain


def test_a_local_address_without_its_scheme_gets_a_hint(tasks: WaitingTasks) -> None:
    address = tasks.service.endpoint.removeprefix("http://")
    with terminal("report", "--token", tasks.new().token, "--endpoint", address) as screen:
        assert "write its address with http://, such as http://localhost:8089" in screen.read_until("Ctrl-C").replace(
            "\n", " "
        )


@pytest.mark.parametrize(
    "arguments",
    [
        ("--endpoint", "ftp://there"),
        ("--output", "@missing.json"),
        ("--error", ""),
        ("--error", "x" * 129),
        ("--error", "No", "--cause", "\udcff"),
        ("--output", "{}", "--error", "No"),
        ("--nothing",),
    ],
)
def test_wrong_usage_of_report_is_exit_code_2(arguments: tuple[str, ...]) -> None:
    ended = run_command("report", *arguments, stdin="token")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr
