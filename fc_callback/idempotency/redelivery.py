"""What `fc-callback redeliver` does with a store: find results whose tasks still wait for a report, and delete a record."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import quote

import attrs

from fc_callback.errors import SealError, SettingsError, StoreUnavailable
from fc_callback.idempotency import echo
from fc_callback.idempotency.memory import MemoryStore
from fc_callback.idempotency.sqlite import SqliteStore
from fc_callback.idempotency.store import open_store
from fc_callback.idempotency.work import record_report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fc_callback.idempotency.record import Record
    from fc_callback.idempotency.redis import RedisStore
    from fc_callback.idempotency.store import Store
    from fc_callback.sealing import TokenSeal
    from fc_callback.values.token import TaskToken


@attrs.frozen(kw_only=True)
class Undelivered:
    """A result, and one task that waits for it.

    Attributes:
        record: The record it stands in.
        fingerprint: Of the task's token.
        token: The token; None where none was kept, or the seal cannot be opened with this key.
        output: The Output to report; None for a failure.
        failure: (error, cause) to report instead.
    """

    record: Record
    fingerprint: str
    token: TaskToken | None
    output: str | None = attrs.field(repr=False)
    failure: tuple[str, str] | None = attrs.field(repr=False)
    _store: Store = attrs.field(repr=False)

    def reported(self) -> None:
        """Record that the report is in.

        Raises:
            StoreUnavailable: It could not be recorded; the next run will report again, and learn that it is done.
        """
        record_report(self._store, self.record, self.fingerprint)


@attrs.frozen(kw_only=True)
class Forgotten:
    """A record that was deleted.

    Attributes:
        key: Its key.
        record: The record as it was; None where it could not be read.
        is_running: Whether a delivery had the work when the record was deleted, and may still run it.
    """

    key: str
    record: Record | None
    is_running: bool


def open_existing(url: str) -> SqliteStore | RedisStore:
    """Return the store that a URL names, without making one where there is none.

    Args:
        url: As `open_store` reads it.

    Raises:
        SettingsError: It names no store, or one in the memory of a process.
        StoreUnavailable: There is no such file, or it is no database with records.
    """
    store = open_store(url)
    if isinstance(store, MemoryStore):
        raise SettingsError(
            "A memory: store ends with the process that made it, so there is nothing in it.",
            hint="Give the URL of the store that the function uses: sqlite:///... or redis://...",
        )
    if isinstance(store, SqliteStore):
        _look_into(store.path)
        return store
    from fc_callback.idempotency.redis import RedisStore  # its driver is optional

    assert isinstance(store, RedisStore)
    return store


def _look_into(path: str) -> None:
    hint = (
        "Give the path that the function writes to; an absolute path in a URL takes four slashes (sqlite:////mnt/...)."
    )
    if not os.path.exists(path):  # noqa: PTH110 - the store has its path as text
        raise StoreUnavailable(f"There is no file {path}.", hint=hint)
    try:
        # A connection of mode rw does not make the file, and rolls back what a killed process left half written.
        with closing(sqlite3.connect(f"file:{quote(path)}?mode=rw", uri=True)) as connection:
            table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'once_records'"
            found = connection.execute(table).fetchone()
    except sqlite3.Error as error:
        raise StoreUnavailable(f"The file {path} cannot be used: {error}.", hint=hint) from error
    if found is None:
        raise StoreUnavailable(f"The database {path} is not a store of `once`: it has no table of records.", hint=hint)


def forget(store: SqliteStore | RedisStore, key: str) -> Forgotten | None:
    """Delete the record under a key, so that the next delivery runs its work again.

    Args:
        store: Where it is.
        key: The whole key, as an error or `fc-callback redeliver` shows it.

    Returns:
        What was deleted; None where there was no record.

    Raises:
        StoreUnavailable: The store does not answer, or a delivery wrote the record meanwhile.
    """
    try:
        record = store.get(key)
    except StoreUnavailable:
        # The record cannot be read, or the store does not answer; then the next call raises as well.
        return Forgotten(key=key, record=None, is_running=False) if store.forget(key) else None
    if record is None:
        return None
    is_running = record.state == "RUNNING" and record.lease_until > store.now()
    if not store.delete(record):
        raise StoreUnavailable(
            "A delivery changed the record meanwhile, so it was not forgotten.", hint="Run the command again."
        )
    return Forgotten(key=key, record=record, is_running=is_running)


def undelivered(store: Store, seal: TokenSeal | None = None) -> Iterator[Undelivered]:
    """Yield every result that a task still waits for.

    Args:
        store: Where to look.
        seal: Opens the tokens that were kept.

    Raises:
        StoreUnavailable: The store does not answer; or, after all others, it holds a record that cannot be read.
        SettingsError: The seal has no key, or the package cryptography is missing.
    """
    for record in store.pending():
        for receiver in record.receivers:
            if receiver.reported:
                continue
            token = None
            if seal is not None and receiver.sealed is not None:
                try:
                    token = seal.open(receiver.sealed)
                except SealError:
                    token = None
            output, failure = echo.result(record, token)
            yield Undelivered(
                record=record,
                fingerprint=receiver.fingerprint,
                token=token,
                output=output,
                failure=failure,
                store=store,
            )
