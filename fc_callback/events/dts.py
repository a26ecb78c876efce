"""Changed rows of a database, delivered through DTS and EventBridge.

Values arrive as dumps of Java objects: a text as a ByteBuffer, a number as `{"data": 115}`. `before` and `after` decode them.
Source: FC documentation, "Formats of event for different triggers" (DTS).
"""

from typing import Annotated, Any

from pydantic import Field

from fc_callback.events.base import Absent, Part, Properties, Seconds
from fc_callback.events.eventbridge import EventBridgeEvents

# MySQL's names of charsets that have another name in Python. MySQL's latin1 is Windows-1252.
_CHARSETS = {"utf8mb4": "utf-8", "utf8mb3": "utf-8", "utf8": "utf-8", "latin1": "cp1252", "ucs2": "utf-16-be"}


class DtsField(Part):
    """One column of a table."""

    field_name: str
    raw_data_type_num: int | None = None
    is_primary_key: bool = False
    is_unique_key: bool = False
    field_position: int | None = None


class DtsSchema(Part):
    """The table at the time of the change."""

    record_fields: list[DtsField] = Field(default_factory=list)
    schema_id: str = ""
    database_name: str = ""
    table_name: str = ""


class DtsImage(Part):
    """A row before or after the change: its values in the order of the columns."""

    values: list[Any] = Field(default_factory=list)
    record_schema: DtsSchema | None = None
    size: int | None = None


class DtsTopicPartition(Part):
    """The position of the change in the log of DTS."""

    topic: str = ""
    partition: int | None = None
    hash: int | None = None


class DtsRecord(Part):
    """One change of one row. `operation_type` is INSERT, UPDATE, DELETE and so on."""

    operation_type: str
    id: int | str | None = None
    offset: int | None = None
    topic_partition: DtsTopicPartition = Field(default_factory=DtsTopicPartition)
    source_timestamp: Annotated[Seconds | None, Absent] = None
    table: DtsSchema = Field(default_factory=DtsSchema, alias="schema")
    before_image: DtsImage | None = None
    after_image: DtsImage | None = None

    @property
    def before(self) -> dict[str, Any] | None:
        """The row before the change, by column. None if the row did not exist."""
        return self._decoded_row(self.before_image)

    @property
    def after(self) -> dict[str, Any] | None:
        """The row after the change, by column. None if the row was deleted."""
        return self._decoded_row(self.after_image)

    @property
    def identity(self) -> tuple[object, ...]:
        """Topic, partition and offset: unique in the subscription."""
        return self.topic_partition.topic, self.topic_partition.partition, self.offset

    def _decoded_row(self, image: DtsImage | None) -> dict[str, Any] | None:
        if image is None:
            return None
        schema = image.record_schema if image.record_schema and image.record_schema.record_fields else self.table
        columns = {
            position if field.field_position is None else field.field_position: field.field_name
            for position, field in enumerate(schema.record_fields)
        }
        return {columns.get(index, str(index)): decode_value(value) for index, value in enumerate(image.values)}


class DtsEvents(EventBridgeEvents[DtsRecord]):
    """The event of a DTS trigger: CloudEvents of type `dts:ConsumeMessage`."""


def decode_value(value: Any) -> Any:
    """Decode the dump of one value: text if its charset is known, else bytes. Other values are returned unchanged."""
    if not isinstance(value, dict) or "data" not in value:
        return value
    data = value["data"]
    if not isinstance(data, dict) or "hb" not in data:
        return data
    content = _buffer_bytes(data)
    if content is None:
        return value
    charset = value.get("charset")
    if not isinstance(charset, str):
        return content
    try:
        return content.decode(_CHARSETS.get(charset.lower(), charset))
    except (LookupError, UnicodeDecodeError):
        return content


def _buffer_bytes(dump: Properties) -> bytes | None:
    """Read a Java ByteBuffer. Its bytes are signed, and its limit may be larger than the number of dumped bytes."""
    held = dump["hb"]
    bounds = [dump.get("offset", 0), dump.get("position", 0), dump.get("limit")]
    if not isinstance(held, list) or not all(type(byte) is int and -128 <= byte <= 255 for byte in held):  # noqa: PLR2004
        return None
    offset, position, limit = (bound if type(bound) is int and bound >= 0 else None for bound in bounds)
    start = (offset or 0) + (position or 0)
    end = len(held) if limit is None else (offset or 0) + limit
    return bytes(byte & 0xFF for byte in held[start:end])
