"""Clears state of a process that a forked child must not keep. Windows has no forks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def call_in_forked_child(function: Callable[[], object]) -> None:
    """Call a function in each child that this process forks, before other code of the child runs."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=function)
