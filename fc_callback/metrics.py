"""A record of each task: its outcome, and the time of its steps.

`Logger` writes it as one line of JSON, from which SLS can make charts. `log_records()` writes it without `Logger`, and
`listen()` passes it to your own code.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Literal

from fc_callback.values import validators
from fc_callback.values.invocation import current_invocation, observe, observed, observers, remember_secrets, task_scope
from fc_callback.values.record_text import LOG_FIELDS
from fc_callback.values.safe_log import log_safely

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from fc_callback.cloudflow.delivery import ReportResult
    from fc_callback.values.task import Task

    Listener = Callable[["TaskRecord"], object]

logger = logging.getLogger("fc_callback.metrics")

STEPS = ("find", "run", "encode", "report")
FIELDS = frozenset(  # all that a record can have
    {"record", "outcome", "error", *(f"{step}_ms" for step in STEPS), "total_ms", "attempt", "report_attempts"}
    | {"event_bytes", "output_bytes", "throttled", "replayed", "already_completed"}
)

Outcome = Literal["succeeded", "failed", "deferred", "deadline_exceeded", "raised"]


class TaskRecord:
    """The outcome and the times of one task.

    Attributes:
        task: The task. None if the event held no token.
        outcome: `succeeded`, `failed` (reported with this failure), `deferred`, `deadline_exceeded`, or `raised`: an
            exception passed through, and nothing was reported.
        error: The name of the failure, or the class of the exception. Else empty.
        cold_start: Whether this was the first invocation of its process.
        attempt: 1 for the first delivery of the event.
        replayed: Whether `once=` had stored the outcome and the function did not run.
        seconds: The time of each step: `find`, `run`, `encode`, `report`. A step that did not run is missing.
        total_seconds: The time from the start of the task to its end.
        event_bytes: The size of the event. None if it is not bytes or text.
        output_bytes: The size of the Output. None without an Output.
        report_attempts: The number of calls of the report, also of an undelivered one. 0 without a report of the
            function's outcome, and if CloudFlow refused it.
        throttled: The number of calls with the answer 429.
        already_completed: Whether the task had ended before the report.
    """

    task: Task | None = None
    outcome: Outcome = "succeeded"
    error: str = ""
    attempt: int = 1
    replayed: bool = False
    total_seconds: float = 0.0
    output_bytes: int | None = None
    report_attempts: int = 0
    throttled: int = 0
    already_completed: bool = False

    def __init__(self, *, event_bytes: int | None = None, cold_start: bool = False) -> None:
        self.event_bytes = event_bytes
        self.cold_start = cold_start
        self.seconds: dict[str, float] = {}
        self._began = time.perf_counter()
        self._closing = threading.Lock()
        self._is_closed = False

    def begins(self, task: Task) -> None:
        """Set the task."""
        self.task, self.attempt = task, task.context.retry_count + 1
        remember_secrets(task.token.secret)

    def ended(self, output: str, *, error: str = "") -> None:
        """Set the outcome of the function.

        Args:
            output: The text for FC. It is the Output if the task succeeded.
            error: The name of the failure if the task failed.
        """
        if error:
            self.outcome, self.error = "failed", error
        else:
            self.output_bytes = _size_bytes(output)

    def reported(self, result: ReportResult) -> None:
        """Set the data of the report."""
        self.report_attempts = result.attempts
        self.throttled = result.throttled
        self.already_completed = result.already_completed

    def exceeds_deadline(self) -> None:
        """Close the record of a task whose `DeadlineExceeded` is reported while its function still runs."""
        self.close("deadline_exceeded")

    def close(self, outcome: Outcome | None = None, *, error: str = "") -> None:
        """Close the record and call the listeners. Later calls do nothing.

        Args:
            outcome: The outcome of the task. The default is the outcome that was set before.
            error: The class of the exception that passed through.
        """
        with self._closing:
            if self._is_closed:
                return
            self._is_closed = True
            if outcome is not None:
                self.outcome, self.error = outcome, error
            self.total_seconds = time.perf_counter() - self._began
        if self.task is not None or self.outcome == "raised":
            _call_listeners(self)

    def fields(self) -> dict[str, Any]:
        """Return the record as fields of a log line. Times are in milliseconds, with names that end in `_ms`.

        A field is missing if it does not apply: a step that did not run, no error, no 429, no replay.
        """
        fields: dict[str, Any] = {"record": "task", "outcome": self.outcome}
        if self.error:
            fields["error"] = self.error
        for step, seconds in self.seconds.items():
            fields[f"{step}_ms"] = _milliseconds(seconds)
        fields["total_ms"] = _milliseconds(self.total_seconds)
        fields["attempt"] = self.attempt
        fields["report_attempts"] = self.report_attempts
        if self.event_bytes is not None:
            fields["event_bytes"] = self.event_bytes
        if self.output_bytes is not None:
            fields["output_bytes"] = self.output_bytes
        if self.throttled:
            fields["throttled"] = self.throttled
        if self.replayed:
            fields["replayed"] = True
        if self.already_completed:
            fields["already_completed"] = True
        return fields


def listen(listener: Listener) -> Callable[[], None]:
    """Call `listener` with the record of each task when it ends. Return a function that stops this.

    An exception of the listener is only logged.

    Raises:
        SettingsError: `listener` is not a function with one parameter.
    """
    validators.function("listener", listener, gets=("record",), give="Give a function that gets each TaskRecord.")

    # A new function for each call, so that equal listeners are different observers.
    def tell(record: TaskRecord) -> None:
        listener(record)

    return observe("task", tell)


def log_records(on: bool = True) -> None:  # noqa: FBT001, FBT002 - a switch
    """Write each task's record to the logger `fc_callback.metrics` at INFO. False stops this."""
    validators.flag("on", on)
    stop = observe("task", _write_record)
    if not on:
        stop()


def _write_record(record: TaskRecord) -> None:
    if logger.isEnabledFor(logging.INFO):
        message = f"Task {record.outcome.replace('_', ' ')}."
        with task_scope(record.task):  # the task has ended, but the line must name it
            log_safely(logger, logging.INFO, message, extra={LOG_FIELDS: record.fields()})


class task_record:  # noqa: N801 - with task_record(event) as record: ...
    """Keep a record for a `with` block that finds and runs a task. The listeners get the record at the end.

    Args:
        event: The event that FC delivered.
    """

    __slots__ = ("_invocation", "_record")

    def __init__(self, event: object) -> None:
        invocation = current_invocation()
        self._invocation = invocation
        cold_start = invocation is not None and invocation.cold_start
        self._record = TaskRecord(event_bytes=_size_bytes(event), cold_start=cold_start)

    def __enter__(self) -> TaskRecord:
        """Begin, and return the record."""
        if self._invocation is not None:
            self._invocation.tasks.append(self._record)
        return self._record

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Close the record and call the listeners."""
        record = self._record
        if error is None:
            record.close()
        else:
            record.close("raised", error=type(error).__name__)
        if self._invocation is not None and record.outcome not in {"succeeded", "deferred"}:
            self._invocation.failed = True


def _call_listeners(record: TaskRecord) -> None:
    for listener in tuple(observers["task"]):
        try:
            listener(record)
        except Exception as error:  # noqa: BLE001, PERF203 - a listener must not make a finished result fail
            log_safely(logger, logging.WARNING, "A listener of task records failed: %s", type(error).__name__)


class timed_step:  # noqa: N801 - with timed_step(record, "run"): ...
    """Add the time of a `with` block to a task's record, and call the observers of the step.

    Args:
        record: The record of the task. None for a handler without a task.
        step: One of `STEPS`.
    """

    __slots__ = ("_began", "_observed", "_record", "_step")

    def __init__(self, record: TaskRecord | None, step: str) -> None:
        self._record = record
        self._step = step

    def __enter__(self) -> None:
        """Begin."""
        if self._record is not None:
            self._observed = observed(self._step, self._record) if observers[self._step] else None
            self._began = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End, also after an exception."""
        if self._record is not None:
            took = time.perf_counter() - self._began
            self._record.seconds[self._step] = self._record.seconds.get(self._step, 0.0) + took
            if self._observed is not None:
                self._observed.__exit__(kind, error, trace)


def _milliseconds(seconds: float) -> float:
    return int(seconds * 1e6) / 1000


def _size_bytes(event: object) -> int | None:
    if isinstance(event, str):
        return len(event.encode("utf-8", "replace"))
    return len(event) if isinstance(event, (bytes, bytearray)) else None
