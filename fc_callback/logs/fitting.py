"""Cut the longest parts of a line that is longer than FC's log takes.

FC takes log records of up to 32 KB (FC documentation, "Limits").
"""

from __future__ import annotations

import json
from typing import Any

RECORD_MAX_BYTES = 32_000  # The documentation does not say whether FC's 32 KB are 32,000 or 32,768 bytes.

_LEAST_ROOM = 120
_FRAMES_KEPT = 5
_KEPT_WHEN_CUT = ("timestamp", "level", "message", "logger", "location", "request_id", "task", "exception")


def fitting(line: str) -> str:
    """Return a masked line as valid UTF-8 within FC's limit, its longest parts cut."""
    if len(line) <= RECORD_MAX_BYTES and (line.isascii() or _size(line) <= RECORD_MAX_BYTES):
        return line
    entry = json.loads(line)
    line = json.dumps(entry, separators=(",", ":"))  # which writes lone surrogates, and all beyond ASCII, as escapes
    room = RECORD_MAX_BYTES
    while len(line) > RECORD_MAX_BYTES and room > _LEAST_ROOM:
        room //= 2
        short = {name: _shortened(value, room) for name, value in entry.items()}
        line = json.dumps({**short, "cut": True}, separators=(",", ":"))
    if len(line) <= RECORD_MAX_BYTES:
        return line
    kept = {name: _shortened(entry[name], _LEAST_ROOM) for name in _KEPT_WHEN_CUT if name in entry}
    return json.dumps({**kept, "cut": True})


def _size(line: str) -> int:
    """Return the size of a line in bytes; too many for one with lone surrogates, which have no form in UTF-8."""
    try:
        return len(line.encode())
    except UnicodeEncodeError:
        return RECORD_MAX_BYTES + 1


def _shortened(value: Any, room: int) -> Any:
    text = json.dumps(value)
    if len(text) <= room:
        return value
    if isinstance(value, dict) and isinstance(value.get("stack"), list):
        # An exception keeps its type and its innermost frames.
        stack = value["stack"][-_FRAMES_KEPT:]
        return {name: _shortened(part, room // 4) for name, part in {**value, "stack": stack}.items()}
    shown = (value if isinstance(value, str) else text)[: room // 6]  # an escape takes six characters
    return f"{shown}... ({len(text)} characters)"
