"""A result is recorded, reported, and recorded again: what happens when the store, the service or both are silent."""

from __future__ import annotations

import json
import logging
import time
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback import (
    CloudFlowClient,
    FcContext,
    ReportUndelivered,
    RetryPolicy,
    Task,
    TaskFailed,
    TaskToken,
    once,
    task_callback,
)
from fc_callback.errors import LeaseLost, StoreUnavailable
from fc_callback.idempotency import Record, idempotent
from fc_callback.idempotency.key import scope_of
from fc_callback.idempotency.memory import MemoryStore
from fc_callback.local.faults import Fault
from fc_callback.values.context import Deadline
from tests.idempotency.once_stores import RedisServer, start_redis
from tests.idempotency.stalling import LockedFile, Stalling, StoppedServer
from tests.invoking import fc_context

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.waiting import WaitingTask, WaitingTasks

# The time that FC gives an invocation here, in seconds.
TIMEOUT = 2
# A quarter of it is for recording a result before it is reported: this store answers again after that.
SILENT = 0.9
FAST = RetryPolicy(base_seconds=0.02, cap_seconds=0.1)


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    server = start_redis()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "redis"])
def stalling(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stalling]:
    stalling: Stalling
    if request.param == "sqlite":
        stalling = LockedFile(tmp_path)
    else:
        stalling = StoppedServer(request.getfixturevalue("redis_server"))
    yield stalling
    stalling.resume()


class Shop:
    """A task whose store falls silent while it works; its runs are counted."""

    def __init__(
        self, tasks: WaitingTasks, stalling: Stalling, *, silent_seconds: float | None, **options: Any
    ) -> None:
        self.tasks = tasks
        self.runs = 0
        self.silent_seconds = silent_seconds
        self.result: Any = {"paid": True}
        self.number = time.time_ns()

        @task_callback(once=once("order.id", store=stalling.store), client=CloudFlowClient(retry=FAST), **options)
        def handler(event: bytes, context: Any, task: Task) -> Any:
            self.runs += 1
            if self.runs == 1 and self.silent_seconds != 0:
                stalling.stall(self.silent_seconds)
            if isinstance(self.result, BaseException):
                raise self.result
            return task.defer() if self.result == "deferred" else self.result

        self.handler: Any = handler

    def new(self) -> WaitingTask:
        return self.tasks.new("cloudflow", {"id": self.number})

    def deliver(self, task: WaitingTask, timeout: float = TIMEOUT) -> Any:
        """Deliver an event; the invocation must end before FC would end it."""
        began = time.monotonic()
        try:
            return json.loads(self.handler(task.event, fc_context(self.tasks, timeout=timeout)))
        finally:
            assert time.monotonic() - began < timeout


def errors_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line.getMessage() for line in caplog.records if line.levelno >= logging.ERROR]


# R no, P yes


def test_a_store_that_is_silent_for_a_while_costs_neither_the_report_nor_the_record(
    tasks: WaitingTasks, stalling: Stalling
) -> None:
    shop = Shop(tasks, stalling, silent_seconds=SILENT)
    task = shop.new()
    shop.deliver(task)
    assert task.output == {"paid": True}
    again = shop.new()
    shop.deliver(again)
    assert again.output == {"paid": True}
    assert shop.runs == 1


def test_a_store_that_stays_silent_costs_no_report_and_the_invocation_ends_well_with_one_error_line(
    tasks: WaitingTasks, stalling: Stalling, caplog: pytest.LogCaptureFixture
) -> None:
    shop = Shop(tasks, stalling, silent_seconds=None)
    task = shop.new()
    assert shop.deliver(task) == {"paid": True}
    assert task.output == {"paid": True}
    (line,) = errors_of(caplog)
    assert "is not recorded, so a second delivery" in line
    stalling.resume()
    shop.deliver(task, timeout=20)  # the lease ends, and it runs, or the record came late after all
    assert shop.runs <= 2


# R yes, P no; R no, P no


def test_a_store_and_a_service_that_fail_together_leave_a_record_where_the_store_comes_back(
    tasks: WaitingTasks, stalling: Stalling
) -> None:
    shop = Shop(tasks, stalling, silent_seconds=SILENT)
    task = shop.new()
    tasks.service.inject(Fault("error-before", times=None))
    try:
        with pytest.raises(ReportUndelivered):
            shop.deliver(task)
    finally:
        tasks.service.clear_faults()
    assert task.status == "Running"
    shop.deliver(task)
    assert (shop.runs, task.output) == (1, {"paid": True})


def test_a_store_and_a_service_that_both_stay_silent_are_an_undelivered_report_within_the_time(
    tasks: WaitingTasks, stalling: Stalling
) -> None:
    shop = Shop(tasks, stalling, silent_seconds=None)
    task = shop.new()
    tasks.service.inject(Fault("slow", times=None, seconds=3, takes_effect=False))
    try:
        with pytest.raises(ReportUndelivered):
            shop.deliver(task)
    finally:
        tasks.service.clear_faults()
    stalling.resume()
    shop.deliver(task, timeout=20)  # the window that the documentation names
    assert task.output == {"paid": True}


# The watch


def test_the_watch_does_not_take_a_result_that_is_being_recorded(tasks: WaitingTasks, stalling: Stalling) -> None:
    shop = Shop(tasks, stalling, silent_seconds=SILENT, on_failure="report", deadline_margin_seconds=TIMEOUT - 0.3)
    task = shop.new()
    shop.deliver(task)
    assert task.output == {"paid": True}


def test_a_business_failure_that_is_being_recorded_is_not_taken_by_the_watch_either(
    tasks: WaitingTasks, stalling: Stalling
) -> None:
    shop = Shop(tasks, stalling, silent_seconds=SILENT, on_failure="report", deadline_margin_seconds=TIMEOUT - 0.3)
    shop.result = TaskFailed("Declined", cause="no funds")
    task = shop.new()
    shop.deliver(task)
    assert task.failure == ("Declined", "no funds")
    again = shop.new()
    shop.deliver(again)
    assert (shop.runs, again.failure) == (1, ("Declined", "no funds"))


class Slow(MemoryStore):
    """A store that takes longer for a result than half of the invocation's time, which is when the watch wakes."""

    def replace(self, old: Record, new: Record, *, timeout: float = 10) -> bool:
        if new.state in {"DONE", "FAILED"}:
            time.sleep(1.2)
        return super().replace(old, new)


@pytest.mark.parametrize("fails", [False, True], ids=["a result", "a failure"])
def test_a_watch_that_wakes_while_the_outcome_is_being_recorded_reports_nothing(
    tasks: WaitingTasks, fails: bool
) -> None:
    @task_callback(once=once("order.id", store=Slow()), on_failure="report", deadline_margin_seconds=2)
    def handler(event: bytes, context: Any) -> Any:
        if fails:
            raise TaskFailed("Declined", cause="no funds")
        return {"paid": True}

    task = tasks.new("cloudflow", {"id": 1})
    handler(task.event, fc_context(tasks, timeout=2))
    if fails:
        assert task.failure == ("Declined", "no funds")
    else:
        assert task.output == {"paid": True}


@pytest.mark.parametrize("fails", [False, True], ids=["a result", "a failure"])
def test_what_ends_after_the_watch_has_reported_is_what_the_flow_s_retry_gets(tasks: WaitingTasks, fails: bool) -> None:
    store = MemoryStore()
    runs: list[int] = []
    task, retry = tasks.new("cloudflow", {"id": 1}), tasks.new("cloudflow", {"id": 1})

    @task_callback(once=once("order.id", store=store), on_failure="report")
    def handler(event: bytes, context: Any) -> Any:
        runs.append(1)
        task.task.wait()  # until DeadlineExceeded is reported, half-way through the time that there is
        if fails:
            raise TaskFailed("Declined", cause="no funds")
        return {"paid": True}

    handler(task.event, fc_context(tasks, timeout=2.5))
    assert task.failure[0] == "DeadlineExceeded"
    assert not list(store.pending())  # this token has its report
    handler(retry.event, fc_context(tasks))
    assert runs == [1]
    if fails:
        assert retry.failure == ("Declined", "no funds")
    else:
        assert retry.output == {"paid": True}


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_result_that_comes_after_the_deadline_is_recorded_all_the_same(
    tasks: WaitingTasks, tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    """An instance that FC froze and thawed: the time is up, and the function ends after all."""
    url = f"sqlite:///{tmp_path}/once.db" if kind == "sqlite" else request.getfixturevalue("redis_server").url
    runs: list[int] = []

    @task_callback(once=once("order.id", store=url))
    def handler(event: bytes, context: Any) -> Any:
        runs.append(1)
        time.sleep(1.2)
        return {"paid": True}

    task = tasks.new("cloudflow", {"id": time.time_ns()})
    with pytest.raises(ReportUndelivered):
        handler(task.event, fc_context(tasks, timeout=1))
    handler(task.event, fc_context(tasks))
    assert (runs, task.output) == ([1], {"paid": True})


# What must not delay a report


def test_a_technical_failure_is_reported_before_its_record_is_given_up(tasks: WaitingTasks, stalling: Stalling) -> None:
    shop = Shop(tasks, stalling, silent_seconds=None, on_failure="report")
    shop.result = RuntimeError("broken")
    task = shop.new()
    shop.deliver(task)
    assert task.failure[0] == "RuntimeError"


def test_an_exception_passes_through_whatever_the_store_does(tasks: WaitingTasks, stalling: Stalling) -> None:
    shop = Shop(tasks, stalling, silent_seconds=None)
    shop.result = RuntimeError("broken")
    with pytest.raises(RuntimeError, match="broken"):
        shop.deliver(shop.new())


def test_a_deferred_task_whose_store_is_silent_ends_in_time(tasks: WaitingTasks, stalling: Stalling) -> None:
    shop = Shop(tasks, stalling, silent_seconds=SILENT)
    shop.result = "deferred"
    task = shop.new()
    assert shop.deliver(task) == {"deferred": True}
    assert shop.deliver(task) == {"deferred": True}
    assert shop.runs == 1


def test_a_plain_handler_s_result_is_recorded_when_its_store_comes_back(stalling: Stalling) -> None:
    runs: list[int] = []

    @idempotent(once("order", store=stalling.store))
    def handler(event: bytes, context: object) -> dict[str, bool]:
        runs.append(1)
        stalling.stall(SILENT)
        return {"paid": True}

    event = json.dumps({"order": time.time_ns()}).encode()
    for _ in range(2):
        context = FcContext(deadline=Deadline.after(TIMEOUT))
        assert json.loads(handler(event, context)) == {"paid": True}
        assert context.deadline is not None
        assert context.deadline.remaining_seconds() > 0
    assert runs == [1]


# Before the work


@pytest.mark.parametrize("on_failure", ["raise", "report"])
def test_a_store_that_is_silent_at_entry_takes_a_third_of_the_time_and_lets_nothing_run(
    tasks: WaitingTasks, stalling: Stalling, on_failure: Any
) -> None:
    shop = Shop(tasks, stalling, silent_seconds=0, on_failure=on_failure)
    task = shop.new()
    stalling.store.now()
    stalling.store.get("0" * 64)
    stalling.stall()
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"no answer within|cannot be used"):
        shop.deliver(task)
    assert time.monotonic() - began < TIMEOUT / 2
    assert (shop.runs, task.status) == (0, "Running")
    stalling.resume()
    shop.deliver(task, timeout=20)
    assert (shop.runs, task.output) == (1, {"paid": True})


def test_a_silent_connection_is_not_used_again(tasks: WaitingTasks, stalling: Stalling) -> None:
    store = stalling.store
    assert store.get("1" * 64) is None
    stalling.stall()
    with pytest.raises(StoreUnavailable):
        store.get("2" * 64, timeout=0.3)
    stalling.resume()
    # The late answer to the first question would be taken for the answer to the second.
    now = store.now(timeout=10)
    assert abs(now - time.time()) < 60
    assert store.get("3" * 64, timeout=10) is None


# Late and ambiguous writes


class LateAnswers(MemoryStore):
    """A store that takes the result, loses the answer, and meanwhile another task comes for the result."""

    joins: Any = None

    def replace(self, old: Record, new: Record, *, timeout: float = 10) -> bool:
        changed = super().replace(old, new)
        if self.joins is not None and new.state == "DONE":
            join, self.joins = self.joins, None
            join()
            raise StoreUnavailable("The answer was lost.")
        return changed


def test_a_record_that_landed_late_and_that_another_task_has_joined_is_ours(
    tasks: WaitingTasks, caplog: pytest.LogCaptureFixture
) -> None:
    store = LateAnswers()
    runs: list[int] = []

    @task_callback(once=once("order.id", store=store))
    def handler(event: bytes, context: Any) -> Any:
        runs.append(1)
        return {"paid": True}

    first, second = (tasks.new("cloudflow", {"id": 1}) for _ in range(2))
    store.joins = lambda: handler(second.event, fc_context(tasks))
    handler(first.event, fc_context(tasks))
    assert (first.output, second.output) == ({"paid": True}, {"paid": True})
    assert runs == [1]
    assert not list(store.pending())
    assert not errors_of(caplog)


class TakenOver(MemoryStore):
    """A store that is gone while the result is recorded, and comes back when another delivery has taken the work over."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses = 0

    def replace(self, old: Record, new: Record, *, timeout: float = 10) -> bool:
        if new.state == "DONE" and self.refuses == 0:
            self.refuses += 1
            raise StoreUnavailable("The store is gone.")
        if new.state == "DONE" and self.refuses == 1:
            self.refuses += 1
            with self._lock:
                self._records[old.key] = Record(
                    key=old.key,
                    scope=old.scope,
                    state="RUNNING",
                    revision="another",
                    mark="another",
                    started_at=0,
                    lease_until=time.time() + 60,
                    expires_at=time.time() + 60,
                )
        return super().replace(old, new)


def test_a_lease_that_is_lost_after_a_certain_report_is_a_line_in_the_log_and_no_error(
    tasks: WaitingTasks, caplog: pytest.LogCaptureFixture
) -> None:
    @task_callback(once=once("order.id", store=TakenOver()))
    def handler(event: bytes, context: Any) -> Any:
        return {"paid": True}

    task = tasks.new("cloudflow", {"id": 1})
    handler(task.event, fc_context(tasks))
    assert task.output == {"paid": True}
    assert "another delivery took it over" in caplog.text


def test_a_lease_that_is_certainly_lost_before_the_report_passes_through(tasks: WaitingTasks) -> None:
    store = TakenOver()
    store.refuses = 1

    @task_callback(once=once("order.id", store=store))
    def handler(event: bytes, context: Any) -> Any:
        return {"paid": True}

    task = tasks.new("cloudflow", {"id": 1})
    with pytest.raises(LeaseLost):
        handler(task.event, fc_context(tasks))
    assert task.status == "Running"


def test_an_end_that_a_killed_delivery_gave_its_own_task_is_no_stranger_s(tasks: WaitingTasks) -> None:
    """It reported, and was killed before its first acknowledged record: the task has an end, and the lease lapses."""
    store = MemoryStore()
    options = once("order.id", store=store)

    @task_callback(once=options, already_completed="raise")
    def handler(event: bytes, context: Any) -> Any:
        return {"paid": True}

    task = tasks.new("cloudflow", {"id": 1})
    known = FcContext.read(fc_context(tasks))
    copy_context().run(
        options.enter,
        json.loads(task.event),
        scope=scope_of(handler.__wrapped__, known),
        deadline=Deadline.after(-10),
        token=TaskToken(task.token),
    )
    CloudFlowClient().report_task_succeeded(task.token, {"paid": True})
    assert json.loads(handler(task.event, fc_context(tasks))) == {"paid": True}


class Breaking(MemoryStore):
    """A store that somebody wrote, and whose errors are its driver's."""

    def __init__(self, method: str) -> None:
        super().__init__()
        self.method = method
        self.is_broken = False

    def _broken(self, method: str) -> None:
        if self.is_broken and method == self.method:
            raise OSError("the driver's own")

    def now(self, *, timeout: float = 1) -> float:
        self._broken("now")
        return super().now(timeout=timeout)

    def get(self, key: str, *, timeout: float = 1) -> Record | None:
        self._broken("get")
        return super().get(key, timeout=timeout)

    def replace(self, old: Record, new: Record, *, timeout: float = 1) -> bool:
        self._broken("replace")
        return super().replace(old, new, timeout=timeout)


@pytest.mark.parametrize("method", ["now", "replace"])
@pytest.mark.parametrize("on_failure", ["raise", "report"])
def test_an_error_of_a_store_s_driver_costs_no_report(tasks: WaitingTasks, method: str, on_failure: Any) -> None:
    store = Breaking(method)

    @task_callback(once=once("order.id", store=store), on_failure=on_failure)
    def handler(event: bytes, context: Any) -> Any:
        store.is_broken = True
        return {"paid": True}

    task = tasks.new("cloudflow", {"id": 1})
    assert json.loads(handler(task.event, fc_context(tasks, timeout=1))) == {"paid": True}
    assert task.output == {"paid": True}


@pytest.mark.parametrize("method", ["now", "get"])
def test_an_error_of_a_store_s_driver_before_the_work_is_no_failure_of_the_task(
    tasks: WaitingTasks, method: str
) -> None:
    store = Breaking(method)
    store.is_broken = True
    handler: Any = task_callback(once=once("order.id", store=store), on_failure="report")(lambda event, context: {})
    task = tasks.new("cloudflow", {"id": 1})
    with pytest.raises(StoreUnavailable, match="Breaking failed with OSError"):
        handler(task.event, fc_context(tasks))
    assert task.status == "Running"
