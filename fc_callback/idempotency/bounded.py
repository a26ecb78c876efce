"""Time limits for the calls of a store."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, TypeVar

from fc_callback.errors import StoreUnavailable
from fc_callback.idempotency.store import CALL_SECONDS
from fc_callback.values.context import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.idempotency.record import Record
    from fc_callback.idempotency.store import Store

T = TypeVar("T")

# Python runs a signal's handler between two waits of the main thread, so each wait is short.
_LONGEST_WAIT_SECONDS = 0.2
_LEAST_SECONDS = 0.001


def call_within(seconds: float, call: Callable[[], T]) -> T:
    """Run a call in a thread, and return what it returns.

    Some waits have no timeout: a name look-up, or a file on a network mount whose server does not answer. The thread of an
    abandoned call ends when its wait ends.

    Args:
        seconds: How long to wait for the call.
        call: Must import nothing: an import in a thread can show half-made modules to other threads.

    Raises:
        TimeoutError: The time was up.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001 - it is raised in the caller's thread
            errors.append(error)

    ends_at = time.monotonic() + seconds
    thread = threading.Thread(target=run, name="fc_callback-store", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # no thread is available
        return call()
    while thread.is_alive():
        left = ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        thread.join(min(left, _LONGEST_WAIT_SECONDS))
    if errors:
        raise errors.pop()
    return results[0]


class BoundedStore:
    """A store whose calls end by a deadline together, and raise `StoreUnavailable` and nothing else.

    Args:
        store: The store.
        until: When the last call must have ended; ten seconds from now by default.
    """

    def __init__(self, store: Store, until: Deadline | None = None) -> None:
        self._store = store
        self._until = Deadline.after(CALL_SECONDS) if until is None else until

    def now(self) -> float:
        """Return the store's time."""
        return self._call(self._store.now)

    def get(self, key: str) -> Record | None:
        """Return the record under this key."""
        return self._call(self._store.get, key)

    def put(self, old: Record | None, new: Record) -> bool:
        """Write `new` if `old` is still the record under its key, or None is.

        Returns:
            Whether `new` is written. An earlier try whose answer was lost counts.
        """
        added = self._call(self._store.add, new) if old is None else self.replace(old, new)
        if added:
            return True
        current = self.get(new.key)
        return current is not None and current.revision == new.revision

    def replace(self, old: Record, new: Record) -> bool:
        """Write `new` over the revision of `old`."""
        return self._call(self._store.replace, old, new)

    def delete(self, old: Record) -> bool:
        """Delete the revision of `old`."""
        return self._call(self._store.delete, old)

    def _call(self, method: Callable[..., T], *arguments: object) -> T:
        left = max(_LEAST_SECONDS, self._until.remaining_seconds())
        try:
            return method(*arguments, timeout=left)
        except StoreUnavailable:
            raise
        except Exception as error:
            # Whatever a store or its driver raises: a finished result must not be lost because of it.
            raise StoreUnavailable(
                f"The store {type(self._store).__name__} failed with {type(error).__name__}.",
                hint="A store must raise StoreUnavailable for every problem of its own: see the traceback.",
            ) from error
