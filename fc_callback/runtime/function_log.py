"""The log of a function's process: what it has written since the log was last taken, and who hears it meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LOG_BYTES = 16 * 1024 * 1024
_LONGEST_LINE_BYTES = 128 * 1024


class FunctionLog:
    """The last 16 MiB of what a process has written."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._untold = b""
        self._tell: Callable[[str], None] | None = None

    def add(self, part: bytes) -> None:
        """Add what was read from the process."""
        self._kept += part
        del self._kept[:-LOG_BYTES]
        self._tell_lines(part)

    def tell(self, tell: Callable[[str], None] | None) -> None:
        """Call `tell` with whole lines as they are written, until `take`; it begins with those that are kept."""
        self._tell, self._untold = tell, b""
        self._tell_lines(bytes(self._kept))

    def _tell_lines(self, part: bytes) -> None:
        if self._tell is None:
            return
        lines, newline, self._untold = (self._untold + part).rpartition(b"\n")
        if newline:
            self._tell((lines + newline).decode(errors="replace"))
        if len(self._untold) > _LONGEST_LINE_BYTES:  # half a line is not told: half a secret cannot be recognized
            self._tell("[a line that is too long to be shown while the function runs]\n")
            self._tell = None

    def take(self) -> str:
        """Return the log since the last call."""
        text = self._kept.decode(errors="replace")
        self._kept.clear()
        if self._tell is not None and self._untold:
            self._tell(self._untold.decode(errors="replace"))
        self._tell = None
        return text
