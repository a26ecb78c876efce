"""The documentation site in a browser, as a static host serves it: its versions and its search."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.local.browser import Window, chromium  # noqa: F401 - a fixture
from tests.parts import need

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[1]
PAGES = {
    "0.1.0": {"index": "# First\n\n```{toctree}\nfolder/both\n```\n", "folder/both": "# Both\n\nThe old text.\n"},
    "0.9.0": {
        "index": "# First\n\n```{toctree}\nfolder/both\nnew\n```\n",
        "folder/both": "# Both\n\nThe new text.\n",
        "new": "# Only here\n",
    },
    "0.10.0rc1": {"index": "# Soon\n"},
}
BUILD = (
    "import sys; from pathlib import Path; from build_site import build; build(*map(Path, sys.argv[1:3]), sys.argv[3])"
)


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on loopback as a static host does; return the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def build(source: Path, folder: Path, version: str) -> subprocess.CompletedProcess[str]:
    """Build a version of a small site with the command's own function."""
    return subprocess.run(
        [sys.executable, "-c", BUILD, str(source), str(folder), version],
        cwd=ROOT / "docs",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with three versions, of which the newest is not released."""
    need("Sphinx")
    folder = tmp_path_factory.mktemp("versions")
    for version, pages in PAGES.items():
        for name, text in pages.items():
            page = folder / "source" / version / f"{name}.md"
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(text, "utf-8")
        built = build(folder / "source" / version, folder / "site", version)
        assert built.returncode == 0, built.stdout + built.stderr
    return folder / "site"


@pytest.fixture
def window(chromium: Browser) -> Iterator[Window]:  # noqa: F811
    window = Window.open(chromium)
    yield window
    window.context.close()
    # Chromium logs what a host does not have: a picture for its tab, a list of versions, a page of another version.
    problems = [each for each in window.problems if not each.startswith("Failed to load resource")]
    assert problems == [], "\n".join(problems)


def test_a_site_has_a_folder_for_each_version_a_list_of_them_and_the_newest_release_as_latest(versions: Path) -> None:
    assert json.loads((versions / "versions.json").read_text("utf-8")) == ["0.10.0rc1", "0.9.0", "0.1.0"]
    assert {path.name for path in versions.iterdir()} == {
        *PAGES,
        "latest",
        "versions.json",
        "index.html",
        ".nojekyll",
    }
    assert (versions / "latest" / "new.html").read_bytes() == (versions / "0.9.0" / "new.html").read_bytes()


def test_a_version_with_a_warning_leaves_the_site_as_it_was(versions: Path, tmp_path: Path) -> None:
    (tmp_path / "index.md").write_text("# A\n\n[lost](lost.md)\n", "utf-8")
    before = sorted(versions.rglob("*"))

    built = build(tmp_path, versions, "0.9.0")

    assert built.returncode != 0
    assert "lost.md" in built.stderr
    assert sorted(versions.rglob("*")) == before


def test_the_root_of_the_host_leads_to_the_newest_release(window: Window, versions: Path) -> None:
    with served(versions) as address:
        window.page.goto(f"{address}/")
        window.page.wait_for_url(f"{address}/latest/index.html")
        assert window.page.inner_text(".site-versions summary") == "Version 0.9.0"


def test_a_reader_goes_to_the_same_page_of_another_version(window: Window, versions: Path) -> None:
    page = window.page
    with served(versions) as address:
        page.goto(f"{address}/latest/folder/both.html#both")
        page.click(".site-versions summary")
        assert page.locator(".site-versions li").all_inner_texts() == ["0.10.0rc1", "0.9.0", "0.1.0"]
        assert page.inner_text(".site-versions [aria-current]") == "0.9.0"
        page.click(".site-versions a >> text=0.1.0")
        page.wait_for_url(f"{address}/0.1.0/folder/both.html#both")
        assert "The old text." in page.inner_text("article")
        assert page.inner_text(".site-versions summary") == "Version 0.1.0"


def test_a_reader_comes_to_the_front_page_of_a_version_that_does_not_have_the_page(
    window: Window, versions: Path
) -> None:
    page = window.page
    with served(versions) as address:
        page.goto(f"{address}/0.9.0/new.html")
        page.click(".site-versions summary")
        page.click(".site-versions a >> text=0.1.0")
        page.wait_for_url(f"{address}/0.1.0/index.html")


def test_a_page_that_is_opened_from_a_file_shows_its_version(window: Window, versions: Path) -> None:
    page = window.page
    page.goto((versions / "0.9.0" / "new.html").as_uri())
    page.wait_for_load_state("networkidle")
    assert page.inner_text(".site-version") == "Version 0.9.0"
    window.problems.clear()  # the address is no host


def test_a_version_that_is_served_alone_shows_its_version(window: Window, versions: Path) -> None:
    page = window.page
    with served(versions / "0.9.0") as address:
        page.goto(f"{address}/folder/both.html")
        page.wait_for_load_state("networkidle")
        assert page.inner_text(".site-version") == "Version 0.9.0"


@pytest.mark.parametrize(
    ("searched", "found"),
    [
        ("任务令牌", "zh/tutorial.html"),
        ("回调", "zh/tutorial.html"),
        ("流程 审批", "zh/tutorial.html"),
        ("delivered again", "delivery.html"),
        ("TaskAlreadyCompleted", "reference/errors.html"),
    ],
)
def test_a_search_in_chinese_and_in_english_finds_the_page(
    window: Window,
    site: Path,
    searched: str,
    found: str,
) -> None:
    page = window.page
    with served(site) as address:
        page.goto(f"{address}/index.html")
        page.fill(".sidebar-search", searched)
        page.press(".sidebar-search", "Enter")
        page.wait_for_selector(f"ul.search a[href^='{found}']")
        page.wait_for_load_state("networkidle")  # the summaries


def test_a_search_in_chinese_finds_no_page_that_has_only_some_of_the_characters(
    window: Window,
    site: Path,
) -> None:
    page = window.page
    with served(site) as address:
        page.goto(f"{address}/search.html?q=令任牌务")
        page.wait_for_function("document.querySelector('p.search-summary')?.innerText.includes('did not match')")
