"""Docstrings in Google's style as Markdown."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|Yields|The decorated \w+ raises):$")
_ENTRY = re.compile(r"^ {4}(\S[^:]*): +(.+)$")
_CODE_SPAN = re.compile(r"(`+[^`]+`+)")
_CODE = " " * 4


def docstring(value: object) -> str:
    """Return the docstring of an object itself, without a common indentation; empty if it has none."""
    own = vars(value).get("__doc__") if isinstance(value, type) else getattr(value, "__doc__", None)
    return inspect.cleandoc(own or "")


def to_markdown(text: str) -> str:
    """Return a docstring as Markdown: its sections are bold words with a list, its other lines are kept."""
    return "\n".join(_lines(text.splitlines())).strip()


def _lines(lines: list[str]) -> Iterator[str]:
    section = ""
    for line in lines:
        start = _SECTION.match(line)
        if start:
            section = start[1]
            yield from ("", f"**{section}**", "")
        elif not section:
            yield line if line.startswith(_CODE) else escaped(line)
        elif line and not line.startswith(" "):  # a text after the sections
            section = ""
            yield from ("", escaped(line))
        elif section in {"Returns", "Yields"}:
            yield escaped(line.strip())
        else:
            yield _entry_line(line)


def _entry_line(line: str) -> str:
    entry = _ENTRY.match(line)
    if entry is None:
        return f"  {escaped(line.strip())}" if line.strip() else ""
    names = ", ".join(f"`{name.strip()}`" for name in entry[1].split(","))
    return f"- {names}: {escaped(entry[2])}"


def escaped(text: str) -> str:
    """Return a text in which Markdown sees no HTML and no emphasis. What is between backticks stays."""
    parts = _CODE_SPAN.split(text)
    return "".join(
        part if part.startswith("`") else part.replace("<", "&lt;").replace("*", r"\*").replace("[", r"\[")
        for part in parts
    )
