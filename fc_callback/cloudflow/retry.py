"""How long a report waits before each retry: values without a clock or a socket."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from fc_callback.values import validators
from fc_callback.values.base import Value

if TYPE_CHECKING:
    from collections.abc import Callable


def _draw() -> float:
    return random.random()  # noqa: S311 - it spreads callers in time and protects no secret


class RetryPolicy(Value, hidden=("draw",)):
    """Rules for repeating a report until it is certain or the time is over.

    Waits have full jitter: they are uniform between zero and a bound that grows from `base_seconds` by the factor `growth`
    with every attempt, up to `cap_seconds`. After a 429 other bounds apply, and a wait is at least half of its bound. The
    account's quota is 10 calls at once and then 2 a second (CloudFlow documentation, "Limits"): when a hundred functions
    end together, an early retry wastes a call, and a long last wait wastes time.

    Args:
        total_seconds: Without a deadline, no attempt begins later than this after the first one. In an invocation, the
            deadline is the bound.
        base_seconds: The first bound.
        growth: The factor between two bounds.
        cap_seconds: The last bound.
        throttled_base_seconds: The first bound after a 429.
        throttled_growth: The factor between two bounds after a 429.
        throttled_cap_seconds: The last bound after a 429.
        reserve_seconds: Time kept at the end of the invocation to return, or to raise `ReportUndelivered`.
        draw: Returns a number in [0, 1); tests replace it.

    Raises:
        SettingsError: One of them is not a positive number, or `draw` is not a function without arguments.
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
        """Check the fields."""
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
            throttled: Whether the last attempt was answered with 429.
            retry_after_seconds: How long the service asked to wait; the wait is never shorter.
        """
        if throttled:
            bound = _bound(self.throttled_base_seconds, self.throttled_growth, self.throttled_cap_seconds, repeats)
            jittered = bound * (0.5 + 0.5 * self.draw())
        else:
            jittered = self.draw() * _bound(self.base_seconds, self.growth, self.cap_seconds, repeats)
        return jittered + (retry_after_seconds or 0.0)


def _bound(base: float, growth: float, cap: float, repeats: int) -> float:
    try:
        return float(min(cap, base * growth ** (repeats - 1)))
    except OverflowError:
        return cap
