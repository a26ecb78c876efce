"""Pydantic models of the events that FC's triggers deliver: annotate a handler's event with one, or call its `parse`.

A direct call from a flow has no envelope, so it has no class here. Annotate with `dict` or with your own model.
"""

from typing import TYPE_CHECKING

from fc_callback._lazy import attach

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

_MODULES = {
    "ApiGatewayEvent": "fc_callback.events.gateway",
    "Batch": "fc_callback.events.batch",
    "CdnEvent": "fc_callback.events.storage",
    "CdnRecord": "fc_callback.events.storage",
    "CloudEvent": "fc_callback.events.eventbridge",
    "DtsEvents": "fc_callback.events.dts",
    "DtsRecord": "fc_callback.events.dts",
    "Event": "fc_callback.events.base",
    "EventBridgeEvent": "fc_callback.events.eventbridge",
    "EventBridgeEvents": "fc_callback.events.eventbridge",
    "HttpEvent": "fc_callback.events.http",
    "HttpResponse": "fc_callback.events.http",
    "KafkaEvents": "fc_callback.events.queues",
    "KafkaMessage": "fc_callback.events.queues",
    "MnsQueueEvents": "fc_callback.events.queues",
    "MnsQueueMessage": "fc_callback.events.queues",
    "MnsTopicEvent": "fc_callback.events.mns",
    "MqttEvents": "fc_callback.events.mqtt",
    "MqttMessage": "fc_callback.events.mqtt",
    "OssEvent": "fc_callback.events.storage",
    "OssRecord": "fc_callback.events.storage",
    "RabbitMqEvents": "fc_callback.events.queues",
    "RabbitMqMessage": "fc_callback.events.queues",
    "RocketMqEvents": "fc_callback.events.queues",
    "RocketMqMessage": "fc_callback.events.queues",
    "SelfManagedRocketMqEvents": "fc_callback.events.queues",
    "SelfManagedRocketMqMessage": "fc_callback.events.queues",
    "SlsEvent": "fc_callback.events.sls",
    "TablestoreEvent": "fc_callback.events.tablestore",
    "TablestoreRecord": "fc_callback.events.tablestore",
    "TimerEvent": "fc_callback.events.timer",
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

__getattr__, __dir__ = attach(__name__, _MODULES)
