"""The service's database: one SQLite file.

There is one connection and one writer. A change holds the store for one transaction, and is on disk before a caller
learns of it. `synchronous=NORMAL` survives the end of the process (kill -9); a power failure may lose the last changes.

Each task token in a stored text is replaced by a mark and rebuilt when the text is read, so the file holds none.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import re
import secrets
import sqlite3
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from fc_callback.errors import FcCallbackError, SettingsError
from fc_callback.local.tokens import TOKEN_PREFIX, TokenIssuer, token_digest, token_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_LOG = logging.getLogger("fc_callback.local")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accounts (account TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS flows (
    id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, name TEXT NOT NULL, definition TEXT NOT NULL,
    description TEXT NOT NULL, type TEXT NOT NULL, role_arn TEXT NOT NULL, created REAL NOT NULL, modified REAL NOT NULL,
    mode TEXT NOT NULL DEFAULT 'Standard', UNIQUE (account, name)
);
CREATE TABLE IF NOT EXISTS executions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, flow INTEGER NOT NULL, account TEXT NOT NULL, flow_name TEXT NOT NULL,
    name TEXT NOT NULL, definition TEXT NOT NULL, role_arn TEXT NOT NULL, input TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'Running', output TEXT NOT NULL DEFAULT '', error TEXT NOT NULL DEFAULT '',
    cause TEXT NOT NULL DEFAULT '', started REAL NOT NULL, stopped REAL, globals TEXT NOT NULL DEFAULT '{}',
    events INTEGER NOT NULL DEFAULT 0, reports_to INTEGER, express INTEGER NOT NULL DEFAULT 0, UNIQUE (flow, name)
);
CREATE INDEX IF NOT EXISTS child_executions ON executions (reports_to) WHERE reports_to IS NOT NULL;
CREATE INDEX IF NOT EXISTS executions_by_status ON executions (account, status);
CREATE TABLE IF NOT EXISTS frames (
    id INTEGER PRIMARY KEY AUTOINCREMENT, execution INTEGER NOT NULL, parent INTEGER, position INTEGER NOT NULL,
    path TEXT NOT NULL, state TEXT NOT NULL DEFAULT '{}', output TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS frames_of_executions ON frames (execution);
CREATE INDEX IF NOT EXISTS frames_of_frames ON frames (parent);
CREATE TABLE IF NOT EXISTS events (
    execution INTEGER NOT NULL, id INTEGER NOT NULL, type TEXT NOT NULL, step TEXT NOT NULL, cause INTEGER NOT NULL,
    time REAL NOT NULL, detail TEXT NOT NULL, PRIMARY KEY (execution, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tasks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, execution INTEGER NOT NULL, frame INTEGER NOT NULL, event INTEGER NOT NULL,
    step TEXT NOT NULL, opened REAL NOT NULL, attempt INTEGER NOT NULL, waits_for TEXT NOT NULL, digest TEXT NOT NULL UNIQUE, status TEXT NOT NULL DEFAULT 'scheduled'
);
CREATE INDEX IF NOT EXISTS tasks_of_executions ON tasks (execution);
CREATE INDEX IF NOT EXISTS open_tasks ON tasks (id) WHERE status != 'ended';
CREATE TABLE IF NOT EXISTS timers (
    id INTEGER PRIMARY KEY AUTOINCREMENT, due REAL NOT NULL, kind TEXT NOT NULL, execution INTEGER, frame INTEGER,
    task INTEGER, invocation INTEGER, child INTEGER
);
CREATE INDEX IF NOT EXISTS timers_by_time ON timers (due);
CREATE INDEX IF NOT EXISTS timers_of_executions ON timers (execution);
CREATE TABLE IF NOT EXISTS invocations (
    id INTEGER PRIMARY KEY AUTOINCREMENT, request_id TEXT NOT NULL, kind TEXT NOT NULL, function TEXT NOT NULL,
    account TEXT NOT NULL,
    execution INTEGER, task INTEGER, asynchronous INTEGER NOT NULL, event TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'queued', retry_count INTEGER NOT NULL DEFAULT 0, queued REAL NOT NULL, ended REAL,
    error_type TEXT NOT NULL DEFAULT '', error_name TEXT NOT NULL DEFAULT '', error_message TEXT NOT NULL DEFAULT '',
    result TEXT NOT NULL DEFAULT '', log TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS unfinished_invocations ON invocations (task) WHERE status != 'ended';
CREATE INDEX IF NOT EXISTS invocations_of_executions ON invocations (execution);
"""
_TOKEN = re.compile(rf"{TOKEN_PREFIX}(?:[A-Za-z0-9+/]|%2[BbFf]){{36,}}(?:=|%3[Dd]){{0,2}}")
# How a token can be spelled in a text: plain, or percent-encoded with upper-case or lower-case digits.
_SPELLINGS: dict[str, Callable[[str], str]] = {
    "": str,
    "%2B": functools.partial(quote, safe=""),
    "%2b": lambda token: re.sub("%..", lambda code: code[0].lower(), quote(token, safe="")),
}

Row = sqlite3.Row


class StoreClosedError(FcCallbackError):
    """The service was closed while another thread still had something to read or write."""


class ServiceStore:
    """The database and its one connection.

    Args:
        path: The file; created, readable by its owner only, if it does not exist. None for a temporary database, which
            SQLite deletes when the connection or the process ends, also by `kill -9`.

    Raises:
        SettingsError: The file is not a database, or another service uses it.
    """

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._after_commit: list[Callable[[], None]] = []
        self.closed = False
        if path is not None:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._connection = sqlite3.connect(path or "", isolation_level=None, check_same_thread=False, timeout=0.2)
        self._connection.row_factory = sqlite3.Row
        try:
            # The first write takes the lock and keeps it: two services on one file would run every step twice.
            self._connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        except sqlite3.DatabaseError as error:
            self._connection.close()
            hint = "Another local CloudFlow uses it: stop it, or choose another file."
            if "locked" not in str(error):
                hint = "Choose another file, or remove this one."
            raise SettingsError(f"The database {path} cannot be used: {error}.", hint=hint) from None
        if self.setting("secret") is None:
            self.set("secret", secrets.token_hex(32))
        self.issuer = TokenIssuer(bytes.fromhex(self.setting("secret") or ""))
        marker = self.issuer.marker()
        self._mark = f"<task-token {marker} {{}}{{}}>"
        spellings = "|".join(map(re.escape, _SPELLINGS))
        self._marked = re.compile(rf"<task-token {marker} (\d+)({spellings})>")

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the block as one transaction: commit at its end, or roll back after an exception.

        After the commit, the calls that were passed to `after_commit` run, outside the transaction.
        """
        with self._lock:
            self._require_open()
            if self._depth:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                self._after_commit.clear()
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                self._depth -= 1
            calls, self._after_commit = self._after_commit, []
        for call in calls:
            _call_after_commit(call)

    def _require_open(self) -> None:
        if self.closed:
            raise StoreClosedError("The service's database is closed.")

    def after_commit(self, call: Callable[[], None]) -> None:
        """Run `call` after the commit of the current transaction."""
        self._after_commit.append(call)

    def run(self, sql: str, *values: Any) -> int:
        """Execute a change; return the new row's id if it inserted one."""
        return self._connection.execute(sql, values).lastrowid or 0

    def insert(self, table: str, **columns: Any) -> int:
        """Insert a row; return its id."""
        marks = ", ".join("?" * len(columns))
        return self.run(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", *columns.values())  # noqa: S608

    def update(self, table: str, row_id: int | None, **columns: Any) -> None:
        """Change columns of the row with an id."""
        assigned = ", ".join(f"{column} = ?" for column in columns)
        self.run(f"UPDATE {table} SET {assigned} WHERE id = ?", *columns.values(), row_id)  # noqa: S608

    def one(self, sql: str, *values: Any) -> Row | None:
        """Return the first row."""
        with self._lock:
            self._require_open()
            row: Row | None = self._connection.execute(sql, values).fetchone()
            return row

    def all(self, sql: str, *values: Any) -> list[Row]:
        """Return every row."""
        with self._lock:
            self._require_open()
            return self._connection.execute(sql, values).fetchall()

    def setting(self, name: str) -> str | None:
        """Return a stored setting; None if it does not exist."""
        row = self.one("SELECT value FROM settings WHERE name = ?", name)
        return None if row is None else str(row["value"])

    def set(self, name: str, value: str) -> None:
        """Store a setting."""
        with self.transaction():
            self.run("INSERT OR REPLACE INTO settings VALUES (?, ?)", name, value)

    def mask_tokens(self, text: str) -> str:
        """Replace each task token of this database in `text` by a mark, which records the token's spelling."""
        if TOKEN_PREFIX not in text:
            return text
        return _TOKEN.sub(self._token_mark, text)

    def _token_mark(self, match: re.Match[str]) -> str:
        token = unquote(match[0])
        row = self.one("SELECT id FROM tasks WHERE digest = ?", token_digest(token))
        if row is None:
            own = token_in(token)
            if own is None or not match[0].startswith(own):
                return match[0]
            # Letters follow the token, or another token.
            return self.mask_tokens(own) + self.mask_tokens(match[0].removeprefix(own))
        # A URL that mixes %2B and %2b means the same when it has only one of them.
        spelling = next((name for name, spell in _SPELLINGS.items() if spell(token) == match[0]), "%2B")
        return self._mark.format(row["id"], spelling)

    def restore_tokens(self, text: str) -> str:
        """Replace the marks in a stored text by the task tokens."""
        return self._marked.sub(lambda match: _SPELLINGS[match[2]](self.task_token(int(match[1]))), text)

    def tokens_in(self, text: str) -> list[str]:
        """Return the task tokens whose marks a stored text has."""
        return [self.task_token(int(task)) for task in dict.fromkeys(match[1] for match in self._marked.finditer(text))]

    def masked(self, text: str) -> str:
        """Return a stored text for people: without tokens and marks."""
        return self._marked.sub("<task-token>", text)

    def task_token(self, task_id: int) -> str:
        """Return the token of a task."""
        row = self.one(
            "SELECT e.flow_name, e.name, e.id, t.event FROM tasks t JOIN executions e ON e.id = t.execution WHERE t.id = ?",
            task_id,
        )
        assert row is not None
        return self.issuer.task_token(
            flow=row["flow_name"], execution=row["name"], event_id=row["event"], execution_id=row["id"]
        )

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self.closed = True
            self._connection.close()


def _call_after_commit(call: Callable[[], None]) -> None:
    try:
        call()
    except Exception:  # noqa: BLE001 - the change is on disk, and the other calls must still happen
        _LOG.exception("A change is stored, but what follows it failed.")
