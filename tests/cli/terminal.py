"""Runs `fc-callback` under a pseudo-terminal: in the process of the test, or as a process whose questions are answered."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import threading
import time

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


def answer_at_terminal(command: list[str], answers: dict[str, list[str]], *, seconds: float = 60) -> tuple[int, str]:
    """Run a command with a terminal, and answer each question as it comes; return the exit code and what it shows.

    Args:
        command: The command.
        answers: For each question, as the last text that is shown, its answers in order.
        seconds: After this time the command is killed.
    """
    controller, terminal = pty.openpty()
    process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    left = {question: [*given] for question, given in answers.items()}
    shown, seen, until = "", 0, time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            if not select.select([controller], [], [], 1)[0]:
                continue
            try:
                piece = os.read(controller, 4096)
            except OSError:  # the other side is closed
                break
            if not piece:
                break
            shown += piece.decode("utf-8", "replace")
            question = next((one for one in left if shown[seen:].endswith(one)), None)
            if question is not None and left[question]:
                seen = len(shown)
                os.write(controller, f"{left[question].pop(0)}\n".encode())
        return process.wait(timeout=10), without_styles(shown)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(controller)


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
