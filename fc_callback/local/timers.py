"""The timers of all executions, the thread that acts on them, and the moves of the clock."""

from __future__ import annotations

import logging
import sqlite3
import threading
from typing import TYPE_CHECKING

from fc_callback.errors import FcCallbackError
from fc_callback.local.store import StoreClosedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.local.clock import Clock
    from fc_callback.local.store import Row, ServiceStore

_LOG = logging.getLogger("fc_callback.local")
MAX_TIMER_NAP_SECONDS = 3600.0
# After an error of the database, like a full disk.
_SECONDS_BEFORE_RETRY = 1.0


class Timers:
    """Acts on each timer of the database when it is due.

    An error of one timer's execution ends that execution only; see `fire_due`.

    Attributes:
        changes: How often something has changed, for those who wait for a change.
    """

    def __init__(self, store: ServiceStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.changes = 0
        self._changed = threading.Condition()
        self._pending = False
        self._closing = False
        # One thread moves the clock at a time. Two would move it by the sum of their moves.
        self._moving = threading.RLock()
        self._thread = threading.Thread(target=self._keep_time, name="local-cloudflow-timers", daemon=True)

    def act(self, timer: Row) -> None:
        """Act on a timer that is due, in a transaction that has deleted it."""
        raise NotImplementedError

    def give_up(self, timer: Row, error: Exception) -> None:
        """End the execution of a timer after an internal error, in a transaction that has deleted the timer."""
        raise NotImplementedError

    def stop_timers(self) -> None:
        """Stop the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout=10)

    def wake_timers(self) -> None:
        """Let the timers' thread look again: there is a new timer, or the clock has been moved."""
        with self._changed:
            self._pending = True
            self.changes += 1
            self._changed.notify_all()

    def wait_for_change(self, seen: int, timeout: float) -> None:
        """Wait until `changes` differs from `seen`, or for `timeout` seconds.

        Raises:
            FcCallbackError: The service was closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self.changes != seen or self._closing, timeout)
            if self._closing:
                raise FcCallbackError("The local CloudFlow was closed.")

    def next_due(self) -> float | None:
        """Return the time of the next timer; None if there is none."""
        row = self._store.one("SELECT MIN(due) AS due FROM timers")
        return None if row is None else row["due"]

    def advance(self, seconds: object, *, skew: bool) -> None:
        """Move the clock from timer to timer, so that each is acted on at its own time.

        Raises:
            SettingsError: `seconds` is not a number, is negative, or leads beyond the calendar.
        """
        clock = self._clock
        with self._moving:
            moved = clock.move_of(seconds)
            end = clock.moved_seconds + moved
            while (due := self.next_due()) is not None:
                ahead = due - clock.now()
                if ahead > end - clock.moved_seconds:
                    break
                clock.moved_seconds += max(0.0, ahead)
                if not self.fire_due():
                    # A rounding error makes it a little early, or another thread was faster.
                    clock.moved_seconds = min(end, clock.moved_seconds + 0.001)
            clock.moved_seconds = end
            clock.skewed_seconds += moved if skew else 0.0
            self._store.set("moved_seconds", str(clock.moved_seconds))
            self._store.set("skewed_seconds", str(clock.skewed_seconds))
        self.wake_timers()

    def skip_to_next(self, is_idle: Callable[[], bool]) -> bool:
        """Move the clock to the next timer if `is_idle` returns true; return whether there was one to move to."""
        with self._moving:
            # Both are read while no other thread moves the clock: the timer of another moment may have been acted on.
            if not is_idle() or (due := self.next_due()) is None:
                return False
            self.advance(max(0.0, due - self._clock.now()), skew=False)
        return True

    def fire_due(self) -> bool:
        """Act on the first timer that is due; return whether there was one.

        After an internal error the execution of the timer fails, and the others go on. An error of the database, like a
        full disk, changes nothing.

        Raises:
            sqlite3.OperationalError: The database cannot be written.
        """
        timer = None
        try:
            with self._store.transaction():
                timer = self._first_due()
                if timer is None:
                    return False
                self.act(timer)
        except (StoreClosedError, sqlite3.OperationalError):
            raise
        except Exception as error:
            if timer is None:
                raise
            with self._store.transaction():
                self._store.run("DELETE FROM timers WHERE id = ?", timer["id"])
                self.give_up(timer, error)
        return True

    def _first_due(self) -> Row | None:
        timer = self._store.one("SELECT * FROM timers WHERE due <= ? ORDER BY due, id LIMIT 1", self._clock.now())
        if timer is not None:
            self._store.run("DELETE FROM timers WHERE id = ?", timer["id"])
        return timer

    def _keep_time(self) -> None:
        while True:
            with self._changed:
                if self._closing:
                    return
                self._pending = False
            try:
                due = self.next_due()
                if due is not None and due <= self._clock.now():
                    self.fire_due()
                    continue
            except StoreClosedError:
                return
            except Exception:  # noqa: BLE001 - this thread serves every execution, so it must not end
                _LOG.exception("A timer could not be acted on; it is tried again in %g s.", _SECONDS_BEFORE_RETRY)
                with self._changed:
                    self._changed.wait_for(lambda: self._closing, _SECONDS_BEFORE_RETRY)
                continue
            with self._changed:
                # The store is not read while nothing changes. The clock is: it goes on while a laptop sleeps.
                while not (self._pending or self._closing) and (due is None or due > self._clock.now()):
                    self._changed.wait(None if due is None else min(due - self._clock.now(), MAX_TIMER_NAP_SECONDS))
