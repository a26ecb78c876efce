"""`fc-callback new`: on a terminal it asks, elsewhere it takes options."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from fc_callback.cli.app import app
from fc_callback.scaffolding import template_names

if TYPE_CHECKING:
    from pathlib import Path


def new(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["new", *arguments])
    return result.exit_code, result.output


def test_a_project_is_made_without_a_question(tmp_path: Path) -> None:
    code, said = new(
        "event-callback", str(tmp_path / "orders"), "--set", "functionName=charge", "--set", "region=cn-beijing"
    )

    assert code == 0
    assert 'functionName: "charge"' in (tmp_path / "orders" / "s.yaml").read_text()
    assert "pytest" in said
    assert "is a sample" in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("functionName", "9lives"),
        ("functionName", "a" * 65),
        ("flowName", "a b"),
        ("accountId", "12"),
        ("region", "Paris"),
    ],
)
def test_a_name_that_the_service_would_refuse_is_refused(tmp_path: Path, name: str, value: str) -> None:
    code, said = new("event-callback", str(tmp_path / "orders"), "--set", f"{name}={value}")

    assert code == 2
    assert name in said
    assert list(tmp_path.iterdir()) == []


def test_a_setting_without_a_value_is_refused(tmp_path: Path) -> None:
    code, said = new("event-callback", str(tmp_path / "orders"), "--set", "functionName")

    assert (code, "NAME=VALUE" in said) == (2, True)


def test_without_a_terminal_what_is_missing_is_said_with_the_usage() -> None:
    code, said = new()

    assert code == 2
    assert "fc-callback new TEMPLATE DIR" in said


def test_a_template_that_does_not_exist_is_answered_with_those_that_do(tmp_path: Path) -> None:
    code, said = new("evnt", str(tmp_path / "orders"))

    assert code == 2
    assert all(name in said for name in template_names())


def test_the_list_names_every_template_and_its_parameters() -> None:
    code, said = new("--list", "--json")

    listed = {entry["name"]: entry for entry in json.loads(said)}
    assert code == 0
    assert set(listed) == {"batch-callback", "custom-container", "event-callback", "human-approval", "mns-callback"}
    assert "functionName" in [parameter["name"] for parameter in listed["event-callback"]["parameters"]]
    assert all(entry["description"] for entry in listed.values())


def test_on_a_terminal_it_asks_for_what_is_missing_and_again_for_what_cannot_be(tmp_path: Path) -> None:
    answers = {
        "Template [": "event-callback",
        "Directory:": str(tmp_path / "asked"),
        "Region (": "",
        "Account ID (": "",
        "Function name (": "7up",
        "Role of the function (": "",
        "Flow name (": "asked-flow",
        "Role of the flow (": "",
    }
    said = _on_a_terminal([sys.executable, "-m", "fc_callback", "new"], answers, then={"Function name (": "sevenup"})

    assert "cannot be '7up'" in said
    text = (tmp_path / "asked" / "s.yaml").read_text()
    assert 'functionName: "sevenup"' in text
    assert 'name: "asked-flow"' in (tmp_path / "asked" / "s.flow.yaml").read_text()


def _on_a_terminal(command: list[str], answers: dict[str, str], then: dict[str, str]) -> str:
    """Run a command on a pseudo-terminal and answer each question as it comes; return all that it said."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, close_fds=True)
    os.close(terminal)
    said, seen, until = "", 0, time.monotonic() + 60
    try:
        while time.monotonic() < until:
            ready, _, _ = select.select([controller], [], [], 1)
            if not ready:
                continue
            try:
                chunk = os.read(controller, 4096)
            except OSError:  # the terminal's other end is closed
                break
            if not chunk:
                break
            said += chunk.decode()
            question = next((one for one in (*answers, *then) if one in said[seen:] and said.endswith(": ")), None)
            if question is not None:
                seen = len(said)
                answer = answers.pop(question, None)
                os.write(controller, f"{then.pop(question) if answer is None else answer}\n".encode())
        assert process.wait(timeout=10) == 0, said
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(controller)
    return said
