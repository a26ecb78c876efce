"""CloudEvents 1.0, as EventBridge and the triggers built on it deliver them: one event, or an array of events.

`CloudEvent[Order]` is one event whose `data` is your model Order. `EventBridgeEvents[Order]` is the event of a trigger in
event-streaming mode. Source: FC documentation, "EventBridge triggers"; the CloudEvents specification 1.0.
"""

from functools import lru_cache
from typing import Annotated, Any, Generic, get_origin

from pydantic import (
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    ValidatorFunctionWrapHandler,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema
from typing_extensions import TypeVar

from fc_callback.events.base import Absent, Carrier, Event, Part, Time, dedup_key, open_text
from fc_callback.events.batch import Batch
from fc_callback.payload.arguments import without_token
from fc_callback.payload.json_layers import decode_base64
from fc_callback.payload.models import Model, json_bytes

DataT = TypeVar("DataT", default=Any)


class _Opened:
    """Validates data as JSON: first as it is, then decoded from a string or from base64."""

    def __get_pydantic_core_schema__(self, kind: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(kind)
        # A user's type is validated by the rules for JSON: a strict date, for example, accepts a text.
        as_json = not (_is_part(kind) or isinstance(kind, TypeVar) or kind in {Any, object, bytes})
        inner = core_schema.json_schema(schema) if as_json else schema

        def read(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
            def validated(data: Any) -> Any:
                return validate(json_bytes(data, subject="The event's data") if as_json else data)

            try:
                return validated(value)
            except ValidationError:
                opened = open_text(value)
                if opened is value:
                    raise
            return validated(opened)

        return core_schema.no_info_wrap_validator_function(read, inner)

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        inner = schema["schema"]
        return handler(inner["schema"] if inner["type"] == "json" else inner)


def _is_part(kind: Any) -> bool:
    return get_origin(kind) is None and isinstance(kind, type) and issubclass(kind, Part)


@lru_cache(maxsize=128)
def _data_model(cls: type[Any]) -> Model | None:
    """Return the model of `data` if it is a user's type that accepts objects, else None."""
    kind = cls.model_fields["data"].annotation
    if _is_part(kind) or isinstance(kind, TypeVar) or kind in {Any, object}:
        return None
    model = Model(kind, where=f"data in {cls.__name__}")
    return model if model.takes_objects else None


class CloudEvent(Carrier, Event, Generic[DataT]):
    """One event. `data` is validated as the type in brackets, also if it is JSON in a string or in base64."""

    id: str
    source: str
    type: str
    specversion: str = "1.0"
    data: Annotated[DataT, _Opened()]
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
        """Add `data` if it is missing: the bytes of `data_base64` (CloudEvents JSON format, 3.1), else None."""
        if not isinstance(fields, dict) or "data" in fields:
            return fields
        encoded = fields.get("data_base64")
        return {**fields, "data": decode_base64(encoded) if isinstance(encoded, str) else None}

    @classmethod
    def check(cls) -> None:
        """Build the validator of the data. Called when a function is decorated."""
        _data_model(cls)

    @classmethod
    def leave_out(cls, decoded: Any, token: str) -> Any:
        """Return the event without the task token in its data, if the data is validated as a user's type."""
        model = _data_model(cls)
        if model is None or not isinstance(decoded, dict):
            return decoded
        data = open_text(decoded.get("data"))
        if not isinstance(data, dict):
            return decoded
        rest, keys = without_token(data, token)
        kept = dict.fromkeys(model.declared.intersection(keys), token)
        return {**decoded, "data": {**rest, **kept}} if len(kept) < len(keys) else decoded

    def _content(self) -> Any:
        return self.data._content() if isinstance(self.data, Carrier) else self.data  # noqa: SLF001 - a method of the same base class

    @property
    def dedup_key(self) -> str:
        """The source with the identity of the data (a message id, an offset), else with the event's id."""
        own = getattr(self.data, "identity", None) if isinstance(self.data, Part) else None
        if own is not None and None not in own:
            return dedup_key(self.source, self.subject, *own)
        return dedup_key(self.source, self.id)


class EventBridgeEvent(CloudEvent[Any]):
    """The event of a trigger in event-driven mode: one event with any data. `json()` reads data that is a text."""


class EventBridgeEvents(Batch[CloudEvent[DataT]], Generic[DataT]):
    """The events of a trigger: an array of objects, an array of JSON strings, or one object."""
