"""Injected faults: what a bad network or a busy service does to a call, scripted or at random.

| kind | what the caller sees | does the call take effect |
|---|---|---|
| `error-before` | 500 InternalServerError | no |
| `error-after` | 500 InternalServerError | yes: the response is lost |
| `throttle` | 429 ResourceThrottled; with `seconds`, a Retry-After | no |
| `slow` | the response, `seconds` later | yes |
| `reset` | the connection is reset in the middle of the response | yes |
| `close` | the connection is closed before a response | no |
| `garbage` | 200, and a body that is not JSON | yes |
| `html` | 502, and an HTML page, like a proxy's | no |
| `empty` | 200, and an empty body | yes |
| `skew` | the service's clock is `seconds` ahead, for this call | as the call would |
| `dead` | every connection is reset, for `seconds` | no |
"""

from __future__ import annotations

import fnmatch
import random
import threading
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

KINDS = (
    "error-before",
    "error-after",
    "throttle",
    "slow",
    "reset",
    "close",
    "garbage",
    "html",
    "empty",
    "skew",
    "dead",
)
MAX_SECONDS = 366 * 86_400  # with this skew, the latest time of the clock is still in the calendar
_TAKE_EFFECT = frozenset({"error-after", "slow", "reset", "garbage", "empty", "skew"})
_NEED_SECONDS = frozenset({"slow", "skew", "dead"})


def _is_kind(_fault: Fault, _field: attrs.Attribute[Any], value: str) -> None:
    if value not in KINDS:
        raise SettingsError(f"There is no fault {value!r}; there are {', '.join(KINDS)}.")


@attrs.frozen
class Fault:
    """One fault.

    Args:
        kind: One of `KINDS`; the module's table describes them.
        action: The operations it applies to, as a glob.
        times: The number of calls it applies to; None for all.
        after: The number of calls that it skips first.
        seconds: For `slow`, `dead`, `skew` (may be negative) and `throttle`; at most a year.
        takes_effect: Whether the service performs the call; the default is in the table.

    Raises:
        SettingsError: The kind does not exist, or a number cannot be used.
    """

    kind: str = attrs.field(validator=_is_kind)
    action: str = attrs.field(default="ReportTask*", kw_only=True)
    times: int | None = attrs.field(default=1, kw_only=True)
    after: int = attrs.field(default=0, kw_only=True)
    seconds: float = attrs.field(default=0.0, kw_only=True)
    takes_effect: bool = attrs.field(kw_only=True)

    @takes_effect.default
    def _by_kind(self) -> bool:
        return self.kind in _TAKE_EFFECT

    def __attrs_post_init__(self) -> None:
        if isinstance(self.seconds, bool) or not -MAX_SECONDS <= self.seconds <= MAX_SECONDS:
            raise SettingsError(f"seconds= must be a number, and at most {MAX_SECONDS:,} (a year).")
        if self.kind in _NEED_SECONDS and not self.seconds:
            raise SettingsError(f"The fault {self.kind!r} needs seconds=.")
        if (self.times is not None and self.times < 1) or self.after < 0:
            raise SettingsError("times must be 1 or more (None: always), and after 0 or more.")

    def applies_to(self, action: str) -> bool:
        """Return whether it applies to an operation."""
        return fnmatch.fnmatchcase(action, self.action)


def _as_tuple(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    return tuple(faults)


@attrs.frozen(kw_only=True)
class RandomFaults:
    """Random faults; the same seed gives the same fault for each call.

    Args:
        seed: The seed of the random numbers.
        rate: The share of the calls that a fault applies to, from 0 to 1.
        faults: One of these is drawn each time; a fault that is listed twice is twice as likely.
        action: The operations they apply to, as a glob.
    """

    seed: int
    rate: float = attrs.field(validator=[attrs.validators.ge(0), attrs.validators.le(1)])
    faults: tuple[Fault, ...] = attrs.field(
        default=tuple(
            Fault(kind) for kind in ("error-before", "error-after", "throttle", "reset", "close", "html", "empty")
        ),
        converter=_as_tuple,
        validator=attrs.validators.min_len(1),
    )
    action: str = "ReportTask*"


@attrs.define
class _Armed:
    fault: Fault
    passed: int = 0
    done: int = 0


class Faults:
    """The injected faults. Scripted faults come first, in their order, then random ones."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []
        self._random: list[tuple[RandomFaults, random.Random]] = []
        self._dead: list[tuple[Fault, float]] = []

    def inject(self, faults: Iterable[Fault | RandomFaults]) -> None:
        """Add faults after the existing ones."""
        with self._lock:
            for fault in faults:
                if isinstance(fault, RandomFaults):
                    self._random.append((fault, random.Random(fault.seed)))  # noqa: S311 - repeatable
                else:
                    self._armed.append(_Armed(fault))

    def active(self) -> list[tuple[Fault | RandomFaults, int | None]]:
        """Return the faults that still apply, each with the number of calls that are left for it; None for all calls."""
        with self._lock:
            scripted = [
                (armed.fault, None if armed.fault.times is None else armed.fault.times - armed.done)
                for armed in self._armed
            ]
            dead = [(fault, None) for fault, until in self._dead if until > self._now()]
            return [*dead, *scripted, *((faults, None) for faults, _chance in self._random)]

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._armed.clear()
            self._random.clear()
            self._dead.clear()

    def next(self, action: str) -> Fault | None:
        """Return the fault that applies to the next call; None for no fault."""
        with self._lock:
            self._dead = [(fault, until) for fault, until in self._dead if until > self._now()]
            for fault, _until in self._dead:
                if fault.applies_to(action):
                    return fault
            fault_now = self._scripted(action) or self._by_random(action)
            if fault_now is not None and fault_now.kind == "dead":
                self._dead.append((fault_now, self._now() + fault_now.seconds))
            return fault_now

    def _scripted(self, action: str) -> Fault | None:
        for armed in self._armed:
            if not armed.fault.applies_to(action):
                continue
            if armed.passed < armed.fault.after:
                armed.passed += 1
                continue
            armed.done += 1
            if armed.fault.times is not None and armed.done >= armed.fault.times:
                self._armed.remove(armed)
            return armed.fault
        return None

    def _by_random(self, action: str) -> Fault | None:
        for faults, chance in self._random:
            if fnmatch.fnmatchcase(action, faults.action) and chance.random() < faults.rate:
                return chance.choice(faults.faults)
        return None
