"""Layers around a handler."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback import FcContext, Task, task_callback
from fc_callback.middleware import after, before, invocation, layers, layers_of, on_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from fc_callback.middleware import Call
    from fc_callback.testing import TaskCloudFlow

seen: list[Any] = []


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    seen.clear()


def noting(name: str) -> Any:
    def layer(call: Call) -> Iterator[None]:
        seen.append(f"before {name}")
        try:
            yield
        except ValueError:
            seen.append(f"error {name}")
            raise
        seen.append(f"after {name}")

    return layer


def test_layers_run_in_the_order_in_which_they_are_read() -> None:
    @layers(noting("outer"), noting("inner"))
    def handler(event: str, context: object) -> str:
        seen.append(event)
        return "done"

    assert handler("event", None) == "done"
    assert seen == ["before outer", "before inner", "event", "after inner", "after outer"]


def test_a_layer_sees_the_handler_s_exception_and_it_passes_through() -> None:
    @layers(noting("outer"), noting("inner"))
    def handler(event: str, context: object) -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        handler("event", None)
    assert seen == ["before outer", "before inner", "error inner", "error outer"]


def test_a_layer_may_turn_a_failure_into_a_result() -> None:
    def forgiving(call: Call) -> Any:
        try:
            yield
        except ValueError as error:
            return {"statusCode": 400, "body": str(error)}

    @layers(forgiving)
    def handler(event: str, context: object) -> Any:
        raise ValueError("bad")

    assert handler("event", None) == {"statusCode": 400, "body": "bad"}


def test_a_layer_may_answer_without_the_handler() -> None:
    def closed(call: Call) -> Any:
        if call.event == "closed":
            return "no entry"
        yield

    @layers(closed)
    def handler(event: str, context: object) -> str:
        return "served"

    assert handler("closed", None) == "no entry"
    assert handler("open", None) == "served"


@pytest.mark.parametrize("result", [0, "", {}, [], False, None])
def test_falsy_results_stay_what_they_are(result: Any) -> None:
    @layers(noting("a"))
    def handler(event: str, context: object) -> Any:
        return result

    assert handler("event", None) == result


def test_a_falsy_result_of_a_layer_s_counts_too() -> None:
    @layers(after(lambda call, result: 0))
    def handler(event: str, context: object) -> int:
        return 7

    assert handler("event", None) == 0


def test_a_layer_may_hand_on_another_event() -> None:
    def upper(call: Call) -> Iterator[Call]:
        yield call.with_event(call.event.upper())

    @layers(upper)
    def handler(event: str, context: object) -> str:
        return event

    assert handler("event", None) == "EVENT"


def test_plain_functions_are_layers_by_name_of_their_moment() -> None:
    def check(call: Call) -> None:
        seen.append("checked")

    @layers(before(check), after(lambda call, result: f"{result}!"), on_error(lambda call, error: f"not {error}"))
    def handler(event: str, context: object) -> str:
        if event == "bad":
            raise ValueError(event)
        return event

    assert handler("good", None) == "good!"
    assert handler("bad", None) == "not bad!"
    assert seen == ["checked", "checked"]


def test_an_on_error_that_returns_nothing_lets_the_exception_pass() -> None:
    @layers(on_error(lambda call, error: seen.append(error)))
    def handler(event: str, context: object) -> str:
        raise ValueError(event)

    with pytest.raises(ValueError, match="event"):
        handler("event", None)
    assert len(seen) == 1


def test_the_same_layers_stand_around_an_async_handler() -> None:
    @layers(noting("outer"), after(lambda call, result: result + 1))
    async def handler(event: str, context: object) -> int:
        await asyncio.sleep(0)
        seen.append("handler")
        return 1

    assert asyncio.run(handler("event", None)) == 2
    assert seen == ["before outer", "handler", "after outer"]


def test_an_async_handler_s_exception_reaches_the_layers() -> None:
    @layers(noting("outer"), on_error(lambda call, error: None))
    async def handler(event: str, context: object) -> int:
        await asyncio.sleep(0)
        raise ValueError("late")

    with pytest.raises(ValueError, match="late"):
        asyncio.run(handler("event", None))
    assert seen == ["before outer", "error outer"]


def test_async_layers_stand_around_an_async_handler() -> None:
    async def slow(call: Call) -> AsyncIterator[Any]:
        await asyncio.sleep(0)
        seen.append("before")
        result: Any = yield
        await asyncio.sleep(0)
        yield result + 1

    async def check(call: Call) -> None:
        await asyncio.sleep(0)
        seen.append("check")

    async def forgive(call: Call, error: Exception) -> int:
        await asyncio.sleep(0)
        return 10

    async def double(call: Call, result: int) -> int:
        return result * 2

    @layers(slow, after(double), on_error(forgive), before(check))
    async def handler(event: str, context: object) -> int:
        if event == "bad":
            raise ValueError
        return 1

    assert asyncio.run(handler("good", None)) == 3
    assert asyncio.run(handler("bad", None)) == 21
    assert seen == ["before", "check"] * 2


def test_an_async_layer_that_yields_once_leaves_the_result() -> None:
    async def quiet(call: Call) -> AsyncIterator[Any]:
        try:
            yield
        finally:
            seen.append("after")

    @layers(quiet)
    async def handler(event: str, context: object) -> int:
        if event == "bad":
            raise ValueError(event)
        return 1

    assert asyncio.run(handler("good", None)) == 1
    with pytest.raises(ValueError, match="bad"):
        asyncio.run(handler("bad", None))
    assert seen == ["after", "after"]


@pytest.mark.parametrize("above", [True, False])
def test_layers_stand_above_and_below_task_callback(
    local_cloudflow: TaskCloudFlow, fc_context: Callable[..., Any], above: bool
) -> None:
    def look(call: Call) -> Any:
        seen.append((call.event, call.task is not None, call.context.function_name))
        yield

    if above:

        @layers(look)
        @task_callback
        def handler(order: dict[str, Any], context: FcContext, task: Task) -> dict[str, Any]:
            return {"id": order["id"]}

    else:

        @task_callback
        @layers(look)
        def handler(order: dict[str, Any], context: FcContext, task: Task) -> dict[str, Any]:
            return {"id": order["id"]}

    task = local_cloudflow.new_task({"id": 1})
    handler(task.event, fc_context(function_name="pay"))

    task.assert_succeeded_with({"id": 1})
    assert seen == [(task.event, False, "pay")] if above else seen[0][0]["id"] == 1
    assert seen[0][1] is not above
    assert seen[0][2] == "pay"


def test_an_async_task_handler_takes_layers(local_cloudflow: TaskCloudFlow, fc_context: Callable[..., Any]) -> None:
    @task_callback
    @layers(noting("layer"))
    async def handler(event: bytes, context: object) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"a": 1}

    task = local_cloudflow.new_task()
    handler(task.event, fc_context())

    task.assert_succeeded_with({"a": 1})
    assert seen == ["before layer", "after layer"]


def test_a_method_takes_layers() -> None:
    class Orders:
        prefix = "o-"

        @layers(before(lambda call: call.with_event(call.event * 2)))
        def handler(self, event: str, context: object) -> str:
            return self.prefix + event

    assert Orders().handler("x", None) == "o-xx"


def test_the_layers_of_a_handler_can_be_listed() -> None:
    outer, inner = noting("outer"), noting("inner")

    @layers(invocation, outer)
    @task_callback
    @layers(inner)
    def handler(event: bytes, context: object) -> None: ...

    assert layers_of(handler) == (invocation, outer, inner)
    assert layers_of(handler.__wrapped__) == (inner,)
    assert layers_of(len) == ()


def test_a_plain_function_is_refused_with_what_to_do() -> None:
    with pytest.raises(TypeError, match=r"generator function that yields once.*before\(function\)"):
        layers(lambda call: None)  # type: ignore[arg-type, return-value]


def test_an_async_layer_around_a_plain_handler_is_refused() -> None:
    async def slow(call: Call) -> AsyncIterator[None]:
        yield

    with pytest.raises(TypeError, match="is async"):

        @layers(slow)
        def handler(event: str, context: object) -> None: ...


def test_a_layer_that_yields_something_else_is_told() -> None:
    def wrong(call: Call) -> Iterator[Any]:
        yield "event"

    @layers(wrong)
    def handler(event: str, context: object) -> None: ...

    with pytest.raises(TypeError, match="yields str"):
        handler("event", None)


def test_a_stop_iteration_of_the_handler_s_passes_through() -> None:
    @layers(noting("a"))
    def handler(event: str, context: object) -> None:
        raise StopIteration("mine")

    with pytest.raises(StopIteration, match="mine"):
        handler("event", None)


def replacing(call: Call) -> Any:
    yield
    return {"replaced": True}


async def replacing_async(call: Call) -> AsyncIterator[Any]:
    yield
    yield {"replaced": True}


@pytest.mark.parametrize(
    "layer", [after(lambda call, result: {"replaced": True}), replacing], ids=["after", "a generator"]
)
def test_a_deferred_task_stays_deferred_whatever_a_layer_returns(local_cloudflow: TaskCloudFlow, layer: Any) -> None:
    task = local_cloudflow.new_task()

    @task_callback
    @layers(layer)
    def ask(event: bytes, context: object, task: Task) -> Any:
        return task.defer()

    ask(task.event, FcContext(credentials=local_cloudflow.session()))
    assert task.status == "Running"


async def replaced(call: Call, result: Any) -> Any:
    return {"replaced": True}


@pytest.mark.parametrize("layer", [after(replaced), replacing_async, replacing], ids=["after", "async", "plain"])
def test_a_deferred_async_task_stays_deferred_whatever_a_layer_returns(
    local_cloudflow: TaskCloudFlow, layer: Any
) -> None:
    task = local_cloudflow.new_task()

    @task_callback
    @layers(layer)
    async def ask(event: bytes, context: object, task: Task) -> Any:
        return task.defer()

    ask(task.event, FcContext(credentials=local_cloudflow.session()))
    assert task.status == "Running"


def test_after_is_not_called_for_a_deferred_task_which_has_no_result_yet(local_cloudflow: TaskCloudFlow) -> None:
    task = local_cloudflow.new_task()

    @task_callback
    @layers(after(lambda call, result: seen.append(result)))
    def ask(event: bytes, context: object, task: Task) -> Any:
        return task.defer()

    ask(task.event, FcContext(credentials=local_cloudflow.session()))
    assert seen == []
