"""Records in memory, for tests."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from fc_callback.idempotency.store import CALL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fc_callback.idempotency.record import Record


class MemoryStore:
    """A store that ends with this process. Other instances of the function do not see its records.

    Args:
        clock: What `now` returns; a test may pass its own.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._records: dict[str, Record] = {}

    # Nothing here waits, so no call needs its timeout.

    def now(self, *, timeout: float = CALL_SECONDS) -> float:  # noqa: ARG002
        """Return the time."""
        return self._clock()

    def get(self, key: str, *, timeout: float = CALL_SECONDS) -> Record | None:  # noqa: ARG002
        """Return the record under this key."""
        with self._lock:
            return self._current(key)

    def add(self, record: Record, *, timeout: float = CALL_SECONDS) -> bool:  # noqa: ARG002
        """Write the record if there is none under its key."""
        with self._lock:
            if self._current(record.key) is not None:
                return False
            self._records[record.key] = record
            return True

    def replace(self, old: Record, new: Record, *, timeout: float = CALL_SECONDS) -> bool:  # noqa: ARG002
        """Write `new` over the revision of `old`."""
        with self._lock:
            if not self._is_current(old):
                return False
            self._records[old.key] = new
            return True

    def delete(self, old: Record, *, timeout: float = CALL_SECONDS) -> bool:  # noqa: ARG002
        """Delete the revision of `old`."""
        with self._lock:
            return self._is_current(old) and self._records.pop(old.key) is not None

    def pending(self) -> Iterator[Record]:
        """Yield the records with `is_pending`."""
        with self._lock:
            records = [record for key in tuple(self._records) if (record := self._current(key)) is not None]
        yield from (record for record in records if record.is_pending)

    def __repr__(self) -> str:
        return f"<MemoryStore {len(self._records)} records>"

    def _current(self, key: str) -> Record | None:
        record = self._records.get(key)
        if record is not None and record.expires_at <= self._clock():
            del self._records[key]
            return None
        return record

    def _is_current(self, record: Record) -> bool:
        current = self._current(record.key)
        return current is not None and current.revision == record.revision
