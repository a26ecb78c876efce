"""Bounds on the time that one call of a store may take."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Generic, TypeVar

from fc_callback.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.idempotency.record import Record
    from fc_callback.idempotency.store import Store
    from fc_callback.values.context import Deadline

T = TypeVar("T")

# How long one call may take where no invocation sets a bound.
CALL_SECONDS = 10.0

# A signal that arrives a moment before a wait begins is acted upon when the wait ends, so no wait is long.
_LOOK_SECONDS = 0.2
_LEAST_SECONDS = 0.001


class _Call(threading.Thread, Generic[T]):
    """One call in a thread of its own."""

    def __init__(self, call: Callable[[], T]) -> None:
        super().__init__(name="fc_callback-store", daemon=True)
        self._call = call
        self._results: list[T] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._results.append(self._call())
        except BaseException as error:  # noqa: BLE001 - it is raised in the caller's thread
            self._error = error

    def result(self) -> T:
        """Return or raise what the call ended in."""
        error, self._error = self._error, None
        if error is not None:
            raise error
        return self._results[0]


def call_within(seconds: float, call: Callable[[], T]) -> T:
    """Run a call in a thread, and return what it returns.

    Some waits have no timeout of their own: a name look-up, a file on a network mount whose server is silent. The thread
    of a call that is given up ends when its wait does.

    Args:
        seconds: How long to wait for the call.
        call: Must import nothing: an import in a thread can leave a module half made for others.

    Raises:
        TimeoutError: The time was up.
    """
    running = _Call(call)
    ends_at = time.monotonic() + seconds
    try:
        running.start()
    except RuntimeError:  # no thread is available
        return call()
    while running.is_alive():
        left = ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        running.join(min(left, _LOOK_SECONDS))
    return running.result()


class BoundedStore:
    """A store whose calls together end by a deadline, and fail with `StoreUnavailable` alone.

    Args:
        store: The store.
        until: When the last of the calls must have ended.
    """

    def __init__(self, store: Store, until: Deadline) -> None:
        self._store = store
        self._until = until

    def now(self) -> float:
        """Return the store's time."""
        return self._call(self._store.now)

    def get(self, key: str) -> Record | None:
        """Return the record under this key."""
        return self._call(self._store.get, key)

    def add(self, record: Record) -> bool:
        """Write the record if there is none under its key."""
        return self._call(self._store.add, record)

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
            # Whatever a store or its driver raises: a result that stands must not be lost for it.
            raise StoreUnavailable(
                f"The store {type(self._store).__name__} failed with {type(error).__name__}.",
                hint="A store raises StoreUnavailable for any trouble of its own: see the traceback.",
            ) from error
