"""The tutorial, followed word for word in a new directory.

The files of the page are written, and its commands run, in the order of the page. A comment before a block says what it is:
`<!-- file: NAME -->` a file to save, `<!-- not run: REASON -->` commands that need an account or an installation.

What a command prints must be what the page shows. Only this may differ: times, ids and ports (`_VARYING`), the width of columns,
and the lines that a line `...` of the page stands for. `fc-callback local` runs in the background on a free port, and its
`export` lines are set for the commands after it. `waiting` and `describe` change nothing, so they are repeated until the page
agrees, as a person would repeat them.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (Path(__file__).parents[1] / "docs" / "tutorial.md").read_text("utf-8")
_BLOCK = re.compile(r"((?:^<!-- [^\n]* -->\n+)*)^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
_VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "<time>"),
    (re.compile(r"(?:\d+(?:\.\d+)? ?(?:ms|min|s|h|d)\b ?)+"), "<duration> "),
    (re.compile(r"\b1-[0-9a-f]{8}-[0-9a-f]+-[0-9a-f]+\b"), "<request>"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:<port>"),
    (re.compile(r"[ \t]+"), " "),
)
_REPEATED = ("waiting", "describe")
_PATIENCE_SECONDS = 60


def comparable(text: str) -> list[str]:
    """Return the lines of an output without what is different each time."""
    for pattern, name in _VARYING:
        text = pattern.sub(name, text)
    return [line.strip() for line in text.strip().splitlines()]


def agrees(shown: str, printed: str) -> bool:
    """Say whether a command printed what the page shows."""
    lines = [r"(?:.*\n)*" if line == "..." else re.escape(line) + r"\n" for line in comparable(shown)]
    return re.fullmatch("".join(lines), "".join(f"{line}\n" for line in comparable(printed))) is not None


@attrs.define
class Reader:
    """Follows the page, as a person with two terminals does."""

    folder: Path
    environment: dict[str, str]
    service: subprocess.Popen[str] | None = None
    address: str = ""
    followed: int = 0

    def follow(self) -> None:
        for comments, language, content in _BLOCK.findall(PAGE):
            file = re.search(r"<!-- file: (\S+) -->", comments)
            if file is not None:
                (self.folder / file[1]).write_text(content, "utf-8")
            elif language == "console" and "<!-- not run: " not in comments:
                for command, shown in _COMMAND.findall(content):
                    self.type(command, shown)

    def type(self, command: str, shown: str) -> None:
        words = shlex.split(command)
        self.followed += 1
        if words[0] == "cd":
            self.folder = self.folder / words[1]
            return
        starts = words == ["fc-callback", "local"]
        printed = self.start_service([*words, "--port", "0"]) if starts else self.run(words)
        until = time.monotonic() + _PATIENCE_SECONDS
        while not agrees(shown, printed) and set(words) & set(_REPEATED) and time.monotonic() < until:
            printed = self.run(words)
        assert agrees(shown, printed), f"{command} printed:\n{printed}\nThe page shows:\n{shown}"

    def run(self, words: list[str]) -> str:
        ran = subprocess.run(
            words,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
        assert ran.returncode == 0, f"{shlex.join(words)}:\n{ran.stdout}"
        return ran.stdout

    def start_service(self, words: list[str]) -> str:
        log = self.folder.parent / "local.log"
        with log.open("w") as file:
            self.service = subprocess.Popen(
                words, cwd=self.folder, env=self.environment, stdout=file, stderr=subprocess.STDOUT, text=True
            )
        until = time.monotonic() + _PATIENCE_SECONDS
        while "Press Ctrl-C to stop.\n" not in (printed := log.read_text("utf-8")):
            assert self.service.poll() is None, printed
            assert time.monotonic() < until, printed
            time.sleep(0.05)
        self.environment.update(re.findall(r"^ *export (\w+)=(.+)$", printed, re.MULTILINE))
        self.address = re.findall(r"http://\S+/console/", printed)[0]
        return printed


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A reader whose terminals end with the test."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CLOUDFLOW_", "ALIBABA_", "FC_"))}
    path = os.pathsep.join((str(Path(sys.executable).parent), kept["PATH"]))
    reader = Reader(tmp_path, {**kept, "PATH": path, "COLUMNS": "200", "PYTHONDONTWRITEBYTECODE": "1"})
    yield reader
    if reader.service is not None:
        reader.service.send_signal(signal.SIGINT)
        reader.service.wait(_PATIENCE_SECONDS)


def test_a_reader_who_follows_the_tutorial_sees_what_it_shows(reader: Reader) -> None:
    reader.follow()

    assert reader.followed > 12
    with urllib.request.urlopen(
        reader.address, timeout=_PATIENCE_SECONDS
    ) as page:  # the address that the page tells to open
        executions = page.read().decode()
    assert all(f"orders/{name}" in executions for name in ("o-1", "o-2", "o-busy", "o-3"))


@pytest.mark.parametrize(
    ("shown", "printed", "expected"),
    [
        ("took 3.31 s", "took 250 ms", True),
        ("a\n...\nb\n", "a\nx\ny\nb\n", True),
        ("a\n...\nb\n", "a\nb\n", True),
        ("Charge  done", "Charge         done", True),
        ("Charge  done", "Charge  failed", False),
        ("a\n", "a\nb\n", False),
        ("ATTEMPT 1", "ATTEMPT 2", False),
    ],
)
def test_only_what_differs_each_time_may_differ(shown: str, printed: str, expected: bool) -> None:
    assert agrees(shown, printed) is expected


def test_every_block_that_is_not_run_says_why() -> None:
    skipped = re.findall(r"<!-- not run:(.*)-->", PAGE)
    assert [reason for reason in skipped if not reason.strip()] == []
    assert len(skipped) <= 4
