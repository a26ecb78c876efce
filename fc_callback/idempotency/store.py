"""Where records are kept: the protocol, and the way from a URL to a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from fc_callback.errors import SettingsError
from fc_callback.idempotency.bounded import CALL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fc_callback.idempotency.record import Record


@runtime_checkable
class Store(Protocol):
    """A place for records: a map with compare-and-set and expiry.

    To write one for another database, fulfil this:

    - Each method is atomic, also towards other threads, processes and hosts.
    - A record whose `expires_at` has passed is not there: no method sees it, and `add` may take its place.
    - What a method has confirmed survives the end of the process, `kill -9` included.
    - Any trouble is raised as `StoreUnavailable`, with a text that holds no password.
    - Each call ends within its `timeout`, in seconds: name look-up, connecting, waiting for locks and repeats all
      included. When the time is up it raises `StoreUnavailable`, and a connection whose answer is still to come is closed
      and never used again: its late answer would be taken for the next call's. `call_within` of
      `fc_callback.idempotency.bounded` bounds what has no timeout of its own. A function's time limit depends on this.
    - The driver is imported when the store is made, and nothing is opened before the first call.

    A store knows nothing of leases or states; `Once` and `Work` decide, in one place for all stores. `Record.encode` and
    `Record.decode` turn a record into a line of ASCII and back; keep `key`, `revision` and `expires_at` beside it.
    """

    def now(self, *, timeout: float = CALL_SECONDS) -> float:
        """Return seconds since 1970 on the clock that every user of this store shares: the server's, if there is one."""

    def get(self, key: str, *, timeout: float = CALL_SECONDS) -> Record | None:
        """Return the record under this key."""

    def add(self, record: Record, *, timeout: float = CALL_SECONDS) -> bool:
        """Write the record if there is none under its key; return whether it was written."""

    def replace(self, old: Record, new: Record, *, timeout: float = CALL_SECONDS) -> bool:
        """Write `new` if the record under its key has the revision of `old`; return whether it was written."""

    def delete(self, old: Record, *, timeout: float = CALL_SECONDS) -> bool:
        """Delete the record if it has the revision of `old`; return whether it was deleted."""

    def pending(self) -> Iterator[Record]:
        """Yield the records with `is_pending`, in no promised order; raise for unreadable ones when all others are out."""


def open_store(url: str) -> Store:
    """Return the store that a URL names; its driver is imported, and nothing is opened yet.

    Args:
        url: `memory:` (this process only, for tests); `sqlite:///once.db` (a file beside the code) or
            `sqlite:////mnt/nas/once.db` (four slashes: an absolute path); `redis://`, `rediss://` or `unix://` as redis-py reads
            them (Redis, Tair).

    Raises:
        SettingsError: It names none of these, or the package of its driver is not installed.
    """
    scheme, colon, rest = url.partition(":")
    if url == "memory:":
        from fc_callback.idempotency.memory import MemoryStore

        return MemoryStore()
    if scheme == "sqlite" and rest.startswith("///") and len(rest) > len("///"):
        from fc_callback.idempotency.sqlite import SqliteStore

        return SqliteStore(rest.removeprefix("///"))
    if scheme in {"redis", "rediss", "unix"} and rest.startswith("//"):
        from fc_callback.idempotency.redis import RedisStore

        return RedisStore(url)
    # The rest of the URL may hold a password.
    raise SettingsError(
        f"The store's URL begins with {scheme + colon!r} and cannot be used."
        if colon
        else "The store's URL has no scheme.",
        hint="Use memory:, sqlite:///file.db, sqlite:////absolute/file.db or redis://host:6379/0.",
    )
