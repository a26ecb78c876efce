"""The switches of a template's s.yaml: lines that begin with a `#`, and no space and word after it."""

from __future__ import annotations

import re


def switched_on(manifest: str) -> str:
    """Delete the `#` of every switch, as the comments of s.yaml tell a person to, and write names for the samples."""
    text = re.sub(r"^( *)#(?! \S)", r"\1", manifest, flags=re.MULTILINE)
    assert "your-log-project" in text
    return text.replace("your-log-project", "order-logs").replace("your-token", "0a1b")
