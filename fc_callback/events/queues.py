"""Messages of queues: MNS queues, RocketMQ, RabbitMQ and Kafka through EventBridge, and self-managed RocketMQ without it.

Source: FC documentation, "Formats of event for different triggers". Its samples differ in places (properties that are texts or
numbers, bodies that are texts or objects), so both forms are accepted.
"""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from fc_callback.events.base import Absent, Carrier, Milliseconds, Part, Properties, dedup_key
from fc_callback.events.batch import Batch
from fc_callback.events.eventbridge import EventBridgeEvents


class MnsQueueMessage(Carrier):
    """A message of an MNS queue. The sender decides whether its body is plain or base64. `text` and `json()` read both."""

    message_body: Any
    message_id: str | None = None
    request_id: str | None = None

    def _content(self) -> Any:
        return self.message_body

    @property
    def identity(self) -> tuple[object, ...]:
        """The message's id: unique in the queue."""
        return (self.message_id,)


class MnsQueueEvents(EventBridgeEvents[MnsQueueMessage]):
    """The event of an MNS queue trigger: CloudEvents of type `mns:Queue:SendMessage`."""


class RocketMqMessage(Carrier):
    """A message of RocketMQ. The values of `system_properties` are texts or numbers."""

    topic: str
    body: Any = ""
    system_properties: Properties = Field(default_factory=dict)
    user_properties: Properties = Field(default_factory=dict)

    @property
    def tags(self) -> str | None:
        """The message's tags."""
        return self._property("TAGS")

    @property
    def keys(self) -> str | None:
        """The keys that the sender set."""
        return self._property("KEYS")

    @property
    def unique_key(self) -> str | None:
        """The id that RocketMQ's client set."""
        return self._property("UNIQ_KEY")

    @property
    def identity(self) -> tuple[object, ...]:
        """The topic and the unique key: unique in the RocketMQ instance."""
        return self.topic, self.unique_key

    def _property(self, name: str) -> str | None:
        value = self.system_properties.get(name)
        return None if value is None or value == "" else str(value)


class RocketMqEvents(EventBridgeEvents[RocketMqMessage]):
    """The event of a RocketMQ trigger: CloudEvents of type `mq:Topic:SendMessage`."""


class SelfManagedRocketMqMessage(RocketMqMessage):
    """A message of a self-managed RocketMQ cluster."""

    msg_id: str | None = None

    @property
    def dedup_key(self) -> str | None:
        """The cluster, the topic, and the message's unique key or id."""
        unique = self.unique_key or self.msg_id
        if not unique:
            return None
        return dedup_key("rocketmq", self._property("CLUSTER"), self.topic, unique)


class SelfManagedRocketMqEvents(Batch[SelfManagedRocketMqMessage]):
    """The event of a self-managed RocketMQ trigger: an array of messages, which are not CloudEvents."""


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

    @property
    def message_id(self) -> str | None:
        """The id that the sender set."""
        value = self.props.get("messageId")
        return None if value is None or value == "" else str(value)


class RabbitMqEvents(EventBridgeEvents[RabbitMqMessage]):
    """The event of a RabbitMQ trigger: CloudEvents of type `amqp:Queue:SendMessage`."""


class KafkaMessage(Carrier):
    """A message of Kafka. The trigger's settings decide whether its value is JSON, text, or bytes in base64."""

    _content_field: ClassVar[str] = "value"

    topic: str
    partition: int
    offset: int
    value: Any = None
    key: Any = None
    timestamp: Annotated[Milliseconds | None, Absent] = None
    headers: Any = None

    @property
    def identity(self) -> tuple[object, ...]:
        """Topic, partition and offset: unique in the Kafka cluster."""
        return self.topic, self.partition, self.offset


class KafkaEvents(EventBridgeEvents[KafkaMessage]):
    """The event of a Kafka trigger: CloudEvents of type `alikafka:Topic:Message`."""
