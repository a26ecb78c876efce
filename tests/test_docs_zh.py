"""Each Chinese page is its English page in Chinese: the same headings, by count and level, and the same code blocks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.pages import ROOT, blocks_of, page_name, prose_of

PAIRS = [
    (ROOT / "README.zh-CN.md", ROOT / "README.md"),
    *(
        (page, ROOT / "docs" / page.relative_to(ROOT / "docs" / "zh"))
        for page in sorted((ROOT / "docs" / "zh").rglob("*.md"))
    ),
]
_HAN = re.compile(r"[\u4e00-\u9fff]")


def levels(text: str) -> list[int]:
    """Return the level of each heading, in order."""
    return [len(marks) for marks in re.findall(r"^(#+) ", prose_of(text), re.MULTILINE)]


def blocks(text: str) -> list[tuple[str, str, dict[str, str]]]:
    """Return the language of each code block, what it holds, and what the comments before it say, in order."""
    return [(block.language, block.text, block.notes) for block in blocks_of(text)]


@pytest.mark.parametrize(("chinese", "english"), PAIRS, ids=page_name)
def test_a_chinese_page_keeps_step_with_its_english_page(chinese: Path, english: Path) -> None:
    assert english.is_file(), f"{chinese} has no English page."
    here, there = chinese.read_text("utf-8"), english.read_text("utf-8")

    assert levels(here) == levels(there)
    assert blocks(here) == blocks(there)
    assert len(_HAN.findall(prose_of(here))) > 100


def test_the_two_readmes_lead_to_each_other() -> None:
    chinese, english = PAIRS[0]
    assert f"]({chinese.name})" in english.read_text("utf-8")
    assert f"]({english.name})" in chinese.read_text("utf-8")


def test_a_page_that_falls_behind_is_noticed() -> None:
    page = "# A\n\n```python\n# no heading\n```\n\n## B\n"
    assert levels(page) == [1, 2]
    assert blocks(page) == [("python", "# no heading\n", {})]
    assert blocks(page.replace("no heading", "changed")) != blocks(page)
