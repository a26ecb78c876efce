"""The words of the search: English words by their stem, and Chinese text by each character and each two neighbours.

Chinese has no spaces between words. Two neighbouring characters stand for a word without a dictionary: a page is found if it
has all pairs of the searched text. The browser splits what a reader types in the same way.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sphinx.search.en import SearchEnglish

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_RUNS = re.compile(f"[{_HAN}]+|[^{_HAN}]+")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.add_search_language(SearchEnglishAndChinese)
    return {"version": "1", "parallel_read_safe": True}


class SearchEnglishAndChinese(SearchEnglish):
    """The search language of a site with pages in both languages."""

    lang = "en-zh"
    js_splitter_code = f"""
function splitQuery(query) {{
  const words = query.match(/[\\p{{L}}\\p{{N}}_]+/gu) || [];
  return words.flatMap((word) => word.match(/[{_HAN}]+|[^{_HAN}]+/gu)).flatMap((run) => {{
    if (!/[{_HAN}]/u.test(run) || run.length === 1) return [run];
    return Array.from(run.slice(1), (next, index) => run[index] + next);
  }});
}}
"""

    def split(self, input: str) -> list[str]:  # noqa: A002 - the name that Sphinx calls it with
        """Return the words of a text, with the single characters and the pairs of its Chinese parts."""
        return [part for word in super().split(input) for run in _RUNS.findall(word) for part in _parts(run)]


def _parts(run: str) -> list[str]:
    if not re.match(f"[{_HAN}]", run):
        return [run]
    return [*run, *(first + second for first, second in pairwise(run))]
