"""A function still running shortly before its timeout is reported, not left hanging in the flow."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from typing import Any

import pytest

from fc_callback import CloudFlowClient, FcContext, Task, TaskToken, current_task, task_callback
from fc_callback.callback.deadline import SoftDeadline
from fc_callback.local.faults import Fault
from fc_callback.metrics import TaskRecord
from fc_callback.values.context import Deadline
from tests.cloudflow.quick import QUICK, TOKEN, client_of
from tests.cloudflow.scripted import Reply, ScriptedService, error
from tests.invoking import fc_context
from tests.waiting import WaitingTask, WaitingTasks


def until_ended(task: WaitingTask) -> None:
    task.service.wait(task.flow, task.execution, timeout=10)


def made(tasks: WaitingTasks, before: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    return Counter(
        {call: count for call, count in (tasks.service.calls - before).items() if call[0].startswith("Report")}
    )


def slow(task: WaitingTask) -> Any:
    """A handler that runs until its task has an end."""

    @task_callback(on_failure="report", deadline_margin_seconds=0.9, client=CloudFlowClient(retry=QUICK))
    def handler(event: bytes, context: Any) -> Any:
        until_ended(task)
        return {"late": True}

    return handler


def test_a_function_that_runs_too_long_fails_its_task_before_the_timeout(tasks: WaitingTasks) -> None:
    task = tasks.new()
    slow(task)(task.event, fc_context(tasks, timeout=1))
    assert task.failure[0] == "DeadlineExceeded"


def test_the_cause_says_how_long_and_where(tasks: WaitingTasks) -> None:
    task = tasks.new()
    slow(task)(task.event, fc_context(tasks, timeout=1))
    _, cause = task.failure
    assert "still running after 0.5 s" in cause  # at most half of the time is margin
    assert "until_ended (test_softdeadline.py:" in cause
    assert task.token not in cause


def test_what_the_function_returns_afterwards_changes_nothing(tasks: WaitingTasks) -> None:
    task, before = tasks.new(), Counter(tasks.service.calls)
    returned = slow(task)(task.event, fc_context(tasks, timeout=1))
    assert returned == '{"late":true}'
    assert made(tasks, before) == {("ReportTaskFailed", "ok"): 1}


def test_an_exception_that_comes_afterwards_is_not_reported_again(tasks: WaitingTasks) -> None:
    task = tasks.new()

    @task_callback(on_failure="report", deadline_margin_seconds=0.9, client=CloudFlowClient(retry=QUICK))
    def handler(event: bytes, context: Any) -> Any:
        until_ended(task)
        raise RuntimeError("late")

    handler(task.event, fc_context(tasks, timeout=1))
    assert task.failure[0] == "DeadlineExceeded"
    assert task.reports() == 1


def test_a_function_that_is_quick_enough_is_left_alone(tasks: WaitingTasks) -> None:
    task = tasks.new()
    handler = task_callback(on_failure="report")(lambda event, context: {"ok": 1})
    handler(task.event, fc_context(tasks, timeout=60))
    assert task.output == {"ok": 1}
    assert not [
        thread
        for thread in threading.enumerate()
        if isinstance(thread, threading.Timer) and not thread.finished.is_set()
    ]


def watches_inside(tasks: WaitingTasks, timeout: int | None, **options: Any) -> set[threading.Thread]:
    """The timers that begin with an invocation; one that still reports for an earlier test is not among them."""
    running: set[threading.Thread] = set()
    before = set(threading.enumerate())
    handler = task_callback(**options)(lambda event, context: running.update(threading.enumerate()))
    handler(tasks.new().event, fc_context(tasks, timeout=timeout))
    return {thread for thread in running - before if isinstance(thread, threading.Timer)}


def test_without_on_failure_there_is_no_watch(tasks: WaitingTasks) -> None:
    assert not watches_inside(tasks, 60)
    assert watches_inside(tasks, 60, on_failure="report")


def test_without_a_known_timeout_there_is_no_watch(tasks: WaitingTasks) -> None:
    assert not watches_inside(tasks, None, on_failure="report")


def test_fc_s_own_handling_of_the_timeout_is_not_touched(tasks: WaitingTasks) -> None:
    seen: list[Any] = []
    before = signal.getsignal(signal.SIGTERM)
    handler = task_callback(on_failure="report")(lambda event, context: seen.append(signal.getsignal(signal.SIGTERM)))
    handler(tasks.new().event, fc_context(tasks))
    assert seen == [before]


def test_a_deferred_task_is_not_reported_as_late(tasks: WaitingTasks) -> None:
    @task_callback(on_failure="report")
    def handler(event: bytes, context: Any, task: Task) -> Any:
        return task.defer()

    task = tasks.new()
    handler(task.event, fc_context(tasks))
    assert task.status == "Running"


def test_a_watch_that_cannot_deliver_leaves_the_report_to_the_function(
    tasks: WaitingTasks, caplog: pytest.LogCaptureFixture
) -> None:
    with ScriptedService(error("AccessDenied", 403), Reply()) as service:

        @task_callback(on_failure="report", deadline_margin_seconds=0.9, client=client_of(service.endpoint))
        def handler(event: bytes, context: Any) -> Any:
            for _ in range(500):
                if "could not be reported as DeadlineExceeded" in caplog.text:
                    return {"ok": 1}
                time.sleep(0.01)
            raise AssertionError(caplog.text)

        handler({"taskToken": TOKEN}, fc_context(tasks, timeout=1))
        assert [one.parameters["Action"] for one in service.requests] == ["ReportTaskFailed", "ReportTaskSucceeded"]


def test_a_function_that_ends_while_the_watch_reports_waits_for_it(tasks: WaitingTasks) -> None:
    task = tasks.new()
    tasks.service.inject(Fault("slow", action="ReportTaskFailed", seconds=0.2))

    @task_callback(on_failure="report", deadline_margin_seconds=0.9, client=CloudFlowClient(retry=QUICK))
    def handler(event: bytes, context: Any) -> Any:
        deadline = current_task().deadline
        assert deadline is not None
        time.sleep(max(0.0, deadline.remaining_seconds() - 0.4))  # the watch strikes at 0.5 s, and needs 0.2 s
        return {"ok": 1}

    handler(task.event, fc_context(tasks, timeout=1))
    assert task.failure[0] == "DeadlineExceeded"
    assert task.reports() == 1


def test_a_function_that_ended_in_time_is_not_late_while_its_report_is_on_its_way(tasks: WaitingTasks) -> None:
    task, before = tasks.new(), Counter(tasks.service.calls)
    tasks.service.inject(Fault("slow", action="ReportTaskSucceeded", seconds=0.3))

    @task_callback(on_failure="report", deadline_margin_seconds=0.9, client=CloudFlowClient(retry=QUICK))
    def handler(event: bytes, context: Any) -> Any:
        deadline = current_task().deadline
        assert deadline is not None
        time.sleep(max(0.0, deadline.remaining_seconds() - 0.65))  # the watch would strike at 0.5 s
        return {"ok": 1}

    handler(task.event, fc_context(tasks, timeout=1))
    assert task.output == {"ok": 1}
    assert made(tasks, before) == {("ReportTaskSucceeded", "ok"): 1}


def test_a_watch_that_wakes_when_the_task_is_over_reports_nothing() -> None:
    context = FcContext(deadline=Deadline.after(60))
    task = Task(token=TaskToken(TOKEN), payload={}, context=context, deadline=context.deadline)
    with ScriptedService() as service:
        soft = SoftDeadline(
            task=task, client=client_of(service.endpoint), credentials=None, margin=1, record=TaskRecord()
        )
        with pytest.raises(KeyError), soft:  # as when a transient exception passes through
            raise KeyError
        soft._strike(threading.get_ident(), 1.0)
        assert service.calls == 0
