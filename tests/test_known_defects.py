"""What people know to go wrong with helpers of this kind, and does not here: one test for each."""

from __future__ import annotations

import asyncio
import contextvars
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, ValidationError

from fc_callback import OutputError, current_task, task_callback
from fc_callback.errors import PayloadInvalid
from fc_callback.idempotency import idempotent, once
from fc_callback.idempotency.memory import MemoryStore
from fc_callback.logs.logger import Logger
from fc_callback.parser import event_parser

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.testing import TaskCloudFlow
    from tests.framed_log import FramedLog

    Contexts = Callable[..., Any]


class Order(BaseModel):
    id: int


def test_log_keys_do_not_leak_into_the_next_invocation(fc_log: FramedLog, fc_context: Contexts) -> None:
    log = Logger("orders")

    @event_parser
    def handler(order: dict[str, Any]) -> None:
        if order:
            log.bind(customer="anna")
        log.info("here")

    handler(b'{"first": 1}', fc_context())
    handler(b"{}", fc_context())

    assert fc_log.records[0]["customer"] == "anna"
    assert "customer" not in fc_log.records[1]


def test_log_keys_of_an_invocation_that_failed_do_not_leak_either(fc_log: FramedLog, fc_context: Contexts) -> None:
    log = Logger("orders")

    @event_parser
    def handler(order: dict[str, Any]) -> None:
        if order:
            log.bind(customer="anna")
            raise ValueError
        log.info("here")

    with pytest.raises(ValueError):
        handler(b'{"first": 1}', fc_context())
    handler(b"{}", fc_context())

    assert "customer" not in fc_log.last


def test_log_keys_of_an_async_handler_do_not_leak(fc_log: FramedLog, fc_context: Contexts) -> None:
    log = Logger("orders")

    @event_parser
    async def handler(order: dict[str, Any]) -> None:
        if order:
            log.bind(customer="anna")
        await asyncio.sleep(0)
        log.info("here")

    handler(b'{"first": 1}', fc_context())
    handler(b"{}", fc_context())

    assert fc_log.records[0]["customer"] == "anna"
    assert "customer" not in fc_log.records[1]


def test_log_keys_do_not_leak_through_a_pool_of_threads_that_outlives_invocations(
    fc_log: FramedLog, fc_context: Contexts
) -> None:
    log = Logger("orders")
    pool = ThreadPoolExecutor(1)

    def work(bind: bool) -> None:
        if bind:
            log.bind(customer="anna")
        log.info("here")

    @event_parser
    def handler(order: dict[str, Any]) -> None:
        pool.submit(work, bool(order)).result()
        pool.submit(contextvars.copy_context().run, work, bool(order)).result()

    handler(b'{"first": 1}', fc_context(request_id="r-1"))
    handler(b"{}", fc_context(request_id="r-2"))
    pool.shutdown()

    assert fc_log.records[1]["customer"] == "anna"
    assert all("customer" not in record for record in fc_log.records[2:])
    assert fc_log.records[3]["request_id"] == "r-2"


def test_log_keys_are_gone_in_a_thread_that_is_left_behind(fc_log: FramedLog, fc_context: Contexts) -> None:
    log = Logger("orders")
    go = threading.Event()

    def late() -> None:
        go.wait(10)
        log.info("late")

    @event_parser
    def handler(order: dict[str, Any]) -> threading.Thread:
        log.bind(customer="anna")
        thread = threading.Thread(target=contextvars.copy_context().run, args=(late,))
        thread.start()
        threads.append(thread)
        return None  # type: ignore[return-value]

    threads: list[threading.Thread] = []
    handler(b"{}", fc_context(request_id="r-1"))
    go.set()
    threads[0].join()

    assert "customer" not in fc_log.last
    assert fc_log.last["request_id"] == "r-1"  # it is that invocation's line all the same


def test_held_back_records_do_not_surface_in_the_next_invocation(fc_log: FramedLog, fc_context: Contexts) -> None:
    log = Logger("orders", hold_debug=True)

    @event_parser
    def handler(order: dict[str, Any]) -> None:
        log.debug("detail of %s", order)
        if not order:
            raise ValueError

    handler(b'{"first": 1}', fc_context())
    with pytest.raises(ValueError):
        handler(b"{}", fc_context())

    assert [record["message"] for record in fc_log.records] == ["detail of {}"]


def test_idempotency_inside_of_idempotency_completes_the_right_record() -> None:
    calls: list[str] = []
    store = MemoryStore()

    @idempotent(once(key="id", store=store))
    def charge(event: Any, context: Any) -> dict[str, Any]:
        calls.append("charge")
        return {"charged": event["id"]}

    @idempotent(once(key="id", store=store))
    def order(event: Any, context: Any) -> dict[str, Any]:
        calls.append("order")
        return {"ordered": event["id"], "with": json.loads(charge(event, context))}

    first = order({"id": 1}, None)
    second = order({"id": 1}, None)

    assert json.loads(first) == {"ordered": 1, "with": {"charged": 1}}
    assert second == first
    assert charge({"id": 1}, None) == '{"charged":1}'
    assert calls == ["order", "charge"]


@pytest.mark.parametrize("result", [{}, 0, False, "", [], None])
def test_falsy_results_are_replayed_as_they_were(result: Any) -> None:
    calls: list[int] = []

    @idempotent(once(key="id", store=MemoryStore()))
    def handler(event: Any, context: Any) -> Any:
        calls.append(1)
        return result

    first, second = handler({"id": 1}, None), handler({"id": 1}, None)

    assert first == second
    assert calls == [1]


def test_a_result_that_cannot_be_encoded_is_found_before_it_is_stored_and_does_not_run_again(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts
) -> None:
    results: list[Any] = [object(), {"fine": True}]

    @task_callback(once=once(key="id", store=MemoryStore()))
    def handler(order: dict[str, Any], context: object) -> Any:
        return results.pop(0)

    task = local_cloudflow.new_task({"id": 1})
    for _ in range(2):
        with pytest.raises(OutputError, match="--forget"):
            handler(task.event, fc_context())
    task.assert_waiting()
    assert results == [{"fine": True}]


def test_an_async_handler_is_awaited_inside_of_every_helper(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts, fc_log: FramedLog
) -> None:
    log = Logger("orders")

    @task_callback(once=once(key="id", store=MemoryStore()))
    async def handler(order: dict[str, Any], context: object) -> Any:
        log.bind(order=order["id"])
        await asyncio.sleep(0)
        log.info("Charged", task_seen=current_task().attempt)
        return {"id": order["id"]}

    task = local_cloudflow.new_task({"id": 1})
    handler(task.event, fc_context())

    task.assert_succeeded_with({"id": 1})
    assert fc_log.with_message("Charged")["order"] == 1
    assert fc_log.with_message("Charged")["task_seen"] == 1


def test_a_validation_error_of_the_function_s_own_is_not_taken_for_bad_input(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts
) -> None:
    @task_callback
    def of_a_task(order: Order) -> None:
        Order.model_validate({"id": "x"})

    @event_parser
    def plain(order: Order) -> None:
        Order.model_validate({"id": "x"})

    with pytest.raises(ValidationError):
        of_a_task(local_cloudflow.new_task({"id": 1}).event, fc_context())
    with pytest.raises(ValidationError):
        plain(b'{"id": 1}', fc_context())
    with pytest.raises(PayloadInvalid):
        plain(b'{"id": "x"}', fc_context())


# In a process of its own: what pytest captures keeps records, and with a record its exception's frames.
_OUTLIVED = """
import contextvars, gc, logging, os, sys, threading, time
from fc_callback import FcContext, Task, task_callback
from fc_callback.values.invocation import Invocation
from fc_callback.logs.logger import Logger
from fc_callback.metrics import TaskRecord
from fc_callback.testing import TaskCloudFlow, make_context

on_failure, ends_well = sys.argv[1], sys.argv[2] == "True"
log = Logger("orders", form="json")

@task_callback(on_failure=on_failure)
def handler(order: dict, context: FcContext):
    log.bind(order=order["id"])
    log.info("Charging", amount=3)
    if not ends_well:
        raise ValueError("no card")
    return {"id": order["id"]}

def invoke(service):
    task = service.new_task({"id": 1})
    try:
        handler(task.event, make_context(credentials=service.session()))
    except ValueError:
        log.exception("Failed")

def alive():
    return [one for one in gc.get_objects() if type(one) in {Invocation, TaskRecord, Task, FcContext}]

with TaskCloudFlow() as service:
    os.environ.update(service.environment)
    gc.disable()
    for _ in range(5):
        contextvars.copy_context().run(invoke, service)
    deadline = time.monotonic() + 20
    while alive() and time.monotonic() < deadline:  # a watch beside the task ends a moment after it
        time.sleep(0.01)
    print(sorted(type(one).__name__ for one in alive()))
"""


@pytest.mark.parametrize("on_failure", ["raise", "report"])
@pytest.mark.parametrize("ends_well", [True, False])
def test_an_invocation_is_gone_when_it_has_ended_and_does_not_wait_for_the_collector(
    on_failure: str, ends_well: bool
) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _OUTLIVED, on_failure, str(ends_well)], capture_output=True, text=True, check=True
    )
    assert '"outcome":' in ran.stderr
    assert ran.stdout == "[]\n"
