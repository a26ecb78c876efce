"""The event builders give what triggers deliver."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback import TaskToken
from fc_callback import events as shapes
from fc_callback.payload.token_search import Finder
from fc_callback.testing import events

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = "djEjZGVtby1mbG93I3J1bi0xIzUjNit6dDd1L3c4Zkx6OVBYMjkvajUrdnY4L2Y0PQ=="

CARRYING: list[tuple[Callable[..., bytes], dict[str, Any], type[Any] | None]] = [
    (events.direct, {}, None),
    (events.http, {}, shapes.HttpEvent),
    (events.http, {"base64": True, "query": {"a": "1"}, "headers": {"X-A": "b"}}, shapes.HttpEvent),
    (events.api_gateway, {}, shapes.ApiGatewayEvent),
    (events.mns_topic, {}, shapes.MnsTopicEvent),
    (events.mns_topic, {"base64": True}, shapes.MnsTopicEvent),
    (events.mns_topic, {"attributes": {"key": "value"}}, shapes.MnsTopicEvent),
    (events.mns_topic, {"form": "json"}, shapes.MnsTopicEvent),
    (events.mns_topic, {"form": "json", "base64": True}, shapes.MnsTopicEvent),
    (events.mns_topic, {"form": "json", "attributes": {"key": "value"}}, shapes.MnsTopicEvent),
    (events.mns_topic, {"form": "http"}, shapes.HttpEvent),
    (events.mns_queue, {}, shapes.MnsQueueEvents),
    (events.mns_queue, {"base64": True}, shapes.MnsQueueEvents),
    (events.mns_queue, {"array": False}, shapes.MnsQueueEvents),
    (events.eventbridge, {}, shapes.EventBridgeEvent),
    (events.eventbridge, {"array": True}, None),
    (events.eventbridge, {"strings": True}, None),
    (events.eventbridge, {"data_as_text": True}, shapes.EventBridgeEvent),
    (events.timer, {}, shapes.TimerEvent),
    (events.rocketmq, {}, shapes.RocketMqEvents),
    (events.rocketmq, {"base64": True}, shapes.RocketMqEvents),
    (events.rabbitmq, {}, shapes.RabbitMqEvents),
    (events.rabbitmq, {"text": True}, shapes.RabbitMqEvents),
    (events.kafka, {}, shapes.KafkaEvents),
    (events.mqtt, {}, shapes.MqttEvents),
]
OTHERS: list[tuple[Callable[..., bytes], dict[str, Any], type[Any]]] = [
    (events.oss, {}, shapes.OssEvent),
    (events.sls, {}, shapes.SlsEvent),
    (events.cdn, {}, shapes.CdnEvent),
    (events.tablestore, {}, shapes.TablestoreEvent),
    (events.tablestore, {"cbor": False}, shapes.TablestoreEvent),
]


def name(value: object) -> str | None:
    return getattr(value, "__name__", None) or (json.dumps(value) if isinstance(value, dict) else None)


@pytest.mark.parametrize(("trigger", "options", "shape"), CARRYING, ids=name)
def test_the_token_and_the_payload_are_found_in_it(
    trigger: Callable[..., bytes], options: dict[str, Any], shape: object
) -> None:
    found = Finder().find(trigger({"order": {"id": "汉"}}, token=TaskToken(TOKEN), **options))

    assert found.token.reveal() == TOKEN
    assert found.payload == {"order": {"id": "汉"}, "taskToken": TOKEN}


@pytest.mark.parametrize(
    ("trigger", "options", "shape"), [one for one in [*CARRYING, *OTHERS] if one[2] is not None], ids=name
)
def test_it_has_its_trigger_s_shape(trigger: Callable[..., bytes], options: dict[str, Any], shape: Any) -> None:
    event = trigger({"order": 1}, **options) if trigger in events.WITH_PAYLOAD else trigger(**options)

    shape.parse(event)


def _keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _keys(part) for key, part in value.items()}
    return [_keys(value[0])] if isinstance(value, list) and value else type(value)


@pytest.mark.parametrize(
    ("file", "event"),
    [
        ("mns-topic-stream-attributes-token", events.mns_topic({}, token=TOKEN, attributes={})),
        ("mns-topic-json-token", events.mns_topic({}, token=TOKEN, form="json")),
        ("mns-queue-base64-token", events.mns_queue({}, token=TOKEN, base64=True)),
        ("mns-queue-single", events.mns_queue("text", array=False)),
        ("eventbridge-array-of-strings-token", events.eventbridge({}, token=TOKEN, strings=True)),
        ("eventbridge-data-string-token", events.eventbridge({}, token=TOKEN, data_as_text=True)),
        ("timer-text-payload", events.timer("wake up")),
        ("kafka", events.kafka("v")),
        ("rabbitmq-string", events.rabbitmq("text")),
        ("mqtt", events.mqtt("text")),
        ("sls", events.sls(parameter={"k": "v"})),
        ("cdn", events.cdn()),
        ("tablestore-decoded", events.tablestore(cbor=False)),
    ],
)
def test_it_has_the_same_members_as_a_delivered_one(file: str, event: bytes, request: pytest.FixtureRequest) -> None:
    recorded = json.loads((request.config.rootpath / "tests" / "data" / "events" / f"{file}.json").read_text())

    assert _keys(json.loads(event)) == _keys(recorded)


def test_a_text_goes_out_as_it_is() -> None:
    assert events.mns_topic("hello") == b"hello"
    assert events.timer("wake up") == events.timer("wake up")


def test_a_token_cannot_be_added_to_a_text() -> None:
    with pytest.raises(ValueError, match="only be added to a mapping"):
        events.direct("hello", token=TOKEN)


def test_a_key_other_than_task_token_is_taken() -> None:
    assert json.loads(events.direct({}, token=TOKEN, key="ticket")) == {"ticket": TOKEN}
