"""The documentation site: it is built once, without a network, and each of its pages can be reached."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import fc_callback
from tests.pages import PAGES
from tests.parts import need
from tests.site_build import sphinx

if TYPE_CHECKING:
    pass

ROOT = Path(__file__).parents[1]


def test_a_page_loads_nothing_from_another_site(site: Path) -> None:
    loaded = re.compile(r"<(?:link|script|img|iframe|source)\b[^>]*?(?:href|src)=[\"']((?:https?:)?//[^\"']+)")
    pages = list(site.rglob("*.html"))
    styles = [path.read_text("utf-8") for path in site.rglob("*.css")]

    assert len(pages) > 30
    assert len(styles) > 2
    assert [(page.name, found) for page in pages for found in loaded.findall(page.read_text("utf-8"))] == []
    assert [
        found for text in styles for found in re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//\S+", text)
    ] == []


def test_every_link_inside_the_site_leads_to_a_page_and_a_place_that_exist(site: Path) -> None:
    texts = {path.resolve(): path.read_text("utf-8") for path in site.rglob("*.html")}
    places = {path: set(re.findall(r'\bid="([^"]+)"', text)) for path, text in texts.items()}
    broken, links = [], 0
    for path, text in texts.items():
        for link in re.findall(r'<a\b[^>]*?href="([^"]+)"', text):
            target, _, place = link.partition("#")
            if re.match(r"\w+:", target):
                continue
            links += 1
            page = (path.parent / unquote(target)).resolve() if target else path
            exists = page in texts or (page.suffix != ".html" and page.is_file())
            if not exists or (place and page in places and unquote(place) not in places[page]):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert links > 1000
    assert broken == []


def test_each_page_has_its_markdown_beside_it_and_stands_in_the_list_for_language_models(site: Path) -> None:
    listed = set(re.findall(r"^- \[.+\]\((.+)\.md\): .+$", (site / "llms.txt").read_text("utf-8"), re.MULTILINE))
    sources = {path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    pages = {name for name in sources if not name.startswith("_")}

    assert listed == pages - {"index"}
    assert [name for name in pages if not (site / f"{name}.md").read_text("utf-8").strip()] == []
    assert "<!-- made:" not in "".join(path.read_text("utf-8") for path in site.rglob("*.md"))


def test_each_file_that_the_markdown_of_a_page_links_to_is_on_the_site(site: Path) -> None:
    links, missing = set(), []
    for page in site.rglob("*.md"):
        text = re.sub(r"^(`{3,}).*?^\1$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\(([^)\s#]+)[^)\s]*\)", text):
            if re.match(r"\w+:", target):
                continue
            links.add(target)
            if not (page.parent / unquote(target)).is_file():
                missing.append(f"{page.relative_to(site)}: {target}")

    assert missing == []
    assert {"watch/dashboard.json", "../diagrams/timeouts.svg"} <= links


def test_the_list_of_all_pages_names_every_page_with_a_line_about_it() -> None:
    docs = ROOT / "docs"
    pages = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")} - {"index.md"}
    listed = re.findall(r"^- \[.+\]\((.+\.md)\)(?:: |：).+$", (docs / "index.md").read_text("utf-8"), re.MULTILINE)

    assert sorted(pages - set(listed)) == [], "docs/index.md needs a line for each of these pages"
    assert len(listed) == len(set(listed))


def test_the_sidebar_has_every_page_of_the_list(site: Path) -> None:
    front = (site / "index.html").read_text("utf-8")
    sidebar = set(re.findall(r'<li class="toctree-l1"><a class="reference internal" href="([^"]+)"', front))
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html").as_posix() for path in (ROOT / "docs").rglob("*.md")}

    assert pages - sidebar == {"index.html"}


def test_a_name_can_be_found_by_the_search(site: Path) -> None:
    index = (site / "searchindex.js").read_text("utf-8")

    assert "TaskAlreadyCompleted" in index
    assert "reference/errors" in index


def test_a_link_or_an_anchor_that_leads_nowhere_and_a_page_without_a_place_fail_the_build(tmp_path: Path) -> None:
    need("Sphinx")
    (tmp_path / "index.md").write_text("# A\n\n[b](b.md) [c](c.md#d)\n\n```{toctree}\nc\n```\n", "utf-8")
    (tmp_path / "c.md").write_text("# C\n", "utf-8")
    (tmp_path / "lost.md").write_text("# Lost\n", "utf-8")

    built = sphinx(tmp_path, tmp_path / "html")

    assert built.returncode != 0
    for told in ("'b.md'", "'d'", "lost.md"):
        assert told in built.stderr


def test_the_version_of_the_site_is_that_of_the_package(site: Path) -> None:
    assert f"<title>fc_callback {fc_callback.__version__}" in (site / "index.html").read_text("utf-8")


def test_each_diagram_is_drawn_and_shown_on_a_page() -> None:
    sources = list((ROOT / "docs" / "diagrams").glob("*.mmd"))
    text = "\n".join(page.read_text("utf-8") for page in PAGES)

    assert len(sources) > 3
    assert [one.name for one in sources if f"diagrams/{one.stem}.svg)" not in text] == []
    for source in sources:
        drawn = source.with_suffix(".svg").read_text("utf-8")
        assert hashlib.sha256(source.read_bytes()).hexdigest() in drawn, f"Draw {source.name}: python docs/diagrams.py"
        assert "foreignObject" not in drawn  # an <img> does not show it


def test_the_diagram_of_the_tutorials_flow_is_what_the_command_prints(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
    flow = tmp_path / "orders.yaml"
    flow.write_text(
        page.partition("<!-- file: flows/orders.yaml -->")[2].split("```")[1].removeprefix("yaml\n"), "utf-8"
    )

    printed = subprocess.run(
        [sys.executable, "-m", "fc_callback", "flow", "graph", str(flow)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout

    assert "catch CardRefused" in printed
    assert (ROOT / "docs" / "diagrams" / "orders.mmd").read_text("utf-8") == printed, "Draw it: python docs/diagrams.py"


def test_each_picture_is_shown_on_a_page() -> None:
    pictures = [path.name for path in (ROOT / "docs" / "pictures").iterdir()]
    text = "\n".join(page.read_text("utf-8") for page in PAGES)

    assert len(pictures) > 3
    assert [name for name in pictures if f"pictures/{name})" not in text] == []
