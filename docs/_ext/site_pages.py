"""Our part of the build: pages that are made from the code, links out of docs/, llms.txt, and the Markdown of each page.

A page has a comment alone on a line where a text is made: `<!-- made: api fc_callback.local -->`, `<!-- made: file
README.md -->`. The first word is a key of `_TEXTS`.
"""

from __future__ import annotations

import os
import re
import shutil
from importlib.metadata import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from api_reference import api_reference
from command_reference import command_reference
from control_reference import control_reference, fault_reference
from error_reference import code_reference, error_reference, error_tree
from figures import with_figures
from flow_reference import flow_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
_FRONT = DOCS / "index.md"
_MADE = re.compile(r"^<!-- made: (\S+)(.*) -->$", re.MULTILINE)
_LINK = re.compile(r"(\]\()([^)\s]+)(\))")
_FENCE = re.compile(r"^(`{3,})[^`]*\n.*?^\1$", re.MULTILINE | re.DOTALL)
# A part of the front page: a heading, and a list of pages with a line for each.
_PART = re.compile(r"^### (.+)\n\n((?:- .+\n(?:  .+\n)*)+)", re.MULTILINE)
_LISTED = re.compile(r"^- \[(.+)\]\((.+)\.md\)(?:: |\uff1a)(.+(?:\n  .+)*)", re.MULTILINE)
_TEXTS = {
    "api": api_reference,
    "codes": code_reference,
    "commands": command_reference,
    "control": control_reference,
    "errors": error_reference,
    "error-tree": error_tree,
    "faults": fault_reference,
    "flow-fields": flow_fields,
    "file": lambda name: (ROOT / name).read_text("utf-8"),
}


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("source-read", _complete_page)
    app.connect("env-get-outdated", _pages_made_from_the_code)
    app.connect("build-finished", _write_texts)
    return {"version": "1", "parallel_read_safe": False}


def _pages_made_from_the_code(_app: Sphinx, env: Any, *_changes: Any) -> list[str]:
    """Read these pages again in every build, because Sphinx does not know that the code has changed."""
    return [name for name in env.found_docs if _MADE.search(Path(env.doc2path(name)).read_text("utf-8"))]


def _complete_page(app: Sphinx, name: str, content: list[str]) -> None:
    page = Path(app.env.doc2path(name))
    content[0] = _text_of(page, content[0])


def _text_of(page: Path, source: str) -> str:
    """Return a page with the texts that are made, and with links that lead to a page of the site or to the repository."""

    def made(found: re.Match[str]) -> str:
        text = _TEXTS[found[1]](*found[2].split())
        # The links of another file are relative to that file.
        return _with_links(text, page, (ROOT / found[2].strip()).parent) if found[1] == "file" else text

    if page == _FRONT:
        source = _PART.sub(_with_toctree, source)
    return _MADE.sub(made, _with_links(with_figures(source), page, page.parent))


def _with_toctree(part: re.Match[str]) -> str:
    """Return a part of the front page with its pages in the sidebar too: the same names in the same order."""
    pages = "\n".join(f"{name.replace('`', '')} <{page}>" for name, page, _ in _LISTED.findall(part[2]))
    return f"{part[0]}\n```{{toctree}}\n:caption: {part[1]}\n:hidden:\n\n{pages}\n```\n"


def _with_links(text: str, page: Path, base: Path) -> str:
    """Return a text of the folder `base` with links as they must be in a page of docs/. Fenced blocks stay as they are."""
    parts, position = [], 0
    for block in _FENCE.finditer(text):
        parts += [_LINK.sub(lambda link: _link(link, page, base), text[position : block.start()]), block[0]]
        position = block.end()
    return "".join((*parts, _LINK.sub(lambda link: _link(link, page, base), text[position:])))


def _link(link: re.Match[str], page: Path, base: Path) -> str:
    url = urlsplit(link[2])
    if url.scheme or not url.path:
        return link[0]
    target = Path(os.path.normpath(base / url.path))
    page_of_file = _pages_of_files().get(target, target)
    if page_of_file.is_relative_to(DOCS):
        path = Path(os.path.relpath(page_of_file, page.parent)).as_posix()
    elif target.exists() and target.is_relative_to(ROOT):
        path = f"{_repository()}/blob/main/{target.relative_to(ROOT).as_posix()}"
    else:
        return link[0]  # MyST reports the link
    return f"{link[1]}{path}{'#' * bool(url.fragment)}{url.fragment}{link[3]}"


def _pages_of_files() -> dict[Path, Path]:
    """Return the page that contains each file of the repository, such as README.md."""
    found = {}
    for page in DOCS.rglob("*.md"):
        for kind, name in _MADE.findall(page.read_text("utf-8")):
            if kind == "file":
                found[ROOT / name.strip()] = page
    return found


def _repository() -> str:
    urls = (each.partition(", ") for each in metadata("fc-callback").get_all("Project-URL") or [])
    return next(url for name, _, url in urls if name == "Source")


def _write_texts(app: Sphinx, exception: Exception | None) -> None:
    """Write the Markdown of each page beside its HTML, and the list of them for language models."""
    if exception is not None or app.builder.name != "html":
        return
    for name in app.env.found_docs:
        page = Path(app.env.doc2path(name))
        copy = Path(app.outdir) / f"{name}.md"
        copy.parent.mkdir(parents=True, exist_ok=True)
        text = _text_of(page, page.read_text("utf-8"))
        copy.write_text(text, "utf-8")
        _copy_linked_files(text, page, copy)
    (Path(app.outdir) / "llms.txt").write_text("\n".join(_llms_txt(app)) + "\n", "utf-8")


def _copy_linked_files(text: str, page: Path, copy: Path) -> None:
    """Copy the files that a page links to, such as a picture or a file to save, to the same place beside its Markdown."""
    for _, link, _ in _LINK.findall(_FENCE.sub("", text)):
        url = urlsplit(link)
        source = Path(os.path.normpath(page.parent / url.path))
        if not url.scheme and source.is_file() and source.suffix != ".md":
            target = Path(os.path.normpath(copy.parent / url.path))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def _llms_txt(app: Sphinx) -> Iterator[str]:
    """Yield the lines of llms.txt (https://llmstxt.org): the parts of the front page with their pages."""
    yield from (f"# {app.config.project}", "", f"> {metadata('fc-callback')['Summary']}")
    for title, pages in _PART.findall(_FRONT.read_text("utf-8")):
        yield from ("", f"## {title}", "")
        for name, page, told in _LISTED.findall(pages):
            yield f"- [{name}]({page}.md): {' '.join(told.split())}"
