"""The sample events, and which class reads each."""

import json
from pathlib import Path
from typing import Any

from fc_callback import events

SAMPLES = Path(__file__).parent.parent / "data" / "events"
TOKEN = "djEjZGVtby1mbG93I3J1bi0xIzUjNit6dDd1L3c4Zkx6OVBYMjkvajUrdnY4L2Y0PQ=="

# By the beginning of the file's name; the longest that fits counts.
CLASSES: dict[str, type[events.Event]] = {
    "api-gateway": events.ApiGatewayEvent,
    "cdn": events.CdnEvent,
    "dts": events.DtsEvents,
    "eventbridge": events.EventBridgeEvents,
    "http-v1": events.HttpEvent,
    "kafka": events.KafkaEvents,
    "mns-queue": events.MnsQueueEvents,
    "mns-topic": events.MnsTopicEvent,
    "mns-topic-http-push": events.HttpEvent,
    "mqtt": events.MqttEvents,
    "oss": events.OssEvent,
    "rabbitmq": events.RabbitMqEvents,
    "rocketmq": events.RocketMqEvents,
    "rocketmq-self-managed": events.SelfManagedRocketMqEvents,
    "sls": events.SlsEvent,
    "tablestore": events.TablestoreEvent,
    "timer": events.TimerEvent,
}


def sample(name: str) -> bytes:
    """The bytes of a sample, as FC would deliver them."""
    path = SAMPLES / name
    return (path if path.suffix else path.with_suffix(".json")).read_bytes()


def decoded(name: str) -> Any:
    return json.loads(sample(name))


def class_for(name: str) -> type[events.Event] | None:
    fitting = [beginning for beginning in CLASSES if name.startswith(beginning)]
    return CLASSES[max(fitting, key=len)] if fitting else None
