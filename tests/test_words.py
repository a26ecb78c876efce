"""Plain English: words that readers whose second language is English do not know, or that do not name the actor.

The list is short on purpose. Write "fix" for "mend", "timeout" for "time-out", "another process" or "the caller" for
"somebody", "store" for "put away", "pass on" for "hand on".
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from fc_callback.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
BANNED = re.compile(
    r"\b(mend|mends|mended|time-outs?|whoever|somebody|nobody|anybody|goes\s+well|puts?\s+away|hand(?:s|ed)?\s+on)\b",
    re.IGNORECASE,
)
# What users read: code with its docstrings and messages, the console page, the docs, the templates, the manifests.
SUFFIXES = {".py", ".md", ".html", ".yaml", ".json", ".txt", ".example", ".toml", ""}


def files() -> Iterator[Path]:
    yield from (
        ROOT / name for name in ("README.md", "README.zh-CN.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
    )
    yield from (ROOT / name for name in ("s.yaml", "pyproject.toml"))
    for folder in ("fc_callback", "docs", "templates", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*")):
            made = {"__pycache__", ".pytest_cache", "python", "node_modules"} & set(path.relative_to(ROOT).parts)
            if path.is_file() and path.suffix in SUFFIXES and not made:
                yield path


def banned_in(text: str, name: str) -> list[str]:
    """Return each banned word as `file:line: word`."""
    return [
        f"{name}:{text.count(chr(10), 0, found.start()) + 1}: {' '.join(found[0].split())}"
        for found in BANNED.finditer(text)
    ]


def test_no_text_that_users_read_has_a_word_from_the_list() -> None:
    found = [each for path in files() for each in banned_in(path.read_text("utf-8"), str(path.relative_to(ROOT)))]
    assert not found, "\n".join(found)


def commands(group: Any, name: str) -> Iterator[tuple[str, Any]]:
    yield name, group
    for each, command in getattr(group, "commands", {}).items():
        yield from commands(command, f"{name} {each}")


def test_no_help_of_a_command_has_a_word_from_the_list() -> None:
    helps = [
        (name, text)
        for name, command in commands(typer.main.get_command(app), "fc-callback")
        for text in (command.help, *(getattr(option, "help", None) for option in command.params))
        if text
    ]
    assert len(helps) > 40
    assert [each for name, text in helps for each in banned_in(text, name)] == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a\nMend the YAML.\n", ["page.md:2: Mend"]),
        ("a step's time-out\nis over", ["page.md:1: time-out"]),
        ("nobody's, and somebody", ["page.md:1: nobody", "page.md:1: somebody"]),
        ("Hand it to whoever\ngoes\nwell", ["page.md:1: whoever", "page.md:2: goes well"]),
        ("recommended, amend, a timeout, commend", []),
    ],
)
def test_a_word_is_told_with_its_file_and_line(text: str, told: list[str]) -> None:
    assert banned_in(text, "page.md") == told
