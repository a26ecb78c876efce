"""The measured figures of a comparison: they stand in docs/benchmarks.md only, and the build puts them beside the link to them.

`[storm](benchmarks.md#a-storm-of-reports) <!-- figure: wasted calls per task -->` gets the row of that section's table which
begins with these words.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_BENCHMARKS = Path(__file__).parents[1] / "benchmarks.md"
_FIGURE = re.compile(r"(\]\(benchmarks\.md#([\w-]+)\)) <!-- figure: (.+?) -->")


def with_figures(text: str) -> str:
    """Return a page with the figures that its comments name.

    Raises:
        ValueError: No row, or more than one, begins with the words of a comment.
    """
    return _FIGURE.sub(lambda found: f"{found[1]}, {_figure(found[2], found[3])}", text)


def _figure(anchor: str, words: str) -> str:
    rows = [row for row in _rows(_sections().get(anchor, "")) if row[0][1].startswith(words)]
    if len(rows) != 1:
        raise ValueError(f"benchmarks.md#{anchor} has {len(rows)} rows that begin with {words!r}, and must have one.")
    (_, name), *cells = rows[0]
    return f"{name}: " + "; ".join(f"{header} {value}" for header, value in cells if value)


def _sections() -> dict[str, str]:
    """Return the text of each section of the page by its anchor."""
    parts = re.split(r"^## (.+)$", _BENCHMARKS.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return {
        title.lower().replace(" ", "-").replace(",", ""): text for title, text in zip(*[iter(parts)] * 2, strict=True)
    }


def _rows(section: str) -> Iterator[list[tuple[str, str]]]:
    """Yield the rows of the tables in a section: pairs of a header and a cell."""
    for table in re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE):
        headers, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines())
        for row in rows:
            yield list(zip(headers, row, strict=True))
