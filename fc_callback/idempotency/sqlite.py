"""Records in an SQLite file: local, or on a NAS that several instances mount.

The journal is SQLite's rollback journal and not the write-ahead log, whose shared memory does not work between hosts. On a
NAS, the mount must pass file locks on to the server (NFS v4 does; NFS v3 mounted with `nolock` does not). Without locks two
instances can do the same work: use Redis there.
Source: sqlite.org, "Write-Ahead Logging" 2.2 and "How To Corrupt An SQLite Database File" 2.1.
"""

from __future__ import annotations

import os
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from fc_callback import validators
from fc_callback.errors import StoreUnavailable
from fc_callback.idempotency.record import Record

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

_SCHEMA = """
CREATE TABLE IF NOT EXISTS once_records (
    key TEXT PRIMARY KEY, revision TEXT NOT NULL, expires_at REAL NOT NULL, pending INTEGER NOT NULL, record TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS once_records_expires ON once_records (expires_at);
CREATE INDEX IF NOT EXISTS once_records_pending ON once_records (pending) WHERE pending;
"""
_LIVING = "SELECT record FROM once_records WHERE expires_at > ? AND "


class SqliteStore:
    """A store in a file. Safe between threads and processes, and after `kill -9`.

    Args:
        path: The file; made when first used. Its folder must exist.
        busy_timeout_seconds: How long to wait for another process's write.
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
        self.now = clock
        self._busy_timeout_seconds = busy_timeout_seconds

    def get(self, key: str) -> Record | None:
        """Return the record under this key."""
        with self._connection() as connection:
            row = connection.execute(_LIVING + "key = ?", (self.now(), key)).fetchone()
        return None if row is None else self._read(row[0])

    def add(self, record: Record) -> bool:
        """Write the record if there is none under its key; records that have expired are cleared away on the way."""
        with self._writing() as connection:
            connection.execute("DELETE FROM once_records WHERE expires_at <= ?", (self.now(),))
            return self._changed(
                connection,
                "INSERT OR IGNORE INTO once_records (revision, expires_at, pending, record, key) VALUES (?, ?, ?, ?, ?)",
                (*_columns(record), record.key),
            )

    def replace(self, old: Record, new: Record) -> bool:
        """Write `new` over the revision of `old`."""
        with self._writing() as connection:
            return self._changed(
                connection,
                "UPDATE once_records SET revision = ?, expires_at = ?, pending = ?, record = ? "
                "WHERE key = ? AND revision = ? AND expires_at > ?",
                (*_columns(new), old.key, old.revision, self.now()),
            )

    def delete(self, old: Record) -> bool:
        """Delete the revision of `old`."""
        with self._writing() as connection:
            return self._changed(
                connection,
                "DELETE FROM once_records WHERE key = ? AND revision = ? AND expires_at > ?",
                (old.key, old.revision, self.now()),
            )

    def pending(self) -> Iterator[Record]:
        """Yield the records with `is_pending`; one that cannot be read is raised after the others."""
        with self._connection() as connection:
            rows = connection.execute(_LIVING + "pending", (self.now(),)).fetchall()
        unreadable: StoreUnavailable | None = None
        for row in rows:
            try:
                record = self._read(row[0])
            except StoreUnavailable as error:  # noqa: PERF203 - one bad record must not hide the others
                unreadable = error
            else:
                yield record
        if unreadable is not None:
            raise unreadable

    def __repr__(self) -> str:
        return f"<SqliteStore {self.path}>"

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one operation: no connection is ever shared by threads, or carried through a fork."""
        import sqlite3

        try:
            with closing(
                sqlite3.connect(self.path, timeout=self._busy_timeout_seconds, isolation_level=None)
            ) as connection:
                connection.executescript(_SCHEMA)
                yield connection
        except sqlite3.Error as error:
            raise StoreUnavailable(
                f"The SQLite file {self.path} cannot be used: {error}.",
                hint="Its folder must exist and be writable; an absolute path in a URL takes four slashes (sqlite:////mnt/...).",
            ) from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._connection() as connection:
            # The write lock first: a transaction that reads and then writes can meet SQLITE_BUSY without any waiting.
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @staticmethod
    def _changed(connection: sqlite3.Connection, statement: str, values: tuple[object, ...]) -> bool:
        return connection.execute(statement, values).rowcount == 1

    def _read(self, text: str) -> Record:
        try:
            return Record.decode(text)
        except ValueError as error:
            raise StoreUnavailable(
                f"The SQLite file {self.path} holds a record that cannot be read.",
                hint="A later version of fc_callback may have written it: use that version, or another file.",
            ) from error


def _columns(record: Record) -> tuple[str, float, bool, str]:
    return record.revision, record.expires_at, record.is_pending, record.encode()
