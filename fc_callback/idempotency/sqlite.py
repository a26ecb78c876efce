"""Records in an SQLite file: local, or on a NAS that several instances mount.

The journal is SQLite's rollback journal and not the write-ahead log, whose shared memory does not work between hosts. On a
NAS, the mount must pass file locks on to the server (NFS v4 does; NFS v3 mounted with `nolock` does not). Without locks two
instances can do the same work: use Redis there.
Source: sqlite.org, "Write-Ahead Logging" 2.2 and "How To Corrupt An SQLite Database File" 2.1.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, TypeVar

from fc_callback.errors import StoreUnavailable
from fc_callback.idempotency.bounded import CALL_SECONDS, call_within
from fc_callback.idempotency.record import read_record
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


class SqliteStore:
    """A store in a file. Safe between threads and processes, and after `kill -9`.

    Each call opens the file, in a thread of its own: a network mount whose server is silent can hold up any system call,
    and no timeout of SQLite's bounds that.

    Args:
        path: The file; made when first used. Its folder must exist.
        busy_timeout_seconds: How long to wait for another process's write; never longer than the call may take.
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

        def read(file: _File) -> Record | None:
            row = file.execute(
                "SELECT key, revision, record FROM once_records WHERE expires_at > ? AND key = ?", (self._clock(), key)
            ).fetchone()
            return None if row is None else self._read(*row)

        return self._call(read, timeout)

    def add(self, record: Record, *, timeout: float = CALL_SECONDS) -> bool:
        """Write the record if there is none under its key; records that have expired are cleared away on the way."""

        def write(file: _File) -> bool:
            file.execute("DELETE FROM once_records WHERE expires_at <= ?", (self._clock(),))
            return file.changes(
                "INSERT OR IGNORE INTO once_records (revision, expires_at, pending, record, key) VALUES (?, ?, ?, ?, ?)",
                (*_columns(record), record.key),
            )

        return self._call(lambda file: file.transaction(write), timeout)

    def replace(self, old: Record, new: Record, *, timeout: float = CALL_SECONDS) -> bool:
        """Write `new` over the revision of `old`."""

        def write(file: _File) -> bool:
            return file.changes(
                "UPDATE once_records SET revision = ?, expires_at = ?, pending = ?, record = ? "
                "WHERE key = ? AND revision = ? AND expires_at > ?",
                (*_columns(new), old.key, old.revision, self._clock()),
            )

        return self._call(lambda file: file.transaction(write), timeout)

    def delete(self, old: Record, *, timeout: float = CALL_SECONDS) -> bool:
        """Delete the revision of `old`."""

        def write(file: _File) -> bool:
            return file.changes(
                "DELETE FROM once_records WHERE key = ? AND revision = ? AND expires_at > ?",
                (old.key, old.revision, self._clock()),
            )

        return self._call(lambda file: file.transaction(write), timeout)

    def pending(self) -> Iterator[Record]:
        """Yield the records with `is_pending`; one that cannot be read is raised after the others."""

        def read(file: _File) -> list[tuple[str, str, str]]:
            query = "SELECT key, revision, record FROM once_records WHERE expires_at > ? AND pending"
            return file.execute(query, (self._clock(),)).fetchall()

        unreadable: StoreUnavailable | None = None
        for row in self._call(read, CALL_SECONDS):
            try:
                record = self._read(*row)
            except StoreUnavailable as error:  # noqa: PERF203 - one bad record must not hide the others
                unreadable = error
            else:
                yield record
        if unreadable is not None:
            raise unreadable

    def forget(self, key: str) -> bool:
        """Delete the row with this key."""

        def write(file: _File) -> bool:
            return file.changes("DELETE FROM once_records WHERE key = ?", (key,))

        return self._call(lambda file: file.transaction(write), CALL_SECONDS)

    def __repr__(self) -> str:
        return f"<SqliteStore {self.path}>"

    def _call(self, use: Callable[[_File], T], timeout: float) -> T:
        ends_at = time.monotonic() + timeout

        def call() -> T:
            with _opened(self.path, min(self._busy_timeout_seconds, timeout), ends_at) as file:
                return use(file)

        try:
            return call_within(timeout, call)
        except sqlite3.Error as error:
            raise StoreUnavailable(
                f"The SQLite file {self.path} cannot be used: {error}.",
                hint="Its folder must exist and be writable; an absolute path in a URL takes four slashes (sqlite:////mnt/...).",
            ) from error
        except TimeoutError:
            raise StoreUnavailable(
                f"The SQLite file {self.path} gave no answer within {timeout:.1f} s.",
                hint="Another process may hold its lock for long, or its network mount does not answer.",
            ) from None

    def _read(self, key: str, revision: str, text: str) -> Record:
        return read_record(text, key=key, revision=revision, store=f"The SQLite file {self.path}")


class _File:
    """An open file, for one call.

    Args:
        connection: The connection.
        busy_seconds: How long to wait for another process's lock.
        ends_at: When the call must have ended, on the clock of `time.monotonic()`.
    """

    def __init__(self, connection: sqlite3.Connection, busy_seconds: float, ends_at: float) -> None:
        self.execute = connection.execute
        self._busy_seconds = busy_seconds
        self._ends_at = ends_at

    def changes(self, statement: str, values: tuple[object, ...]) -> bool:
        """Run a statement; return whether it changed one row."""
        return self.execute(statement, values).rowcount == 1

    def transaction(self, write: Callable[[_File], bool]) -> bool:
        """Run `write` in a transaction, and commit it while the caller still waits for it."""
        # The write lock first: a transaction that reads and then writes can meet SQLITE_BUSY without any waiting.
        self._bound_wait()
        self.execute("BEGIN IMMEDIATE")
        try:
            changed = write(self)
        except BaseException:
            self.execute("ROLLBACK")
            raise
        if time.monotonic() >= self._ends_at:  # the caller has been told that nothing was written
            self.execute("ROLLBACK")
            return False
        self._bound_wait()
        self.execute("COMMIT")
        return changed

    def _bound_wait(self) -> None:
        """Let the next wait for a lock end with the call.

        A commit that waits for readers keeps new ones out. One that went on after its call was given up would do so for as
        long as FC has frozen the instance.
        """
        seconds = min(self._busy_seconds, max(0.0, self._ends_at - time.monotonic()))
        self.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")


@contextmanager
def _opened(path: str, busy_seconds: float, ends_at: float) -> Iterator[_File]:
    """Open the file for one operation: no connection is ever shared by threads, or carried through a fork."""
    with closing(sqlite3.connect(path, timeout=busy_seconds, isolation_level=None)) as connection:
        connection.executescript(_SCHEMA)
        yield _File(connection, busy_seconds, ends_at)


def _columns(record: Record) -> tuple[str, float, bool, str]:
    return record.revision, record.expires_at, record.is_pending, record.encode()
