"""The traceback of an exception that leaves a decorated handler: the user's frames, and not ours before them."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import sys
import textwrap
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback import event_parser, layers, once, task_callback
from fc_callback.errors import BatchFailed, TaskTokenNotFound
from fc_callback.idempotency import idempotent
from fc_callback.idempotency.memory import MemoryStore
from fc_callback.middleware import invocation
from fc_callback.runtime import FunctionInstance, FunctionSpec
from tests.invoking import fc_context

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fc_callback.middleware import Call, CallNext
    from tests.waiting import WaitingTasks

# Up to Python 3.10, `raise` restores the first frame: that of the handler which FC calls.
FIRST = ["handler in arguments.py"] if sys.version_info < (3, 11) else []


def charge(_event: object, _context: object) -> dict[str, int]:
    raise ValueError("bad order")


def frames_of(error: BaseException | None) -> list[str]:
    """The frames below the test's own `caught`, as `function in file`."""
    assert error is not None
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{frame.name} in {frame.filename.rpartition('/')[2]}" for frame in frames if frame.name != "caught"]


def caught(handler: Callable[[bytes, object], object], event: bytes, context: object) -> BaseException:
    try:
        handler(event, context)
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def in_layer(call: Call, call_next: CallNext) -> Any:
    return call_next(call)


@pytest.mark.parametrize(
    "decorate",
    [
        task_callback,
        task_callback(once=once("order", store=MemoryStore())),
        idempotent(once("order", store=MemoryStore())),
        event_parser,
        layers(invocation),
        lambda function: task_callback(idempotent(once("order", store=MemoryStore()))(function)),
    ],
    ids=["task_callback", "once", "idempotent", "event_parser", "layers", "task_callback over idempotent"],
)
def test_the_traceback_of_a_decorated_handler_begins_in_the_users_function(
    tasks: WaitingTasks, decorate: Callable[[Any], Any]
) -> None:
    handler, event = decorate(charge), tasks.new(order="o-1").event
    error = caught(handler, event, fc_context(tasks))
    assert [one for one in frames_of(error) if one not in {"handler in arguments.py", "handler in middleware.py"}] == [
        "charge in test_tracebacks.py"
    ]
    assert len(frames_of(error)) == 1 + len(FIRST)


def test_an_async_function_begins_in_its_own_frame_and_keeps_the_event_loop_below_it(tasks: WaitingTasks) -> None:
    async def inner() -> None:
        raise ValueError("bad order")

    @task_callback
    async def handler(event: bytes, context: object) -> None:
        await asyncio.wait_for(inner(), 5)

    names = frames_of(caught(handler, tasks.new().event, fc_context(tasks)))
    assert names[len(FIRST)] == "handler in test_tracebacks.py"
    assert "wait_for in tasks.py" in names
    assert names[-1] == "inner in test_tracebacks.py"


def test_the_users_layers_stay_and_nothing_of_ours_is_between_them(tasks: WaitingTasks) -> None:
    handler = task_callback(layers(in_layer)(charge))
    error = caught(handler, tasks.new().event, fc_context(tasks))
    assert frames_of(error) == [*FIRST, "in_layer in test_tracebacks.py", "charge in test_tracebacks.py"]


def test_a_cause_keeps_the_users_frames_too(tasks: WaitingTasks) -> None:
    def translating(call: Call, call_next: CallNext) -> Any:
        try:
            return call_next(call)
        except ValueError as error:
            raise KeyError("order") from error

    handler = task_callback(layers(translating)(charge))
    error = caught(handler, tasks.new().event, fc_context(tasks))
    assert frames_of(error) == [*FIRST, "translating in test_tracebacks.py"]
    assert frames_of(error.__cause__) == ["translating in test_tracebacks.py", "charge in test_tracebacks.py"]


def test_an_exception_that_refuses_attributes_passes_through_unchanged(tasks: WaitingTasks) -> None:
    @dataclasses.dataclass(frozen=True)
    class OrderError(Exception):
        number: int

    @task_callback
    def handler(event: bytes, context: object) -> None:
        raise OrderError(7)

    error = caught(handler, tasks.new().event, fc_context(tasks))
    assert error == OrderError(7)
    assert frames_of(error) == [*FIRST, "handler in test_tracebacks.py"]


def test_an_error_of_ours_keeps_the_place_that_raised_it(tasks: WaitingTasks) -> None:
    error = caught(task_callback(charge), b'{"id": 1}', fc_context(tasks))
    assert isinstance(error, TaskTokenNotFound)
    assert frames_of(error)[-1].endswith(" in token_search.py")


def test_a_process_exit_passes_through(tasks: WaitingTasks) -> None:
    @task_callback
    def handler(event: bytes, context: object) -> None:
        sys.exit(3)

    error = caught(handler, tasks.new().event, fc_context(tasks))
    assert isinstance(error, SystemExit)
    assert (error.code, frames_of(error)) == (3, [*FIRST, "handler in test_tracebacks.py"])


def test_a_reported_failure_is_logged_from_the_users_frame_on(
    tasks: WaitingTasks, caplog: pytest.LogCaptureFixture
) -> None:
    task_callback(on_failure="report")(charge)(tasks.new().event, fc_context(tasks))
    (record,) = (one for one in caplog.records if "is reported as ValueError" in one.getMessage())
    assert record.getMessage().count('  File "') == 1
    assert ", in charge\n" in record.getMessage()


def test_each_failure_of_a_batch_is_logged_from_the_users_frame_on(
    tasks: WaitingTasks, caplog: pytest.LogCaptureFixture
) -> None:
    event = b"[" + tasks.new().event + b"," + tasks.new().event + b"]"
    with caplog.at_level(logging.ERROR):
        error = caught(task_callback(batch=2)(charge), event, fc_context(tasks))
    assert isinstance(error, BatchFailed)
    logged = [record.exc_text or "" for record in caplog.records if "Element [" in record.getMessage()]
    assert [text.count('  File "') for text in logged] == [1, 1]
    assert [frames_of(one) for _, one in error.failures] == [["charge in test_tracebacks.py"]] * 2


@pytest.mark.parametrize("runtime", ["python3.10", "python3.12", "custom"])
def test_fc_records_the_users_frames_first(tmp_path: Path, tasks: WaitingTasks, runtime: str) -> None:
    (tmp_path / "index.py").write_text(
        textwrap.dedent("""
            from fc_callback import task_callback

            @task_callback
            def handler(event, context):
                return price(event)

            def price(order):
                return order["amount"]
        """),
        encoding="utf-8",
    )
    spec = FunctionSpec(name="f", code_dir=tmp_path, runtime=runtime, environment=tasks.service.environment)
    with FunctionInstance(spec) as instance:
        result = instance.invoke(tasks.new().event, credentials=tasks.service.session())
    document = json.loads(result.body)
    assert json.dumps(document) in result.log
    shown = [(place.rpartition("/")[2], function) for place, _, function, _ in document["stackTrace"]]
    assert shown == [('arguments.py"', "in handler")] * len(FIRST) + [
        ('index.py"', "in handler"),
        ('index.py"', "in price"),
    ]
