"""The keys that hold the task token are no data: they are left out of what a function gets validated or as a dict."""

from __future__ import annotations

import itertools
import json
from base64 import b64encode
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

from fc_callback import FcContext, PayloadInvalid, Task, event_parser, task_callback
from fc_callback.events import (
    Batch,
    CloudEvent,
    EventBridgeEvent,
    EventBridgeEvents,
    MnsTopicEvent,
    TablestoreEvent,
)
from fc_callback.idempotency import idempotent, once
from fc_callback.middleware import before, layers
from fc_callback.testing import events
from tests.invoking import fc_context
from tests.payload import kinds as k
from tests.waiting import WaitingTasks


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: int
    nested: dict[str, Any] = {}


def run(tasks: WaitingTasks, kind: Any, task: Any, event: Any = None, **options: Any) -> Any:
    """Return what a function with this annotation gets from an event."""
    seen: list[Any] = []

    def handler(event, context):  # type: ignore[no-untyped-def]  # annotated below
        seen.append(event)

    handler.__annotations__["event"] = kind
    task_callback(**options)(handler)(task.event if event is None else event, fc_context(tasks))
    return seen[0]


def test_a_function_that_returns_its_payload_puts_no_token_into_the_flow(tasks: WaitingTasks) -> None:
    task = tasks.service.new_task({"id": 7})

    @task_callback
    def handler(order: dict[str, Any], context: Any) -> Any:
        return {**order, "status": "paid"}

    handler(task.event, fc_context(tasks))
    assert task.output == {"id": 7, "status": "paid"}


def test_every_key_that_holds_the_token_is_left_out_whatever_its_name(tasks: WaitingTasks) -> None:
    task = tasks.service.new_task({"id": 7})
    token = task.token.reveal()
    event = {"id": 7, "taskToken": token, "copy": token, "ticket": token}
    assert run(tasks, Item, task, json.dumps(event)) == Item(id=7)


def test_the_token_of_another_task_stays(tasks: WaitingTasks) -> None:
    task = tasks.service.new_task({"id": 7, "parentToken": "another"})
    assert run(tasks, dict, task) == {"id": 7, "parentToken": "another"}


def test_nothing_deeper_is_looked_at(tasks: WaitingTasks) -> None:
    task = tasks.service.new_task({"id": 7})
    nested = {"taskToken": task.token.reveal()}
    event = json.dumps({"id": 7, **nested, "nested": nested})
    assert run(tasks, Item, task, event) == Item(id=7, nested=nested)
    task = tasks.service.new_task({"id": 7})
    nested = {"taskToken": task.token.reveal()}
    assert run(tasks, dict, task, json.dumps({"id": 7, **nested, "nested": nested})) == {"id": 7, "nested": nested}


@pytest.mark.parametrize("token", ["ticket", lambda event: event["ticket"]], ids=["path", "callable"])
def test_a_token_that_was_pointed_at_is_left_out_too(tasks: WaitingTasks, token: Any) -> None:
    task = tasks.service.new_task({"id": 7})
    event = json.dumps({"id": 7, "ticket": task.token.reveal()})
    assert run(tasks, Item, task, event, token=token) == Item(id=7)


def test_the_task_s_payload_is_without_it_and_says_which_keys_held_it(tasks: WaitingTasks) -> None:
    waiting = tasks.service.new_task({"id": 7})
    seen: list[Task] = []

    @task_callback
    def handler(task: Task) -> None:
        seen.append(task)

    handler(waiting.event, fc_context(tasks))
    (task,) = seen
    assert task.payload == {"id": 7}
    assert task.token_keys == ("taskToken",)
    assert task.token.reveal() == waiting.token.reveal()


def test_an_event_given_as_a_dict_is_not_changed(tasks: WaitingTasks) -> None:
    task = tasks.service.new_task({"id": 7})
    event = json.loads(task.event)
    kept = dict(event)
    assert run(tasks, dict, task, event) == {"id": 7}
    assert event == kept


@pytest.mark.parametrize("kind", [bytes, Any, ...])
def test_bytes_are_exactly_what_was_delivered(tasks: WaitingTasks, kind: Any) -> None:
    task = tasks.service.new_task({"id": 7})
    event = task.event
    seen: list[Any] = []

    def handler(event, context):  # type: ignore[no-untyped-def]  # annotated below
        seen.append(event)

    if kind is not ...:
        handler.__annotations__["event"] = kind
    task_callback(handler)(event, fc_context(tasks))
    assert seen[0] is event


def test_a_key_for_once_that_holds_the_token_is_still_refused(tasks: WaitingTasks) -> None:
    task = tasks.service.new_task({"id": 7})
    event = json.dumps({"id": 7, "ticket": task.token.reveal()})
    with pytest.raises(Exception, match="holds the task token"):
        run(tasks, dict, task, event, token="ticket", once=once(key="ticket", store="memory:"))


# Events


@pytest.mark.parametrize("form", ["object", "text", "base64"])
@pytest.mark.parametrize("kind", [Item, k.Forbidding, dict[str, Any], k.Forbidding | None])
def test_the_data_of_a_cloud_event_is_without_it(tasks: WaitingTasks, form: str, kind: Any) -> None:
    task = tasks.service.new_task({"id": 7})
    data: Any = json.loads(task.event)
    if form != "object":
        data = json.dumps(data)
    if form == "base64":
        data = b64encode(data.encode()).decode()
    event = {"id": "1", "source": "s", "type": "t", "specversion": "1.0", "data": data}
    seen = run(tasks, CloudEvent[kind], task, json.dumps(event))
    assert seen.data == {"id": 7} or seen.data.model_dump(exclude_unset=True) == {"id": 7}


def test_each_event_of_an_array_is_without_it(tasks: WaitingTasks) -> None:
    task = tasks.service.new_task({"id": 7})
    event = [json.loads(task.event_as(events.eventbridge))]
    seen = run(tasks, EventBridgeEvents[Item], task, json.dumps(event))
    assert seen[0].data == Item(id=7)


@pytest.mark.parametrize("kind", [EventBridgeEvents, Batch, Batch[CloudEvent[Any]]])
def test_a_batch_of_any_data_is_whole(tasks: WaitingTasks, kind: Any) -> None:
    task = tasks.service.new_task({"id": 7})
    seen = run(tasks, kind, task, task.event_as(events.eventbridge))
    part = seen[0]
    assert task.token.reveal() in json.dumps(part.model_dump(mode="json"))


@pytest.mark.parametrize("around", [lambda kind: kind, lambda kind: Annotated[kind, AfterValidator(lambda one: one)]])
def test_a_class_of_a_trigger_is_read_the_same_with_something_around_it(tasks: WaitingTasks, around: Any) -> None:
    task = tasks.service.new_task({"id": 7})
    assert run(tasks, around(CloudEvent[Item]), task, task.event_as(events.eventbridge)).data == Item(id=7)
    record = {"Type": "PutRow", "PrimaryKey": [{"ColumnName": "pk", "Value": b"\xff"}], "Columns": []}
    assert seen_alone(around(TablestoreEvent), events.tablestore(record)).records[0].key == {"pk": b"\xff"}


def seen_alone(kind: Any, event: Any) -> Any:
    seen: list[Any] = []

    def handler(event):  # type: ignore[no-untyped-def]  # annotated below
        seen.append(event)

    handler.__annotations__["event"] = kind
    event_parser(handler)(event, None)
    return seen[0]


def test_the_json_schema_of_an_event_describes_its_data() -> None:
    assert CloudEvent[Item].model_json_schema()["properties"]["data"]["properties"].keys() == {"id", "nested"}
    event = CloudEvent[Item].parse({"id": "1", "source": "s", "type": "t", "data": {"id": 7}})
    assert event.model_dump()["data"] == {"id": 7, "nested": {}}


def test_data_that_declares_it_keeps_it(tasks: WaitingTasks) -> None:
    task = tasks.service.new_task({"id": 7})
    seen = run(tasks, CloudEvent[k.WithTokenAlias], task, task.event_as(events.eventbridge))
    assert seen.data.token == task.token.reveal()


def test_an_event_without_a_type_for_its_data_is_whole(tasks: WaitingTasks) -> None:
    task = tasks.service.new_task({"id": 7})
    seen = run(tasks, EventBridgeEvent, task, task.event_as(events.eventbridge))
    assert seen.data == json.loads(task.event)
    task = tasks.service.new_task({"id": 7})
    assert run(tasks, MnsTopicEvent, task, task.event_as(events.mns_topic)).json()["taskToken"] == task.token.reveal()


def test_an_event_that_is_parsed_by_hand_leaves_out_nothing() -> None:
    event = {"id": "1", "source": "s", "type": "t", "data": {"id": 7, "taskToken": "x"}}
    with pytest.raises(PayloadInvalid):
        CloudEvent[Item].parse(event)
    assert CloudEvent[k.Allowing].parse(event).data.model_extra == {"taskToken": "x"}


# event_parser and idempotent

ORDERS = itertools.count()


def below(tasks: WaitingTasks, kind: Any, task: Any, event: Any = None, *, around: Any = event_parser) -> Any:
    """Return what a function gets from event_parser, below task_callback."""
    seen: list[Any] = []

    def handler(event, context):  # type: ignore[no-untyped-def]  # annotated below
        seen.append(event)
        return {}

    handler.__annotations__.update(event=kind, context=FcContext)
    task_callback(around(handler))(task.event if event is None else event, fc_context(tasks))
    return seen[0]


@pytest.mark.parametrize("around", [event_parser, idempotent(once(key="id", store="memory:"))], ids=["parser", "once"])
@pytest.mark.parametrize("trigger", [events.direct, events.mns_topic, events.http], ids=["direct", "mns", "http"])
def test_below_task_callback_they_give_the_same_payload(tasks: WaitingTasks, around: Any, trigger: Any) -> None:
    for kind in (Item, dict[str, Any]):
        task = tasks.service.new_task({"id": next(ORDERS)})  # each is work of its own for the one store
        seen = below(tasks, kind, task, task.event_as(trigger), around=around)
        assert seen == (Item(**task.payload) if kind is Item else task.payload)


def wrapped_twice(key: str) -> Any:
    """Return an event with the token in an envelope and in the message."""
    return lambda task: json.dumps({"trace": task.token.reveal(), "data": {"id": 7, key: task.token.reveal()}}).encode()


ELSEWHERE: dict[str, tuple[Any, dict[str, Any]]] = {
    "in the envelope too": (wrapped_twice("taskToken"), {}),
    "in the envelope too, with a path": (wrapped_twice("ticket"), {"token": "data.ticket"}),
    "found by a callable": (wrapped_twice("ticket"), {"token": lambda event: event["data"]["ticket"]}),
    "in an object before it": (
        lambda task: json.dumps(
            {"a": {"id": 8, "t": task.token.reveal()}, "b": {"id": 7, "t": task.token.reveal()}}
        ).encode(),
        {"token": "b.t"},
    ),
    "in an array": (
        lambda task: json.dumps({"id": 7, "tokens": [task.token.reveal()]}).encode(),
        {"token": "tokens.0"},
    ),
    "in base64": (lambda task: b64encode(task.event), {}),
    "in base64, as a text": (lambda task: b64encode(task.event).decode(), {}),
    "in json in a text": (lambda task: json.dumps(task.event.decode()), {}),
    "in a dict": (lambda task: json.loads(task.event), {}),
}


@pytest.mark.parametrize("name", ELSEWHERE)
@pytest.mark.parametrize("which", ["parser", "once"])
def test_below_task_callback_they_give_the_same_object_wherever_else_the_token_stands(
    tasks: WaitingTasks, name: str, which: str
) -> None:
    make_event, options = ELSEWHERE[name]
    seen: list[Any] = []

    def handler(event: dict[str, Any], context: Any) -> None:
        seen.append(dict(event))

    around = event_parser if which == "parser" else idempotent(once(key=lambda _: len(seen), store="memory:"))
    for function in (handler, around(handler)):
        task = tasks.service.new_task({"id": 7})
        task_callback(**options)(function)(make_event(task), fc_context(tasks))
        seen[-1] = json.loads(json.dumps(seen[-1]).replace(task.token.reveal(), "TOKEN"))
    assert seen[0] == seen[1]


def test_below_task_callback_a_cloud_event_s_data_is_without_it(tasks: WaitingTasks) -> None:
    task = tasks.service.new_task({"id": 7})
    assert below(tasks, CloudEvent[Item], task, task.event_as(events.eventbridge)).data == Item(id=7)


def test_below_task_callback_a_type_that_declares_it_keeps_it(tasks: WaitingTasks) -> None:
    task = tasks.service.new_task({"id": 7})
    assert below(tasks, k.WithToken, task).taskToken == task.token.reveal()


def test_an_event_that_a_layer_changed_is_what_is_read(tasks: WaitingTasks) -> None:
    task = tasks.service.new_task({"id": 7})
    other = before(lambda call: call.with_event(b'{"id": 8}'))
    assert below(tasks, Item, task, around=lambda function: layers(other)(event_parser(function))) == Item(id=8)


def test_event_parser_alone_leaves_out_nothing() -> None:
    @event_parser
    def handler(event: dict[str, Any]) -> Any:
        return event

    assert handler(b'{"id": 7, "taskToken": "x"}', None) == {"id": 7, "taskToken": "x"}


def test_a_handler_of_a_handler_gets_fc_s_own_arguments(tasks: WaitingTasks) -> None:
    seen: list[Any] = []

    @event_parser
    @event_parser
    def handler(order: k.Model, context: FcContext) -> Any:
        seen.append(order)

    handler(b'{"id": 7}', None)
    assert seen == [k.Model(id=7)]


# What a model's own code sees


def test_a_model_s_validator_sees_the_payload_without_it(tasks: WaitingTasks) -> None:
    class Looking(BaseModel):
        keys: list[str]

        @model_validator(mode="before")
        @classmethod
        def _keys(cls, data: Any) -> Any:
            return {"keys": sorted(data)}

    task = tasks.service.new_task({"id": 7})
    assert run(tasks, Looking, task).keys == ["id"]
