"""A turn for each thread while the account is being throttled.

Threads of one instance share the account's quota and can see each other, so they need not guess: after a 429 they
queue, and each is told a moment at the pace of the quota. Other instances cannot be seen, only felt: when a thread is
throttled again after it waited for its turn, somebody else uses the quota too, and the pace of the queue slows down.
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

# The quota's refill: 2 calls a second for all of an account (CloudFlow documentation, "Limits").
# A little slower, so that a turn does not come a moment before its token.
SECONDS_PER_CALL = 0.52
SLOWEST_SECONDS_PER_CALL = 14.0
_FORGOTTEN_AFTER_SECONDS = 30.0


class Turnstile:
    """Hands out moments to the threads whose calls were throttled, one after another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next_turn = 0.0
        self._waiting = 0
        self._pace = SECONDS_PER_CALL

    def wait_seconds(self, alone: float, *, again: bool = False, ahead_seconds: float = 0.0) -> float:
        """Return how long a throttled thread waits: `alone` by itself, its turn when others wait as well.

        Every call is followed by one of `leave`, when the wait is over or given up.

        Args:
            alone: What the thread would wait by itself, in seconds.
            again: Whether it has waited before and was throttled all the same.
            ahead_seconds: How far its clock is ahead, because pauses were skipped.
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
            # At the pace of the quota turns are exact; slower ones are spread, so that instances do not march in step.
            spread = 1.0 if self._pace == SECONDS_PER_CALL else 0.5 + random.random()  # noqa: S311 - guards nothing
            self._next_turn += self._pace * spread
            return self._next_turn - now

    def leave(self) -> None:
        """Say that a thread's wait is over."""
        with self._lock:
            self._waiting -= 1

    def passed(self) -> None:
        """Say that a call after a wait was taken: the quota has room."""
        with self._lock:
            self._pace = max(SECONDS_PER_CALL, self._pace / 2)


_turnstiles: dict[str, Turnstile] = {}
_lock = threading.Lock()


def turnstile_for(endpoint: str) -> Turnstile:
    """Return this process's turnstile before an endpoint."""
    with _lock:
        return _turnstiles.setdefault(endpoint, Turnstile())


@contextmanager
def separate_turnstiles() -> Iterator[None]:
    """Begin with new turnstiles, and return to those before when the block ends."""
    global _turnstiles  # noqa: PLW0603 - the turns of skipped pauses are no turns for what comes after
    before, _turnstiles = _turnstiles, {}
    try:
        yield
    finally:
        _turnstiles = before


def _begin_again() -> None:
    """Forget, in a forked child, the threads that wait in its parent."""
    global _lock  # noqa: PLW0603 - a held lock cannot be let go by anybody else
    _lock = threading.Lock()
    _turnstiles.clear()


os.register_at_fork(after_in_child=_begin_again)
