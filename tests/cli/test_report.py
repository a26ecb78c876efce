"""`fc-callback report` and `fc-callback redeliver`."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from fc_callback import ReportUndelivered, TaskFailed, TaskToken, TokenSeal, once, task_callback
from fc_callback.cloudflow.client import CloudFlowClient
from fc_callback.cloudflow.retry import RetryPolicy
from fc_callback.local import Fault
from tests.waiting import WaitingTask, WaitingTasks

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fc_callback", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)


def test_a_task_is_completed_by_hand_with_its_token_from_standard_input(tasks: WaitingTasks) -> None:
    task = tasks.new()
    ended = run("report", "--output", '{"approved": true}', stdin=task.token + "\n")
    assert ended.returncode == 0, ended.stderr
    assert task.output == {"approved": True}
    assert task.token not in ended.stdout + ended.stderr


@pytest.mark.parametrize("place", [("report",), ("report", "--"), ("report", "--output"), ("demo", "--"), (), ("--",)])
def test_a_token_in_the_wrong_place_is_not_shown(place: tuple[str, ...], tasks: WaitingTasks) -> None:
    token = tasks.new().token

    ended = run(*place, token, "too many")

    assert ended.returncode == 2
    assert "Error: " in ended.stderr
    assert token not in ended.stdout + ended.stderr
    assert "***" in ended.stderr or "too many" in ended.stderr


def test_the_output_comes_from_a_file(tasks: WaitingTasks, tmp_path: Path) -> None:
    task = tasks.new()
    (tmp_path / "out.json").write_text('{"n": 1}')
    assert run("report", "--output", f"@{tmp_path}/out.json", stdin=task.token).returncode == 0
    assert task.output == {"n": 1}


def test_a_task_is_failed_by_hand(tasks: WaitingTasks) -> None:
    task = tasks.new()
    assert run("report", "--error", "Rejected", "--cause", "too dear", stdin=task.token).returncode == 0
    assert task.failure == ("Rejected", "too dear")


def test_a_sealed_token_is_opened(tasks: WaitingTasks, monkeypatch: pytest.MonkeyPatch) -> None:
    key = TokenSeal.generate_key()
    monkeypatch.setenv("CLOUDFLOW_SEAL_KEY", key)
    task = tasks.new()
    assert run("report", "--sealed", stdin=TokenSeal(key).seal(TaskToken(task.token))).returncode == 0
    assert task.output == {}


def test_json_tells_a_script_what_the_service_said(tasks: WaitingTasks) -> None:
    ended = run("report", "--json", stdin=tasks.new().token)
    assert json.loads(ended.stdout)["attempts"] == 1


def test_a_second_report_is_refused_with_exit_code_1(tasks: WaitingTasks) -> None:
    task = tasks.new()
    run("report", stdin=task.token)
    ended = run("report", stdin=task.token)
    assert ended.returncode == 1
    assert "TaskAlreadyCompleted" in ended.stderr


@pytest.mark.parametrize("output", ["no json", "[1]", "3"])
def test_an_output_that_is_no_object_is_refused_before_anything_is_sent(tasks: WaitingTasks, output: str) -> None:
    task = tasks.new()
    assert run("report", "--output", output, stdin=task.token).returncode == 2
    assert task.status == "Running"


def test_an_empty_standard_input_says_what_to_give() -> None:
    ended = run("report")
    assert ended.returncode == 2
    assert "standard input" in ended.stderr


def _undelivered(
    task: WaitingTask, tasks: WaitingTasks, url: str, *, seal: TokenSeal | None, fail: bool = False
) -> None:
    """Leave a result in the store whose report did not get through."""
    client = CloudFlowClient(retry=RetryPolicy(total_seconds=0.01))

    @task_callback(once=once("order.id", store=url, seal=seal), client=client)
    def handler(order: dict[str, object]) -> dict[str, bool]:
        if fail:
            raise TaskFailed("TooDear", cause="of 7")
        return {"done": True}

    tasks.service.inject(Fault("close", times=None))
    with pytest.raises(ReportUndelivered):
        handler(task.event, None)
    tasks.service.clear_faults()


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store's."""
    return f"sqlite:///{tmp_path}/once.db"


@pytest.fixture
def seal(monkeypatch: pytest.MonkeyPatch) -> TokenSeal:
    """One whose key the command line has."""
    key = TokenSeal.generate_key()
    monkeypatch.setenv("CLOUDFLOW_SEAL_KEY", key)
    return TokenSeal(key)


def test_redeliver_reports_what_is_done_and_not_reported(tasks: WaitingTasks, url: str, seal: TokenSeal) -> None:
    good, bad = tasks.new(order={"id": 1}), tasks.new(order={"id": 2})
    _undelivered(good, tasks, url, seal=seal)
    _undelivered(bad, tasks, url, seal=seal, fail=True)
    dry = run("redeliver", url, "--dry-run")
    assert "would be reported" in dry.stdout
    assert good.status == "Running"
    ended = run("redeliver", url)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "[2/2]" in ended.stdout
    assert good.output == {"done": True}
    assert bad.failure == ("TooDear", "of 7")
    again = run("redeliver", url)
    assert (again.returncode, again.stdout) == (0, "0 waiting for a report.\n")
    assert good.token not in ended.stdout + ended.stderr + dry.stdout


def test_redeliver_says_what_it_must_leave_to_the_next_delivery(tasks: WaitingTasks, url: str) -> None:
    task = tasks.new(order={"id": 1})
    _undelivered(task, tasks, url, seal=None)
    ended = run("redeliver", url, "--json")
    assert ended.returncode == 1
    assert json.loads(ended.stdout)["result"] == "left"
    assert task.status == "Running"


def test_redeliver_finds_a_task_that_has_ended_meanwhile(tasks: WaitingTasks, url: str, seal: TokenSeal) -> None:
    task = tasks.new(order={"id": 1})
    _undelivered(task, tasks, url, seal=seal)
    CloudFlowClient().report_task_succeeded(task.token, {"by": "hand"})
    ended = run("redeliver", url)
    assert ended.returncode == 0
    assert "had an end already" in ended.stdout
    assert task.output == {"by": "hand"}


def test_redeliver_reports_the_others_beside_a_record_that_cannot_be_read(
    tasks: WaitingTasks, url: str, seal: TokenSeal, tmp_path: Path
) -> None:
    task, lost = tasks.new(order={"id": 1}), tasks.new(order={"id": 2})
    _undelivered(lost, tasks, url, seal=seal)
    with closing(sqlite3.connect(tmp_path / "once.db")) as connection, connection:
        connection.execute("UPDATE once_records SET record = '{}'")
    _undelivered(task, tasks, url, seal=seal)
    ended = run("redeliver", url)
    assert ended.returncode == 1
    assert task.output == {"done": True}
    assert "[1/1]" in ended.stdout
    assert "holds a record that cannot be read" in ended.stderr


def test_redeliver_without_a_store_says_what_to_set() -> None:
    ended = run("redeliver")
    assert ended.returncode == 1
    assert "CLOUDFLOW_ONCE_STORE" in ended.stderr


@pytest.mark.parametrize("key", [None, TokenSeal.generate_key()], ids=["no key", "another key"])
def test_redeliver_says_so_when_it_has_not_the_key_of_the_seal(
    key: str | None, tasks: WaitingTasks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/once.db"
    _undelivered(tasks.new(order={"id": 1}), tasks, url, seal=TokenSeal(TokenSeal.generate_key()))
    if key:
        monkeypatch.setenv("CLOUDFLOW_SEAL_KEY", key)
    ended = run("redeliver", url)
    assert ended.returncode == 1
    assert "CLOUDFLOW_SEAL_KEY does not open it" in ended.stdout
