"""CloudEvents 1.0, as EventBridge and the triggers built on it deliver them: one, or an array of them.

`CloudEvent[Order]` is one event whose `data` is an Order, a model of your own; `EventBridgeEvents[Order]` is what a trigger in
event-streaming mode delivers. Source: FC documentation, "EventBridge triggers"; the CloudEvents specification 1.0.
"""

from typing import Annotated, Any, Generic

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, field_validator, model_validator
from typing_extensions import TypeVar

from fc_callback.decoding import decode_base64
from fc_callback.events.base import Absent, Carrier, Event, Part, Time, dedup_key, open_text
from fc_callback.events.batch import Batch

DataT = TypeVar("DataT", default=Any)


class CloudEvent(Carrier, Event, Generic[DataT]):
    """One event. `data` is validated as the class's parameter says, through JSON in a string and base64 if need be."""

    id: str
    source: str
    type: str
    specversion: str = "1.0"
    data: DataT
    subject: str | None = None
    time: Annotated[Time | None, Absent] = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    account_id: str | None = Field(default=None, alias="aliyunaccountid")
    original_account_id: str | None = Field(default=None, alias="aliyunoriginalaccountid")
    publish_time: Annotated[Time | None, Absent] = Field(default=None, alias="aliyunpublishtime")
    publish_address: str | None = Field(default=None, alias="aliyunpublishaddr")
    event_bus_name: str | None = Field(default=None, alias="aliyuneventbusname")
    region_id: str | None = Field(default=None, alias="aliyunregionid")

    @model_validator(mode="before")
    @classmethod
    def _with_data(cls, fields: Any) -> Any:
        """An event may come without data, or with bytes in `data_base64` (CloudEvents JSON format, 3.1)."""
        if not isinstance(fields, dict) or "data" in fields:
            return fields
        encoded = fields.get("data_base64")
        return {**fields, "data": decode_base64(encoded) if isinstance(encoded, str) else None}

    @field_validator("data", mode="wrap")
    @classmethod
    def _opened(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValidationError:
            opened = open_text(value)
            if opened is value:
                raise
        return handler(opened)

    def _content(self) -> Any:
        return self.data._content() if isinstance(self.data, Carrier) else self.data  # noqa: SLF001 - its own kind

    @property
    def dedup_key(self) -> str:
        """What the data itself goes by (a message id, an offset), else the event's id; with the source it is unique in."""
        own = getattr(self.data, "identity", None) if isinstance(self.data, Part) else None
        if own is not None and None not in own:
            return dedup_key(self.source, self.subject, *own)
        return dedup_key(self.source, self.id)


class EventBridgeEvent(CloudEvent[Any]):
    """One event with any data, as a trigger in event-driven mode delivers it. `json()` reads data that is a text."""


class EventBridgeEvents(Batch[CloudEvent[DataT]], Generic[DataT]):
    """Events as a trigger delivers them: an array, an array of JSON strings, or one event by itself."""
