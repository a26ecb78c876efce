"""Messages of MQTT. Source: FC documentation, "Formats of event for different triggers"."""

from typing import Any

from pydantic import Field

from fc_callback.events.base import Carrier, Part
from fc_callback.events.batch import Batch


class MqttProps(Part):
    """The topic and the sender of a message."""

    first_topic: str = ""
    second_topic: str = ""
    client_id: str = ""


class MqttMessage(Carrier):
    """A message of MQTT."""

    body: Any
    props: MqttProps = Field(default_factory=MqttProps)

    @property
    def topic(self) -> str:
        """The whole topic, like `devices/7/state`."""
        return f"{self.props.first_topic}/{self.props.second_topic.lstrip('/')}".rstrip("/")


class MqttEvents(Batch[MqttMessage]):
    """The event of an MQTT trigger: an array of messages, which are not CloudEvents."""
