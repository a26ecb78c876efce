"""Help, completion and wrong usage, the same for every command."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from fc_callback.cli.app import app
from tests.cli.commands import run_command, run_command_in_bytes, run_process
from tests.cli.screen import terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def commands(group: Any, *names: str) -> Iterator[tuple[str, ...]]:
    yield names
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, *names, name)


ALL = list(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("names", ALL, ids=" ".join)
def test_h_shows_the_help_of_every_command(names: tuple[str, ...]) -> None:
    short, long = run_command(*names, "-h"), run_command(*names, "--help")
    assert (short.returncode, short.stdout) == (0, long.stdout)
    assert short.stdout.lower().startswith(f"usage: fc-callback {' '.join(names)}".strip()) or names == ()


@pytest.mark.parametrize("names", ALL, ids=" ".join)
def test_no_sentence_of_a_help_is_cut(names: tuple[str, ...]) -> None:
    with terminal(*names, "--help", environment={"COLUMNS": "80"}) as screen:
        assert screen.end() == 0
        lines = [line.rstrip() for line in screen.plain.splitlines()]
    assert [line for line in lines if line.endswith(("...", "…")) and not line.startswith("Usage: ")] == []


def test_the_list_of_commands_has_the_whole_first_sentence_of_each() -> None:
    shown = " ".join(run_command("--help").stdout.split())
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]  # it is a group
        sentence = " ".join(command.help.split("\n\n")[0].split()).partition(". ")[0].rstrip(".")
        assert f"{name} {sentence}" in shown


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_can_complete_the_commands(shell: str) -> None:
    script = run_process(env={**os.environ, "_FC_CALLBACK_COMPLETE": f"source_{shell}"})
    assert (script.returncode, "_FC_CALLBACK_COMPLETE=complete_" in script.stdout) == (0, True), script.stderr


def test_a_shell_completes_the_beginning_of_a_command() -> None:
    asked = {"_FC_CALLBACK_COMPLETE": "complete_bash", "COMP_WORDS": "fc-callback re", "COMP_CWORD": "1"}
    assert run_process(env={**os.environ, **asked}).stdout.split() == ["report", "redeliver"]


def test_the_completion_can_be_installed() -> None:
    assert {"--install-completion", "--show-completion"} <= set(run_command("--help").stdout.split())


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nothing",),
        ("--nothing",),
        *((name, "--nothing") for name in ("demo", "local", "invoke", "report", "redeliver", "new", "check", "build")),
        ("serve",),
        ("serve", "index.handler", "--port", "x"),
        ("local", "--port", "x"),
        ("local", "-f", "one=missing:index.handler"),
        ("local", "--flow", "one"),
        ("local", "--port", "0", "--flow", "one=missing.yaml"),
        ("invoke", "--payload", "@missing.json"),
        ("invoke", "--event-file", "missing.bin"),
        ("invoke", "--code-dir", "missing"),
        ("invoke", "--config", "missing.yaml"),
        ("invoke", "--env", "=x"),
        ("redeliver",),
        ("redeliver", "nothing://there"),
        ("new", "nothing", "there"),
        ("new", "event-callback", "there", "--set", "x=1"),
        ("check", "missing"),
        ("build", "missing"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_code_2_with_a_message(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CLOUDFLOW_ONCE_STORE", raising=False)
    ended = run_command(*arguments)
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr or not arguments
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("given", [("--payload", "@bytes"), ("--payload", "-"), ("--payload", "\udcff\udcfe")])
def test_a_payload_that_is_not_utf_8_is_an_error_with_a_hint(
    given: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "index.py").write_text("def handler(event, context): return {}\n")
    ended = run_command_in_bytes("invoke", *given, stdin=b"\xff\xfe")
    assert (ended.returncode, ended.stdout) == (2, b"")
    assert b"is not UTF-8: byte 0 is invalid. Use --event-file" in ended.stderr


def test_a_definition_that_is_not_utf_8_is_an_error_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_bytes(b"name: \xff\n")
    ended = run_command("local", "--port", "0", "--flow", f"one={tmp_path}/flow.yaml")
    assert ended.returncode == 2
    assert f"{tmp_path}/flow.yaml is not UTF-8: byte 6 is invalid." in ended.stderr
