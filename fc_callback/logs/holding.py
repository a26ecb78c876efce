"""Which records are written: by level, by sample, and those held back until it is known that the invocation failed."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

import attrs

from fc_callback.logs.formats import WRITTEN
from fc_callback.values.invocation import Invocation, current_invocation

if TYPE_CHECKING:
    from collections.abc import Callable

HELD_MAX_CHARACTERS = 256 * 1024  # for one invocation


@attrs.define(eq=False)
class _Held:
    """The lines that one invocation holds back; the oldest make room for the newest."""

    write: Callable[[logging.LogRecord], object]
    records: deque[logging.LogRecord] = attrs.field(factory=deque)
    characters: int = 0
    dropped: int = 0

    def add(self, record: logging.LogRecord, line: str) -> None:
        kept = logging.makeLogRecord({"name": record.name, "levelno": record.levelno, "levelname": record.levelname})
        kept.__dict__[WRITTEN] = line
        self.records.append(kept)
        self.characters += len(line)
        while self.characters > HELD_MAX_CHARACTERS:
            self.characters -= len(self.records.popleft().__dict__[WRITTEN])
            self.dropped += 1

    def end(self, invocation: Invocation) -> None:
        if invocation.failed:
            if self.dropped:
                words = f"{self.dropped} earlier records were held back and are lost: there is room for 256 KiB."
                self.write(
                    logging.makeLogRecord({"name": "fc_callback", "levelno": 30, "levelname": "WARNING", "msg": words})
                )
            for record in self.records:
                self.write(record)
        self.records.clear()


class Gate(logging.Filter):
    """Lets through what is to be written now.

    Args:
        handler: The handler it stands before.
        level: What is written anyway.
        hold: Whether records below the level are held back, and written if the invocation fails.
        sample: The share of invocations, 0 to 1, of which every record is written.
    """

    def __init__(self, handler: logging.Handler, *, level: int, hold: bool, sample: float) -> None:
        super().__init__()
        self._handler = handler
        self._level = level
        self._hold = hold
        self._sample = sample

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record is written now."""
        if record.levelno >= self._level or WRITTEN in record.__dict__:
            return True
        invocation = current_invocation()
        if invocation is None or invocation.ended:
            return False
        if self._is_sampled(invocation):
            return True
        if self._hold:
            held = invocation.notes.get(self)
            if held is None:
                held = invocation.notes[self] = _Held(self._handler.handle)
                invocation.at_end.append(held.end)
            held.add(record, self._handler.format(record))
        return False

    def _is_sampled(self, invocation: Invocation) -> bool:
        if not self._sample:
            return False
        if "sampled" not in invocation.notes:
            invocation.notes["sampled"] = True
            invocation.sampled = _drawn(invocation.context.request_id or str(invocation.began), self._sample)
        return invocation.sampled


def _drawn(request_id: str, share: float) -> bool:
    """Draw by the request id: every record of an invocation has the same lot, without a random generator to load."""
    from zlib import crc32

    return crc32(request_id.encode("utf-8", "replace")) < share * 2**32
