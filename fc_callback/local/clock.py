"""The service's clock, which tests can move."""

from __future__ import annotations

import contextlib
import datetime as dt
import time


class Clock:
    """The time in seconds since the epoch, and how far it has been moved.

    There are two readings. `now` is the service's time, for timeouts, waits, retries, quotas and the life of credentials.
    `caller_time` is the time that requests are compared with and that the Date header has. It differs from `now` by the
    moves that took the callers' clocks along.
    """

    def __init__(self, *, moved_seconds: float = 0.0, skewed_seconds: float = 0.0) -> None:
        self.moved_seconds = moved_seconds
        self.skewed_seconds = skewed_seconds

    def now(self) -> float:
        """Return the service's time."""
        return time.time() + self.moved_seconds

    def caller_time(self) -> float:
        """Return the time that a caller's timestamp is compared with."""
        return time.time() + self.skewed_seconds


def iso_milliseconds(seconds: float | None) -> str:
    """Format a time as the service does, like `2020-09-22T23:43:40.073Z`; empty for None."""
    if seconds is None:
        return ""
    moment = dt.datetime.fromtimestamp(round(seconds * 1000) / 1000, tz=dt.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def iso_seconds(seconds: float) -> str:
    """Format a time as signatures do, like `2024-01-01T00:00:00Z`."""
    return dt.datetime.fromtimestamp(int(seconds), tz=dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> float | None:
    """Read a time in either format; None if the text is neither."""
    for form in ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ"):
        with contextlib.suppress(ValueError):
            return dt.datetime.strptime(text, form).replace(tzinfo=dt.timezone.utc).timestamp()
    return None
