"""The process-wide queue that throttled threads wait in.

Threads of one process share the account's quota. After a 429 they queue, and each gets a turn at the pace of the quota.
Other instances are only observable through further 429s: if a thread is throttled again after its turn, another instance
uses the quota as well, and the queue slows down.
"""

from __future__ import annotations

import os
import random
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# The quota refills at 2 calls a second for the whole account (CloudFlow documentation, "Limits"). The queue is a little
# slower, so that a turn never comes just before the refill.
SECONDS_PER_CALL = 0.52
SLOWEST_SECONDS_PER_CALL = 14.0
_FORGOTTEN_AFTER_SECONDS = 30.0


class ThrottleQueue:
    """Process-wide queue used after a 429. Other instances are only observable through further 429s."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next_turn = 0.0
        self._waiting = 0
        self._pace = SECONDS_PER_CALL

    def wait_seconds(self, alone: float, *, again: bool = False, ahead_seconds: float = 0.0) -> float:
        """Join the queue and return how long to wait: `alone` for a single thread, else until the thread's turn.

        The caller calls `leave` once afterwards, when it has waited or given up.

        Args:
            alone: How long a single thread waits, in seconds.
            again: Whether this thread was throttled again after a wait.
            ahead_seconds: How far the thread's clock is ahead because pauses were skipped.
        """
        with self._lock:
            self._waiting += 1
            now = time.monotonic() + ahead_seconds
            if self._next_turn < now - _FORGOTTEN_AFTER_SECONDS:
                self._pace = SECONDS_PER_CALL
            if again:
                self._pace = min(SLOWEST_SECONDS_PER_CALL, self._pace * 2)
            self._next_turn = max(self._next_turn, now)
            if self._waiting == 1:
                return alone
            # At the pace of the quota turns are exact. Slower turns are spread at random, so that instances that began
            # together do not stay synchronized.
            spread = 1.0 if self._pace == SECONDS_PER_CALL else 0.5 + random.random()  # noqa: S311 - no secret
            self._next_turn += self._pace * spread
            return self._next_turn - now

    def leave(self) -> None:
        """Leave the queue."""
        with self._lock:
            self._waiting -= 1

    def passed(self) -> None:
        """Speed the queue up, because a call after a wait was accepted."""
        with self._lock:
            self._pace = max(SECONDS_PER_CALL, self._pace / 2)


_queues: dict[str, ThrottleQueue] = {}
_lock = threading.Lock()


def throttle_queue_for(endpoint: str) -> ThrottleQueue:
    """Return this process's queue for an endpoint."""
    with _lock:
        return _queues.setdefault(endpoint, ThrottleQueue())


@contextmanager
def separate_throttle_queues() -> Iterator[None]:
    """Use new queues within a block, and the earlier ones after it."""
    global _queues  # noqa: PLW0603 - the turns of skipped pauses must not delay later calls
    before, _queues = _queues, {}
    try:
        yield
    finally:
        _queues = before


def _begin_again() -> None:
    """Forget, in a forked child, the threads that wait in its parent."""
    global _lock  # noqa: PLW0603 - only the parent's thread can release a lock that it holds
    _lock = threading.Lock()
    _queues.clear()


os.register_at_fork(after_in_child=_begin_again)
