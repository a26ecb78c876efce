"""Messages of queues: MNS queues, RocketMQ, RabbitMQ and Kafka through EventBridge; self-managed RocketMQ by itself.

Source: FC documentation, "Formats of event for different triggers". The docs' samples disagree in places (properties that are
texts or numbers, bodies that are texts or objects): each is taken as it comes.
"""

from typing import Annotated, Any

from pydantic import Field

from fc_callback.events.base import Absent, Carrier, Milliseconds, Part, Properties, dedup_key
from fc_callback.events.batch import Batch
from fc_callback.events.eventbridge import EventBridgeEvents


class MnsQueueMessage(Carrier):
    """A message of an MNS queue. Its body is plain or base64, as the sender made it; `text` and `json()` read both."""

    message_body: Any
    message_id: str | None = None
    request_id: str | None = None

    def _content(self) -> Any:
        return self.message_body

    @property
    def identity(self) -> tuple[object, ...]:
        """What tells this message from others in its queue."""
        return (self.message_id,)


class MnsQueueEvents(EventBridgeEvents[MnsQueueMessage]):
    """What the trigger of an MNS queue delivers: CloudEvents of type `mns:Queue:SendMessage`."""


class RocketMqMessage(Carrier):
    """A message of RocketMQ. Values of `system_properties` are texts or numbers."""

    topic: str
    body: Any = ""
    system_properties: Properties = Field(default_factory=dict)
    user_properties: Properties = Field(default_factory=dict)

    def _content(self) -> Any:
        return "" if self.body is None else self.body

    @property
    def tags(self) -> str | None:
        """The message's tags."""
        return self._property("TAGS")

    @property
    def keys(self) -> str | None:
        """The keys that the sender gave it."""
        return self._property("KEYS")

    @property
    def unique_key(self) -> str | None:
        """The id that RocketMQ's client gave it."""
        return self._property("UNIQ_KEY")

    @property
    def identity(self) -> tuple[object, ...]:
        """What tells this message from others of its instance."""
        return self.topic, self.unique_key

    def _property(self, name: str) -> str | None:
        value = self.system_properties.get(name)
        return None if value is None or value == "" else str(value)


class RocketMqEvents(EventBridgeEvents[RocketMqMessage]):
    """What a RocketMQ trigger delivers: CloudEvents of type `mq:Topic:SendMessage`."""


class SelfManagedRocketMqMessage(RocketMqMessage):
    """A message of a RocketMQ cluster that is not Alibaba Cloud's."""

    msg_id: str | None = None

    @property
    def dedup_key(self) -> str | None:
        """The cluster, the topic and the message's unique key, or its id."""
        unique = self.unique_key or self.msg_id
        if not unique:
            return None
        return dedup_key("rocketmq", self._property("CLUSTER"), self.topic, unique)


class SelfManagedRocketMqEvents(Batch[SelfManagedRocketMqMessage]):
    """What the trigger of a self-managed RocketMQ delivers: an array of messages, no CloudEvents."""


class RabbitMqEnvelope(Part):
    """How RabbitMQ delivered a message."""

    delivery_tag: int | None = None
    exchange: str = ""
    redeliver: bool = False
    routing_key: str = ""


class RabbitMqMessage(Carrier):
    """A message of RabbitMQ. Its body is an object or a text."""

    body: Any
    envelope: RabbitMqEnvelope = Field(default_factory=RabbitMqEnvelope)
    props: Properties = Field(default_factory=dict)

    def _content(self) -> Any:
        return "" if self.body is None else self.body

    @property
    def message_id(self) -> str | None:
        """The id that the sender gave it."""
        value = self.props.get("messageId")
        return None if value is None or value == "" else str(value)


class RabbitMqEvents(EventBridgeEvents[RabbitMqMessage]):
    """What a RabbitMQ trigger delivers: CloudEvents of type `amqp:Queue:SendMessage`."""


class KafkaMessage(Carrier):
    """A message of Kafka. The trigger's settings decide whether its value is JSON, text, or bytes in base64."""

    topic: str
    partition: int
    offset: int
    value: Any = None
    key: Any = None
    timestamp: Annotated[Milliseconds | None, Absent] = None
    headers: Any = None

    def _content(self) -> Any:
        return "" if self.value is None else self.value

    @property
    def identity(self) -> tuple[object, ...]:
        """What tells this message from others of its cluster."""
        return self.topic, self.partition, self.offset


class KafkaEvents(EventBridgeEvents[KafkaMessage]):
    """What a Kafka trigger delivers: CloudEvents of type `alikafka:Topic:Message`."""
