"""Many tasks in one event: each runs, reports and fails on its own."""

from __future__ import annotations

import json
import logging
import math
import threading
from collections import deque
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from fc_callback.errors import BatchFailed
from fc_callback.values.context import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

logger = logging.getLogger("fc_callback")

_SHOWN = 5
# A signal that arrives a moment before a wait begins is acted upon when the wait ends, so no wait is long.
_LOOK_SECONDS = 0.2


class TimeBudget:
    """Shares out what is left of an invocation's time: a task that begins gets its part, and what others left unused.

    Args:
        tasks: How many there are.
        limit: How many run at once.
        deadline: The invocation's; None where it is not known.
    """

    def __init__(self, *, tasks: int, limit: int, deadline: Deadline | None) -> None:
        self._waiting = tasks
        self._limit = limit
        self._deadline = deadline
        self._lock = threading.Lock()

    def next(self) -> Deadline | None:
        """Return the deadline of the task that begins now."""
        with self._lock:
            rounds = max(1, math.ceil(self._waiting / self._limit))
            self._waiting -= 1
        if self._deadline is None:
            return None
        return Deadline.after(self._deadline.remaining_seconds() / rounds)


def run_all(jobs: Sequence[Callable[[], str]], *, limit: int) -> list[str | BaseException]:
    """Run jobs, some at a time, each with a copy of the caller's context; return what each gave or raised, in order.

    They run in threads that keep no process alive, while the caller's thread only waits: there it is that FC's SIGTERM
    ends an invocation, by a SystemExit which must not be taken for one of a job's. What has not begun by then is left.
    """
    ended: list[str | BaseException] = [""] * len(jobs)
    waiting = deque(enumerate(jobs))
    context = copy_context()

    def work() -> None:
        while True:
            try:
                index, job = waiting.popleft()
            except IndexError:
                return
            its_own = context.copy()
            try:
                ended[index] = its_own.run(job)
            except BaseException as error:  # noqa: BLE001 - it is raised by the caller, with the others
                ended[index] = error
                # Now, and each: FC shows only the last of the exceptions that an invocation ends in, without its cause.
                its_own.run(logger.error, "Element [%d] of this event failed.", index, exc_info=error)

    threads: list[threading.Thread] = []
    try:
        for number in range(min(limit, len(jobs))):
            thread = threading.Thread(target=work, name=f"fc_callback-batch-{number}", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no thread is available: those that run do the work of the others
                if not threads:
                    raise
                break
            threads.append(thread)
        for thread in threads:
            while thread.is_alive():
                thread.join(_LOOK_SECONDS)
    finally:
        waiting.clear()
    return ended


def joined(ended: Sequence[str | BaseException]) -> str:
    """Return the Outputs as one JSON text, or raise what failed, together.

    Args:
        ended: What each task gave or raised.

    Raises:
        BatchFailed: At least one failed; FC delivers the whole event again.
    """
    for one in ended:
        if isinstance(one, BaseException) and not isinstance(one, Exception):
            raise one  # SystemExit and the like are not of the batch
    failures = tuple((index, one) for index, one in enumerate(ended) if isinstance(one, Exception))
    if not failures:
        return f'{{"results":[{",".join(str(one) for one in ended)}]}}'
    shown = "; ".join(f"[{index}]: {type(error).__name__}" for index, error in failures[:_SHOWN])
    more = f"; and {len(failures) - _SHOWN} more" if len(failures) > _SHOWN else ""
    raise BatchFailed(
        f"{len(failures)} of {len(ended)} tasks of this event failed: {shown}{more}.", failures=failures
    ) from failures[0][1]


def element_bytes(element: Any) -> bytes:
    """Return one element of a batch as a function without annotations gets it: its JSON; a text as it is."""
    if isinstance(element, str):
        return element.encode("utf-8", "surrogatepass")
    return json.dumps(element, ensure_ascii=False).encode("utf-8", "surrogatepass")
