"""`fc-callback report`: one task by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fc_callback import TaskToken, TokenSeal
from tests.cli.commands import run_command, run_process
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
