"""Passes logs of functions to a listener while the functions run."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class LogFeed:
    """Calls a listener in a thread of its own, so that one that does not return holds up no function.

    Args:
        listener: Takes a function's name and whole lines of its log.
    """

    def __init__(self, listener: Callable[[str, str], None]) -> None:
        self._parts: SimpleQueue[tuple[str, str] | None] = SimpleQueue()
        self._listener = listener
        threading.Thread(target=self._run, name="local-cloudflow-logs", daemon=True).start()

    def tell(self, function: str, lines: str) -> None:
        """Pass lines to the listener; this does not wait for it."""
        self._parts.put((function, lines))

    def close(self) -> None:
        """End the thread after everything that was told."""
        self._parts.put(None)

    def _run(self) -> None:
        while (part := self._parts.get()) is not None:
            self._listener(*part)
