"""Every trigger's event, as FC delivers it, through the decorator to a reported task: in each form of annotation."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on

from fc_callback import Task, task_callback
from fc_callback.events import (
    ApiGatewayEvent,
    CloudEvent,
    Event,
    EventBridgeEvent,
    EventBridgeEvents,
    HttpEvent,
    KafkaEvents,
    MnsQueueEvents,
    MnsTopicEvent,
    MqttEvents,
    RabbitMqEvents,
    RocketMqEvents,
    TimerEvent,
)
from fc_callback.testing import events as build
from tests.events.samples import ORDER, WITH_TOKEN, event_with, payload_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.waiting import Language, WaitingTasks

every_sample = pytest.mark.parametrize("sample", WITH_TOKEN)


class Item(BaseModel):
    id: str
    amount: float


class Order(BaseModel):
    order: Item


class Approval(Order):
    task_token: str = Field(alias="taskToken", repr=False)


class Queued(BaseModel):
    key_1: str
    key_2: str


class Pushed(BaseModel):
    message_body: str = Field(alias="messageBody")


class Child(BaseModel):
    """A child flow's end, as the step that waits for it hears of it."""

    output: dict[str, Any] | None = None
    error: str | None = None
    cause: str | None = None


class Called(BaseModel):
    """What a legacy flow's author mapped, under any name."""

    model_config = {"extra": "allow"}


class ItemDict(TypedDict):
    id: str
    amount: float


class OrderDict(TypedDict):
    order: ItemDict


@dataclass
class ItemRecord:
    id: str
    amount: float


@dataclass
class OrderRecord:
    order: ItemRecord


@attrs.frozen
class ItemValue:
    id: str
    amount: float


@attrs.frozen
class OrderValue:
    order: ItemValue


def model_of(sample: str) -> type[BaseModel]:
    if sample.startswith("cloudflow-child"):
        return Child
    if sample.startswith("cloudflow-legacy"):
        return Called
    if sample.startswith("mns-queue"):
        return Queued
    return Pushed if sample == "mns-topic-http-push-token" else Order


def delivered(sample: str, function: Callable[..., Any], tasks: WaitingTasks) -> tuple[Any, bytes]:
    """Deliver a sample for a task that waits; return the Output that CloudFlow has then, and the event."""
    waiting = tasks.new("legacy" if "legacy" in sample else "cloudflow")
    event = event_with(sample, waiting.token)
    text = task_callback(function)(event, None)
    assert json.loads(text) == waiting.output
    assert waiting.status == "Succeeded"
    return waiting.output, event


def without_token(payload: dict[str, Any], token: str) -> dict[str, Any]:
    return {key: value for key, value in payload.items() if value != token}


@every_sample
def test_a_function_without_annotations_gets_the_bytes_as_they_came(sample: str, tasks: WaitingTasks) -> None:
    seen: list[Any] = []

    def handler(event, context):  # type: ignore[no-untyped-def]  # as people write it
        seen.append(event)
        return {"bytes": len(event)}

    output, event = delivered(sample, handler, tasks)
    assert seen == [event]
    assert output == {"bytes": len(event)}


@every_sample
def test_bytes_are_the_event_as_it_came(sample: str, tasks: WaitingTasks) -> None:
    seen: list[bytes] = []

    def handler(event: bytes, context: Any) -> None:
        seen.append(event)

    output, event = delivered(sample, handler, tasks)
    assert seen == [event]
    assert output == {}


@every_sample
def test_dict_is_the_payload_whatever_the_trigger_wrapped_around_it(sample: str, tasks: WaitingTasks) -> None:
    def handler(event: dict[str, Any], context: Any, task: Task) -> dict[str, Any]:
        return without_token(event, task.token.reveal())

    output, _ = delivered(sample, handler, tasks)
    assert output == payload_of(sample)


@every_sample
def test_a_model_is_the_payload_validated(sample: str, tasks: WaitingTasks) -> None:
    model = model_of(sample)

    def handler(payload, context, task: Task):  # type: ignore[no-untyped-def]  # annotated below: the model differs
        assert isinstance(payload, model)
        return without_token(payload.model_dump(by_alias=True, exclude_none=True), task.token.reveal())

    handler.__annotations__["payload"] = model
    output, _ = delivered(sample, handler, tasks)
    assert output == payload_of(sample)


@pytest.mark.parametrize("kind", [OrderDict, OrderRecord, OrderValue], ids=["TypedDict", "dataclass", "attrs"])
def test_other_kinds_of_class_take_a_message_in_base64_as_well(kind: Any, tasks: WaitingTasks) -> None:
    def handler(payload, context):  # type: ignore[no-untyped-def]
        return payload

    handler.__annotations__["payload"] = kind
    output, _ = delivered("mns-topic-json-base64-token", handler, tasks)
    assert output == ORDER


def read_http(event: HttpEvent, context: Any) -> Any:
    assert (event.method, event.header("user-agent")) == ("POST", "curl/8.0")
    return without_named_token(event.json())


def read_pushed(event: HttpEvent, context: Any) -> Any:
    assert event.path == "/notifications"
    return without_named_token(MnsTopicEvent.parse(event.json()).json())


def read_topic(event: MnsTopicEvent, context: Any) -> Any:
    return without_named_token(event.json())


def read_queue(events: MnsQueueEvents, context: Any) -> Any:
    [event] = events
    assert (event.type, event.data.message_id) == ("mns:Queue:SendMessage", "0000")
    return without_named_token(event.json())


def read_single(event: EventBridgeEvent, context: Any) -> Any:
    assert event.type == "order:ApprovalRequested"
    return without_named_token(event.json())


def read_single_of_orders(event: CloudEvent[Approval], context: Any) -> Any:
    return {"order": event.data.order}


def read_array(events: EventBridgeEvents, context: Any) -> Any:
    [event] = events
    return without_named_token(event.json())


def read_array_of_orders(events: EventBridgeEvents[Approval], context: Any) -> Any:
    return {"order": events[0].data.order}


class OrderEvents(EventBridgeEvents[Order]):
    """A subclass of a person's own."""

    @property
    def first(self) -> Item:
        return self[0].data.order


def read_by_subclass(events: OrderEvents, context: Any) -> Any:
    return {"order": events.first}


def without_named_token(payload: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in payload.items() if key != "taskToken"}


CLASSES: list[tuple[str, Callable[..., Any]]] = [
    ("eventbridge-single-token", read_single),
    ("eventbridge-single-token", read_single_of_orders),
    ("eventbridge-single-token", read_array),
    ("eventbridge-data-string-token", read_single),
    ("eventbridge-data-string-token", read_single_of_orders),
    ("eventbridge-array-token", read_array),
    ("eventbridge-array-token", read_array_of_orders),
    ("eventbridge-array-token", read_by_subclass),
    ("eventbridge-array-of-strings-token", read_array),
    ("eventbridge-array-of-strings-token", read_array_of_orders),
    ("eventbridge-array-of-strings-token", read_by_subclass),
    ("http-v1-token", read_http),
    ("http-v1-base64-token", read_http),
    ("mns-topic-http-push-token", read_pushed),
    ("mns-topic-json-token", read_topic),
    ("mns-topic-json-base64-token", read_topic),
    ("mns-topic-json-attributes-token", read_topic),
    ("mns-topic-stream-token", read_topic),
    ("mns-topic-stream-attributes-token", read_topic),
    ("mns-queue-plain-token", read_queue),
    ("mns-queue-base64-token", read_queue),
]


@pytest.mark.parametrize(("sample", "function"), CLASSES, ids=[f"{name}-{read.__name__}" for name, read in CLASSES])
def test_a_class_of_events_is_the_whole_event(sample: str, function: Callable[..., Any], tasks: WaitingTasks) -> None:
    output, _ = delivered(sample, function, tasks)
    assert output == payload_of(sample)


def test_every_sample_of_a_trigger_is_read_by_a_class_of_events() -> None:
    assert {name for name, _ in CLASSES} == {name for name in WITH_TOKEN if not name.startswith("cloudflow-")}


@pytest.mark.parametrize("flow", ["legacy", "cloudflow"])
def test_what_a_flow_itself_hands_to_a_function_is_the_payload(flow: Language, tasks: WaitingTasks) -> None:
    waiting = tasks.new(flow, {"id": "o-7", "amount": 3})

    @task_callback
    def handler(payload: Order, context: Any) -> Item:
        return payload.order

    handler(waiting.event, None)
    assert waiting.output == {"id": "o-7", "amount": 3.0}


@every_sample
def test_a_path_finds_the_token_of_an_event_as_well_as_the_search(sample: str, tasks: WaitingTasks) -> None:
    paths: list[str] = []

    def handler(event: bytes, task: Task) -> None:
        paths.append(task.path)

    delivered(sample, handler, tasks)
    waiting = tasks.new()

    @task_callback(token=paths[0].removeprefix("$").removeprefix("."))
    def told(event: bytes, task: Task) -> dict[str, str]:
        return {"path": task.path}

    told(event_with(sample, waiting.token), None)
    assert waiting.output == {"path": paths[0]}


def the_only(events: Any) -> Any:
    [event] = events
    return event.json()


# The triggers without a sample that carries a token: built as they deliver it, with options that change the wrapping.
BUILT: list[tuple[Callable[..., bytes], dict[str, Any], type[Event], Callable[[Any], Any]]] = [
    (build.api_gateway, {}, ApiGatewayEvent, lambda event: event.json()),
    (build.timer, {}, TimerEvent, lambda event: event.json()),
    (build.rocketmq, {}, RocketMqEvents, the_only),
    (build.rocketmq, {"base64": True}, RocketMqEvents, the_only),
    (build.rabbitmq, {}, RabbitMqEvents, the_only),
    (build.rabbitmq, {"text": True}, RabbitMqEvents, the_only),
    (build.kafka, {}, KafkaEvents, the_only),
    (build.mqtt, {}, MqttEvents, the_only),
]
every_built = pytest.mark.parametrize(
    ("builder", "options", "kind", "read"),
    BUILT,
    ids=["-".join([builder.__name__, *options]) for builder, options, _, _ in BUILT],
)


@every_built
@pytest.mark.parametrize("form", ["bytes", "dict", "model", "class"])
def test_a_message_of_any_other_trigger_is_reported_in_each_form(
    form: str, builder: Any, options: dict[str, Any], kind: type[Event], read: Any, tasks: WaitingTasks
) -> None:
    waiting = tasks.new()
    event = builder(ORDER, token=waiting.token, **options)

    def handler(given, context, task: Task):  # type: ignore[no-untyped-def]  # annotated below: the form differs
        if form == "bytes":
            assert given == event
            return ORDER
        return without_token(read(given) if form == "class" else dict(given), task.token.reveal())

    handler.__annotations__["given"] = {"bytes": bytes, "dict": dict, "model": Order, "class": kind}[form]
    task_callback(handler)(event, None)
    assert waiting.output == ORDER
