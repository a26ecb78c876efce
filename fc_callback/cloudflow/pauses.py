"""The pauses between the attempts of a report: taken, or skipped in a test (`fc_callback.testing.no_waiting`)."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# The pauses that were skipped, in seconds; None where they are taken. Of the process, because a batch has threads.
_skipped: list[float] | None = None


def pause(seconds: float) -> float:
    """Wait, and return 0.0; where pauses are skipped, return the seconds at once, for the caller's clock to count."""
    skipped = _skipped
    if skipped is None:
        time.sleep(seconds)
        return 0.0
    skipped.append(seconds)
    return seconds


@contextmanager
def pauses_skipped() -> Iterator[list[float]]:
    """Skip every pause of this process within a block, and collect what each would have taken, in seconds."""
    global _skipped  # noqa: PLW0603 - threads that know nothing of the block skip as well
    before, _skipped = _skipped, []
    try:
        yield _skipped
    finally:
        _skipped = before
