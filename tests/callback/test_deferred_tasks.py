"""A task that somebody else finishes: later, elsewhere, with nothing but a sealed token."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback import Task, TokenSeal, once, task_callback
from fc_callback.idempotency.sqlite import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

    from tests.waiting import WaitingTasks

FINISH = """
import sys
from fc_callback import CloudFlowClient, TokenSeal

token = TokenSeal().open(sys.stdin.read(), max_age_seconds=3600)
result = CloudFlowClient().report_task_succeeded(token, {"by": "the other process"})
print(result.already_completed)
"""


def finish_elsewhere(sealed: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-c", FINISH],
        input=sealed,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=os.environ,
    )
    return finished.stdout.strip()


def test_a_deferred_task_is_not_reported_and_the_log_says_so(
    tasks: WaitingTasks, caplog: pytest.LogCaptureFixture
) -> None:
    waiting = tasks.new()

    @task_callback
    def handler(event: bytes, task: Task) -> Any:
        return task.defer()

    with caplog.at_level(logging.INFO, "fc_callback"):
        assert handler(waiting.event, None) == '{"deferred":true}'
    assert waiting.status == "Running"
    assert any("is deferred: another process reports it" in message for message in caplog.messages)
    assert waiting.token not in caplog.text


def test_a_sealed_token_is_enough_to_finish_the_task_from_another_process(
    tasks: WaitingTasks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDFLOW_SEAL_KEY", TokenSeal.generate_key())
    waiting = tasks.new()
    kept = tmp_path / "job-7"

    @task_callback
    def handler(event: bytes, task: Task) -> Any:
        kept.write_text(TokenSeal().seal(task.token), "utf-8")
        return task.defer()

    handler(waiting.event, None)
    assert waiting.token not in kept.read_text("utf-8")
    assert finish_elsewhere(kept.read_text("utf-8")) == "False"
    assert waiting.output == {"by": "the other process"}
    assert finish_elsewhere(kept.read_text("utf-8")) == "True"  # again: accepted, and nothing changes
    assert waiting.reports() == 1


def test_async_functions_and_functions_that_report_failures_defer_as_well(tasks: WaitingTasks) -> None:
    waiting = tasks.new()

    @task_callback(on_failure="report")
    async def handler(event: bytes, task: Task) -> Any:
        return task.defer()

    assert handler(waiting.event, None) == '{"deferred":true}'
    assert waiting.status == "Running"


def test_with_once_a_second_delivery_neither_runs_nor_reports(tasks: WaitingTasks, tmp_path: Path) -> None:
    waiting = tasks.new()
    ran: list[str] = []

    def build() -> Any:  # each in an instance of its own, with the store between them
        @task_callback(once=once("order", store=SqliteStore(tmp_path / "once.db"), name="jobs"))
        def handler(event: bytes, task: Task) -> Any:
            ran.append(task.token.fingerprint)
            return task.defer()

        return handler

    event = waiting.event.replace(b'"order": null', b'"order": "o-1"').replace(b'"order":null', b'"order":"o-1"')
    assert [build()(event, None) for _ in range(3)] == ['{"deferred":true}'] * 3
    assert len(ran) == 1
    assert waiting.status == "Running"


def test_with_once_another_task_for_the_same_work_runs_for_it_has_another_token(tasks: WaitingTasks) -> None:
    ran: list[str] = []

    @task_callback(once=once("order", store="memory:"))
    def handler(payload: dict[str, Any], task: Task) -> Any:
        ran.append(task.token.fingerprint)
        return task.defer()

    for waiting in (tasks.new(order="o-1"), tasks.new(order="o-1")):
        handler(waiting.event, None)
    assert len(set(ran)) == 2


def test_a_task_finished_before_its_function_returns_is_left_as_it_is(tasks: WaitingTasks) -> None:
    from fc_callback import CloudFlowClient

    waiting = tasks.new()

    @task_callback
    def handler(event: bytes, task: Task) -> Any:
        quick = threading.Thread(target=CloudFlowClient().report_task_succeeded, args=(task.token, {"quick": True}))
        quick.start()
        quick.join()
        return task.defer()

    handler(waiting.event, None)
    assert waiting.output == {"quick": True}


def test_what_defer_returns_is_no_output_of_its_own(tasks: WaitingTasks) -> None:
    waiting = tasks.new()

    @task_callback
    def handler(event: bytes, task: Task) -> Any:
        return {"inside": task.defer()}  # forgotten: only the return value itself defers

    with pytest.raises(TypeError, match="inside") as caught:
        handler(waiting.event, None)
    assert waiting.token not in str(caught.value)
    assert waiting.status == "Running"
