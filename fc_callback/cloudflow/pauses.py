"""The pauses between the attempts of a report. Tests can skip them: `fc_callback.testing.no_waiting`."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# The skipped pauses in seconds; None if pauses are not skipped. One for the process, because a batch has threads.
_skipped: list[float] | None = None


def pause(seconds: float) -> float:
    """Wait and return 0.0. If pauses are skipped, return the seconds at once, so that the caller's clock counts them."""
    skipped = _skipped
    if skipped is None:
        time.sleep(seconds)
        return 0.0
    skipped.append(seconds)
    return seconds


@contextmanager
def pauses_skipped() -> Iterator[list[float]]:
    """Skip every pause of this process within a block, and collect their lengths in seconds."""
    global _skipped  # noqa: PLW0603 - the block holds for all threads
    before, _skipped = _skipped, []
    try:
        yield _skipped
    finally:
        _skipped = before
