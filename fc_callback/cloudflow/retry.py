"""When a call is repeated, and how long it waits before that: values without a clock or a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable


def _positive(_instance: object, attribute: attrs.Attribute[float], value: float) -> None:
    if not value > 0:
        raise ValueError(f"{attribute.name} must be above zero, not {value}.")


def _draw() -> float:
    import random

    return random.random()  # noqa: S311 - it keeps callers apart, and secrets nothing


@attrs.frozen(kw_only=True, slots=False)
class RetryPolicy:
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
    """

    total_seconds: float = attrs.field(default=60.0, validator=_positive)
    base_seconds: float = attrs.field(default=0.2, validator=_positive)
    growth: float = attrs.field(default=2.0, validator=_positive)
    cap_seconds: float = attrs.field(default=10.0, validator=_positive)
    throttled_base_seconds: float = attrs.field(default=4.0, validator=_positive)
    throttled_growth: float = attrs.field(default=2.0, validator=_positive)
    throttled_cap_seconds: float = attrs.field(default=14.0, validator=_positive)
    reserve_seconds: float = attrs.field(default=0.5, validator=_positive)
    draw: Callable[[], float] = attrs.field(default=_draw, repr=False)

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
