"""A handler with a `once` of its own inside of a task's function: its record waits for the task's report."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback import CloudFlowClient, FcContext, RetryPolicy, TaskFailed, current_task, once, task_callback
from fc_callback.errors import StoreUnavailable, WorkInProgress
from fc_callback.idempotency import idempotent
from fc_callback.idempotency.memory import MemoryStore
from fc_callback.middleware import after, invocation, layers
from fc_callback.parser import event_parser
from fc_callback.values.context import Deadline
from tests.idempotency.stalling import LockedFile
from tests.invoking import fc_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.waiting import WaitingTasks

TIMEOUT = 2
SILENT = 0.9  # longer than the quarter of it that recording takes before the report
FAST = CloudFlowClient(region="cn-hangzhou", retry=RetryPolicy(base_seconds=0.02, cap_seconds=0.1))


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[LockedFile]:
    stalling = LockedFile(tmp_path)
    yield stalling
    stalling.resume()


@pytest.fixture
def client(tasks: WaitingTasks) -> CloudFlowClient:
    return FAST.evolve(endpoint=tasks.service.endpoint)


@pytest.mark.parametrize("on_failure", ["raise", "report"])
def test_a_silent_store_of_an_inner_handler_costs_neither_the_report_nor_turns_it_into_deadline_exceeded(
    tasks: WaitingTasks, client: CloudFlowClient, locked: LockedFile, on_failure: Any
) -> None:
    @task_callback(on_failure=on_failure, deadline_margin_seconds=TIMEOUT / 2, client=client)
    @idempotent(once("order.id", store=locked.store))
    def handler(event: bytes, context: object) -> dict[str, bool]:
        locked.stall()
        return {"paid": True}

    task = tasks.new("cloudflow", {"id": 1})
    began = time.monotonic()
    assert json.loads(handler(task.event, fc_context(tasks, timeout=TIMEOUT))) == {"paid": True}
    assert time.monotonic() - began < TIMEOUT
    assert (task.output, task.reports()) == ({"paid": True}, 1)


def test_an_inner_handler_s_result_is_recorded_after_the_report_when_its_store_comes_back(
    tasks: WaitingTasks, client: CloudFlowClient, locked: LockedFile
) -> None:
    runs: list[int] = []

    @task_callback(client=client)
    @idempotent(once("order.id", store=locked.store))
    def handler(event: bytes, context: object) -> dict[str, bool]:
        runs.append(1)
        locked.stall(SILENT)
        return {"paid": True}

    for _ in range(2):
        task = tasks.new("cloudflow", {"id": 1})
        handler(task.event, fc_context(tasks, timeout=TIMEOUT))
        assert task.output == {"paid": True}
    assert runs == [1]


@pytest.mark.parametrize("problem", [OSError("disk"), TaskFailed("Empty", cause="no lines")], ids=["error", "failure"])
def test_an_inner_handler_s_result_is_recorded_where_the_function_fails_after_it(
    tasks: WaitingTasks, client: CloudFlowClient, locked: LockedFile, problem: Exception
) -> None:
    runs: list[int] = []

    @idempotent(once("order.id", store=locked.store))
    def charge(event: bytes, context: object) -> dict[str, bool]:
        runs.append(1)
        locked.stall(SILENT)
        return {"paid": True}

    @task_callback(on_failure="report", client=client)
    def handler(event: bytes, context: object) -> None:
        charge(event, context)
        raise problem

    for _ in range(2):
        task = tasks.new("cloudflow", {"id": 1})
        handler(task.event, fc_context(tasks, timeout=TIMEOUT))
        assert task.failure[0] in {"OSError", "Empty"}
    assert runs == [1]


def test_a_silent_store_of_an_inner_handler_is_never_the_task_s_failure(
    tasks: WaitingTasks, client: CloudFlowClient, locked: LockedFile
) -> None:
    @task_callback(on_failure="report", client=client)
    @idempotent(once("order.id", store=locked.store))
    def handler(event: bytes, context: object) -> dict[str, bool]:
        return {"paid": True}

    task = tasks.new("cloudflow", {"id": 1})
    locked.stall()
    with pytest.raises(StoreUnavailable):
        handler(task.event, fc_context(tasks, timeout=TIMEOUT))
    locked.resume()
    handler(task.event, fc_context(tasks, timeout=20))
    assert task.output == {"paid": True}


def test_work_in_progress_in_an_inner_handler_is_never_the_task_s_failure(
    tasks: WaitingTasks, client: CloudFlowClient
) -> None:
    options = once("order.id", store=MemoryStore(), duplicate="raise", name="charge")

    @task_callback(on_failure="report", client=client)
    @idempotent(options)
    def handler(event: bytes, context: object) -> dict[str, bool]:
        return {"paid": True}

    task = tasks.new("cloudflow", {"id": 1})
    elsewhere = options.enter({"order": {"id": 1}, **json.loads(task.event)}, scope="charge")
    with pytest.raises(WorkInProgress):
        handler(task.event, fc_context(tasks))
    elsewhere.abandon()
    handler(task.event, fc_context(tasks))
    assert task.output == {"paid": True}


def test_idempotent_above_task_callback_is_refused_as_a_second_task_would_never_be_reported() -> None:
    @task_callback
    def handler(event: bytes, context: object) -> dict[str, bool]:
        return {"paid": True}

    with pytest.raises(TypeError, match=r"cannot be above task_callback.*once="):
        idempotent(once("order.id", store="memory:"))(handler)
    with pytest.raises(TypeError, match="cannot be above task_callback"):
        idempotent(once("order.id", store="memory:"))(layers(invocation)(handler))


@pytest.mark.parametrize("on_failure", ["raise", "report"])
@pytest.mark.parametrize(
    "around",
    [
        event_parser,
        idempotent(once("order.id", store="memory:")),
        layers(after(lambda call, result: {"replaced": True})),
    ],
    ids=["parser", "once", "layers"],
)
@pytest.mark.parametrize("is_async", [False, True], ids=["plain", "async"])
def test_a_task_that_is_deferred_below_another_decorator_is_deferred(
    tasks: WaitingTasks, client: CloudFlowClient, around: Any, on_failure: Any, is_async: bool
) -> None:
    def plain(event: bytes, context: object) -> Any:
        return current_task().defer()

    async def awaited(event: bytes, context: object) -> Any:
        return current_task().defer()

    handler = task_callback(on_failure=on_failure, client=client)(around(awaited if is_async else plain))
    task = tasks.new("cloudflow", {"id": time.time_ns()})
    for _ in range(2):
        assert json.loads(handler(task.event, fc_context(tasks))) == {"deferred": True}
    assert task.status == "Running"
    CloudFlowClient(endpoint=tasks.service.endpoint, credentials=tasks.service.session()).report_task_succeeded(
        task.token, {"approved": True}
    )
    assert task.output == {"approved": True}


def inner_deadlines(decorate: Callable[[Any], Any]) -> tuple[Deadline | None, Deadline | None]:
    """The deadline of an invocation, and what a handler inside of it, called later, takes for that."""
    seen: list[FcContext] = []

    @decorate
    def inner(event: object, context: FcContext) -> dict[str, int]:
        seen.append(context)
        return {}

    @event_parser
    def outer(event: bytes, typed: FcContext) -> None:
        seen.append(typed)
        time.sleep(0.05)
        inner(event, typed.raw)

    class Raw:
        request_id = "r-1"
        function = type("Function", (), {"name": "f", "timeout": 30})()

    outer(b'{"id": 1}', Raw())
    return seen[0].deadline, seen[1].deadline


@pytest.mark.parametrize(
    "decorate",
    [event_parser, idempotent(once("id", store="memory:")), task_callback(missing_token="ignore")],
    ids=["parser", "once", "callback"],
)
def test_a_handler_inside_of_another_one_ends_with_the_invocation_and_not_later(decorate: Any) -> None:
    outer, inner = inner_deadlines(decorate)
    assert outer is not None
    assert inner == outer
