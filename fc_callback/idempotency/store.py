"""What a store for records must do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fc_callback.idempotency.record import Record
    from fc_callback.values.token import TaskToken

# The time limit of one call that no invocation bounds.
CALL_SECONDS = 10.0


@runtime_checkable
class Store(Protocol):
    """A map of records with compare-and-set and expiry.

    A store for another database must fulfil this:

    - Each method is atomic, also between threads, processes and hosts.
    - A record whose `expires_at` has passed does not exist: no method sees it, and `add` may replace it.
    - A confirmed write survives the end of the process, `kill -9` included.
    - Every problem is raised as `StoreUnavailable`, with a text that holds no password.
    - Each call ends within its `timeout`, in seconds. Name look-up, connecting, waiting for locks and repeats are all
      included. When the time is up, the call raises `StoreUnavailable`. A connection whose answer is still to come is
      closed and never used again: its late answer would be taken for the answer to the next call. `call_within` of
      `fc_callback.idempotency.bounded` bounds a call that has no timeout of its own. The function's time limit depends on
      this.
    - The driver is imported when the store is made. Nothing is opened before the first call.

    A store knows nothing of leases or states: `Once` and `Work` decide, in one place for all stores. `Record.encode` and
    `Record.decode` turn a record into a line of ASCII and back; keep `key`, `revision` and `expires_at` beside it.
    """

    def now(self, *, timeout: float = CALL_SECONDS) -> float:
        """Return seconds since 1970 on the clock that all users of this store share: the server's, if there is a server."""

    def get(self, key: str, *, timeout: float = CALL_SECONDS) -> Record | None:
        """Return the record under this key."""

    def add(self, record: Record, *, timeout: float = CALL_SECONDS) -> bool:
        """Write the record if there is none under its key; return whether it was written."""

    def replace(self, old: Record, new: Record, *, timeout: float = CALL_SECONDS) -> bool:
        """Write `new` if the record under its key has the revision of `old`; return whether it was written."""

    def delete(self, old: Record, *, timeout: float = CALL_SECONDS) -> bool:
        """Delete the record if it has the revision of `old`; return whether it was deleted."""

    def pending(self) -> Iterator[Record]:
        """Yield the records with `is_pending`, in any order, and then raise `StoreUnavailable` if some cannot be read."""


@runtime_checkable
class Seal(Protocol):
    """What encrypts the tokens in records: `fc_callback.TokenSeal`."""

    def seal(self, token: TaskToken) -> str:
        """Return the token, encrypted."""

    def open(self, text: str) -> TaskToken:
        """Return the token that `seal` encrypted, or raise `SealError`."""
