"""once=: a second delivery does not run the function again, but it does report."""

from __future__ import annotations

import json
import re
from contextvars import copy_context
from functools import partial
from typing import Any

import pytest

from fc_callback import CloudFlowClient, FcContext, ReportUndelivered, Task, TaskFailed, TaskToken, once, task_callback
from fc_callback.cloudflow.errors import TaskAlreadyCompleted
from fc_callback.errors import (
    IdempotencyKeyMissing,
    OutputError,
    OutputTooLarge,
    PayloadChanged,
    StoreUnavailable,
    WorkInProgress,
)
from fc_callback.idempotency import Record
from fc_callback.idempotency.key import scope_of
from fc_callback.idempotency.memory import MemoryStore
from fc_callback.local.faults import Fault
from fc_callback.values.context import Deadline
from tests.cloudflow.quick import QUICK
from tests.invoking import fc_context
from tests.waiting import WaitingTask, WaitingTasks


def made(store: MemoryStore, ran: list[Any], **options: Any) -> Any:
    @task_callback(once=once("order.id", store=store), **options)
    def handler(event: dict[str, Any], context: Any) -> Any:
        ran.append(event["order"]["id"])
        return {"charged": event["order"]["id"], "run": len(ran)}

    return handler


def new(tasks: WaitingTasks, number: int = 1) -> WaitingTask:
    return tasks.new("cloudflow", {"id": number})


def test_a_replay_reports_the_stored_output_with_its_own_token(tasks: WaitingTasks) -> None:
    store = MemoryStore()
    ran: list[Any] = []
    handler = made(store, ran)
    first, second = new(tasks), new(tasks)
    handler(first.event, fc_context(tasks))
    handler(second.event, fc_context(tasks))
    assert ran == [1]
    assert first.output == second.output == {"charged": 1, "run": 1}


def test_fc_gets_the_stored_output_as_well(tasks: WaitingTasks) -> None:
    handler = made(MemoryStore(), [])
    assert handler(new(tasks).event, fc_context(tasks)) == handler(new(tasks).event, fc_context(tasks))


def test_other_work_runs(tasks: WaitingTasks) -> None:
    store = MemoryStore()
    ran: list[Any] = []
    handler = made(store, ran)
    for number in (1, 2, 1):
        handler(new(tasks, number).event, fc_context(tasks))
    assert ran == [1, 2]


def test_after_a_report_that_was_not_delivered_the_retry_only_reports(tasks: WaitingTasks) -> None:
    store = MemoryStore()
    ran: list[Any] = []
    handler = made(store, ran, client=CloudFlowClient(retry=QUICK))
    task = new(tasks)
    tasks.service.inject(Fault("error-before", times=None))
    try:
        with pytest.raises(ReportUndelivered):
            handler(task.event, fc_context(tasks, timeout=1.1))
    finally:
        tasks.service.clear_faults()
    assert [record.state for record in store.pending()] == ["DONE"]
    handler(task.event, fc_context(tasks))
    assert ran == [1]
    assert task.output == {"charged": 1, "run": 1}
    assert not list(store.pending())


def test_a_named_failure_is_remembered_like_a_result(tasks: WaitingTasks) -> None:
    ran: list[int] = []

    @task_callback(once=once("order.id", store=MemoryStore()))
    def handler(event: bytes, context: Any) -> Any:
        ran.append(1)
        raise TaskFailed("Declined", cause="no funds")

    first, second = new(tasks), new(tasks)
    for task in (first, second):
        handler(task.event, fc_context(tasks))
        assert task.failure == ("Declined", "no funds")
    assert ran == [1]


@pytest.mark.parametrize("on_failure", ["raise", "report"])
def test_a_technical_failure_is_forgotten_so_that_a_retry_runs(tasks: WaitingTasks, on_failure: Any) -> None:
    ran: list[int] = []

    @task_callback(once=once("order.id", store=MemoryStore()), on_failure=on_failure)
    def handler(event: bytes, context: Any) -> Any:
        ran.append(1)
        if len(ran) == 1:
            raise RuntimeError("for the moment")
        return {"run": len(ran)}

    first, second = new(tasks), new(tasks)
    if on_failure == "raise":
        with pytest.raises(RuntimeError):
            handler(first.event, fc_context(tasks))
    else:
        handler(first.event, fc_context(tasks))
    handler(second.event, fc_context(tasks))
    assert second.output == {"run": 2}


UNWRITABLE: list[Any] = [
    pytest.param(object, OutputError, id="no JSON"),
    pytest.param(lambda: {"rate": float("nan")}, OutputError, id="NaN"),
    pytest.param(lambda: {"text": "x" * 70_000}, OutputTooLarge, id="too large"),
    pytest.param(lambda: {"odd": "\ud800"}, OutputError, id="a lone surrogate"),
]


@pytest.mark.parametrize(("result", "kind"), UNWRITABLE)
def test_a_function_whose_result_cannot_be_an_output_does_not_run_again(
    tasks: WaitingTasks, result: Any, kind: Any
) -> None:
    ran: list[int] = []
    options = once("order.id", store=MemoryStore())

    @task_callback(once=options)
    def handler(event: bytes, context: Any) -> Any:
        ran.append(1)
        return result()

    said = []
    for _ in range(3):
        task = new(tasks)
        with pytest.raises(kind) as caught:
            handler(task.event, fc_context(tasks))
        said.append((type(caught.value), str(caught.value), vars(caught.value)))
        assert task.status == "Running"
    assert ran == [1]
    assert said[0] == said[1] == said[2]
    assert re.search(r"redeliver STORE --forget [0-9a-f]{64}", said[0][1])
    assert not list(options.store.pending())  # nobody asked for its report


@pytest.mark.parametrize(("result", "kind"), UNWRITABLE)
def test_a_result_that_cannot_be_an_output_is_a_failure_by_name_and_remembered(
    tasks: WaitingTasks, result: Any, kind: Any
) -> None:
    ran: list[int] = []

    @task_callback(once=once("order.id", store=MemoryStore()), on_failure="report")
    def handler(event: bytes, context: Any) -> Any:
        ran.append(1)
        return result()

    causes = []
    for _ in range(2):
        task = new(tasks)
        handler(task.event, fc_context(tasks))
        error, cause = task.failure
        assert error == kind.__name__
        causes.append(cause)
    assert ran == [1]
    assert causes[0] == causes[1]
    assert re.search(r"redeliver STORE --forget [0-9a-f]{64}", causes[0])


def test_a_large_output_that_is_stored_elsewhere_and_cannot_be_written_either_is_remembered(
    tasks: WaitingTasks,
) -> None:
    stored: list[int] = []

    def keep(text: str, task: Task) -> Any:
        stored.append(1)
        return {"reference": object()}

    @task_callback(once=once("order.id", store=MemoryStore()), large_output=keep)
    def handler(event: bytes, context: Any) -> Any:
        return {"text": "x" * 70_000}

    for _ in range(2):
        with pytest.raises(OutputError, match=r"\$\.reference"):
            handler(new(tasks).event, fc_context(tasks))
    assert stored == [1]


def test_a_plain_call_whose_result_cannot_be_an_output_does_not_run_again(tasks: WaitingTasks) -> None:
    ran: list[int] = []

    @task_callback(once=once("order.id", store=MemoryStore()), missing_token="ignore")
    def handler(event: bytes, context: Any) -> Any:
        ran.append(1)
        return object()

    for _ in range(2):
        with pytest.raises(OutputError, match="--forget"):
            handler(b'{"order":{"id":1}}', fc_context(tasks))
    assert ran == [1]


def test_an_output_error_that_the_function_itself_raises_is_an_exception_like_any_other(tasks: WaitingTasks) -> None:
    ran: list[int] = []

    @task_callback(once=once("order.id", store=MemoryStore()))
    def handler(event: bytes, context: Any) -> Any:
        ran.append(1)
        raise OutputError("The function could not write its own file.")

    for _ in range(2):
        with pytest.raises(OutputError):
            handler(new(tasks).event, fc_context(tasks))
    assert ran == [1, 1]


def test_a_deferred_task_is_not_asked_for_again(tasks: WaitingTasks) -> None:
    ran: list[int] = []

    @task_callback(once=once("order.id", store=MemoryStore()))
    def handler(event: bytes, context: Any, task: Task) -> Any:
        ran.append(1)
        return task.defer()

    task = new(tasks)
    for _ in range(2):
        assert json.loads(handler(task.event, fc_context(tasks))) == {"deferred": True}
    assert ran == [1]
    assert task.status == "Running"


class Failing(MemoryStore):
    """A store that goes away once the work has begun."""

    def replace(self, old: Record, new: Record, *, timeout: float = 10) -> bool:
        raise StoreUnavailable("The store is gone.")


def test_a_store_that_is_gone_when_the_work_is_done_does_not_lose_the_report(
    tasks: WaitingTasks, caplog: pytest.LogCaptureFixture
) -> None:
    task = new(tasks)
    made(Failing(), [])(task.event, fc_context(tasks, timeout=2))
    assert task.output == {"charged": 1, "run": 1}
    assert "may run it again" in caplog.text
    assert [line.levelname for line in caplog.records if "may run it again" in line.getMessage()] == ["ERROR"]


class Gone(MemoryStore):
    def get(self, key: str, *, timeout: float = 10) -> Record | None:
        raise StoreUnavailable("The store is gone.")


def test_a_store_that_is_gone_from_the_start_lets_nothing_run(tasks: WaitingTasks) -> None:
    ran: list[Any] = []
    task = new(tasks)
    with pytest.raises(StoreUnavailable):
        made(Gone(), ran)(task.event, fc_context(tasks))
    assert not ran
    assert task.status == "Running"


@pytest.mark.parametrize("key", ["order.number", lambda payload: payload["order"]["number"], lambda payload: None])
def test_a_payload_without_the_key_is_reported_like_bad_input(tasks: WaitingTasks, key: Any) -> None:
    ran: list[Any] = []
    store = MemoryStore()

    @task_callback(once=once(key, store=store), on_failure="report")
    def handler(event: dict[str, Any], context: Any) -> Any:
        ran.append(event)

    task = new(tasks)
    given = json.loads(handler(task.event, fc_context(tasks)))
    assert given["error"] == "IdempotencyKeyMissing"
    assert task.failure[0] == "IdempotencyKeyMissing"
    assert not ran
    assert not list(store.pending())


def test_a_payload_that_is_nested_too_deeply_to_compare_is_reported_like_bad_input(tasks: WaitingTasks) -> None:
    def too_deep(payload: Any) -> Any:
        raise RecursionError

    @task_callback(once=once(too_deep, store=MemoryStore()), on_failure="report")
    def handler(event: dict[str, Any], context: Any) -> Any:
        raise AssertionError

    task = new(tasks)
    handler(task.event, fc_context(tasks))
    assert task.failure[0] == "PayloadInvalid"


@pytest.mark.parametrize("options", [{}, {"on_failure": "report", "transient": (IdempotencyKeyMissing,)}])
def test_a_payload_without_the_key_passes_through_where_such_failures_do(tasks: WaitingTasks, options: Any) -> None:
    task = tasks.new("cloudflow", {"id": None})
    with pytest.raises(IdempotencyKeyMissing, match=r"'order\.id'"):
        made(MemoryStore(), [], **options)(task.event, fc_context(tasks))
    task.task.assert_waiting()


def test_another_payload_under_a_known_key_is_not_reported_because_the_first_one_may_still_run(
    tasks: WaitingTasks,
) -> None:
    store = MemoryStore()
    handler = made(store, [], on_failure="report")
    handler(new(tasks).event, fc_context(tasks))
    task = tasks.new("cloudflow", {"id": 1, "amount": 2})
    with pytest.raises(PayloadChanged):
        handler(task.event, fc_context(tasks))
    task.task.assert_waiting()


def test_a_plain_call_is_done_once_as_well(tasks: WaitingTasks) -> None:
    store = MemoryStore()
    ran: list[Any] = []
    handler = made(store, ran, missing_token="ignore")
    event = b'{"order": {"id": 9}}'
    assert handler(event, fc_context(tasks)) == handler(event, fc_context(tasks)) == '{"charged":9,"run":1}'
    assert ran == [9]


def test_a_plain_call_of_work_that_failed_by_name_fails_as_well(tasks: WaitingTasks) -> None:
    ran: list[int] = []

    @task_callback(missing_token="ignore", once=once("order.id", store=MemoryStore()))
    def handler(event: bytes, context: Any) -> Any:
        ran.append(1)
        raise TaskFailed("Declined", cause="no funds")

    handler(new(tasks).event, fc_context(tasks))
    for number in (1, 9, 9):
        with pytest.raises(TaskFailed, match="Declined: no funds"):
            handler(json.dumps({"order": {"id": number}}).encode(), fc_context(tasks))
    assert len(ran) == 2


def killed_while_it_runs(handler: Any, options: Any, task: WaitingTask, context: Any, *, seconds: float) -> None:
    """Leave the record that a process leaves which is killed while the function runs."""
    known = FcContext.read(context)
    copy_context().run(
        options.enter,
        json.loads(task.event),
        scope=scope_of(handler.__wrapped__, known),
        deadline=Deadline.after(seconds),
        token=TaskToken(task.token),
    )


def test_a_delivery_that_waits_for_a_killed_one_is_not_reported_as_too_late(tasks: WaitingTasks) -> None:
    options = once("order.id", store=MemoryStore())
    ran: list[Any] = []

    @task_callback(once=options, on_failure="report", deadline_margin_seconds=1.5)
    def handler(event: bytes, context: Any) -> Any:
        ran.append(1)

    task = new(tasks)
    killed_while_it_runs(handler, options, task, fc_context(tasks), seconds=30)
    with pytest.raises(WorkInProgress):  # FC delivers the event again, and by then the lease is over
        handler(task.event, fc_context(tasks, timeout=2))
    assert (ran, task.status) == ([], "Running")


def test_a_report_that_is_in_and_not_recorded_is_no_stranger_s(tasks: WaitingTasks) -> None:
    store = Forgetful()
    handler = made(store, [], already_completed="raise")
    task = new(tasks)
    handler(task.event, fc_context(tasks))
    assert [record.state for record in store.pending()] == ["DONE"]
    store.forgets = False
    handler(task.event, fc_context(tasks))
    assert not list(store.pending())


def test_an_end_that_a_stranger_gave_is_an_error_for_a_replay_as_well(tasks: WaitingTasks) -> None:
    handler = made(MemoryStore(), [], already_completed="raise")
    handler(new(tasks).event, fc_context(tasks))
    other = new(tasks)
    CloudFlowClient().report_task_succeeded(other.token, {"by": "hand"})
    with pytest.raises(TaskAlreadyCompleted):
        handler(other.event, fc_context(tasks))


class Forgetful(MemoryStore):
    """As if the process were killed between each report and its record."""

    forgets = True

    def replace(self, old: Record, new: Record, *, timeout: float = 10) -> bool:
        if self.forgets and new.state == "REPORTED":
            raise StoreUnavailable("The store is gone.")
        return super().replace(old, new, timeout=timeout)


def test_two_partials_in_one_function_are_two_kinds_of_work(tasks: WaitingTasks) -> None:
    def charge(kind: str, event: bytes, context: Any) -> Any:
        return {"charged": kind}

    def refund(kind: str, event: bytes, context: Any) -> Any:
        return {"refunded": kind}

    options = once("order.id", store=MemoryStore())
    said = [
        json.loads(task_callback(once=options)(partial(work, "card"))(new(tasks).event, fc_context(tasks)))
        for work in (charge, refund)
    ]
    assert said == [{"charged": "card"}, {"refunded": "card"}]
