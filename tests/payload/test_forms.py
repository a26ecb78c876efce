"""Annotations choose the form in which a function gets its event."""

from __future__ import annotations

import dataclasses
import json
import sys
import typing
from typing import TYPE_CHECKING, Annotated, Any, Optional

import attrs
import pydantic
import pytest
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from fc_callback import FcContext, Task, task_callback
from fc_callback.errors import PayloadInvalid
from tests.invoking import fc_context
from tests.waiting import WaitingTasks

if TYPE_CHECKING:
    from decimal import Decimal


class Line(pydantic.BaseModel):
    sku: str
    count: int = 1


class OrderModel(pydantic.BaseModel):
    id: int
    lines: list[Line] = []


class Event(pydantic.BaseModel):
    order: OrderModel


@dataclasses.dataclass
class DataOrder:
    id: int
    lines: list[dict[str, Any]]


@dataclasses.dataclass
class DataEvent:
    order: DataOrder


@attrs.frozen
class AttrsLine:
    sku: str
    count: int = 1


@attrs.frozen
class AttrsOrder:
    id: int
    lines: list[AttrsLine]
    note: Optional[str] = None  # noqa: UP045 - people write it
    first: AttrsLine | None = None
    by_sku: dict[str, AttrsLine] = attrs.field(factory=dict)
    _hidden: int = 3
    derived: int = attrs.field(init=False, default=9)


@attrs.frozen
class AttrsEvent:
    order: AttrsOrder


class TypedOrder(TypedDict):
    id: int


class TypedEvent(TypedDict):
    order: TypedOrder


ORDER = {"id": 7, "lines": [{"sku": "a", "count": 2}, {"sku": "b"}]}


SEEN: list[Any] = []


def run(tasks: WaitingTasks, function: Any, order: Any = ORDER) -> Any:
    """Run a function on a task, and return what it put into SEEN."""
    SEEN.clear()
    task_callback(function)(tasks.new("cloudflow", order).event, fc_context(tasks))
    return SEEN[0] if len(SEEN) == 1 else tuple(SEEN)


def test_without_an_annotation_the_event_is_as_it_came(tasks: WaitingTasks) -> None:
    def handler(event, context):  # type: ignore[no-untyped-def]  # on purpose
        SEEN.append(event)

    assert isinstance(run(tasks, handler), bytes)


@pytest.mark.parametrize("kind", [bytes, Any, object])
def test_bytes_and_any_are_the_event_as_it_came(tasks: WaitingTasks, kind: Any) -> None:
    def handler(event, context):  # type: ignore[no-untyped-def]  # annotated below
        SEEN.append(event)

    handler.__annotations__["event"] = kind
    assert isinstance(run(tasks, handler), bytes)


def test_a_dict_is_the_payload(tasks: WaitingTasks) -> None:
    def handler(event: dict[str, Any], context: Any) -> None:
        SEEN.append(event)

    payload = run(tasks, handler)
    assert payload["order"] == ORDER
    assert "taskToken" not in payload


def test_a_dict_is_the_payload_and_not_what_a_trigger_wrapped_around_it(tasks: WaitingTasks) -> None:
    got: list[Any] = []

    @task_callback
    def handler(event: dict[str, Any], context: Any) -> None:
        got.append(event)

    task = tasks.new("cloudflow", 1)
    handler(json.dumps({"TopicName": "t", "Message": task.event.decode()}), fc_context(tasks))
    assert got == [{name: value for name, value in json.loads(task.event).items() if name != "taskToken"}]


def test_a_pydantic_model_is_the_payload_validated(tasks: WaitingTasks) -> None:
    def handler(event: Event, context: Any) -> None:
        SEEN.append(event)

    assert run(tasks, handler).order.lines == [Line(sku="a", count=2), Line(sku="b")]


def test_a_dataclass_is_the_payload_validated(tasks: WaitingTasks) -> None:
    def handler(event: DataEvent, context: Any) -> None:
        SEEN.append(event)

    assert run(tasks, handler) == DataEvent(order=DataOrder(id=7, lines=ORDER["lines"]))  # type: ignore[arg-type]


def test_a_typed_dict_is_the_payload_validated(tasks: WaitingTasks) -> None:
    def handler(event: TypedEvent, context: Any) -> None:
        SEEN.append(event)

    assert run(tasks, handler)["order"] == {"id": 7}


class OldTyped(typing.TypedDict):
    order: Any


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="from Python 3.12 on, both are served")
def test_a_typed_dict_that_pydantic_cannot_read_names_the_one_to_use() -> None:
    def handler(event: OldTyped, context: Any) -> None:
        pass

    with pytest.raises(TypeError, match=r"typing_extensions\.TypedDict"):
        task_callback(handler)


def test_an_attrs_class_is_the_payload_validated_with_all_in_it(tasks: WaitingTasks) -> None:
    def handler(event: AttrsEvent, context: Any) -> None:
        SEEN.append(event)

    order = {**ORDER, "first": {"sku": "a"}, "by_sku": {"b": {"sku": "b"}}, "hidden": 5, "unknown": 1}
    assert run(tasks, handler, order) == AttrsEvent(
        AttrsOrder(7, [AttrsLine("a", 2), AttrsLine("b")], None, AttrsLine("a"), {"b": AttrsLine("b")}, 5)
    )


def test_the_defaults_of_an_attrs_class_are_its_own(tasks: WaitingTasks) -> None:
    def handler(event: AttrsEvent, context: Any) -> None:
        SEEN.append(event)

    assert run(tasks, handler, {"id": 1, "lines": []}) == AttrsEvent(AttrsOrder(1, []))


def test_an_optional_model_is_served(tasks: WaitingTasks) -> None:
    def handler(event: Event | None, context: Any) -> None:
        SEEN.append(event)

    assert run(tasks, handler).order.id == 7


def test_a_typed_context_and_the_task_are_given_wherever_they_stand(tasks: WaitingTasks) -> None:
    def handler(task: Task, context: FcContext, event: dict[str, Any]) -> None:
        SEEN.extend([task, context, event])

    task, context, event = run(tasks, handler)
    assert isinstance(task, Task)
    assert context.request_id == "r-1"
    assert event == task.payload == {"order": ORDER}


def test_a_typed_context_is_the_second_parameter_s_too(tasks: WaitingTasks) -> None:
    def handler(event: Event, context: FcContext, *, task: Task) -> None:
        SEEN.extend([event, context, task])

    event, context, task = run(tasks, handler)
    assert (event.order.id, context.function_name, task.context) == (7, "f", context)


@pytest.mark.parametrize("kind", [Task, Optional[Task], "Task", "Task | None", Annotated[Task, "this one"]])  # noqa: UP045 - this spelling too
def test_the_task_can_be_asked_for_in_every_spelling(tasks: WaitingTasks, kind: Any) -> None:
    def handler(event, context, task):  # type: ignore[no-untyped-def]  # annotated below
        SEEN.append(task)

    handler.__annotations__["task"] = kind
    assert isinstance(run(tasks, handler), Task)


def test_without_a_token_the_task_is_none(tasks: WaitingTasks) -> None:
    got: list[Any] = []

    @task_callback(missing_token="ignore")
    def handler(event: bytes, context: Any, task: Task | None) -> None:
        got.append(task)

    handler(b"{}", fc_context(tasks))
    assert got == [None]


def test_without_a_token_a_model_is_made_of_the_event(tasks: WaitingTasks) -> None:
    got: list[Any] = []

    @task_callback(missing_token="ignore")
    def handler(event: OrderModel, context: Any) -> None:
        got.append(event)

    handler(b'{"id": 4}', fc_context(tasks))
    assert got == [OrderModel(id=4)]


@pytest.mark.parametrize("event", [b"[]", b"words", b"3"])
def test_an_event_that_is_no_object_does_not_fit_a_model(tasks: WaitingTasks, event: bytes) -> None:
    @task_callback(missing_token="ignore")
    def handler(event: OrderModel, context: Any) -> None:
        raise AssertionError

    with pytest.raises(PayloadInvalid, match="not a JSON object"):
        handler(event, fc_context(tasks))


# What does not fit

SECRET = "4111-1111-1111-1111"


def is_no_order(order: Any) -> Any:
    raise PydanticCustomError("no_order", "{given} is no order", {"given": str(order)})


class CheckedEvent(pydantic.BaseModel):
    order: Annotated[Any, pydantic.AfterValidator(is_no_order)]


@pytest.mark.parametrize("kind", [Event, DataEvent, TypedEvent, AttrsEvent, CheckedEvent])
@pytest.mark.parametrize("order", [{"id": SECRET, "lines": []}, {"lines": SECRET}, SECRET, None])
def test_what_is_wrong_is_named_by_field_and_shown_by_no_value(tasks: WaitingTasks, kind: Any, order: Any) -> None:
    def handler(event, context):  # type: ignore[no-untyped-def]  # annotated below
        raise AssertionError

    handler.__annotations__["event"] = kind
    with pytest.raises(PayloadInvalid) as caught:
        run(tasks, handler, order)
    problem: BaseException | None = caught.value
    assert all(path.startswith("$.order") for path, _ in caught.value.problems)
    while problem is not None:
        assert SECRET not in f"{problem!s}{problem!r}{vars(problem)}"
        problem = problem.__cause__ or problem.__context__


def test_a_problem_deep_inside_has_its_whole_path(tasks: WaitingTasks) -> None:
    def handler(event: Event, context: Any) -> None:
        raise AssertionError

    with pytest.raises(PayloadInvalid) as caught:
        run(tasks, handler, {"id": 1, "lines": [{"sku": "a"}, {"count": "many"}]})
    assert {path for path, _ in caught.value.problems} == {"$.order.lines[1].sku", "$.order.lines[1].count"}


def test_an_attrs_class_s_own_refusal_shows_no_value(tasks: WaitingTasks) -> None:
    def handler(event: Checked, context: Any) -> None:
        raise AssertionError

    with pytest.raises(PayloadInvalid) as caught:
        run(tasks, handler, SECRET)
    assert "Checked does not accept the value (ValueError)" in str(caught.value)
    assert SECRET not in str(caught.value)


@attrs.frozen
class Checked:
    order: str = attrs.field()

    @order.validator
    def _plain(self, _attribute: Any, value: str) -> None:
        raise ValueError(f"{value} is no order")


def test_a_validation_error_of_the_function_itself_is_not_taken_for_bad_input(tasks: WaitingTasks) -> None:
    def handler(event: dict[str, Any], context: Any) -> None:
        OrderModel.model_validate({"id": "x"})

    with pytest.raises(pydantic.ValidationError):
        run(tasks, handler)


def test_it_is_reported_as_what_it_is(tasks: WaitingTasks) -> None:
    @task_callback(on_failure="report")
    def handler(event: Event, context: Any) -> None:
        OrderModel.model_validate({"id": "x"})

    task = tasks.new("cloudflow", ORDER)
    handler(task.event, fc_context(tasks))
    assert task.failure[0] == "ValidationError"


# What is refused when decorating


def test_a_name_that_cannot_be_resolved_is_a_type_error_that_helps() -> None:
    def handler(event: Decimal, context: Any) -> None:
        pass

    with pytest.raises(TypeError, match="not under TYPE_CHECKING"):
        task_callback(handler)


def test_a_name_of_another_function_s_inside_is_a_type_error_that_helps() -> None:
    class Inside(pydantic.BaseModel):
        a: int

    def handler(event: Inside, context: Any) -> None:
        pass

    with pytest.raises(TypeError, match=r"'event' of .*handler"):
        task_callback(handler)


def test_a_name_that_nobody_needs_may_stay_unresolved(tasks: WaitingTasks) -> None:
    def handler(event: bytes, context: Any, price: Decimal | None = None) -> Decimal | None:
        SEEN.append(context)
        return price

    assert run(tasks, handler).request_id == "r-1"


@pytest.mark.parametrize("kind", [str, int, list[str], bool, "str", type(attrs)], ids=str)
def test_a_type_that_no_payload_can_be_is_a_type_error_that_helps(kind: Any) -> None:
    def handler(event, context):  # type: ignore[no-untyped-def]  # annotated below
        pass

    handler.__annotations__["event"] = kind
    with pytest.raises(TypeError) as caught:
        task_callback(handler)
    assert "'event'" in str(caught.value)
    assert "dict" in str(caught.value)


@pytest.mark.parametrize(
    "function",
    [lambda event, context, more: None, lambda event, *, only: None],
    ids=["a third parameter", "a keyword alone"],
)
def test_a_parameter_that_nothing_can_be_given_to_is_a_type_error_that_helps(function: Any) -> None:
    with pytest.raises(TypeError, match="Give the parameter a default"):
        task_callback(function)
