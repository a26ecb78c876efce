"""Several tasks in one event: each runs, reports and fails separately."""

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
from fc_callback.values.safe_log import log_safely
from fc_callback.values.tracebacks import hide_callers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

logger = logging.getLogger("fc_callback")

_SHOWN = 5
# A signal that arrives just before a wait is only handled after the wait, so each wait is short.
_LOOK_SECONDS = 0.2


class TimeBudget:
    """Divides the time that is left of an invocation between its tasks. Unused time goes to the tasks that start later.

    Args:
        tasks: The number of tasks.
        limit: The number of tasks that run at a time.
        deadline: The deadline of the invocation. None if it is not known.
    """

    def __init__(self, *, tasks: int, limit: int, deadline: Deadline | None) -> None:
        self._waiting = tasks
        self._limit = limit
        self._deadline = deadline
        self._lock = threading.Lock()

    def next(self) -> Deadline | None:
        """Return the deadline of the task that starts now."""
        with self._lock:
            rounds = max(1, math.ceil(self._waiting / self._limit))
            self._waiting -= 1
        if self._deadline is None:
            return None
        return Deadline.after(self._deadline.remaining_seconds() / rounds)


def run_all(jobs: Sequence[Callable[[], str]], *, limit: int) -> list[str | BaseException]:
    """Run jobs in threads, `limit` at a time, each with a copy of the caller's context.

    The threads are daemons, and the caller's thread only waits: FC's SIGTERM raises a SystemExit there, which must not look
    like the exception of a job. Jobs that have not started then are not run.

    Returns:
        The result of each job, or the exception that it raised, in order.
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
            except BaseException as error:  # noqa: BLE001 - the caller raises it with the others
                hide_callers(error)
                ended[index] = error
                # Each failure is logged here, because FC only shows the last exception of an invocation, without its cause.
                text = "Element [%d] of this event failed."
                its_own.run(log_safely, logger, logging.ERROR, text, index, exc_info=error)

    threads: list[threading.Thread] = []
    try:
        for number in range(min(limit, len(jobs))):
            thread = threading.Thread(target=work, name=f"fc_callback-batch-{number}", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no thread is available: the started threads do all the work
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
    """Return the Outputs as one JSON text, or raise one error for all failures.

    Args:
        ended: The Output of each task, or the exception that it raised.

    Raises:
        BatchFailed: At least one task failed. FC delivers the whole event again.
    """
    for one in ended:
        if isinstance(one, BaseException) and not isinstance(one, Exception):
            raise one  # such as SystemExit, which is not a failure of a task
    failures = tuple((index, one) for index, one in enumerate(ended) if isinstance(one, Exception))
    if not failures:
        return f'{{"results":[{",".join(str(one) for one in ended)}]}}'
    shown = "; ".join(f"[{index}]: {type(error).__name__}" for index, error in failures[:_SHOWN])
    more = f"; and {len(failures) - _SHOWN} more" if len(failures) > _SHOWN else ""
    raise BatchFailed(
        f"{len(failures)} of {len(ended)} tasks of this event failed: {shown}{more}.", failures=failures
    ) from failures[0][1]


def element_bytes(element: Any) -> bytes:
    """Return one element of a batch as a function without annotations gets it: as JSON, or a text unchanged."""
    if isinstance(element, str):
        return element.encode("utf-8", "surrogatepass")
    return json.dumps(element, ensure_ascii=False).encode("utf-8", "surrogatepass")
