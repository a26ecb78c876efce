"""Middleware: layers around a handler."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback import FcContext, Task, event_parser, task_callback
from fc_callback.errors import LayerError
from fc_callback.middleware import after, before, invocation, layers, layers_of, on_error
from fc_callback.values.invocation import current_invocation

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.middleware import Call, CallNext
    from fc_callback.testing import TaskCloudFlow

seen: list[Any] = []


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    seen.clear()


def noting(name: str) -> Any:
    def layer(call: Call, call_next: CallNext) -> Any:
        seen.append(f"before {name}")
        try:
            result = call_next(call)
        except ValueError:
            seen.append(f"error {name}")
            raise
        seen.append(f"after {name}")
        return result

    return layer


def noting_async(name: str) -> Any:
    async def layer(call: Call, call_next: CallNext) -> Any:
        seen.append(f"before {name}")
        try:
            result = await call_next(call)
        except ValueError:
            seen.append(f"error {name}")
            raise
        seen.append(f"after {name}")
        return result

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
    def forgiving(call: Call, call_next: CallNext) -> Any:
        try:
            return call_next(call)
        except ValueError as error:
            return {"statusCode": 400, "body": str(error)}

    @layers(forgiving)
    def handler(event: str, context: object) -> Any:
        raise ValueError("bad")

    assert handler("event", None) == {"statusCode": 400, "body": "bad"}


def test_a_layer_may_answer_without_the_handler() -> None:
    def closed(call: Call, call_next: CallNext) -> Any:
        return "no entry" if call.event == "closed" else call_next(call)

    @layers(closed)
    def handler(event: str, context: object) -> str:
        return "served"

    assert handler("closed", None) == "no entry"
    assert handler("open", None) == "served"


def test_what_a_layer_returns_is_the_result() -> None:
    def silent(call: Call, call_next: CallNext) -> Any:
        call_next(call)

    @layers(silent)
    def handler(event: str, context: object) -> str:
        return "lost"

    assert handler("event", None) is None


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


def test_a_layer_may_pass_another_event_on() -> None:
    def upper(call: Call, call_next: CallNext) -> Any:
        return call_next(call.with_event(call.event.upper()))

    @layers(upper)
    def handler(event: str, context: object) -> str:
        return event

    assert handler("event", None) == "EVENT"


def test_before_after_and_on_error_make_layers_of_plain_functions() -> None:
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


def check(call: Call) -> Any:
    seen.append("checked")
    return call.with_event(f"new {call.event}")


MOMENTS = (before(check), after(lambda call, result: f"{result}!"), on_error(lambda call, error: f"not {error}"))


def test_before_after_and_on_error_serve_a_plain_and_an_async_handler_alike() -> None:
    def answer(event: str, context: object) -> str:
        if event == "new bad":
            raise ValueError(event)
        return event

    @layers(*MOMENTS)
    def plain(event: str, context: object) -> str:
        return answer(event, context)

    @layers(*MOMENTS)
    async def later(event: str, context: object) -> str:
        await asyncio.sleep(0)
        return answer(event, context)

    for event, result in (("good", "new good!"), ("bad", "not new bad!")):
        assert plain(event, None) == result
        assert asyncio.run(later(event, None)) == result
    assert seen == ["checked"] * 4


def test_an_on_error_that_returns_nothing_lets_an_async_handler_s_exception_pass() -> None:
    @layers(on_error(lambda call, error: seen.append(error)))
    async def handler(event: str, context: object) -> str:
        raise ValueError(event)

    with pytest.raises(ValueError, match="event"):
        asyncio.run(handler("event", None))
    assert len(seen) == 1


def test_an_invocation_around_an_async_handler_lasts_until_the_handler_ends(fc_context: Callable[..., Any]) -> None:
    @layers(invocation)
    async def handler(event: str, context: object) -> Any:
        await asyncio.sleep(0)
        return current_invocation()

    begun = asyncio.run(handler("event", fc_context(function_name="pay")))
    assert begun.context.function_name == "pay"
    assert begun.ended


def test_async_layers_run_around_an_async_handler_in_the_order_in_which_they_are_read() -> None:
    @layers(noting_async("outer"), noting_async("inner"))
    async def handler(event: str, context: object) -> int:
        await asyncio.sleep(0)
        seen.append("handler")
        return 1

    assert asyncio.run(handler("event", None)) == 1
    assert seen == ["before outer", "before inner", "handler", "after inner", "after outer"]


def test_an_async_handler_s_exception_reaches_the_layers() -> None:
    @layers(noting_async("outer"), on_error(lambda call, error: None))
    async def handler(event: str, context: object) -> int:
        await asyncio.sleep(0)
        raise ValueError("late")

    with pytest.raises(ValueError, match="late"):
        asyncio.run(handler("event", None))
    assert seen == ["before outer", "error outer"]


def test_an_async_layer_may_change_the_event_and_the_result_and_answer_alone() -> None:
    async def changing(call: Call, call_next: CallNext) -> Any:
        await asyncio.sleep(0)
        if call.event == "closed":
            return "no entry"
        return await call_next(call.with_event(call.event.upper())) + "!"

    @layers(changing)
    async def handler(event: str, context: object) -> str:
        return event

    assert asyncio.run(handler("open", None)) == "OPEN!"
    assert asyncio.run(handler("closed", None)) == "no entry"


def test_an_async_layer_may_limit_the_time_of_the_handler() -> None:
    async def hurrying(call: Call, call_next: CallNext) -> Any:
        try:
            return await asyncio.wait_for(call_next(call), timeout=0.01)
        except asyncio.TimeoutError:
            return "too slow"

    @layers(hurrying)
    async def handler(event: str, context: object) -> str:
        await asyncio.sleep(60)
        return event

    assert asyncio.run(handler("event", None)) == "too slow"


@pytest.mark.parametrize("above", [True, False])
def test_layers_stand_above_and_below_task_callback(
    local_cloudflow: TaskCloudFlow, fc_context: Callable[..., Any], above: bool
) -> None:
    def look(call: Call, call_next: CallNext) -> Any:
        seen.append((call.event, call.task is not None, call.context.function_name))
        return call_next(call)

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
    @layers(noting_async("layer"))
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


# call_next


def twice(call: Call, call_next: CallNext) -> Any:
    call_next(call)
    return call_next(call)


async def twice_async(call: Call, call_next: CallNext) -> Any:
    await call_next(call)
    return await call_next(call)


async def twice_at_once(call: Call, call_next: CallNext) -> Any:
    return await asyncio.gather(call_next(call), call_next(call))


def again_after_an_error(call: Call, call_next: CallNext) -> Any:
    try:
        return call_next(call)
    except ValueError:
        return call_next(call)


def test_a_second_call_next_is_an_error_and_the_handler_runs_once() -> None:
    @layers(twice)
    def handler(event: str, context: object) -> str:
        seen.append(event)
        return event

    with pytest.raises(LayerError, match=r"^The layer twice called call_next a second time\. Keep the result"):
        handler("event", None)
    assert seen == ["event"]


def test_a_second_call_next_after_an_error_is_an_error_too() -> None:
    @layers(noting("outer"), again_after_an_error)
    def handler(event: str, context: object) -> str:
        seen.append(event)
        raise ValueError(event)

    with pytest.raises(LayerError, match="again_after_an_error"):
        handler("event", None)
    assert seen == ["before outer", "event"]


@pytest.mark.parametrize("layer", [twice_async, twice_at_once])
def test_a_second_call_next_around_an_async_handler_is_an_error(layer: Any) -> None:
    @layers(layer)
    async def handler(event: str, context: object) -> str:
        seen.append(event)
        return event

    with pytest.raises(LayerError, match="a second time"):
        asyncio.run(handler("event", None))
    assert seen == ["event"]


def test_each_call_of_a_handler_has_a_call_next_of_its_own() -> None:
    @layers(noting("a"))
    def handler(event: str, context: object) -> str:
        return event

    assert [handler("one", None), handler("two", None)] == ["one", "two"]


def test_a_call_next_with_something_else_is_told_and_shows_no_value() -> None:
    def wrong(call: Call, call_next: CallNext) -> Any:
        return call_next(call.event)

    @layers(wrong)
    def handler(event: str, context: object) -> None: ...

    with pytest.raises(TypeError, match=r"wrong gives call_next a str of 6 characters\..*call\.with_event") as caught:
        handler("secret", None)
    assert "secret" not in str(caught.value)


def test_a_before_that_returns_something_else_is_told() -> None:
    def check(call: Call) -> Any:
        return True

    @layers(before(check))
    def handler(event: str, context: object) -> None: ...

    with pytest.raises(TypeError, match=r"check gives call_next True\..*call\.with_event"):
        handler("event", None)


def test_a_stop_iteration_of_the_handler_s_passes_through() -> None:
    @layers(noting("a"))
    def handler(event: str, context: object) -> None:
        raise StopIteration("mine")

    with pytest.raises(StopIteration, match="mine"):
        handler("event", None)


# What cannot be a layer


def test_a_function_of_a_call_alone_is_refused_with_what_to_do() -> None:
    with pytest.raises(TypeError, match=r"Give it a function \(call, call_next\).*before\(function\)"):
        layers(lambda call: None)  # type: ignore[arg-type, misc]


def generating(call: Call, call_next: CallNext) -> Any:
    yield


async def generating_async(call: Call, call_next: CallNext) -> Any:
    yield


@pytest.mark.parametrize("layer", [generating, generating_async, functools.partial(generating)])
def test_a_generator_function_is_refused_as_a_layer(layer: Any) -> None:
    with pytest.raises(TypeError, match="got the generator function"):
        layers(layer)


class AsyncLayer:
    async def __call__(self, call: Call, call_next: CallNext) -> Any:
        return await call_next(call)


@pytest.mark.parametrize("layer", [noting_async("a"), functools.partial(noting_async("a")), AsyncLayer()])
def test_an_async_layer_of_a_plain_handler_is_refused_when_it_is_decorated(layer: Any) -> None:
    with pytest.raises(TypeError, match=r"one is async, the other is not\. Write the layer as a plain function\.$"):

        @layers(invocation, layer)
        def handler(event: str, context: object) -> None: ...


@pytest.mark.parametrize("layer", [noting("a"), functools.partial(noting("a")), lambda call, call_next: None])
def test_a_plain_layer_of_an_async_handler_is_refused_when_it_is_decorated(layer: Any) -> None:
    with pytest.raises(TypeError, match=r"Write the layer as an async def function, and await call_next\(call\)\.$"):

        @layers(invocation, layer)
        async def handler(event: str, context: object) -> None: ...


def test_a_plain_layer_stands_above_a_decorator_that_runs_an_async_handler() -> None:
    @layers(noting("a"))
    @event_parser
    async def handler(event: bytes, context: object) -> int:
        return 1

    assert handler(b"event", None) == 1
    assert seen == ["before a", "after a"]


def test_a_layer_that_wraps_one_for_both_kinds_is_what_it_is_itself() -> None:
    @functools.wraps(invocation)
    def wrapped(call: Call, call_next: CallNext) -> Any:
        return invocation(call, call_next)

    with pytest.raises(TypeError, match="one is async, the other is not"):

        @layers(wrapped)
        async def handler(event: str, context: object) -> None: ...


async def async_check(call: Call) -> None: ...


async def async_change(call: Call, result: object) -> None: ...


@pytest.mark.parametrize(
    ("make", "function"),
    [(before, async_check), (after, async_change), (on_error, async_change)],
    ids=["before", "after", "on_error"],
)
def test_an_async_function_is_refused_with_what_to_write_instead(make: Any, function: Any) -> None:
    with pytest.raises(TypeError, match=r"got the async function .*async def layer\(call, call_next\)"):
        make(function)


# Deferred tasks


def replacing(call: Call, call_next: CallNext) -> Any:
    call_next(call)
    return {"replaced": True}


async def replacing_async(call: Call, call_next: CallNext) -> Any:
    await call_next(call)
    return {"replaced": True}


REPLACED = after(lambda call, result: {"replaced": True})


@pytest.mark.parametrize("around", [(REPLACED,), (replacing,), (REPLACED, replacing)], ids=["after", "layer", "both"])
def test_a_deferred_task_stays_deferred_whatever_a_layer_returns(local_cloudflow: TaskCloudFlow, around: Any) -> None:
    task = local_cloudflow.new_task()

    @task_callback
    @layers(*around)
    def ask(event: bytes, context: object, task: Task) -> Any:
        return task.defer()

    ask(task.event, FcContext(credentials=local_cloudflow.session()))
    assert task.status == "Running"


@pytest.mark.parametrize(
    "around", [(REPLACED,), (replacing_async,), (REPLACED, replacing_async)], ids=["after", "layer", "both"]
)
def test_a_deferred_async_task_stays_deferred_whatever_a_layer_returns(
    local_cloudflow: TaskCloudFlow, around: Any
) -> None:
    task = local_cloudflow.new_task()

    @task_callback
    @layers(*around)
    async def ask(event: bytes, context: object, task: Task) -> Any:
        return task.defer()

    ask(task.event, FcContext(credentials=local_cloudflow.session()))
    assert task.status == "Running"


def test_a_layer_may_defer_the_task_itself(local_cloudflow: TaskCloudFlow) -> None:
    task = local_cloudflow.new_task()

    def asking(call: Call, call_next: CallNext) -> Any:
        assert call.task is not None
        return call.task.defer()

    @task_callback
    @layers(after(lambda call, result: seen.append(result)), asking)
    def handler(event: bytes, context: object) -> Any:
        raise AssertionError

    handler(task.event, FcContext(credentials=local_cloudflow.session()))
    assert task.status == "Running"
    assert seen == []


def test_after_is_not_called_for_a_deferred_task_which_has_no_result_yet(local_cloudflow: TaskCloudFlow) -> None:
    task = local_cloudflow.new_task()

    @task_callback
    @layers(after(lambda call, result: seen.append(result)), replacing)
    def ask(event: bytes, context: object, task: Task) -> Any:
        return task.defer()

    ask(task.event, FcContext(credentials=local_cloudflow.session()))
    assert seen == []
