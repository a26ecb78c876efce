"""Add lines to a text file. Its line endings and its byte order mark stay."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

BYTE_ORDER_MARK = "\ufeff"


def newline_of(text: str) -> str:
    """Return the first line ending of a text."""
    found = re.search(r"\r\n|\r|\n", text)
    return found[0] if found else "\n"


def with_lines_at_end(text: str, lines: Sequence[str]) -> str:
    """Return a text with lines at its end. It ends with a line ending if it did before, or if it was empty."""
    newline = newline_of(text)
    added = newline.join(lines)
    if text in {"", BYTE_ORDER_MARK} or text.endswith(("\n", "\r")):
        return text + added + newline
    return text + newline + added
