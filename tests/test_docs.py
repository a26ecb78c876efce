"""Every Python block of the README and of the docs is executed.

A page is one program: its blocks run in order, at the line numbers that they have in the page. A page with tests in it is
run by pytest. A block that cannot be run says why in a comment before it: `<!-- skip: reason -->`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages import PAGES, ROOT, Block, blocks_of, need_for, page_name


def python_blocks_of(text: str) -> list[Block]:
    """Return the Python blocks of a page."""
    return [block for block in blocks_of(text) if block.language == "python"]


def program_of(text: str) -> str:
    """Return the page as a program: what is no Python block is an empty line."""
    program = [""] * len(text.splitlines())
    for block in python_blocks_of(text):
        if "skip" not in block.notes:
            program[block.line : block.line + len(block.lines)] = block.lines
    return "\n".join(program) + "\n"


def run(text: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a page."""
    program = program_of(text)
    file = directory / "test_page.py"
    file.write_text(program, "utf-8")
    command = [sys.executable, str(file)]
    if re.search(r"^(async )?def test_", program, re.MULTILINE):
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)]
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CLOUDFLOW_", "ALIBABA_CLOUD_", "FC_"))
    }
    return subprocess.run(command, cwd=directory, env=kept, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if python_blocks_of(page.read_text("utf-8"))],
    ids=page_name,
)
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path) -> None:
    need_for(page)
    ran = run(page.read_text("utf-8"), tmp_path)

    assert ran.returncode == 0, f"{page.relative_to(ROOT)}:\n{ran.stdout}\n{ran.stderr}"


def test_there_are_examples() -> None:
    assert sum(len(python_blocks_of(page.read_text("utf-8"))) for page in PAGES) > 20


def test_an_example_that_fails_is_told_with_its_line_in_the_page(tmp_path: Path) -> None:
    ran = run("# Title\n\n```python\nassert 1 == 1\n```\n\ntext\n\n```python\nassert 1 == 2\n```\n", tmp_path)

    assert ran.returncode != 0
    assert "line 10" in ran.stderr


def test_tests_in_a_page_are_run(tmp_path: Path) -> None:
    ran = run("```python\ndef test_a():\n    assert 1 == 2\n```\n", tmp_path)

    assert "1 failed" in ran.stdout


def test_a_block_may_be_skipped_with_a_reason(tmp_path: Path) -> None:
    text = "<!-- skip: it needs a cloud -->\n\n```python\nraise SystemExit(3)\n```\n"

    assert run(text, tmp_path).returncode == 0
    assert blocks_of(text)[0].notes == {"skip": "it needs a cloud"}


@pytest.mark.parametrize("text", ["<!-- skip: -->\n```python\npass\n```\n", "```python\npass\n"])
def test_a_block_without_a_reason_or_an_end_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="line"):
        blocks_of(text)


LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)")


def headings_of(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"], ids=lambda page: page.name)
def test_every_link_to_a_page_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    broken = []
    for target, anchor in LINK.findall(page.read_text("utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        file = page.parent / target if target else page
        if not file.exists() or (anchor and anchor not in headings_of(file)):
            broken.append(f"{target}#{anchor}")
    assert broken == []


def test_the_readme_is_short_and_shows_its_two_commands_at_once() -> None:
    lines = PAGES[0].read_text("utf-8").splitlines()
    assert len(lines) <= 75
    first = "\n".join(lines[:25])
    assert "pip install '.[local]' && fc-callback demo" in first
    assert "pip install '.[test]' && pytest" in first


BENCHMARK = re.compile(r"benchmarks[./](\w+)(?:\.py)?\b")


def test_every_benchmark_has_its_command_on_one_page() -> None:
    named = set(BENCHMARK.findall((ROOT / "docs" / "benchmarks.md").read_text("utf-8")))
    helpers = {"chaos_worker", "server", "tls_front"}  # they run in processes of a benchmark
    files = {path.stem for path in (ROOT / "benchmarks").glob("*.py") if "__main__" in path.read_text("utf-8")}
    assert len(files) > 8
    assert files - helpers - named == set()


def test_measured_figures_stand_on_the_page_of_benchmarks_only() -> None:
    others = [page for page in PAGES if page.name not in {"benchmarks.md", "compared.md"}]
    telling = {
        page.name: re.findall(r"python -m benchmarks\.\w+|benchmarks/\w+\.py", page.read_text("utf-8"))
        for page in others
    }
    assert {name: commands for name, commands in telling.items() if commands} == {}
    assert re.findall(r"\d(?:\.\d+)? ?(?:ms|µs|MiB|MB|%)", (ROOT / "docs" / "compared.md").read_text("utf-8")) == []


def test_the_page_that_compares_names_benchmarks_that_exist() -> None:
    named = set(BENCHMARK.findall((ROOT / "docs" / "compared.md").read_text("utf-8"))) - {"md"}
    assert len(named) > 4
    assert {name for name in named if not (ROOT / "benchmarks" / f"{name}.py").is_file()} == set()


def test_the_page_on_architecture_names_every_room_and_every_public_module() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    package = ROOT / "fc_callback"
    rooms = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")} - {"_templates/"}
    doors = {path.name for path in package.glob("*.py") if not path.name.startswith("_")}
    assert {name for name in rooms | doors if f"`{name}`" not in page} == set()


def test_every_file_that_the_page_on_architecture_names_exists() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    named = set(re.findall(r"`([\w./]+(?:\.py|/))`", page)) - {"fc_callback/initializer.py"}
    assert len(named) > 30
    assert {name for name in named if not any((base / name).exists() for base in (ROOT, ROOT / "fc_callback"))} == set()
