"""The page that compares: each row has a command that shows it, and the measured figure beside the peer, if there is one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from benchmarks.faults import FAULTS
from fc_callback.cli.app import app
from tests.parts import need
from tests.site_build import sphinx

ROOT = Path(__file__).parents[1]
COMPARED = (ROOT / "docs" / "compared.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in COMPARED.splitlines()
    if re.match(r"\| (?!what \|)", line)
]
COMMANDS = {command for row in ROWS for command in re.findall(r"`((?:pytest|fc-callback|python) [^`]+)`", row[1])}


def test_each_row_has_a_command_that_shows_it() -> None:
    assert len(ROWS) > 12
    assert [row[0] for row in ROWS if not any(f"`{command}`" in row[1] for command in COMMANDS)] == []


@pytest.mark.parametrize("command", sorted(one for one in COMMANDS if one.startswith("pytest")))
def test_a_pytest_command_of_the_page_selects_tests(command: str) -> None:
    arguments = [*command.split()[1:], "--collect-only", "-q", "-n", "0", "-p", "no:cacheprovider"]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )

    assert ran.returncode == 0, ran.stdout
    assert ran.stdout.count("::test_") > 2


def test_every_other_command_of_the_page_exists() -> None:
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # a group
    for command in COMMANDS:
        words = command.split()
        if words[0] == "fc-callback":
            options = {spelling for each in known[words[1]].params for spelling in each.opts}
            assert set(words[2:]) <= options
        elif words[0] == "python":
            assert (ROOT / f"{words[2].replace('.', '/')}.py").is_file()


def test_each_row_with_a_benchmark_has_its_figure_on_the_site(site: Path) -> None:
    shown = (site / "compared.md").read_text("utf-8")
    measured = [row for row in ROWS if "benchmarks.md#" in row[3]]

    assert len(measured) > 7
    assert [row[0] for row in measured if "<!-- figure: " not in row[3]] == []
    assert "<!-- figure" not in shown
    for text in ("fc_callback 17 of 17; the SDK 0 of 17", "fc_callback 2,000 of 2,000", "; AWS's package "):
        assert text in shown


def test_a_figure_that_the_page_of_benchmarks_does_not_have_fails_the_build(tmp_path: Path) -> None:
    need("Sphinx")
    link = "[x](benchmarks.md#a-storm-of-reports) <!-- figure: the colour of the storm -->"
    (tmp_path / "index.md").write_text(f"# A\n\n{link}\n", "utf-8")

    built = sphinx(tmp_path, tmp_path / "html")

    assert built.returncode != 0
    assert "benchmarks.md#a-storm-of-reports has 0 rows that begin with 'the colour of the storm'" in built.stderr


def test_the_page_of_benchmarks_has_every_fault_that_the_benchmark_injects() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")

    assert [name for name in FAULTS if f"\n| {name} | delivered, " not in page] == []
    assert f"| {len(FAULTS)} of {len(FAULTS)} | 0 of {len(FAULTS)} |" in page
