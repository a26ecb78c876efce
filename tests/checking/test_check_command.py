"""`fc-callback check`: its words, its JSON, its exit codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from fc_callback.checking import RULES
from fc_callback.cli.app import app
from fc_callback.scaffolding import render_template

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    target = tmp_path / "project"
    render_template("event-callback", target, {"accountId": "1234567890123456"})
    monkeypatch.chdir(target)
    return target


def change(project: Path, old: str, new: str) -> None:
    path = project / "s.yaml"
    path.write_text(path.read_text().replace(old, new))


def check(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["check", *arguments])
    return result.exit_code, result.output


def test_a_good_project_passes(project: Path) -> None:
    assert check() == (0, "Nothing found.\n")


def test_an_error_is_told_with_file_line_rule_and_remedy(project: Path) -> None:
    change(project, "memorySize: 512", "memSize: 512")
    line = (project / "s.yaml").read_text().splitlines().index("      memSize: 512") + 1

    code, said = check("--no-imports")

    assert code == 1
    assert f"s.yaml:{line}: error: memSize is not a property" in said
    assert "[unknown-property]" in said
    assert "Did you mean 'memorySize'?" in said
    assert "1 error, 0 warnings" in said


def test_warnings_alone_do_not_fail(project: Path) -> None:
    change(project, "      timeout: 60\n", "")

    code, said = check("--no-imports")

    assert (code, "0 errors, 1 warning" in said) == (0, True)


def test_a_script_reads_json(project: Path) -> None:
    change(project, "memorySize: 512", "memSize: 512")

    code, said = check("--no-imports", "--json")

    told = json.loads(said)
    assert (code, told["errors"], told["warnings"]) == (1, 1, 0)
    assert set(told["findings"][0]) == {"rule", "severity", "file", "line", "message", "hint"}


def test_a_rule_is_ignored_by_option(project: Path) -> None:
    change(project, "memorySize: 512", "memSize: 512")

    assert check("--no-imports", "--ignore", "unknown-property")[0] == 0


def test_an_unknown_rule_is_a_usage_error(project: Path) -> None:
    code, said = check("--ignore", "nonsense")

    assert (code, "nonsense" in said) == (2, True)


def test_the_rules_are_listed() -> None:
    code, said = check("--rules")

    assert code == 0
    assert [line.split()[0] for line in said.splitlines()] == list(RULES)
