"""The command line, `fc-callback`."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Run the command line.

    `serve` runs in the cloud with its own extra only; every other command needs the extra `[local]`.
    """
    for stream in (sys.stdout, sys.stderr):
        # A pipe on Windows, or PYTHONIOENCODING: a text of the user that the encoding cannot show must not end a command.
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    if sys.argv[1:2] == ["serve"]:
        from fc_callback.cli import serve

        sys.exit(serve.main(sys.argv[2:]))
    try:
        from fc_callback.cli.app import app
    except ImportError as error:
        name = (error.name or "").partition(".")[0]
        if name in {"", "fc_callback"}:
            raise
        sys.exit(f"fc-callback needs {name}, which is not installed. Run: pip install 'fc-callback[local]'")
    app(prog_name="fc-callback")  # also for `python -m fc_callback`
