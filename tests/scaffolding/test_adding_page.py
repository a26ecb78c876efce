"""The page about `fc-callback add`: its project, its commands and what they print, run as a reader would."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.commands import run_command

PAGE = (Path(__file__).parents[2] / "docs" / "adding.md").read_text("utf-8")
FILES = re.findall(r"<!-- file: (\S+) -->\n\n```\w+\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = [
    (command, printed)
    for block in re.findall(r"^```console\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    for command, printed in re.findall(r"^\$ fc-callback (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
]


def test_every_command_of_the_page_prints_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, content in FILES:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, "utf-8")
    monkeypatch.chdir(tmp_path)

    for command, printed in COMMANDS:
        ran = run_command(*shlex.split(command))

        assert ran.returncode == 0, ran.stderr
        pattern = r"(?:.*\n)*".join(map(re.escape, printed.split("...\n")))
        assert re.fullmatch(pattern, ran.stdout if ran.stdout.endswith("\n") else f"{ran.stdout}\n"), ran.stdout
    assert (len(FILES), len(COMMANDS)) == (2, 4)
