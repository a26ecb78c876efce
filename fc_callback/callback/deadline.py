"""`SoftDeadline`: reports a task as failed if its function still runs shortly before the timeout.

Without it, FC ends the function without a report, and the flow waits until the timeout of the step.
"""

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
# The modules between FC and the user's function.
_CALLERS = ("fc_callback.callback.steps", "fc_callback.callback.coroutines", "fc_callback.callback.event_loops")


class SoftDeadline:
    """Watches one task. Either it reports `DeadlineExceeded`, or the outcome of the function is reported, never both.

    FC's own handling of the timeout (SIGTERM, a stack dump, exit 143) does not change.

    Args:
        task: The task, which has a deadline.
        client: The client that reports the task.
        credentials: The credentials that sign the report. None if the client has its own.
        margin: Seconds before the deadline, at most half of the time that is left.
        record: The record of the task. It is written when `DeadlineExceeded` is reported, because FC may then end the
            process.
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
        # The timer refers to this object, the task and the context. Without this, only the garbage collector would free them.
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
            with self._lock:  # a watch that is awake but has not started its report must not start it
                self._taken = True

    def claim(self) -> bool:
        """Take the right to report this task. Return False if the watch has started to report `DeadlineExceeded`."""
        with self._lock:
            was_taken, self._taken = self._taken, True
        return not was_taken

    def has_reported(self) -> bool:
        """Return whether `DeadlineExceeded` is reported. Wait for the end of a report that has started.

        If the watch could not deliver its report, the outcome of the function is reported.
        """
        if self._strikes:
            until = self._report_until
            self._ended.wait(None if until is None else max(0.0, until.remaining_seconds()))
        return self._reported

    @property
    def _report_until(self) -> Deadline | None:
        """The deadline of the invocation. A task of a batch has a share of the time; its report may use all of it."""
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
    """Return the stack of a thread as text, innermost first, with file names and lines and without values."""
    frames = _frames(sys._current_frames().get(thread))  # noqa: SLF001 - the documented function for another thread's stack
    awaited = awaited_frames(thread)
    if awaited and awaited[-1] not in frames:  # the coroutine waits, and the thread is in the event loop
        frames = awaited
    # Our decorators have frames between the user's middleware and function.
    frames = [one for one in frames if not str(one.f_globals.get("__name__")).startswith("fc_callback.")]
    steps = [f"{one.f_code.co_name} ({one.f_code.co_filename.rpartition('/')[2]}:{one.f_lineno})" for one in frames]
    if len(steps) > _FRAMES_SHOWN:  # the last one is the user's own function
        steps[_FRAMES_SHOWN - 1 : -1] = ["..."]
    return "in " + " < ".join(steps) if steps else "at an unknown place"


def _frames(frame: FrameType | None) -> list[FrameType]:
    """Return the frames of the user's code, innermost first."""
    frames: list[FrameType] = []
    while frame is not None and frame.f_globals.get("__name__") not in _CALLERS:
        frames.append(frame)
        frame = frame.f_back
    return frames
