"""Runs `fc-callback` under a pseudo-terminal, in the process of the test."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import sys
import termios
import threading

import pytest

from fc_callback.cli import main

_STYLE = re.compile(r"\x1b\[[0-9;]*m")


def run_at_terminal(*arguments: str, columns: int = 100) -> tuple[int, str]:
    """Run `fc-callback` with a terminal as its standard output and error; return the exit code and what it shows."""
    reading, writing = pty.openpty()
    fcntl.ioctl(writing, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    shown: list[bytes] = []
    reader = threading.Thread(target=_read, args=(reading, shown))
    reader.start()
    terminal = io.TextIOWrapper(os.fdopen(writing, "wb", buffering=0), encoding="utf-8", write_through=True)
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(sys, "argv", ["fc-callback", *arguments])
            patched.setattr(sys, "stdout", terminal)
            patched.setattr(sys, "stderr", terminal)
            patched.setenv("TERM", "xterm-256color")
            patched.setenv("COLUMNS", str(columns))
            patched.delenv("NO_COLOR", raising=False)
            code = _exit_code()
    finally:
        terminal.close()
        reader.join(10)
        os.close(reading)
    return code, b"".join(shown).decode().replace("\r\n", "\n")


def without_styles(text: str) -> str:
    """Return a text without its colours."""
    return _STYLE.sub("", text)


def _read(terminal: int, shown: list[bytes]) -> None:
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # the other side is closed
            return
        if not piece:
            return
        shown.append(piece)


def _exit_code() -> int:
    try:
        main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    return 0
