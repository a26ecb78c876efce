"""Results whose tasks still wait for a report, and the deletion of a record: for `fc-callback redeliver`."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

import attrs

from fc_callback.errors import SealError, SettingsError, StoreUnavailable
from fc_callback.idempotency.bounded import BoundedStore
from fc_callback.idempotency.memory import MemoryStore
from fc_callback.idempotency.opening import open_store
from fc_callback.idempotency.sqlite import SqliteStore
from fc_callback.idempotency.work import Stored, record_report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fc_callback.idempotency.record import Record
    from fc_callback.idempotency.redis import RedisStore
    from fc_callback.idempotency.store import Seal, Store
    from fc_callback.values.token import TaskToken


@attrs.frozen(kw_only=True)
class Undelivered:
    """A result, and one task that waits for it.

    Attributes:
        record: The record that holds the result.
        fingerprint: The fingerprint of the task's token.
        token: The token; None if the record has none, or if this key does not open its seal.
        output: The Output to report; None for a failure.
        failure: (error, cause) of the failure to report.
    """

    record: Record
    fingerprint: str
    token: TaskToken | None
    output: str | None = attrs.field(repr=False)
    failure: tuple[str, str] | None = attrs.field(repr=False)
    _store: Store = attrs.field(repr=False)

    def reported(self) -> None:
        """Record that the task has its report.

        Raises:
            StoreUnavailable: It could not be recorded. The next run reports again, and learns that the task has ended.
        """
        record_report(BoundedStore(self._store), self.record, self.fingerprint)


@attrs.frozen(kw_only=True)
class Forgotten:
    """A record that was deleted.

    Attributes:
        key: Its key.
        record: The deleted record; None if it could not be read.
        is_running: Whether a delivery held the work when the record was deleted, and may still run it.
    """

    key: str
    record: Record | None
    is_running: bool


def open_existing(url: str) -> SqliteStore | RedisStore:
    """Return the store that a URL names, without creating one.

    Args:
        url: As `open_store` reads it.

    Raises:
        SettingsError: The URL names no store, or one in memory.
        StoreUnavailable: There is no such file, or it is not a database of records.
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
        "Give the path of the function's own file; an absolute path in a URL takes four slashes (sqlite:////mnt/...)."
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
        store: The store.
        key: The whole key, as an error or `fc-callback redeliver` shows it.

    Returns:
        The deleted record; None if there was none.

    Raises:
        StoreUnavailable: The store does not answer, or a delivery changed the record in between.
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
            "A delivery changed the record in between, so it was not forgotten.", hint="Run the command again."
        )
    return Forgotten(key=key, record=record, is_running=is_running)


def undelivered(store: Store, seal: Seal | None = None) -> Iterator[Undelivered]:
    """Yield each result and each task that still waits for it.

    Args:
        store: The store.
        seal: Opens the tokens in the records.

    Raises:
        StoreUnavailable: The store does not answer; or, after all results, one error that names the records that cannot be
            read: the first 20, and the number of the others.
        SettingsError: The seal has no key, or the package cryptography is missing.
    """
    for record in store.pending():
        for receiver in record.receivers:
            if receiver.reported:
                continue
            token = None
            if seal is not None and receiver.sealed is not None:
                with suppress(SealError):
                    token = seal.open(receiver.sealed)
            stored = Stored.read(record, token)
            yield Undelivered(
                record=record,
                fingerprint=receiver.fingerprint,
                token=token,
                output=stored.output,
                failure=stored.failure,
                store=store,
            )
