"""The signals that end a program."""

from __future__ import annotations

import signal


def end_signals() -> list[signal.Signals]:
    """Return Ctrl-C, SIGTERM, and SIGHUP unless `nohup` has set it to be ignored. Windows has no SIGHUP."""
    found = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        found.append(signal.SIGHUP)
    return found
