"""The documentation's examples, run as a reader would: a page's blocks in order, in one namespace."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def run_page(name: str) -> dict[str, Any]:
    """Run a page of docs; return what its examples have defined."""
    text = (DOCS / name).read_text("utf-8")
    namespace: dict[str, Any] = {"__name__": f"docs_{name.partition('.')[0]}"}
    for block in _BLOCK.finditer(text):
        lines_before = "\n" * text[: block.start(1)].count("\n")
        exec(compile(lines_before + block[1], name, "exec"), namespace)
    return namespace
