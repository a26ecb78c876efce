"""The service's clock, which tests can move."""

from __future__ import annotations

import contextlib
import datetime as dt
import time

from fc_callback.errors import SettingsError

# 9999-01-01: the calendar ends a year later, so that the clock and the times that follow from it stay in it.
MAX_TIME = 253_370_764_800.0


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

    def move_of(self, seconds: object) -> float:
        """Return `seconds` if the clock can be moved by them.

        Raises:
            SettingsError: `seconds` is not a number, is negative, or leads beyond the calendar.
        """
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise SettingsError(f"The clock moves by a number of seconds, not by {type(seconds).__name__}.")
        if not seconds >= 0:
            raise SettingsError("The clock moves forward only.", hint="Give 0 seconds or more.")
        if seconds > MAX_TIME - self.now():
            raise SettingsError("The clock cannot be moved beyond the year 9998.", hint="Give fewer seconds.")
        return seconds


def iso_milliseconds(seconds: float | None) -> str:
    """Format a time as the service does, like `2020-09-22T23:43:40.073Z`; empty for None."""
    if seconds is None:
        return ""
    whole, milliseconds = divmod(round(seconds * 1000), 1000)  # as integers: far away, a float cannot hold them
    moment = dt.datetime.fromtimestamp(whole, tz=dt.timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"


def iso_seconds(seconds: float) -> str:
    """Format a time as signatures do, like `2024-01-01T00:00:00Z`."""
    return dt.datetime.fromtimestamp(int(seconds), tz=dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> float | None:
    """Read a time in either format; None if the text is neither."""
    for form in ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ"):
        with contextlib.suppress(ValueError):
            return dt.datetime.strptime(text, form).replace(tzinfo=dt.timezone.utc).timestamp()
    return None
