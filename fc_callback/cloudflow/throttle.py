"""Waiting between the attempts of reports: pauses, and the process-wide queue for throttled threads.

Threads of one process share the account's quota. After a 429 they queue, and each gets a turn at the pace of the quota.
Other instances are only observable through further 429s: if a thread is throttled again after its turn, another instance
uses the quota as well, and the queue slows down.
"""

from __future__ import annotations

import random
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fc_callback.values.forks import call_in_forked_child

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
# The skipped pauses in seconds; None if pauses are not skipped. One for the process, because a batch has threads.
_skipped: list[float] | None = None


def throttle_queue_for(endpoint: str) -> ThrottleQueue:
    """Return this process's queue for an endpoint."""
    return _queues.setdefault(endpoint, ThrottleQueue())


def pause(seconds: float) -> float:
    """Wait and return 0.0. If pauses are skipped, return the seconds at once, so that the caller's clock counts them."""
    skipped = _skipped
    if skipped is None:
        time.sleep(seconds)
        return 0.0
    skipped.append(seconds)
    return seconds


@contextmanager
def pauses_skipped() -> Iterator[list[float]]:
    """Skip every pause of this process within a block, with queues of its own, and collect their lengths in seconds."""
    global _queues, _skipped
    before = _queues, _skipped
    _queues, _skipped = {}, []
    try:
        yield _skipped
    finally:
        _queues, _skipped = before


# A forked child must not wait for threads of its parent, nor for a lock that one of them holds.
call_in_forked_child(lambda: _queues.clear())  # noqa: PLW0108 - the queues of that moment
