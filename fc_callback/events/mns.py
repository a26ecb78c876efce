"""Messages of an MNS (SMQ) topic, in each format of the trigger.

STREAM delivers the text of the message, or `{"body", "attrs"}`. JSON delivers an object with the message, its topic and its
attributes, all at one level. Source: FC documentation, "MNS topic triggers".
"""

import json
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic.alias_generators import to_pascal

from fc_callback.events.base import Carrier, Event, Milliseconds, Properties, dedup_key, open_text
from fc_callback.payload.json_layers import NotJson, NotUtf8, read_json

_ENVELOPE_KEYS = {"TopicOwner", "TopicName", "MessageId", "SubscriptionName"}


def _none_if_unfit(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError:
        return None


def _message_text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


# An attribute of the message may have the same name as a field and replace it, with any value.
_Text = Annotated[str | None, WrapValidator(_none_if_unfit)]
_Moment = Annotated[Milliseconds | None, WrapValidator(_none_if_unfit)]


def _stream_text(event: bytes) -> str:
    """Return the text of a message in STREAM format. Invalid bytes become U+FFFD.

    Raises:
        NotUtf8: The message begins like JSON but is not UTF-8. With U+FFFD, different values in it would become equal.
    """
    try:
        return event.decode().removeprefix("\ufeff")
    except UnicodeDecodeError:
        pass
    try:
        read_json(event)
    except NotUtf8:
        raise
    except NotJson:
        pass
    return event.decode("utf-8", "replace")


class MnsTopicEvent(Carrier, Event):
    """A message of an MNS topic. `text` and `json()` decode the base64 that MNS SDKs add by default.

    STREAM format has only `message`, and `attributes` if the trigger delivers them. In JSON format the attributes are at the
    same level as the fields, and an attribute with the name of a field replaces it.
    """

    model_config = ConfigDict(alias_generator=to_pascal)

    message: Annotated[str, BeforeValidator(_message_text)]
    attrs: Properties = Field(default_factory=dict, alias="attrs")
    topic_owner: _Text = None
    topic_name: _Text = None
    subscriber: _Text = None
    subscription_name: _Text = None
    message_id: _Text = None
    message_md5: _Text = Field(default=None, alias="MessageMD5")
    publish_time: _Moment = None

    @classmethod
    def _decode(cls, event: object) -> Any:
        if isinstance(event, memoryview | bytearray):
            event = bytes(event)
        if isinstance(event, bytes):
            event = _stream_text(event)
        fields = event
        if isinstance(event, str):
            try:
                fields = read_json(event)
            except NotJson:
                return {"Message": event}
        if isinstance(fields, dict) and "Message" in fields and _ENVELOPE_KEYS & fields.keys():
            return fields
        if isinstance(fields, dict) and {"body", "attrs"} <= fields.keys():
            return {**{key: value for key, value in fields.items() if key != "body"}, "Message": fields["body"]}
        return {"Message": event}  # STREAM format, and the message is JSON

    def _content(self) -> str:
        return self.message

    @property
    def attributes(self) -> dict[str, Any]:
        """The message's attributes, also those in `Extend` of STREAM format."""
        extend = open_text(self.attrs.get("Extend"))
        if isinstance(extend, dict):
            return {**{name: value for name, value in self.attrs.items() if name != "Extend"}, **extend}
        return {**self.attrs, **(self.model_extra or {})}

    @property
    def dedup_key(self) -> str | None:
        """The topic and the id of the message. None in STREAM format, which has no id."""
        if self.message_id is None:
            return None
        return dedup_key("mns", self.topic_owner, self.topic_name, self.message_id)
