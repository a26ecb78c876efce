"""`async def` handlers, run to their end before FC freezes the instance."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from fc_callback import FcContext, Task, current_task, task_callback
from tests.invoking import fc_context
from tests.waiting import WaitingTasks


def test_what_an_async_handler_returns_is_the_output(tasks: WaitingTasks) -> None:
    @task_callback
    async def handler(event: dict[str, Any], context: FcContext, task: Task) -> Any:
        await asyncio.sleep(0)
        return {"n": event["order"], "same": current_task() is task}

    task = tasks.new("cloudflow", 5)
    handler(task.event, fc_context(tasks))
    assert task.output == {"n": 5, "same": True}


def test_asyncio_tasks_see_the_running_task(tasks: WaitingTasks) -> None:
    @task_callback
    async def handler(event: bytes, context: Any) -> Any:
        async def look() -> str:
            return current_task().token.fingerprint

        return {"seen": list(await asyncio.gather(look(), asyncio.create_task(look())))}

    task = tasks.new()
    handler(task.event, fc_context(tasks))
    assert task.output is not None
    assert len(set(task.output["seen"])) == 1


class Boom(Exception):
    pass


@pytest.mark.parametrize("problem", [Boom("x"), asyncio.CancelledError(), SystemExit(2)])
def test_an_exception_of_an_async_handler_passes_through_as_it_is(tasks: WaitingTasks, problem: BaseException) -> None:
    @task_callback
    async def handler(event: bytes, context: Any) -> None:
        await asyncio.sleep(0)
        raise problem

    task = tasks.new()
    with pytest.raises(type(problem)) as caught:
        handler(task.event, fc_context(tasks))
    assert caught.value is problem or isinstance(problem, asyncio.CancelledError)
    assert task.status == "Running"


def test_a_handler_can_be_called_where_a_loop_runs_already(tasks: WaitingTasks) -> None:
    @task_callback
    async def handler(event: bytes, context: Any) -> Any:
        await asyncio.sleep(0)
        return {"token": current_task().token.fingerprint}

    task = tasks.new()

    async def somebody_s_test() -> str:
        return handler(task.event, fc_context(tasks))

    assert "token" in asyncio.run(somebody_s_test())
    assert task.status == "Succeeded"


def test_an_async_call_is_a_handler_too(tasks: WaitingTasks) -> None:
    class Handler:
        async def __call__(self, event: bytes, context: Any) -> Any:
            return {"by": "call"}

        @task_callback
        async def method(self, event: bytes, context: Any) -> Any:
            return {"by": "method"}

    for handler in (task_callback(Handler()), Handler().method):
        task = tasks.new()
        handler(task.event, fc_context(tasks))
        assert task.status == "Succeeded"


def test_an_async_handler_can_run_many_times_in_one_process(tasks: WaitingTasks) -> None:
    @task_callback
    async def handler(event: dict[str, Any], context: Any) -> Any:
        return {"n": event["order"]}

    waiting = [tasks.new("cloudflow", n) for n in range(3)]
    for task in waiting:
        handler(task.event, fc_context(tasks))
    assert [task.output for task in waiting] == [{"n": 0}, {"n": 1}, {"n": 2}]


def test_a_log_filter_that_raises_makes_no_failure_of_a_result_that_left_a_task_pending(tasks: WaitingTasks) -> None:
    def broken(record: logging.LogRecord) -> bool:
        return bool(getattr(record, "tenant"))  # noqa: B009 - which the record does not have

    @task_callback(on_failure="report")
    async def handler(event: bytes, context: Any) -> dict[str, int]:
        left.append(asyncio.create_task(asyncio.sleep(0.2)))
        return {"n": 1}

    left: list[asyncio.Task[None]] = []
    task = tasks.new()
    logger = logging.getLogger("fc_callback")
    logger.addFilter(broken)
    try:
        handler(task.event, fc_context(tasks))
    finally:
        logger.removeFilter(broken)
    assert task.output == {"n": 1}
