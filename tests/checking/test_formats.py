"""The findings as other programs read them: SARIF for code scanning, workflow commands for GitHub, the pre-commit hook."""

from __future__ import annotations

import json
import re
import shlex
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from fc_callback.checking import RULES, Finding
from fc_callback.checking.formats import as_github, as_sarif
from fc_callback.scaffolding import render_template
from tests.cli.commands import run_command

TOP = Path(__file__).parents[2]
MESSAGE = {
    "type": "object",
    "anyOf": [{"required": ["text"]}, {"required": ["id"]}],
    "properties": {"text": {"type": "string"}},
}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
# The parts of SARIF 2.1.0 that a log of ours has, with what they require.
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "pattern": r"sarif-2\.1\.0\.json$"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool"],
                "additionalProperties": False,
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "additionalProperties": False,
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name"],
                                "additionalProperties": False,
                                "properties": {
                                    "name": {"type": "string"},
                                    "semanticVersion": {"type": "string"},
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": ["id"],
                                            "additionalProperties": False,
                                            "properties": {
                                                "id": {"type": "string"},
                                                "shortDescription": {"type": "object", "required": ["text"]},
                                                "defaultConfiguration": {"properties": {"level": LEVEL}},
                                            },
                                        },
                                    },
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message"],
                            "additionalProperties": False,
                            "properties": {
                                "ruleId": {"type": "string"},
                                "ruleIndex": {"type": "integer", "minimum": -1},
                                "level": LEVEL,
                                "message": MESSAGE,
                                "locations": {
                                    "type": "array",
                                    "items": {
                                        "type": "object",
                                        "required": ["physicalLocation"],
                                        "properties": {
                                            "physicalLocation": {
                                                "type": "object",
                                                "required": ["artifactLocation", "region"],
                                                "properties": {
                                                    "artifactLocation": {
                                                        "required": ["uri"],
                                                        "properties": {"uri": {"pattern": r"^[A-Za-z0-9._~/%:-]+$"}},
                                                    },
                                                    "region": {
                                                        "required": ["startLine"],
                                                        "properties": {"startLine": {"type": "integer", "minimum": 1}},
                                                    },
                                                },
                                            }
                                        },
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    target = tmp_path / "services" / "orders"
    render_template("event-callback", target, {"accountId": "1234567890123456"})
    manifest = target / "s.yaml"
    manifest.write_text(manifest.read_text().replace("memorySize: 512", "memSize: 512").replace("timeout: 60\n", "\n"))
    monkeypatch.chdir(tmp_path)
    return target


def line_of(project: Path, text: str) -> int:
    lines = (project / "s.yaml").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_the_sarif_log_of_a_project_has_what_the_standard_requires(project: Path) -> None:
    ended = run_command("check", "services/orders", "--no-imports", "--format", "sarif")

    log = json.loads(ended.stdout)
    assert ended.returncode == 1
    assert [error.message for error in Draft7Validator(SARIF).iter_errors(log)] == []


def test_a_result_of_sarif_names_its_rule_level_and_place_from_the_top_of_the_repository(project: Path) -> None:
    log = json.loads(run_command("check", "services/orders", "--no-imports", "--format", "sarif").stdout)

    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    found = {one["ruleId"]: one for one in run["results"]}
    assert {name: one["level"] for name, one in found.items()} == {
        "unknown-property": "error",
        "timeout-default": "warning",
    }
    assert all(rules[one["ruleIndex"]]["id"] == one["ruleId"] for one in run["results"])
    assert found["unknown-property"]["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "services/orders/s.yaml"},
                "region": {"startLine": line_of(project, "memSize")},
            }
        }
    ]
    assert "Did you mean 'memorySize'?" in found["unknown-property"]["message"]["text"]
    assert [rule["id"] for rule in rules] == list(RULES)


def test_github_gets_a_command_for_each_finding(project: Path) -> None:
    ended = run_command("check", "services/orders", "--no-imports", "--format", "github")

    warning, error = sorted(ended.stdout.splitlines(), reverse=True)
    assert ended.returncode == 1
    assert error.startswith(
        f"::error file=services/orders/s.yaml,line={line_of(project, 'memSize')},title=fc-callback check%3A unknown-property::"
    )
    assert error.endswith("ignores it without a warning.%0ADid you mean 'memorySize'?")
    assert warning.startswith("::warning file=services/orders/s.yaml,")


HOSTILE = Finding(
    rule="name", file="a:b,c\n::stop-commands::x/é 100%.py", line=3, message="50%: a,b\r\n::error::x", hint="é"
)


def test_no_text_of_a_finding_ends_a_command_of_github_or_begins_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    (line,) = as_github([HOSTILE], tmp_path).splitlines()

    properties, text = re.fullmatch(r"::error ([^:]*)::(.*)", line).groups()  # type: ignore[union-attr]
    assert properties.split(",") == [
        "file=a%3Ab%2Cc%0A%3A%3Astop-commands%3A%3Ax/é 100%25.py",
        "line=3",
        "title=fc-callback check%3A name",
    ]
    assert text == "50%25: a,b%0D%0A::error::x%0Aé"


def test_a_file_of_any_name_is_a_uri_in_sarif(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    elsewhere = Finding(rule="name", file="/elsewhere/a b.yaml", line=1, message="m", hint="h")

    log = json.loads(as_sarif([HOSTILE, elsewhere], tmp_path))

    places = [one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in log["runs"][0]["results"]]
    assert places == [
        "a%3Ab%2Cc%0A%3A%3Astop-commands%3A%3Ax/%C3%A9%20100%25.py",
        "file:///elsewhere/a%20b.yaml",
    ]
    assert [error.message for error in Draft7Validator(SARIF).iter_errors(log)] == []


def test_json_is_a_format_with_a_short_name(project: Path) -> None:
    short, long = (
        run_command("check", "services/orders", "--no-imports", *options)
        for options in (["--json"], ["--format", "json"])
    )

    assert short.stdout == long.stdout
    assert json.loads(long.stdout)["errors"] == 1


def test_two_formats_at_once_are_a_usage_error(project: Path) -> None:
    ended = run_command("check", "services/orders", "--json", "--format", "sarif")

    assert (ended.returncode, "exclude each other" in ended.stderr) == (2, True)


@pytest.mark.parametrize("chosen", ["sarif", "github", "json", "text"])
def test_a_project_without_findings_passes_in_every_format(tmp_path: Path, chosen: str) -> None:
    render_template("event-callback", tmp_path / "app", {"accountId": "1234567890123456"})

    ended = run_command("check", str(tmp_path / "app"), "--no-imports", "--format", chosen)

    assert ended.returncode == 0
    assert ended.stdout == "" if chosen == "github" else ended.stdout


def hook() -> dict[str, Any]:
    (only,) = yaml.safe_load((TOP / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert isinstance(only, dict)
    return only


def test_the_entry_of_the_pre_commit_hook_runs(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, *arguments = shlex.split(hook()["entry"])
    monkeypatch.chdir(project)

    ended = run_command(*arguments)

    assert program == "fc-callback"
    assert (ended.returncode, "memSize is not a property" in ended.stdout) == (1, True)


def test_the_pre_commit_hook_installs_a_program_and_an_extra_that_this_package_has() -> None:
    (dependency,) = hook()["additional_dependencies"]

    assert hook()["entry"].split()[0] in {one.name for one in metadata.entry_points(group="console_scripts")}
    extras = metadata.metadata("fc-callback").get_all("Provides-Extra") or []
    assert dependency.removeprefix(".[").removesuffix("]") in extras


@pytest.mark.parametrize("template", ["event-callback", "custom-container"])
def test_the_pre_commit_hook_runs_after_a_change_of_any_file_that_the_check_reads(
    tmp_path: Path, template: str
) -> None:
    render_template(template, tmp_path / "app", {"accountId": "1234567890123456"})
    names = [path.relative_to(tmp_path).as_posix() for path in (tmp_path / "app").rglob("*") if path.is_file()]

    read = {name for name in names if re.search(hook()["files"], name)}

    expected = {
        "app/s.yaml",
        "app/s.flow.yaml",
        "app/code/index.py",
        "app/code/requirements.txt",
        "app/flows/legacy.yaml",
    }
    assert expected <= read
    assert "app/README.md" not in read
