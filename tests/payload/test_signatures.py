"""Which functions can be handlers, and what each of their parameters gets."""

from __future__ import annotations

import contextlib
import functools
import json
from typing import TYPE_CHECKING, Annotated, Any

import pytest

from fc_callback import FcContext, Task, event_parser, task_callback
from fc_callback.idempotency import idempotent, once
from fc_callback.middleware import before, layers
from tests.invoking import fc_context
from tests.payload.kinds import Model
from tests.waiting import WaitingTasks

if TYPE_CHECKING:
    from collections.abc import Callable

EVENT = b'{"id": 7}'


def with_layers(function: Any) -> Any:
    return layers(before(lambda call: None))(function)


def idempotently(function: Any) -> Any:
    return idempotent(once(key="id", store="memory:"))(function)


DECORATORS: dict[str, Any] = {
    "task_callback": task_callback(missing_token="ignore"),
    "event_parser": event_parser,
    "idempotent": idempotently,
    "layers": with_layers,
    "layers below": lambda function: event_parser(with_layers(function)),
    "layers above": lambda function: with_layers(event_parser(function)),
}
decorated = pytest.mark.parametrize("name", DECORATORS)


def answer(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


# Methods, static methods, partials, callables


def shop(decorate: Callable[[Any], Any]) -> Any:
    class Shop:
        name = "shop"

        @decorate
        def method(self, event: bytes, context: Any) -> Any:
            return {"by": self.name, "n": len(event)}

        @staticmethod
        @decorate
        def static(event: bytes, context: Any) -> Any:
            return {"by": "static", "n": len(event)}

        @classmethod
        @decorate
        def of_class(cls, event: bytes, context: Any) -> Any:
            return {"by": cls.__name__, "n": len(event)}

        def __call__(self, event: bytes, context: Any) -> Any:
            return {"by": "call", "n": len(event)}

        def plain(self, event: bytes, context: Any, more: str = "plain") -> Any:
            return {"by": more, "n": len(event)}

    return Shop


@decorated
@pytest.mark.parametrize("keywords", [False, True], ids=["by position", "by name"])
def test_methods_static_methods_and_class_methods_get_their_event(name: str, keywords: bool) -> None:
    kind = shop(DECORATORS[name])
    instance = kind()
    handlers = {
        "shop": instance.method,
        "static": kind.static,
        "Shop": kind.of_class,
    }
    for by, handler in [*handlers.items(), ("static", instance.static), ("Shop", instance.of_class)]:
        given = handler(event=EVENT, context=None) if keywords else handler(EVENT, None)
        assert answer(given) == {"by": by, "n": len(EVENT)}


@decorated
def test_callables_partials_and_bound_methods_get_their_event(name: str) -> None:
    decorate, instance = DECORATORS[name], shop(lambda function: function)()
    assert answer(decorate(instance)(EVENT, None)) == {"by": "call", "n": len(EVENT)}
    assert answer(decorate(instance.plain)(EVENT, None)) == {"by": "plain", "n": len(EVENT)}
    partial = functools.partial(instance.plain, more="partial")
    assert answer(decorate(partial)(EVENT, None)) == {"by": "partial", "n": len(EVENT)}
    assert answer(decorate(lambda *both: {"n": len(both)})(EVENT, None)) == {"n": 2}


def test_a_partial_that_fills_a_parameter_in_the_middle_gets_the_rest_by_name() -> None:
    def plain(event: bytes, db: str, context: Any, *, more: Any = None) -> Any:
        return [len(event), db, context]

    assert event_parser(functools.partial(plain, db="fake"))(EVENT, "the context") == [
        len(EVENT),
        "fake",
        "the context",
    ]


def test_a_method_s_annotations_are_served_under_each_decorator(tasks: WaitingTasks) -> None:
    every: list[Callable[[Any], Any]] = [event_parser, idempotently, task_callback(missing_token="ignore")]
    for decorate in every:

        class Shop:
            @decorate
            def method(self, order: Model, context: FcContext) -> Any:
                return {"id": order.id, "request": context.request_id}

        assert answer(Shop().method(EVENT, fc_context(tasks))) == {"id": 7, "request": "r-1"}


def test_a_function_defined_outside_of_its_class_is_a_method_by_its_self() -> None:
    def method(self: Any, event: bytes, context: Any) -> Any:
        return {"by": self.name}

    handler = event_parser(method)
    kind = type("Shop", (), {"name": "late", "handler": handler})
    assert kind().handler(EVENT, None) == {"by": "late"}


# The second parameter


def fc_s_own(event, context=None):  # type: ignore[no-untyped-def]  # as FC's documentation writes it
    return {"context": context}


def annotated_any(event: bytes, context: Any = None) -> Any:
    return {"context": context}


def unannotated_second(event: bytes, ctx) -> Any:  # type: ignore[no-untyped-def]
    return {"context": ctx}


def as_object(event: bytes, context: object) -> Any:
    return {"context": context}


def any_or_none(event: bytes, context: Any | None = None) -> Any:
    return {"context": context}


@pytest.mark.parametrize("function", [fc_s_own, annotated_any, unannotated_second, as_object, any_or_none])
@pytest.mark.parametrize("decorate", [event_parser, task_callback(missing_token="ignore"), idempotently])
def test_the_second_parameter_gets_fc_s_context_with_or_without_a_default(function: Any, decorate: Any) -> None:
    handler = decorate(function)
    assert answer(handler(EVENT, {"raw": 1})) == {"context": {"raw": 1}}


def test_a_second_parameter_with_another_annotation_keeps_its_default() -> None:
    @event_parser
    def handler(event: bytes, db: str | None = "the default", context: FcContext | None = None) -> Any:
        return [db, type(context).__name__]

    assert handler(EVENT, None) == ["the default", "FcContext"]
    assert handler(EVENT, None, db="fake") == ["fake", "FcContext"]


def behind_a_context(event: bytes, context: FcContext, db="real") -> Any:  # type: ignore[no-untyped-def]
    return [type(context).__name__, db]


def context_first(context: FcContext, event: bytes, db="real") -> Any:  # type: ignore[no-untyped-def]
    return [type(context).__name__, db]


def behind_star(event: bytes, context: FcContext, *rest: Any, db: Any = "real") -> Any:
    return [type(context).__name__, *rest, db]


@pytest.mark.parametrize("function", [behind_a_context, context_first, behind_star])
@pytest.mark.parametrize("decorate", [event_parser, task_callback(missing_token="ignore"), idempotently])
def test_a_parameter_behind_a_typed_context_keeps_its_default(function: Any, decorate: Any) -> None:
    assert answer(decorate(function)(EVENT, None)) in (["FcContext", "real"], {"result": ["FcContext", "real"]})
    assert "fake" in str(decorate(function)({"id": 8}, None, db="fake"))


def test_a_parameter_behind_a_typed_context_that_has_no_default_is_refused() -> None:
    def handler(event: bytes, context: FcContext, db) -> Any:  # type: ignore[no-untyped-def]
        return db

    with pytest.raises(TypeError, match="handler has the parameter 'db', but there is no argument for it"):
        event_parser(handler)


def test_a_task_behind_a_parameter_that_keeps_its_default_gets_the_task(tasks: WaitingTasks) -> None:
    seen: list[Any] = []

    @task_callback
    def handler(event: bytes, db: str = "default", retries: int = 3, task: Task | None = None) -> None:
        seen.extend([db, retries, type(task).__name__])

    handler(tasks.new().event, fc_context(tasks))
    assert seen == ["default", 3, "Task"]


def test_a_positional_only_parameter_keeps_its_default() -> None:
    def plain(event: bytes, db: str = "default", context: FcContext | None = None, /) -> Any:
        return [db, type(context).__name__]

    assert event_parser(plain)(EVENT, None) == ["default", "FcContext"]


@pytest.mark.parametrize("kind", [str, Model, dict, int | None, "Decimal", bytes])
def test_a_second_parameter_with_another_annotation_and_no_default_is_refused(kind: Any) -> None:
    def handler(event, context):  # type: ignore[no-untyped-def]  # annotated below
        raise AssertionError

    handler.__annotations__["context"] = kind
    for decorate in (task_callback, event_parser, idempotently):
        with pytest.raises(TypeError, match=r"there is no argument for it|cannot be resolved"):
            decorate(handler)


@pytest.mark.parametrize(
    "parameters",
    [
        "event: bytes, task: Task",
        "event: bytes, context, task: Task | None = None",
        "event: bytes, context: FcContext",
        "event: bytes, context: FcContext | None = None",
        "event: bytes, context, *, task: fc_callback.Task = None",
        "task: Task, event: bytes",
        "event: bytes, context, *, task: 'Task' = None",
    ],
)
def test_a_task_or_context_imported_for_type_checkers_alone_is_refused(parameters: str) -> None:
    # A module of its own: the names are imported in this one.
    module: dict[str, Any] = {"__name__": "index"}
    exec(f"from __future__ import annotations\ndef handler({parameters}): ...", module)
    for decorate in (task_callback, event_parser):
        with pytest.raises(TypeError, match="not under TYPE_CHECKING"):
            decorate(module["handler"])


@pytest.mark.parametrize("kind", [Task, "Task", Annotated[Task, "this one"]])
def test_only_task_callback_has_a_task_to_give(kind: Any) -> None:
    def handler(event, task):  # type: ignore[no-untyped-def]  # annotated below
        raise AssertionError

    handler.__annotations__["task"] = kind
    for decorate in (event_parser, idempotently):
        with pytest.raises(TypeError, match="only task_callback"):
            decorate(handler)


def test_a_task_that_may_be_missing_is_the_running_one_or_none(tasks: WaitingTasks) -> None:
    seen: list[Any] = []

    @event_parser
    def handler(event: bytes, task: Task | None) -> Any:
        seen.append(task and task.token.reveal())

    waiting = tasks.new()
    handler(EVENT, None)
    task_callback(handler)(waiting.event, fc_context(tasks))
    assert seen == [None, waiting.token]


# Calls


@pytest.mark.parametrize("decorate", [event_parser, idempotently, task_callback(missing_token="ignore"), with_layers])
def test_a_handler_is_called_by_name_too_and_passes_further_names_on(decorate: Any) -> None:
    def plain(event: bytes, context: Any, *, db: str = "real", **more: Any) -> Any:
        return {"db": db, "more": sorted(more), "context": context, "n": len(event)}

    handler = decorate(plain)
    expected = {"db": "real", "more": [], "context": "c", "n": len(EVENT)}
    assert answer(handler(EVENT, "c")) == answer(handler(EVENT, context="c")) == expected
    assert answer(handler(event=EVENT, context="c")) == expected
    expected = {**expected, "db": "fake", "more": ["clock"]}
    assert answer(decorate(plain)(context="c", event=EVENT, db="fake", clock=1)) == expected


def test_a_running_task_can_be_called_with_a_fake_by_name(tasks: WaitingTasks) -> None:
    task = tasks.new()

    @task_callback
    def handler(order: dict[str, Any], context: FcContext, *, db: Any = None, task: Task) -> Any:
        return {"db": db}

    handler(event=task.event, context=fc_context(tasks), db="fake")
    assert task.output == {"db": "fake"}


@pytest.mark.parametrize(
    ("given", "named"),
    [((), {}), ((EVENT,), {}), ((1, EVENT, None), {}), ((), {"event": EVENT}), ((EVENT, 1), {"context": None})],
)
def test_a_call_that_is_none_of_a_handler_is_a_type_error_and_no_failed_task(given: Any, named: Any) -> None:
    @task_callback(on_failure="report")
    def handler(event: bytes, context: Any) -> Any:
        raise AssertionError

    with pytest.raises(TypeError, match="must be called with an event and a context"):
        handler(*given, **named)


def test_layers_see_the_event_and_the_context_of_a_call_by_name() -> None:
    seen: list[Any] = []

    def look(call: Any) -> Any:
        seen.extend([call.event, call.context.request_id])
        return call.with_event(b"other")

    @layers(before(look))
    def handler(event: bytes, context: Any) -> Any:
        return event

    assert handler(event=EVENT, context=FcContext(request_id="r-9")) == b"other"
    assert seen == [EVENT, "r-9"]


# What cannot be a handler


async def async_generator(event: bytes, context: Any) -> Any:
    yield 1


class AsyncGenerating:
    async def __call__(self, event: bytes, context: Any) -> Any:
        yield 1


@contextlib.contextmanager
def manager(event: bytes, context: Any) -> Any:
    yield 1


@contextlib.asynccontextmanager
async def async_manager(event: bytes, context: Any) -> Any:
    yield 1


def plain(event: Any, context: Any = None) -> Any:
    return {}


@decorated
@pytest.mark.parametrize(
    ("what", "words"),
    [
        (async_generator, "async generator"),
        (AsyncGenerating(), "async generator"),
        (functools.partial(async_generator), "async generator"),
        (manager, "context manager"),
        (async_manager, "context manager"),
        (staticmethod(plain), "put @staticmethod above"),
        (classmethod(plain), "put @classmethod above"),
        (property(plain), "put @property above"),
        (Model, "not the class Model"),
        (dict, "not the class dict"),
        (3, "not int"),
        (None, "not NoneType"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_cannot_be_a_handler_is_refused_when_it_is_decorated(name: str, what: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        DECORATORS[name](what)


def test_a_generator_function_is_a_handler_whose_result_is_an_array(tasks: WaitingTasks) -> None:
    task = tasks.new()

    @task_callback
    def handler(event: bytes, context: Any) -> Any:
        yield 1
        yield 2

    handler(task.event, fc_context(tasks))
    assert task.output == {"result": [1, 2]}


def test_arguments_in_a_star_cannot_be_annotated_with_a_form() -> None:
    def handler(*arguments: Model) -> None: ...

    with pytest.raises(TypeError, match="Use two parameters instead"):
        task_callback(handler)


@pytest.mark.parametrize("function", [lambda event, context, more: None, lambda event, *, only: None])
def test_a_parameter_that_nothing_can_be_given_to_is_refused_by_each_decorator(function: Any) -> None:
    for decorate in (task_callback, event_parser, idempotently):
        with pytest.raises(TypeError, match="Give the parameter a default"):
            decorate(function)


@decorated
def test_the_plain_function_is_there_for_unit_tests(name: str) -> None:
    handler = DECORATORS[name](plain)
    while hasattr(handler, "__wrapped__"):
        handler = handler.__wrapped__
    assert handler is plain
