"""A turn for each thread while the account is being throttled.

Threads of one instance share the account's quota and can see each other, so they need not guess: after a 429 they
queue, and each is told a moment at the pace of the quota. Instances cannot see each other; for them there is jitter.
"""

from __future__ import annotations

import threading
import time

import attrs

# The quota's refill: 2 calls a second for all of an account (CloudFlow documentation, "Limits").
# A little slower, so that a turn does not come a moment before its token.
SECONDS_PER_CALL = 0.52
_FORGOTTEN_AFTER_SECONDS = 30.0


@attrs.define(kw_only=True, eq=False)
class Turnstile:
    """Hands out moments, `SECONDS_PER_CALL` apart, to the threads whose calls were throttled."""

    _lock: threading.Lock = attrs.field(init=False, factory=threading.Lock, repr=False)
    _next_turn: float = attrs.field(init=False, default=0.0)
    _waiting: int = attrs.field(init=False, default=0)

    def wait_seconds(self, alone: float) -> float:
        """Return how long a throttled thread waits: `alone` by itself, its turn when others wait as well.

        Every call is followed by one of `leave`, when the wait is over or given up.
        """
        with self._lock:
            self._waiting += 1
            now = time.monotonic()
            if self._next_turn < now - _FORGOTTEN_AFTER_SECONDS or self._waiting == 1:
                self._next_turn = max(self._next_turn, now)
                return alone
            self._next_turn = max(self._next_turn, now) + SECONDS_PER_CALL
            return self._next_turn - now

    def leave(self) -> None:
        """Say that a thread's wait is over."""
        with self._lock:
            self._waiting -= 1


_turnstiles: dict[str, Turnstile] = {}
_lock = threading.Lock()


def turnstile_for(endpoint: str) -> Turnstile:
    """Return this process's turnstile before an endpoint."""
    with _lock:
        return _turnstiles.setdefault(endpoint, Turnstile())
