"""Decide which records are written: by level, by sample, and records held back until the invocation has failed."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING
from zlib import crc32

from fc_callback.values.invocation import Invocation, current_invocation
from fc_callback.values.safe_log import handle_safely

if TYPE_CHECKING:
    from fc_callback.logs.formatter import LineFormatter

HELD_MAX_CHARACTERS = 256 * 1024  # for one invocation


class HoldFilter(logging.Filter):
    """Lets the records through that are to be written now.

    Args:
        handler: The handler whose filter this is.
        formatter: The handler's formatter.
        level: Records from this level on are always written.
        hold: Whether records below the level are held back, and written if the invocation fails.
        sample: The share of invocations, 0 to 1, of which every record is written.
    """

    def __init__(
        self, handler: logging.Handler, formatter: LineFormatter, *, level: int, hold: bool, sample: float
    ) -> None:
        super().__init__()
        self._handler = handler
        self._formatter = formatter
        self._level = level
        self._hold = hold
        self._sample = sample

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record is written now."""
        if record.levelno >= self._level or self._formatter.has_line(record):
            return True
        invocation = current_invocation()
        if invocation is None or invocation.ended:
            return False
        if self._is_sampled(invocation):
            return True
        if self._hold:
            self._hold_back(record, invocation)
        return False

    def _hold_back(self, record: logging.LogRecord, invocation: Invocation) -> None:
        line = self._formatter.line(record)
        if line is None:
            return
        held: _HeldRecords | None = invocation.notes.get(self)
        if held is None:
            held = invocation.notes[self] = _HeldRecords(self._handler)
            invocation.at_end.append(held.end)
        kept = logging.makeLogRecord({"name": record.name, "levelno": record.levelno, "levelname": record.levelname})
        self._formatter.keep_line(kept, line)
        held.add(kept, len(line))

    def _is_sampled(self, invocation: Invocation) -> bool:
        if not self._sample:
            return False
        if "sampled" not in invocation.notes:
            invocation.notes["sampled"] = True
            # By the request id, so that every handler and every process draws the same.
            drawn = crc32((invocation.context.request_id or str(invocation.began)).encode("utf-8", "replace"))
            invocation.sampled = drawn < self._sample * 2**32
        return invocation.sampled


class _HeldRecords:
    """The records that one invocation holds back; the oldest are dropped where there is no room for the newest."""

    def __init__(self, handler: logging.Handler) -> None:
        self._handler = handler
        self._records: deque[tuple[logging.LogRecord, int]] = deque()
        self._characters = 0
        self._dropped = 0

    def add(self, record: logging.LogRecord, characters: int) -> None:
        self._records.append((record, characters))
        self._characters += characters
        while self._characters > HELD_MAX_CHARACTERS:
            self._characters -= self._records.popleft()[1]
            self._dropped += 1

    def end(self, invocation: Invocation) -> None:
        if invocation.failed:
            if self._dropped:
                words = f"{self._dropped} earlier records were held back and are lost: there is room for 256 KiB."
                names = {"name": "fc_callback", "levelno": logging.WARNING, "levelname": "WARNING"}
                handle_safely(self._handler, logging.makeLogRecord({**names, "msg": words}))
            for record, _ in self._records:
                handle_safely(self._handler, record)
        self._records.clear()
