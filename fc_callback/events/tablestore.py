"""Changed rows of Tablestore. The trigger delivers CBOR, the console's test button delivers JSON. Both are read.

CBOR needs cbor2: `pip install 'fc-callback[cbor]'`. Source: FC documentation, "Tablestore triggers".
"""

from base64 import b64encode
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_pascal

from fc_callback.errors import PayloadInvalid
from fc_callback.events.base import Absent, Event, Microseconds, Milliseconds, Part, dedup_key

_JSON_STARTS = (b"{", b"[", b'"')


class _Pascal(Part):
    model_config = ConfigDict(alias_generator=to_pascal)


class KeyColumn(_Pascal):
    """A column of the primary key."""

    column_name: str
    value: Any = None


class Column(_Pascal):
    """A column that changed. `type` is Put, DeleteOneVersion or DeleteAllVersions."""

    type: str
    column_name: str
    value: Any = None
    timestamp: Annotated[Milliseconds | None, Absent] = None


class RecordInfo(_Pascal):
    """When the row changed."""

    timestamp: Annotated[Microseconds | None, Absent] = None


class TablestoreRecord(_Pascal):
    """One change of one row. `type` is PutRow, UpdateRow or DeleteRow."""

    type: str
    info: RecordInfo = Field(default_factory=RecordInfo)
    primary_key: list[KeyColumn]
    columns: list[Column] = Field(default_factory=list)

    @property
    def key(self) -> dict[str, Any]:
        """The values of the primary key, by column name."""
        return {column.column_name: column.value for column in self.primary_key}

    @property
    def values(self) -> dict[str, Any]:
        """The values that were written (Put), by column name."""
        return {column.column_name: column.value for column in self.columns if column.type == "Put"}

    @property
    def dedup_key(self) -> str:
        """The primary key and the time of the change. The event does not name the table."""
        key = [
            [name, b64encode(value).decode() if isinstance(value, bytes) else value] for name, value in self.key.items()
        ]
        return dedup_key("tablestore", key, self.info.timestamp)


class TablestoreEvent(Event):
    """The event of a Tablestore trigger. FC retries a failed batch until its log expires, so one bad record blocks the rest."""

    model_config = ConfigDict(alias_generator=to_pascal)
    _is_json: ClassVar[bool] = False

    version: str = ""
    records: list[TablestoreRecord]

    @classmethod
    def _decode(cls, event: object) -> Any:
        if isinstance(event, memoryview | bytearray):
            event = bytes(event)
        if not isinstance(event, bytes) or event.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(_JSON_STARTS):
            return super()._decode(event)
        return _read_cbor(event)

    @property
    def dedup_key(self) -> str | None:
        """The key of a single record. None for several records: each has its own key."""
        return self.records[0].dedup_key if len(self.records) == 1 else None


def _read_cbor(event: bytes) -> Any:
    try:
        from cbor2 import loads
    except ImportError:
        missing = True
    else:
        missing = False
    if missing:
        raise PayloadInvalid(
            "The event is CBOR, but cbor2 is not installed.",
            hint="Add fc-callback[cbor] to the function's requirements.",
        )
    try:
        return loads(event)
    except Exception as error:  # noqa: BLE001 - cbor2 builds the types that the bytes name, and these raise any exception
        reason = type(error).__name__
    raise PayloadInvalid(f"The event is not a TablestoreEvent: it is neither JSON nor CBOR ({reason}).")
