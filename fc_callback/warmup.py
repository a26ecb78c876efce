"""Load what a report needs while the function waits on something else."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_NEEDED = ("fc_callback.cloudflow.delivery", "fc_callback.cloudflow.request", "fc_callback.cloudflow.transport")


def load_client() -> None:
    """Import what a report needs."""
    from importlib import import_module

    for name in _NEEDED:
        import_module(name)


def load_in_background() -> Callable[[], None]:
    """Import what a report needs in a thread beside the caller; nothing happens when it is loaded already.

    A failure is left for the report to find, which imports the same modules and says what is wrong.

    Returns:
        A function that waits for the end of it. Two threads that import parts of one package at once may see it half
        done, so the report waits.
    """
    if all(name in sys.modules for name in _NEEDED):
        return _nothing
    thread = threading.Thread(target=_load_quietly, name="fc_callback-loading", daemon=True)
    thread.start()
    return thread.join


def _nothing() -> None:
    """There is nothing to wait for."""


def _load_quietly() -> None:
    with suppress(Exception):  # the report imports the same, and raises what there is to say
        load_client()
