"""A log as FC's runtime sets it up."""

from __future__ import annotations

import json
import logging
import struct
from typing import Any

MAGIC = 0xEDDBAC9B


class FramedLog(logging.Handler):
    """What FC's runtime puts on the root logger: each record in a frame of its own, magic, length, text."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s %(request_id)s [%(levelname)s] %(message)s"))
        self.request_id = "from-the-runtime"
        self.written = b""

    def emit(self, record: logging.LogRecord) -> None:
        record.request_id = self.request_id
        text = self.format(record).encode()
        self.written += struct.pack(">II", MAGIC, len(text)) + text

    @property
    def lines(self) -> list[str]:
        found, rest = [], self.written
        while rest:
            magic, size = struct.unpack(">II", rest[:8])
            assert magic == MAGIC
            found.append(rest[8 : 8 + size].decode())
            rest = rest[8 + size :]
        return found

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]

    @property
    def last(self) -> dict[str, Any]:
        return self.records[-1]

    def with_message(self, message: str) -> dict[str, Any]:
        found = [record for record in self.records if record["message"] == message]
        assert len(found) == 1, [record["message"] for record in self.records]
        return found[0]
