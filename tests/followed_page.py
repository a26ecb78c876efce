"""Follow a page word for word, as a person with a terminal does, in an empty directory.

The page's files are written and its sessions are typed, in the order of the page. A session is a `console` block with lines that
begin with `$ `: a command, which may go on in the next line as in a shell, and below it what it prints. Comments before a block:
`<!-- file: NAME -->` a file to save, `<!-- not run: REASON -->` commands that need an account or an installation.

What a command prints must be what the page shows. Only this may differ: times, ids and ports (`_VARYING`), the width of columns,
and the lines that a line `...` of the page stands for. A command must end with 0, or the page asks for its code next: `$ echo $?`.

The directory and the variables that a command leaves (`cd`, `export`) are those of the next. A server (`_SERVERS`) runs in the
background, on a free port that stands for the port of the page in all later commands, until it is started again or the page ends;
the `export` lines that it prints are set. Commands that only look at an execution are repeated until the page agrees, as a person
would repeat them.
"""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs

from tests.pages import Block, Command, blocks_of, commands_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "<time>"),
    (re.compile(r"\b(?:1-[0-9a-f]{8}-[0-9a-f]+-[0-9a-f]+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b"), "<id>"),
    (re.compile(r"(?:^ *\+|\b)(?:\d+(?:\.\d+)? ?(?:ms|min|s|h|d)\b ?)+", re.MULTILINE), "<duration> "),
    (re.compile(r"(?:127\.0\.0\.1|localhost):\d+"), "<address>"),
    (re.compile(r"(?<=\S)[ \t]+"), " "),
)
_SERVERS = {"fc-callback local": "8089", "fc-callback serve": "9000", "uvicorn": "8000"}
_REPEATED = re.compile(r"fc-callback flow (?:list|waiting|describe|history)\b")
_PATIENCE_SECONDS = 60


def sessions_of(text: str) -> list[Block]:
    """Return the sessions of a page that are run."""
    return [block for block in blocks_of(text) if block.is_session and "not run" not in block.notes]


def agrees(shown: str, printed: str) -> bool:
    """Say whether a command printed what the page shows."""
    lines = [r"(?:.*\n)*" if line == "..." else re.escape(line) + r"\n" for line in _comparable(shown)]
    return re.fullmatch("".join(lines), "".join(f"{line}\n" for line in _comparable(printed))) is not None


def _comparable(text: str) -> list[str]:
    """Return the lines of an output without what is different each time."""
    for pattern, name in _VARYING:
        text = pattern.sub(name, text)
    return [line.rstrip() for line in text.strip("\n").splitlines()]


@attrs.define
class Reader:
    """Follows pages in one directory.

    Attributes:
        root: The directory, which is empty at first. Nothing is written outside of it.
        environment: The variables of the next command.
        folder: The directory of the next command.
        typed: The commands so far.
        printed: What they printed, and what the servers printed at their start.
    """

    root: Path
    environment: dict[str, str]
    folder: Path = attrs.field(default=attrs.Factory(lambda reader: reader.root, takes_self=True))
    typed: list[str] = attrs.field(factory=list)
    printed: str = ""
    _code: int = 0
    _ports: dict[str, str] = attrs.field(factory=dict)
    _servers: dict[str, subprocess.Popen[bytes]] = attrs.field(factory=dict)

    def follow(self, text: str) -> None:
        """Follow a page."""
        for block in blocks_of(text):
            if "file" in block.notes:
                self.save(block.notes["file"], block.text)
            elif block.is_session and "not run" not in block.notes:
                commands = commands_of(block)
                for command, later in zip(commands, [*commands[1:], None], strict=True):
                    self.type(command, may_fail=later is not None and later.text == "echo $?")

    def save(self, name: str, content: str) -> None:
        """Save a file of the page."""
        path = (self.folder / name).resolve()
        assert path.is_relative_to(self.root.resolve()), f"{name} is outside of the directory."
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")

    def type(self, command: Command, *, may_fail: bool = False) -> None:
        """Run a command, and compare what it prints with the page."""
        self.typed.append(command.text)
        server = next((name for name in _SERVERS if f"{command.text} ".startswith(f"{name} ")), None)
        self.printed += self._start(server, command) if server else self._run(command, may_fail=may_fail)

    def close(self) -> None:
        """End the servers."""
        for name in list(self._servers):
            self._end(name)

    def _run(self, command: Command, *, may_fail: bool) -> str:
        text = command.text
        for shown, actual in self._ports.items():
            text = re.sub(rf":{shown}\b", f":{actual}", text)
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            code, printed = self._run_once(text)
            failed = code != 0 and not may_fail
            if agrees(command.shown, printed) and not failed:
                break
            if not _REPEATED.match(text) or time.monotonic() > until:
                raise AssertionError(
                    f"{command.text} ended with {code} and printed:\n{printed}\nThe page shows:\n{command.shown}"
                )
        self._code = code
        return printed

    def _run_once(self, text: str) -> tuple[int, str]:
        left = self.root.parent / f"{self.root.name}.left"
        keep = "trap '{ pwd; env -0; } > \"$PAGE_LEFT\"' EXIT"
        ran = subprocess.run(
            ["bash", "-c", f"{keep}\n(exit {self._code})\n{text}"],
            cwd=self.folder,
            env={**self.environment, "PAGE_LEFT": str(left)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
        folder, _, variables = left.read_text("utf-8").partition("\n")
        self.folder = self.root / folder
        self.environment = dict(one.split("=", 1) for one in variables.split("\0") if one)
        return ran.returncode, ran.stdout.decode()

    def _start(self, name: str, command: Command) -> str:
        self._end(name)
        given = re.search(r" --port[ =](\d+)", command.text)
        shown, actual = given[1] if given else _SERVERS[name], str(_free_port())
        text = command.text.replace(given[0], "") if given else command.text
        self._ports[shown] = actual
        log = self.root.parent / f"{self.root.name}.{shown}.log"
        with log.open("wb") as file:
            server = subprocess.Popen(
                ["bash", "-c", f"exec {text} --port {actual}"],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        self._servers[name] = server
        until = time.monotonic() + _PATIENCE_SECONDS
        while not agrees(f"{command.shown}...\n", printed := log.read_bytes().decode()):
            if server.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"{command.text} printed:\n{printed}\nThe page shows:\n{command.shown}")
            time.sleep(0.05)
        self.environment.update(re.findall(r"^ *export (\w+)=(.+)$", printed, re.MULTILINE))
        return printed

    def _end(self, name: str) -> None:
        server = self._servers.pop(name, None)
        if server is not None:
            server.send_signal(signal.SIGINT)
            try:
                server.wait(_PATIENCE_SECONDS)
            finally:
                server.kill()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def reader_in(root: Path, environment: dict[str, str]) -> Iterator[Reader]:
    """A reader whose servers end with the block."""
    reader = Reader(root, environment)
    try:
        yield reader
    finally:
        reader.close()
