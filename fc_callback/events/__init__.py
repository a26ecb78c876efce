"""What FC's triggers deliver, as pydantic models: annotate a handler's event with one, or call its `parse`.

A direct call from a flow has no envelope, and no class here: annotate with `dict`, or with a model of your own.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fc_callback.events.base import Event
    from fc_callback.events.batch import Batch
    from fc_callback.events.dts import DtsEvents, DtsRecord
    from fc_callback.events.eventbridge import CloudEvent, EventBridgeEvent, EventBridgeEvents
    from fc_callback.events.gateway import ApiGatewayEvent
    from fc_callback.events.http import HttpEvent, HttpResponse
    from fc_callback.events.mns import MnsTopicEvent
    from fc_callback.events.mqtt import MqttEvents, MqttMessage
    from fc_callback.events.queues import (
        KafkaEvents,
        KafkaMessage,
        MnsQueueEvents,
        MnsQueueMessage,
        RabbitMqEvents,
        RabbitMqMessage,
        RocketMqEvents,
        RocketMqMessage,
        SelfManagedRocketMqEvents,
        SelfManagedRocketMqMessage,
    )
    from fc_callback.events.sls import SlsEvent
    from fc_callback.events.storage import CdnEvent, CdnRecord, OssEvent, OssRecord
    from fc_callback.events.tablestore import TablestoreEvent, TablestoreRecord
    from fc_callback.events.timer import TimerEvent

# Each name is loaded from its room when first used (PEP 562).
_ROOMS = {
    "ApiGatewayEvent": "gateway",
    "Batch": "batch",
    "CdnEvent": "storage",
    "CdnRecord": "storage",
    "CloudEvent": "eventbridge",
    "DtsEvents": "dts",
    "DtsRecord": "dts",
    "Event": "base",
    "EventBridgeEvent": "eventbridge",
    "EventBridgeEvents": "eventbridge",
    "HttpEvent": "http",
    "HttpResponse": "http",
    "KafkaEvents": "queues",
    "KafkaMessage": "queues",
    "MnsQueueEvents": "queues",
    "MnsQueueMessage": "queues",
    "MnsTopicEvent": "mns",
    "MqttEvents": "mqtt",
    "MqttMessage": "mqtt",
    "OssEvent": "storage",
    "OssRecord": "storage",
    "RabbitMqEvents": "queues",
    "RabbitMqMessage": "queues",
    "RocketMqEvents": "queues",
    "RocketMqMessage": "queues",
    "SelfManagedRocketMqEvents": "queues",
    "SelfManagedRocketMqMessage": "queues",
    "SlsEvent": "sls",
    "TablestoreEvent": "tablestore",
    "TablestoreRecord": "tablestore",
    "TimerEvent": "timer",
}

__all__ = [
    "ApiGatewayEvent",
    "Batch",
    "CdnEvent",
    "CdnRecord",
    "CloudEvent",
    "DtsEvents",
    "DtsRecord",
    "Event",
    "EventBridgeEvent",
    "EventBridgeEvents",
    "HttpEvent",
    "HttpResponse",
    "KafkaEvents",
    "KafkaMessage",
    "MnsQueueEvents",
    "MnsQueueMessage",
    "MnsTopicEvent",
    "MqttEvents",
    "MqttMessage",
    "OssEvent",
    "OssRecord",
    "RabbitMqEvents",
    "RabbitMqMessage",
    "RocketMqEvents",
    "RocketMqMessage",
    "SelfManagedRocketMqEvents",
    "SelfManagedRocketMqMessage",
    "SlsEvent",
    "TablestoreEvent",
    "TablestoreRecord",
    "TimerEvent",
]


def __getattr__(name: str) -> Any:
    room = _ROOMS.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{room}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
