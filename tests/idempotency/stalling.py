"""Stores that fall silent when a test says so: a locked file, a stopped server."""

from __future__ import annotations

import signal
import sqlite3
import threading
from typing import TYPE_CHECKING

from fc_callback.idempotency import Store, open_store
from tests.idempotency.once_stores import RedisServer

if TYPE_CHECKING:
    from pathlib import Path


class Stalling:
    """A store that can be made to wait: nothing of it answers between `stall` and `resume`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.store: Store = open_store(url)
        self._timers: list[threading.Timer] = []

    def stall(self, seconds: float | None = None) -> None:
        """Fall silent, for some seconds or until `resume`."""
        self._stop()
        if seconds is not None:
            timer = threading.Timer(seconds, self._go_on)
            self._timers.append(timer)
            timer.start()

    def resume(self) -> None:
        for timer in self._timers:
            timer.cancel()
            timer.join()
        self._go_on()

    def _stop(self) -> None:
        raise NotImplementedError

    def _go_on(self) -> None:
        raise NotImplementedError


class LockedFile(Stalling):
    """An SQLite file whose lock another process holds."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "once.db"
        self._holder: sqlite3.Connection | None = None
        super().__init__(f"sqlite:///{self.path}")

    def _stop(self) -> None:
        self._holder = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        self._holder.execute("BEGIN EXCLUSIVE")

    def _go_on(self) -> None:
        holder, self._holder = self._holder, None
        if holder is not None:
            holder.execute("ROLLBACK")
            holder.close()


class StoppedServer(Stalling):
    """A Redis that accepts connections and commands, and answers none."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        super().__init__(server.url)

    def _stop(self) -> None:
        self.server.process.send_signal(signal.SIGSTOP)

    def _go_on(self) -> None:
        self.server.process.send_signal(signal.SIGCONT)
