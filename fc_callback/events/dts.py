"""Rows that changed in a database, through DTS and EventBridge.

Values arrive as dumps of Java objects: a text as a ByteBuffer, a number as `{"data": 115}`. `before` and `after` undo that.
Source: FC documentation, "Formats of event for different triggers" (DTS).
"""

from typing import Annotated, Any

from pydantic import Field

from fc_callback.events.base import Absent, Part, Properties, Seconds
from fc_callback.events.eventbridge import EventBridgeEvents

# MySQL's names for what Python calls otherwise; latin1 is Windows-1252 there.
_CHARSETS = {"utf8mb4": "utf-8", "utf8mb3": "utf-8", "utf8": "utf-8", "latin1": "cp1252", "ucs2": "utf-16-be"}


class DtsField(Part):
    """One column of a table."""

    field_name: str
    raw_data_type_num: int | None = None
    is_primary_key: bool = False
    is_unique_key: bool = False
    field_position: int | None = None


class DtsSchema(Part):
    """The table as it was when the row changed."""

    record_fields: list[DtsField] = Field(default_factory=list)
    schema_id: str = ""
    database_name: str = ""
    table_name: str = ""


class DtsImage(Part):
    """A row before or after the change: its values, in the order of the columns."""

    values: list[Any] = Field(default_factory=list)
    record_schema: DtsSchema | None = None
    size: int | None = None


class DtsTopicPartition(Part):
    """Where in DTS's own log the change stands."""

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
        """The row before the change, by column; None for a row that was not there."""
        return self._row(self.before_image)

    @property
    def after(self) -> dict[str, Any] | None:
        """The row after the change, by column; None for a row that is gone."""
        return self._row(self.after_image)

    @property
    def identity(self) -> tuple[object, ...]:
        """What tells this change from others of its subscription."""
        return self.topic_partition.topic, self.topic_partition.partition, self.offset

    def _row(self, image: DtsImage | None) -> dict[str, Any] | None:
        if image is None:
            return None
        schema = image.record_schema if image.record_schema and image.record_schema.record_fields else self.table
        columns = {
            position if field.field_position is None else field.field_position: field.field_name
            for position, field in enumerate(schema.record_fields)
        }
        return {columns.get(index, str(index)): decode_value(value) for index, value in enumerate(image.values)}


class DtsEvents(EventBridgeEvents[DtsRecord]):
    """What a DTS trigger delivers: CloudEvents of type `dts:ConsumeMessage`."""


def decode_value(value: Any) -> Any:
    """Undo the dump of one value: text where it has a charset that is known, bytes where not; others as they come."""
    if not isinstance(value, dict) or "data" not in value:
        return value
    data = value["data"]
    if not isinstance(data, dict) or "hb" not in data:
        return data
    content = _buffer(data)
    if content is None:
        return value
    charset = value.get("charset")
    if not isinstance(charset, str):
        return content
    try:
        return content.decode(_CHARSETS.get(charset.lower(), charset))
    except (LookupError, UnicodeDecodeError):
        return content


def _buffer(dump: Properties) -> bytes | None:
    """Read a Java ByteBuffer: bytes are signed there, and the limit may lie beyond the bytes that were dumped."""
    held = dump["hb"]
    bounds = [dump.get("offset", 0), dump.get("position", 0), dump.get("limit")]
    if not isinstance(held, list) or not all(type(byte) is int and -128 <= byte <= 255 for byte in held):  # noqa: PLR2004
        return None
    offset, position, limit = (bound if type(bound) is int and bound >= 0 else None for bound in bounds)
    start = (offset or 0) + (position or 0)
    end = len(held) if limit is None else (offset or 0) + limit
    return bytes(byte & 0xFF for byte in held[start:end])
