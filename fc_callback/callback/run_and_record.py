"""Run a function and record its outcome, for `task_callback` and `idempotent`.

A result is recorded (R), then reported (P), then recorded again if R is not certain (R'). The time for R is short, so that a
slow store does not prevent the report. If R is not certain, P ends before the deadline, so that there is time for R'. So a
store that does not answer prevents neither the report nor, if there is time, the record.
"""

from __future__ import annotations

import logging
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from fc_callback.callback.coroutines import run_to_end
from fc_callback.callback.outcome import Failed, ResultOptions, Succeeded, Unwritable, stored_outcome
from fc_callback.errors import LeaseLost, OutputError, OutputTooLarge, StoreUnavailable, TaskFailed
from fc_callback.metrics import timed_step
from fc_callback.payload.output import encode_output
from fc_callback.values.context import Deadline
from fc_callback.values.safe_log import log_safely
from fc_callback.values.task import Deferred
from fc_callback.values.tracebacks import hide_callers

if TYPE_CHECKING:
    from contextvars import Token

    from fc_callback.callback.deadline import SoftDeadline
    from fc_callback.callback.outcome import Outcome
    from fc_callback.idempotency.unremembered import Unremembered
    from fc_callback.idempotency.work import Work
    from fc_callback.metrics import TaskRecord
    from fc_callback.payload.arguments import ArgumentBinding, Delivery
    from fc_callback.values.task import Task

logger = logging.getLogger("fc_callback")

# The time for one call sequence of the store: at most a second, and at most a quarter of the time that is left.
_STEP_SECONDS, _STEP_SHARE = 1.0, 1 / 4
# The time for one attempt after the deadline, if the process still runs, for example because FC froze and thawed it.
_LATE_SECONDS = 0.25
# The time that a report keeps free for R'.
_RESERVE_SECONDS, _RESERVE_SHARE = 1.0, 1 / 8
# R' ends so many seconds before the deadline, or after so many seconds without a deadline.
_RETURN_SECONDS = 0.3
_AGAIN_SECONDS = 10.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.05, 1.0

# The recording of the function that is running.
_around: ContextVar[Recording | None] = ContextVar("fc_callback_recording", default=None)


class Run:
    """One run of a user's function.

    Args:
        binding: The function and its parameters.
        delivery: The event, the context and the task, from which the arguments are built.
        options: The options that decide how a result or an exception becomes an outcome.
        limit_bytes: The largest Output in bytes. None for no limit.
        record: The record of the task. None for a handler without a task.
    """

    def __init__(
        self,
        binding: ArgumentBinding,
        delivery: Delivery,
        *,
        options: ResultOptions,
        limit_bytes: int | None = None,
        record: TaskRecord | None = None,
    ) -> None:
        self._binding = binding
        self._delivery = delivery
        self._options = options
        self._limit_bytes = limit_bytes
        self._record = record

    def _outcome(self, recording: Recording) -> Outcome:
        """Build the arguments, run the function, and encode the Output."""
        with timed_step(self._record, "run"):
            result = call_function(self._binding, self._delivery)
        if isinstance(result, Deferred):
            return result
        try:
            with timed_step(self._record, "encode"):
                return Succeeded(text=self._encoded(result))
        except OutputError as error:
            # The function has run. With `once` it does not run again, so this error is the outcome of the work.
            if not recording.refuse(error):
                raise
            failure = self._failure_of(error, recording)
            return Unwritable(error=error) if failure is None else failure.evolve(technical=False)

    def _encoded(self, result: Any) -> str:
        limit, store, task = self._limit_bytes, self._options.large_output, self._delivery.task
        if store == "raise" or task is None:
            return encode_output(result, limit_bytes=limit)
        text = encode_output(result)
        try:
            return encode_output(text, limit_bytes=limit)
        except OutputTooLarge:
            return encode_output(store(text, task), limit_bytes=limit)

    def run_and_record(self, recording: Recording, watch: SoftDeadline | None = None) -> Outcome:
        """Return the stored outcome, or run the function and record its outcome (R).

        Args:
            recording: The record of this delivery.
            watch: The watch for the task's deadline. It is claimed before any call of the store.

        Raises:
            BaseException: The function raised an exception that is not a failure of the task. The attempt is not recorded.
            TaskFailed: A handler without a task failed. The failure is recorded.
            LeaseLost: Another delivery took over the work, and its result counts.
        """
        if recording.stored is not None:
            if watch is not None:
                watch.claim()
            task = self._delivery.task if recording.has_report else None
            return stored_outcome(recording.stored, task, raises=self._options.on_failure == "raise")
        try:
            with recording:
                outcome = self._outcome(recording)
        except BaseException as error:
            failure = self._failure_of(error, recording)
            if watch is not None:
                watch.claim()
            if failure is not None:
                recording.keep(failure)
                if recording.has_report:
                    return failure
            else:
                recording.abandon()
            if isinstance(error, Exception):  # FC ends the process after a SystemExit of its own
                recording.finish()
            raise
        # The result is final. From here on, nothing may turn it into a failure or into a second run.
        if watch is not None:
            watch.claim()
        recording.keep(outcome)
        return outcome

    def _failure_of(self, problem: BaseException, recording: Recording) -> Failed | None:
        """Return the failure for an exception. A failure that is reported is logged here, because FC does not see it."""
        failure = self._options.failure_of(problem, self._delivery.task)
        if failure is not None and recording.has_report:
            log_failure(failure, problem, self._delivery.task)
        return failure


def call_function(binding: ArgumentBinding, delivery: Delivery) -> Any:
    """Call a user's function with the arguments that it asks for. Return its result; an awaitable runs to its end.

    Raises:
        PayloadInvalid: The payload or the event does not have the shape that the function asks for.
    """
    positional, named = binding.arguments(delivery)
    result = binding.function(*delivery.bound, *positional, **{**named, **delivery.further})
    return run_to_end(result) if hasattr(result, "__await__") else result


def run_plain(
    binding: ArgumentBinding, delivery: Delivery, work: Work | Unremembered, *, record: TaskRecord | None = None
) -> str | Deferred:
    """Run a handler without a task to report, unless its work is done, and record its outcome.

    Returns:
        The result as the JSON text of an Output, or the stored result. Or the result of `Task.defer()`, for the
        `task_callback` above the handler. It is not recorded, because another process has the token of this task.
    """
    recording = Recording(work, delivery.context.deadline, has_report=False)
    outcome = Run(binding, delivery, options=_PLAIN, record=record).run_and_record(recording)
    recording.finish()
    if isinstance(outcome, Unwritable):
        raise outcome.error
    if isinstance(outcome, Failed):  # of an earlier delivery
        raise TaskFailed(outcome.error, cause=outcome.cause)
    return outcome if isinstance(outcome, Deferred) else str(outcome.text)


_PLAIN = ResultOptions()


class Recording:
    """The record of one delivery. Without `once`, nothing is recorded and nothing waits.

    The function runs in its `with` block. If a handler inside the function cannot record its own result (R), this recording
    does it later (R'), because the result of the function and the report of the task come first.

    Args:
        work: The result of `Once.enter`, or `NO_WORK` without `once`.
        deadline: The time at which the invocation must have ended.
        has_report: Whether there is a task to report.
    """

    def __init__(self, work: Work | Unremembered, deadline: Deadline | None, *, has_report: bool = True) -> None:
        self.work = work
        self.stored = work.stored
        self._deadline = deadline
        self.has_report = has_report
        self._problem: StoreUnavailable | None = None
        self._inner: list[Recording] = []
        self._is_open = False

    def __enter__(self) -> None:
        """Begin the run of the function."""
        self._mark: Token[Recording | None] = _around.set(self)
        self._is_open = True

    def __exit__(self, *_: object) -> None:
        """End the run. A handler that still runs in a thread or a task of the function then records its own result."""
        self._is_open = False
        _around.reset(self._mark)

    def refuse(self, error: OutputError) -> bool:
        """Add to an error that the work does not run again, and how to release it. Return False without `once`."""
        error.hint = f"{error.hint} {self.work.release_hint}".strip()
        return self.work.is_remembered

    def keep(self, outcome: Outcome) -> None:
        """Record the outcome (R). A technical failure is not recorded, so that the next delivery runs again.

        Raises:
            LeaseLost: Another delivery took over the work, and its result counts.
        """
        work = self.work
        if not work.is_remembered or self.stored is not None or (isinstance(outcome, Failed) and outcome.technical):
            return
        until = self._step()
        try:
            if isinstance(outcome, Succeeded):
                work.done(outcome.text, until=until)
            elif isinstance(outcome, Failed):
                work.failed(outcome.error, outcome.cause, until=until)
            elif isinstance(outcome, Unwritable):
                work.refused(type(outcome.error).__name__, str(outcome.error), outcome.to_json(), until=until)
            elif self.has_report:
                work.deferred(until=until)
            else:
                work.abandon(until=until)
        except StoreUnavailable as error:
            self._problem = error

    def report_until(self) -> Deadline | None:
        """Return the deadline for a report. If R is not certain, it keeps time free for R'."""
        deadline = self._deadline
        if deadline is None or self.is_certain:
            return deadline
        return Deadline(at=deadline.at - min(_RESERVE_SECONDS, deadline.remaining_seconds() * _RESERVE_SHARE))

    def settle(self, outcome: Succeeded | Failed, *, is_reported: bool) -> None:
        """Write the final state after the report, which must not wait for it. Errors of the store are logged, not raised."""
        if outcome.technical:
            self.abandon()
        self.finish()
        work = self.work
        if outcome.technical or not is_reported or not work.is_remembered or not work.is_written:
            return
        try:
            work.reported(until=self._step())
        except (LeaseLost, StoreUnavailable) as error:
            log_safely(
                logger,
                logging.WARNING,
                "The work is not recorded as reported, so a second delivery may report it again: %s",
                error,
            )

    def finish(self) -> None:
        """Record again what `keep` could not record (R'). Errors of the store are logged, not raised.

        A handler without a report, inside the function of another handler, is recorded after the report of the other one.
        """
        if self.work.is_written and not self._inner:
            return
        around = None if self.has_report else _around.get()
        if around is None or not around._takes_over(self):  # noqa: SLF001 - the same class
            deadline = self._deadline
            until = Deadline.after(_AGAIN_SECONDS) if deadline is None else Deadline(at=deadline.at - _RETURN_SECONDS)
            self._finish_all(until)

    def abandon(self) -> None:
        """Release the work after an exception of the user's code, so that the next delivery runs it."""
        if self.work.is_remembered:
            self.work.abandon(until=self._step())

    @property
    def is_certain(self) -> bool:
        """Whether everything that must be recorded is certainly recorded."""
        return self.work.is_written and (not self._inner or all(inner.is_certain for inner in self._inner))

    def _takes_over(self, inner: Recording) -> bool:
        """Finish another recording together with this one. Return False if the function has already ended."""
        if self._is_open:
            self._inner.append(inner)
        return self._is_open

    def _finish_all(self, until: Deadline) -> None:
        if not self.work.is_written:
            self._write_again(until)
        for inner in self._inner:
            inner._finish_all(until)  # noqa: SLF001 - the same class

    def _write_again(self, until: Deadline) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while until.remaining_seconds() > 0:
            try:
                self.work.write_again(until=until)
            except LeaseLost as error:
                log_safely(logger, logging.ERROR, "The result is not recorded: %s", error)
                return
            except StoreUnavailable as error:
                self._problem = error
            else:
                return
            time.sleep(max(0.0, min(pause, until.remaining_seconds())))
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        log_safely(
            logger,
            logging.ERROR,
            "The result of %s is not recorded, so a second delivery may run it again: %s",
            self.work,
            self._problem,
        )

    def _step(self) -> Deadline:
        if self._deadline is None:
            return Deadline.after(_STEP_SECONDS)
        left = self._deadline.remaining_seconds()
        return Deadline.after(_LATE_SECONDS if left <= 0 else min(_STEP_SECONDS, left * _STEP_SHARE))


def log_failure(failure: Failed, problem: BaseException, task: Task | None) -> None:
    """Log a failure that is reported."""
    token = None if task is None else task.token
    if not failure.technical:
        log_safely(logger, logging.INFO, "Task %s has failed, as the function said: %s.", token, failure.error)
        return
    from traceback import format_exception

    from fc_callback.redaction import mask_secrets

    hide_callers(problem)
    trace = mask_secrets("".join(format_exception(problem)))
    log_safely(
        logger, logging.ERROR, "Task %s has failed and is reported as %s.\n%s", token, failure.error, trace.rstrip()
    )
