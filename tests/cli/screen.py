"""Run `fc-callback` under a pseudo-terminal, as a person does."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """The screen of one command. What it shows is read line by line.

    Attributes:
        process: The command.
        text: Everything that it has shown, with the codes of its colours.
    """

    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self.process = process
        self.text = ""
        self._screen = screen

    @property
    def plain(self) -> str:
        """What the command has shown, without colours."""
        return _STYLE.sub("", self.text).replace("\r\n", "\n")

    def read_until(self, wanted: str) -> str:
        """Read until the screen shows a text or the command has ended; return the screen without colours."""
        while wanted not in self.plain and self._read():
            pass
        assert wanted in self.plain, self.plain
        return self.plain

    def end(self) -> int:
        """Read to the end of the command; return its exit code."""
        while self._read():
            pass
        return self.process.wait(30)

    def type(self, text: str) -> None:
        """Type a text."""
        os.write(self._screen, text.encode())

    def _read(self) -> bool:
        with suppress(OSError):  # Linux: the command has ended
            part = os.read(self._screen, 65536)
            self.text += part.decode(errors="replace")
            return bool(part)
        return False


@contextmanager
def terminal(*arguments: str, cwd: Path | None = None, environment: Mapping[str, str] = {}) -> Iterator[Terminal]:
    """Run `fc-callback` with these arguments in a terminal of 100 columns, and end it at the end of the block."""
    screen, side = pty.openpty()
    variables = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", **environment}
    variables.pop("NO_COLOR", None)
    command = [sys.executable, "-m", "fc_callback", *arguments]
    process = subprocess.Popen(command, stdin=side, stdout=side, stderr=side, cwd=cwd, env=variables)
    os.close(side)
    try:
        yield Terminal(process, screen)
    finally:
        process.kill()
        process.wait(30)
        os.close(screen)
