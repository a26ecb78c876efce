"""The documentation site: it is built once, without a network, and its reference has all that there is."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
import typer.main

import fc_callback
from fc_callback import errors, settings
from fc_callback.callback.decorator import TaskOptions
from fc_callback.cli.app import app
from fc_callback.cli.serve import command_parser
from fc_callback.cloudflow import errors as service_errors
from fc_callback.flows.builtins import BUILTINS
from fc_callback.flows.layout import CLOUDFLOW, LEGACY
from fc_callback.local.control import control_routes
from fc_callback.local.faults import KINDS
from tests.pages import PAGES
from tests.parts import need
from tests.test_docs import program_of
from tests.wheel import locked

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PAGES_OF_DOORS = {
    "fc_callback": "api",
    "fc_callback.testing": "testing",
    "fc_callback.local": "local",
    "fc_callback.idempotency": "idempotency",
    "fc_callback.events": "events",
    "fc_callback.runtime": "runtime",
    "fc_callback.checking": "helpers",
    "fc_callback.workspace": "helpers",
}


def sphinx(source: Path, output: Path) -> subprocess.CompletedProcess[str]:
    """Build a site with the configuration of this one."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-c", str(ROOT / "docs")]
    return subprocess.run(
        [*command, str(source), str(output)], capture_output=True, text=True, timeout=110, check=False
    )


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built once for all workers of a run."""
    need("Sphinx")
    base = tmp_path_factory.getbasetemp()
    with locked((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "site") as folder:
        if not (folder / "said").exists():
            built = sphinx(ROOT / "docs", folder / "html")
            (folder / "said").write_text(built.stdout + built.stderr, "utf-8")
        assert (folder / "said").read_text("utf-8") == ""
        return folder / "html"


def reference(site: Path) -> dict[str, str]:
    """Return each page of the reference, as Markdown."""
    return {path.stem: path.read_text("utf-8") for path in (site / "reference").glob("*.md")}


def sections(text: str) -> dict[str, str]:
    """Return the text below each heading, until the next heading of any level. A name may have several."""
    found: dict[str, str] = {}
    for part in re.split(r"^#+ ", text, flags=re.MULTILINE)[1:]:
        title, _, rest = part.partition("\n")
        found[title] = found.get(title, "") + rest
    return found


@pytest.mark.parametrize("door", PAGES_OF_DOORS)
def test_the_reference_has_every_public_name(site: Path, door: str) -> None:
    names = importlib.import_module(door).__all__
    known = sections(reference(site)[PAGES_OF_DOORS[door]])

    assert len(names) > 1
    assert [name for name in names if not known.get(name, "").strip()] == []


@pytest.mark.parametrize("door", PAGES_OF_DOORS)
def test_the_reference_has_every_argument_of_a_public_function_or_class(site: Path, door: str) -> None:
    known = sections(reference(site)[PAGES_OF_DOORS[door]])
    missing = []
    for name in importlib.import_module(door).__all__:
        value = getattr(importlib.import_module(door), name)
        if callable(value) and "| field |" not in known[name]:
            parameters = inspect.signature(value).parameters.values()
            named = [each.name for each in parameters if each.kind != each.VAR_KEYWORD and each.name != "self"]
            missing += [f"{name}: {one}" for one in named if not re.search(rf"\b{one}\b", known[name])]
    assert missing == []


def test_the_reference_has_every_option_of_the_decorator_with_its_default_and_its_meaning(site: Path) -> None:
    text = sections(reference(site)["api"])["task_callback"]
    options = TaskOptions.__annotations__

    assert len(options) > 10
    assert [name for name in options if not re.search(rf"^    {name}: .+ = .+,$", text, re.MULTILINE)] == []
    assert [name for name in options if f"- `{name}`: " not in text] == []


def test_the_reference_has_every_name_that_an_example_imports(site: Path) -> None:
    programs = [program_of(page.read_text("utf-8")) for page in PAGES]
    programs += [path.read_text("utf-8") for path in (ROOT / "templates").rglob("*.py")]
    found = re.findall(r"^ *from fc_callback[\w.]* import (.+)$", "\n".join(programs), re.MULTILINE)
    names = {name.strip() for line in found for name in line.strip("()").split(",") if name.strip()}
    text = "\n".join(reference(site).values())

    assert len(names) > 30
    assert [name for name in sorted(names) if not re.search(rf"^##+ ([\w.]+\.)?{name}$", text, re.MULTILINE)] == []


def test_the_reference_has_every_error_with_what_to_do(site: Path) -> None:
    drawn = set(re.findall(r"(?:── |^    )([A-Z]\w+)", errors.__doc__ or "", re.MULTILINE))
    codes = {name for name, value in vars(service_errors).items() if getattr(value, "documented_status", 0)}
    known = sections(reference(site)["errors"])

    assert len(drawn) > 25
    assert len(codes) > 14
    assert [name for name in sorted(drawn | codes) if "**What to do:** " not in known.get(name, "")] == []


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    yield name, command
    for each, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, f"{name} {each}")


def test_the_reference_has_every_command_with_its_options(site: Path) -> None:
    known = sections(reference(site)["command-line"])
    missing = []
    for name, command in commands(typer.main.get_command(app), "fc-callback"):
        spelled = [spelling for each in command.params if each.opts[0].startswith("-") for spelling in each.opts]
        if name == "fc-callback serve":
            spelled = re.findall(r"(--[\w-]+) ", command_parser().format_usage())
        assert name in known
        missing += [f"{name} {one}" for one in spelled if one not in known[name]]
    assert len(known) > 20
    assert missing == []


def test_the_page_on_settings_has_every_setting(site: Path) -> None:
    text = (site / "settings.md").read_text("utf-8")

    assert [one.name for one in settings.VARIABLES if f"| `{one.name}` |" not in text] == []


def test_the_reference_has_every_call_of_the_control_api_and_every_fault(site: Path) -> None:
    text = reference(site)["control-api"]
    routes: Any = control_routes(None)  # type: ignore[arg-type]  # the paths need no service
    calls = {(method, route.path.replace(":int", "")) for route in routes for method in route.methods - {"HEAD"}}
    documented = set(re.findall(r"^\| `([A-Z]+) ([^`?]+)", text, re.MULTILINE))

    assert len(calls) > 8
    assert {(method, path.replace("{id}", "{task}")) for method, path in documented} == calls
    assert [kind for kind in KINDS if f"| `{kind}` |" not in text] == []


def test_the_reference_has_every_history_event_that_the_local_cloudflow_writes(site: Path) -> None:
    text = reference(site)["history-events"]
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "fc_callback" / "local").glob("*.py"))
    written = set(re.findall(r"add_event\(\s*\w+,\s*\"(\w+)\"", sources))
    ends = {f"Execution{state}" for state in re.findall(r"\.end\(\s*\"(\w+)\"", sources)}

    assert len(written) > 10
    assert len(ends) > 2
    assert [name for name in sorted(written | ends) if f"`{name}`" not in text] == []


def test_the_reference_has_every_kind_of_step_with_its_fields_and_every_function_of_expressions(site: Path) -> None:
    text = reference(site)["flow-languages"]
    fields = {name for layout in (CLOUDFLOW, LEGACY) for names in layout.kinds.values() for name in names}
    kinds = {kind for layout in (CLOUDFLOW, LEGACY) for kind in layout.kinds}

    assert len(fields) > 30
    assert [name for name in sorted(fields - {"MaxConcuccency"}) if f"`{name}`" not in text] == []
    assert [kind for kind in sorted(kinds) if f"| `{kind}` |" not in text] == []
    assert [name for name in BUILTINS if not re.search(rf"`{name}[(`]", text)] == []


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
