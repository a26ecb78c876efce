"""Ways to run `fc-callback`. In this process it takes a tenth of the time: Python and the command line are loaded."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from subprocess import CompletedProcess

import pytest

from fc_callback.cli import main


def run_command(*arguments: str, stdin: str = "") -> CompletedProcess[str]:
    """Run `fc-callback` with these arguments; return what a shell sees."""
    ended = run_command_in_bytes(*arguments, stdin=stdin.encode())
    return CompletedProcess(ended.args, ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def run_command_in_bytes(*arguments: str, stdin: bytes = b"") -> CompletedProcess[bytes]:
    """Run `fc-callback` with these arguments; return what a shell sees, byte by byte."""
    stdout, stderr = io.BytesIO(), io.BytesIO()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", ["fc-callback", *arguments])
        patched.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        patched.setattr(sys, "stdout", io.TextIOWrapper(stdout, encoding="utf-8", write_through=True))
        patched.setattr(sys, "stderr", io.TextIOWrapper(stderr, encoding="utf-8", write_through=True))
        # A new process has no handlers: the last resort writes warnings to standard error.
        patched.setattr(logging.getLogger(), "handlers", [])
        code = _exit_code()
        content = stdout.getvalue(), stderr.getvalue()
    return CompletedProcess(["fc-callback", *arguments], code, *content)


def run_process(*arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> CompletedProcess[str]:
    """Run `fc-callback` as a shell does, in a process of its own."""
    command = [sys.executable, "-m", "fc_callback", *arguments]
    return subprocess.run(command, input=stdin, env=env, capture_output=True, text=True, timeout=60, check=False)


def _exit_code() -> int:
    try:
        main()
    except SystemExit as ended:
        if isinstance(ended.code, str):
            sys.stderr.write(f"{ended.code}\n")
            return 1
        return ended.code or 0
    return 0
