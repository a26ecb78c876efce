"""Both functions with one task: called as FC calls them, they report to a local CloudFlow."""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import pytest
from fc_callback.testing import TaskCloudFlow, WaitingTask, events

import ask
import decide
from conftest import sealed_in

Context = Callable[..., Any]


@pytest.fixture
def task(local_cloudflow: TaskCloudFlow) -> WaitingTask:
    return local_cloudflow.new_task({"subject": "Release 2.0?"})


@pytest.fixture
def sealed(task: WaitingTask, fc_context: Context, messages: SimpleQueue[str]) -> str:
    """Ask, and return the sealed token of the link in the message."""
    ask.handler(task.event, fc_context())
    return sealed_in(messages.get(timeout=30))


def request(method: str, sealed: str, decision: str = "") -> bytes:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return events.http(f"decision={decision}", method=method, query={"request": sealed}, headers=kind)


def test_asking_leaves_the_task_waiting(task: WaitingTask, sealed: str) -> None:
    assert task.token.reveal() not in sealed
    task.assert_waiting()


def test_a_webhook_that_does_not_answer_fails_the_task_without_the_address(
    task: WaitingTask, fc_context: Context, messages: SimpleQueue[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_URL", "http://127.0.0.1:1/send?access_token=secret-of-the-robot")

    ask.handler(task.event, fc_context())

    task.assert_failed_with("NotSent")
    assert task.failure is not None
    assert "secret-of-the-robot" not in task.failure[1]


def test_a_message_that_the_webhook_refuses_fails_the_task(
    task: WaitingTask, fc_context: Context, messages: SimpleQueue[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_ERRCODE", "310000")

    ask.handler(task.event, fc_context())

    task.assert_failed_with("NotSent")


def test_a_look_at_the_link_shows_two_buttons_and_decides_nothing(
    task: WaitingTask, sealed: str, fc_context: Context
) -> None:
    answer = decide.handler(request("GET", sealed), fc_context())

    assert answer["statusCode"] == 200
    assert answer["body"].count("<button") == 2
    task.assert_waiting()


@pytest.mark.parametrize(("decision", "approved"), [("approve", True), ("reject", False)])
def test_a_press_on_a_button_decides(
    task: WaitingTask, sealed: str, fc_context: Context, decision: str, approved: bool
) -> None:
    assert decide.handler(request("POST", sealed, decision), fc_context())["statusCode"] == 200

    task.assert_succeeded_with({"approved": approved})


def test_a_second_decision_changes_nothing(task: WaitingTask, sealed: str, fc_context: Context) -> None:
    decide.handler(request("POST", sealed, "approve"), fc_context())

    assert decide.handler(request("POST", sealed, "reject"), fc_context())["statusCode"] == 409
    task.assert_succeeded_with({"approved": True})


def test_a_link_that_was_altered_is_refused(task: WaitingTask, sealed: str, fc_context: Context) -> None:
    altered = sealed[:-4] + ("AAAA" if sealed[-4:] != "AAAA" else "BBBB")

    assert decide.handler(request("POST", altered, "approve"), fc_context())["statusCode"] == 404
    task.assert_waiting()


def test_a_link_expires(task: WaitingTask, sealed: str, fc_context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    later = time.time() + 259_201
    monkeypatch.setattr(time, "time", lambda: later)

    assert decide.handler(request("POST", sealed, "approve"), fc_context())["statusCode"] == 410
