"""A function that is still running shortly before its timeout is reported as failed, not left hanging in the flow."""

from __future__ import annotations

import logging
import sys
import threading
from contextvars import copy_context
from typing import TYPE_CHECKING

from fc_callback.callback.coroutines import awaited_frames
from fc_callback.errors import FcCallbackError
from fc_callback.values.safe_log import log_safely

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    from fc_callback.cloudflow.client import CloudFlowClient
    from fc_callback.metrics import TaskRecord
    from fc_callback.values.context import Credentials, Deadline
    from fc_callback.values.task import Task

logger = logging.getLogger("fc_callback")

_FRAMES_SHOWN = 5
# What stands between FC and the person's function.
_CALLERS = ("fc_callback.callback.steps", "fc_callback.callback.coroutines", "fc_callback.callback.event_loops")
# The decorators that may be below task_callback: their frames are between those of the person's layers and function.
_DECORATORS = (
    "fc_callback.middleware",
    "fc_callback.parser",
    "fc_callback.callback.idempotent",
    "fc_callback.callback.plain_handler",
    "fc_callback.callback.run_and_record",
)


class SoftDeadline:
    """A watch beside one task: either it reports `DeadlineExceeded`, or the function's outcome is reported, never both.

    FC's own handling of the timeout (SIGTERM, a stack dump, exit 143) stays as it is.

    Args:
        task: The task, which has a deadline.
        client: Reports the task.
        credentials: Signs the report; None where the client has its own.
        margin: Seconds before the deadline; at most half of the time there is.
        record: The task's record, which is written when `DeadlineExceeded` is reported: FC may end the process after it.
    """

    def __init__(
        self,
        *,
        task: Task,
        client: CloudFlowClient,
        credentials: Credentials | None,
        margin: float,
        record: TaskRecord,
    ) -> None:
        self.task = task
        self.client = client
        self.credentials = credentials
        self.margin = margin
        self.record = record
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._taken = False
        self._strikes = False
        self._reported = False

    def __enter__(self) -> SoftDeadline:
        deadline = self.task.deadline
        assert deadline is not None
        left = deadline.remaining_seconds()
        wait = max(0.0, left - min(self.margin, left / 2))
        context = copy_context()
        watched = threading.get_ident()
        timer = threading.Timer(wait, context.run, args=(self._strike, watched, wait))
        timer.daemon = True
        try:
            timer.start()
        except RuntimeError as error:
            log_safely(
                logger, logging.WARNING, "Task %s runs without a watch for its deadline: %s.", self.task.token, error
            )
        else:
            self._timer = timer
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # The timer holds this, and the task and its context with it: they would wait for the collector.
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
            with self._lock:  # a watch that is awake already, and has not begun, is too late as well
                self._taken = True

    def claim(self) -> bool:
        """Take the right to report this task, at once; False where the watch has begun to report `DeadlineExceeded`."""
        with self._lock:
            was_taken, self._taken = self._taken, True
        return not was_taken

    def has_reported(self) -> bool:
        """Say whether `DeadlineExceeded` is reported, which is waited for where it is on its way.

        A watch that could not deliver it leaves the report to the function's own outcome.
        """
        if self._strikes:
            until = self._report_until
            self._ended.wait(None if until is None else max(0.0, until.remaining_seconds()))
        return self._reported

    @property
    def _report_until(self) -> Deadline | None:
        """The invocation's end: a task of a batch has a share of the time to work in, its report has all of it."""
        return self.task.context.deadline or self.task.deadline

    def _strike(self, watched: int, after: float) -> None:
        with self._lock:
            if self._taken:
                return
            self._taken = self._strikes = True
        try:
            cause = f"The function was still running after {after:.1f} s, {_place(watched)}."
            self.client.report_task_failed(
                self.task.token,
                "DeadlineExceeded",
                cause,
                deadline=self._report_until,
                credentials=self.credentials,
            )
            self._reported = True
            self.record.exceeds_deadline()
            log_safely(logger, logging.ERROR, "Task %s is reported as DeadlineExceeded. %s", self.task.token, cause)
        except FcCallbackError as error:
            log_safely(
                logger, logging.ERROR, "Task %s could not be reported as DeadlineExceeded: %s", self.task.token, error
            )
        finally:
            self._ended.set()


def _place(thread: int) -> str:
    """Say where a thread stands: innermost first, file names and lines, no values."""
    frames = _frames(sys._current_frames().get(thread))  # noqa: SLF001 - the documented way to another thread's stack
    awaited = awaited_frames(thread)
    if awaited and awaited[-1] not in frames:  # the coroutine waits, and the thread is in the event loop
        frames = awaited
    frames = [one for one in frames if one.f_globals.get("__name__") not in _DECORATORS]
    steps = [f"{one.f_code.co_name} ({one.f_code.co_filename.rpartition('/')[2]}:{one.f_lineno})" for one in frames]
    if len(steps) > _FRAMES_SHOWN:  # the last one is the person's own function
        steps[_FRAMES_SHOWN - 1 : -1] = ["..."]
    return "in " + " < ".join(steps) if steps else "at a place that cannot be told"


def _frames(frame: FrameType | None) -> list[FrameType]:
    """Return the frames of the person's code, innermost first."""
    frames: list[FrameType] = []
    while frame is not None and frame.f_globals.get("__name__") not in _CALLERS:
        frames.append(frame)
        frame = frame.f_back
    return frames
