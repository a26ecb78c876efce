"""Rows that changed in Tablestore. The trigger delivers CBOR, the console's test button JSON; both are read.

CBOR takes cbor2: `pip install 'fc-callback[cbor]'`. Source: FC documentation, "Tablestore triggers".
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
        """The primary key's values by name."""
        return {column.column_name: column.value for column in self.primary_key}

    @property
    def values(self) -> dict[str, Any]:
        """The values that were put, by name of the column."""
        return {column.column_name: column.value for column in self.columns if column.type == "Put"}

    @property
    def dedup_key(self) -> str:
        """The primary key and the time of the change. No table is named in the event."""
        key = [
            [name, b64encode(value).decode() if isinstance(value, bytes) else value] for name, value in self.key.items()
        ]
        return dedup_key("tablestore", key, self.info.timestamp)


class TablestoreEvent(Event):
    """What changed in a table. FC retries a failing batch until its log expires: let no record block the others."""

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
        """The key of the one record; None where there are more: each has its own."""
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
            "The event is CBOR, and cbor2 is not installed.", hint="Deploy the function with fc-callback[cbor]."
        )
    try:
        return loads(event)
    except Exception as error:  # noqa: BLE001 - hostile bytes make cbor2 raise whatever the type they pretend to be raises
        reason = type(error).__name__
    raise PayloadInvalid(f"The event is no TablestoreEvent: it is neither JSON nor CBOR ({reason}).")
