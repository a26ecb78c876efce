"""Records in an SQLite file: local, or on a NAS that several instances mount.

The journal is SQLite's rollback journal and not the write-ahead log, whose shared memory does not work between hosts. On a
NAS, the mount must pass file locks on to the server (NFS v4 does; NFS v3 mounted with `nolock` does not). Without locks, two
instances can do the same work: use Redis there.
Source: sqlite.org, "Write-Ahead Logging" 2.2 and "How To Corrupt An SQLite Database File" 2.1.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeVar

from fc_callback.errors import StoreUnavailable
from fc_callback.idempotency.bounded import call_within
from fc_callback.idempotency.record import read_record, read_records
from fc_callback.idempotency.store import CALL_SECONDS
from fc_callback.values import validators

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fc_callback.idempotency.record import Record

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS once_records (
    key TEXT PRIMARY KEY, revision TEXT NOT NULL, expires_at REAL NOT NULL, pending INTEGER NOT NULL, record TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS once_records_expires ON once_records (expires_at);
CREATE INDEX IF NOT EXISTS once_records_pending ON once_records (pending) WHERE pending;
"""
_GET = "SELECT key, revision, record FROM once_records WHERE key = :key AND expires_at > :now"
_PENDING = "SELECT key, revision, record FROM once_records WHERE pending AND expires_at > :now"
_CLEAR_EXPIRED = "DELETE FROM once_records WHERE expires_at <= :now"
_ADD = (
    "INSERT OR IGNORE INTO once_records (key, revision, expires_at, pending, record) "
    "VALUES (:key, :revision, :expires_at, :pending, :record)"
)
_REPLACE = (
    "UPDATE once_records SET revision = :revision, expires_at = :expires_at, pending = :pending, record = :record "
    "WHERE key = :key AND revision = :old_revision AND expires_at > :now"
)
_DELETE = "DELETE FROM once_records WHERE key = :key AND revision = :old_revision AND expires_at > :now"
_FORGET = "DELETE FROM once_records WHERE key = :key"


class SqliteStore:
    """A store in a file. Threads, processes and hosts may share it, and it survives `kill -9`.

    Each call opens the file, in a thread of its own: a network mount whose server does not answer can block any system
    call, and SQLite's timeout does not bound that.

    Args:
        path: The file. The first call creates it; its folder must exist.
        busy_timeout_seconds: How long to wait for another process's write, within the call's own timeout.
        clock: What `now` returns; a test may pass its own.

    Raises:
        SettingsError: An argument cannot be used.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        busy_timeout_seconds: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not isinstance(path, (str, os.PathLike)):
            validators.refuse("path", path, "Give the path of a file, like /mnt/nas/once.db.")
        validators.number("busy_timeout_seconds", busy_timeout_seconds, least=0)
        self.path = os.path.abspath(path)  # noqa: PTH100 - pathlib is not loaded in a cold start
        self._clock = clock
        self._busy_timeout_seconds = busy_timeout_seconds

    def now(self, *, timeout: float = CALL_SECONDS) -> float:  # noqa: ARG002 - the host's clock does not wait
        """Return the time."""
        return self._clock()

    def get(self, key: str, *, timeout: float = CALL_SECONDS) -> Record | None:
        """Return the record under this key."""
        rows = self._select(_GET, timeout, key=key)
        return read_record(rows[0][2], key=rows[0][0], revision=rows[0][1], store=self._name) if rows else None

    def add(self, record: Record, *, timeout: float = CALL_SECONDS) -> bool:
        """Write the record if there is none under its key, and delete the records that have expired."""
        return self._write(_CLEAR_EXPIRED, _ADD, timeout=timeout, key=record.key, **_columns(record))

    def replace(self, old: Record, new: Record, *, timeout: float = CALL_SECONDS) -> bool:
        """Write `new` over the revision of `old`."""
        return self._write(_REPLACE, timeout=timeout, key=old.key, old_revision=old.revision, **_columns(new))

    def delete(self, old: Record, *, timeout: float = CALL_SECONDS) -> bool:
        """Delete the revision of `old`."""
        return self._write(_DELETE, timeout=timeout, key=old.key, old_revision=old.revision)

    def pending(self) -> Iterator[Record]:
        """Yield the records with `is_pending`, and then raise `StoreUnavailable` if some cannot be read."""
        yield from read_records(self._select(_PENDING, CALL_SECONDS), store=self._name)

    def forget(self, key: str) -> bool:
        """Delete the row with this key, whether or not it can be read."""
        return self._write(_FORGET, timeout=CALL_SECONDS, key=key)

    def __repr__(self) -> str:
        return f"<SqliteStore {self.path}>"

    @property
    def _name(self) -> str:
        return f"The SQLite file {self.path}"

    def _select(self, query: str, timeout: float, **values: str) -> list[tuple[str, str, str]]:
        return self._call(
            lambda connection, _: connection.execute(query, {**values, "now": self._clock()}).fetchall(), timeout
        )

    def _write(self, *statements: str, timeout: float, **values: Any) -> bool:
        """Run statements in one transaction; return whether the last of them changed a row."""

        def write(connection: sqlite3.Connection, ends_at: float) -> bool:
            # The write lock first: a transaction that reads and then writes can fail with SQLITE_BUSY at once.
            self._bound_wait(connection, ends_at)
            connection.execute("BEGIN IMMEDIATE")
            try:
                now = self._clock()
                changed = [connection.execute(one, {**values, "now": now}).rowcount for one in statements]
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            if time.monotonic() >= ends_at:  # the caller has got the error that nothing was written
                connection.execute("ROLLBACK")
                return False
            self._bound_wait(connection, ends_at)
            connection.execute("COMMIT")
            return changed[-1] == 1

        return self._call(write, timeout)

    def _bound_wait(self, connection: sqlite3.Connection, ends_at: float) -> None:
        """Let the next wait for a lock end with the call.

        A commit that waits for readers keeps new readers out. An abandoned one would do so for as long as FC freezes the
        instance.
        """
        seconds = min(self._busy_timeout_seconds, max(0.0, ends_at - time.monotonic()))
        connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")

    def _call(self, use: Callable[[sqlite3.Connection, float], T], timeout: float) -> T:
        ends_at = time.monotonic() + timeout
        busy_seconds = min(self._busy_timeout_seconds, timeout)

        def call() -> T:
            # One connection for each call: no two threads share one, and no forked process inherits one.
            with closing(sqlite3.connect(self.path, timeout=busy_seconds, isolation_level=None)) as connection:
                connection.executescript(_SCHEMA)
                return use(connection, ends_at)

        try:
            return call_within(timeout, call)
        except sqlite3.Error as error:
            raise StoreUnavailable(
                f"{self._name} cannot be used: {error}.",
                hint="Its folder must exist and be writable; an absolute path in a URL takes four slashes (sqlite:////mnt/...).",
            ) from error
        except TimeoutError:
            raise StoreUnavailable(
                f"{self._name} gave no answer within {timeout:.1f} s.",
                hint="Another process may hold its lock, or its network mount does not answer.",
            ) from None


def _columns(record: Record) -> dict[str, object]:
    return {
        "revision": record.revision,
        "expires_at": record.expires_at,
        "pending": record.is_pending,
        "record": record.encode(),
    }
