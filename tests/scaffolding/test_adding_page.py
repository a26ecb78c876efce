"""The page about `fc-callback add`: its project, its commands and what they print, run as a reader would.

The files are written and the commands run in the order of the page. The commands for the running local CloudFlow are left to
the test that starts one.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.commands import run_command

PAGE = (Path(__file__).parents[2] / "docs" / "adding.md").read_text("utf-8")
_BLOCK = re.compile(r"(?:<!-- (file|not run): ([^\n]*) -->\n\n)?^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(r"^\$ fc-callback (?!local|flow)(.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)


def test_every_command_of_the_page_prints_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = commands = 0
    for comment, name, language, content in _BLOCK.findall(PAGE):
        if comment == "file":
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(content, "utf-8")
            files += 1
        elif language == "console" and not comment:
            for command, shown in _COMMAND.findall(content):
                ran = run_command(*shlex.split(command))

                assert ran.returncode == 0, ran.stderr
                printed = f"{ran.stdout}\n{ran.stderr}" if command.startswith("invoke") else ran.stdout
                for part in shown.split("...\n"):
                    assert part in printed
                commands += 1
    assert (files, commands) == (4, 4)
