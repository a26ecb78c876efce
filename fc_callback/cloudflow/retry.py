"""When a call is repeated, and how long it waits before that: values without a clock or a socket."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from fc_callback.values import validators
from fc_callback.values.base import Value

if TYPE_CHECKING:
    from collections.abc import Callable


def _draw() -> float:
    return random.random()  # noqa: S311 - it keeps callers apart, and secrets nothing


class RetryPolicy(Value, hidden=("draw",)):
    """How a report is repeated until it is certain or the time is up.

    Waits are drawn with full jitter: uniformly between zero and a bound that grows from `base_seconds` by `growth` with
    every attempt, up to `cap_seconds`. After a 429 the bounds are others and half of each is kept: the account's quota
    is 10 calls at once and then 2 a second (CloudFlow documentation, "Limits"), so when a hundred functions end
    together an early repeat is a call wasted, and a long last wait is time wasted.

    Args:
        total_seconds: Where no deadline is known, no attempt begins later than this after the first one. In an
            invocation, the deadline is the bound.
        base_seconds: The first bound.
        growth: What the bound is multiplied by.
        cap_seconds: The last bound.
        throttled_base_seconds: The first bound after a 429.
        throttled_growth: What that is multiplied by.
        throttled_cap_seconds: Its last value.
        reserve_seconds: What is kept of the invocation's time for returning, or for raising `ReportUndelivered`.
        draw: A number in [0, 1); replaced in tests.

    Raises:
        SettingsError: One of them cannot be used.
    """

    total_seconds: float = 60.0
    base_seconds: float = 0.2
    growth: float = 2.0
    cap_seconds: float = 10.0
    throttled_base_seconds: float = 4.0
    throttled_growth: float = 2.0
    throttled_cap_seconds: float = 14.0
    reserve_seconds: float = 0.5
    draw: Callable[[], float] = _draw

    def __post_init__(self) -> None:
        """Refuse what is no number of seconds."""
        for name, value in vars(self).items():
            if value is _draw:
                continue
            if name == "draw":
                validators.function(name, value, gets=(), give="Give a function that returns a number in [0, 1).")
            else:
                validators.number(name, value, above=0)

    def wait_seconds(self, repeats: int, *, throttled: bool, retry_after_seconds: float | None) -> float:
        """Return how long to wait before the next attempt.

        Args:
            repeats: How many attempts have failed in this way so far, 1 or more.
            throttled: Whether the last one was answered with 429.
            retry_after_seconds: What the service asked for; the wait is never shorter.
        """
        if throttled:
            bound = _grown(self.throttled_base_seconds, self.throttled_growth, self.throttled_cap_seconds, repeats)
            jittered = bound * (0.5 + 0.5 * self.draw())
        else:
            jittered = self.draw() * _grown(self.base_seconds, self.growth, self.cap_seconds, repeats)
        return jittered + (retry_after_seconds or 0.0)


def _grown(base: float, growth: float, cap: float, repeats: int) -> float:
    try:
        return float(min(cap, base * growth ** (repeats - 1)))
    except OverflowError:
        return cap
