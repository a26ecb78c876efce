"""Messages of MQTT. Source: FC documentation, "Formats of event for different triggers"."""

from typing import Any

from pydantic import Field

from fc_callback.events.base import Carrier, Part
from fc_callback.events.batch import Batch


class MqttProps(Part):
    """Who sent a message, and to which topic."""

    first_topic: str = ""
    second_topic: str = ""
    client_id: str = ""


class MqttMessage(Carrier):
    """A message of MQTT."""

    body: Any
    props: MqttProps = Field(default_factory=MqttProps)

    def _content(self) -> Any:
        return "" if self.body is None else self.body

    @property
    def topic(self) -> str:
        """The whole topic, like `devices/7/state`."""
        return f"{self.props.first_topic}/{self.props.second_topic.lstrip('/')}".rstrip("/")


class MqttEvents(Batch[MqttMessage]):
    """What an MQTT trigger delivers: an array of messages, no CloudEvents."""
