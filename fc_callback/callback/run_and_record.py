"""What `once` remembers of one delivery, step by step, each step within its time.

A result is recorded (R), reported (P), and recorded again (R') where R is not certain. R takes a moment at most, so that a
slow store does not cost the report; P ends a moment before the deadline where R is not certain, so that R' has a chance. A
silent store thus costs neither the report nor, as far as there is time, the record.
"""

from __future__ import annotations

import logging
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

from fc_callback.callback.failure import Failure
from fc_callback.callback.outcome import Failed, Succeeded, Unwritable
from fc_callback.errors import LeaseLost, OutputError, StoreUnavailable, TaskFailed
from fc_callback.payload.output import encode_output
from fc_callback.values.context import Deadline
from fc_callback.values.task import Deferred

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Token

    from fc_callback.callback.outcome import Outcome
    from fc_callback.idempotency import Stored, Work

logger = logging.getLogger("fc_callback")

# One step: at most a second, and at most a quarter of what is left.
_STEP_SECONDS, _STEP_SHARE = 1.0, 1 / 4
# Where the deadline has passed and the process lives all the same, as after FC has thawed it: a moment for one try.
_LATE_SECONDS = 0.25
# What a report leaves for R'.
_RESERVE_SECONDS, _RESERVE_SHARE = 1.0, 1 / 8
# R' ends this long before the deadline, or after this long where no deadline is known.
_RETURN_SECONDS = 0.3
_AGAIN_SECONDS = 10.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.05, 1.0


# Whose function this code runs in.
_around: ContextVar[Recording | None] = ContextVar("fc_callback_recording", default=None)


class Recording:
    """The record of one delivery; without `once`, nothing is remembered and nothing waits.

    The function runs in a `with` block of it. A handler inside of the function that cannot record its own result (R) leaves
    that to this one's R': the function's result, and the task's report, come first.

    Args:
        work: What `Once.enter` returned; None without `once`.
        deadline: When the invocation must have ended.
    """

    def __init__(self, work: Work | None, deadline: Deadline | None) -> None:
        self._work = work
        self._deadline = deadline
        self._problem: StoreUnavailable | None = None
        self._inner: list[Recording] = []
        self._is_open = False

    def __enter__(self) -> None:
        """Begin the function's run."""
        self._mark: Token[Recording | None] = _around.set(self)
        self._is_open = True

    def __exit__(self, *_: object) -> None:
        """End it: what goes on after that, in a thread or a task of the function's, records for itself."""
        self._is_open = False
        _around.reset(self._mark)

    @property
    def stored(self) -> Stored | None:
        """What is remembered, if the work must not run."""
        return None if self._work is None else self._work.stored

    @property
    def is_reported(self) -> bool:
        """Whether the task of this very token has its report, from an earlier delivery."""
        return self._work is not None and self._work.is_reported

    @property
    def came_before(self) -> bool:
        """Whether the task may have an end of an earlier delivery's making."""
        return self._work is not None and self._work.came_before

    def refuse(self, error: OutputError) -> bool:
        """Say in an error that the work will not run again, and how to release it; False where nothing is remembered."""
        if self._work is None:
            return False
        error.hint = (
            f"{error.hint} The function has run and will not run again for this work. "
            f"To release it: fc-callback redeliver STORE --forget {self._work.record.key}"
        ).strip()
        return True

    def keep(self, outcome: Outcome) -> None:
        """Record what the work ended in (R). A technical failure is not remembered.

        Raises:
            LeaseLost: Another delivery took the work over, and its result is the one.
        """
        work = self._work
        if work is None or work.stored is not None or is_technical(outcome):
            return
        until = self._step()
        try:
            if isinstance(outcome, Succeeded):
                work.done(outcome.text, until=until)
            elif isinstance(outcome, Failed):
                work.failed(outcome.failure.error, outcome.failure.cause, until=until)
            elif isinstance(outcome, Unwritable):
                work.refused(type(outcome.error).__name__, str(outcome.error), outcome.to_json(), until=until)
            else:
                work.deferred(until=until)
        except StoreUnavailable as error:
            self._problem = error

    def report_until(self) -> Deadline | None:
        """Return when a report must have ended: it leaves time for R' where R is not certain."""
        deadline = self._deadline
        if deadline is None or self.is_certain:
            return deadline
        return Deadline(at=deadline.at - min(_RESERVE_SECONDS, deadline.remaining_seconds() * _RESERVE_SHARE))

    def finish(self, until: Deadline | None = None) -> None:
        """Record what `keep` could not, until it is certain or the time is up (R'). Raises nothing of the store's.

        Args:
            until: When the time is up; a moment before the deadline, by default.
        """
        if until is None:
            deadline = self._deadline
            until = Deadline.after(_AGAIN_SECONDS) if deadline is None else Deadline(at=deadline.at - _RETURN_SECONDS)
        self._write_again(until)
        for inner in self._inner:
            inner.finish(until)

    def finish_in_turn(self) -> None:
        """The same for a handler that has no report: inside of another one's function it comes after that one's report."""
        around = _around.get()
        if around is None or not around.takes_over(self):
            self.finish()

    def takes_over(self, inner: Recording) -> bool:
        """Finish another recording with this one; False where the function has ended already."""
        if self._is_open:
            self._inner.append(inner)
        return self._is_open

    @property
    def is_certain(self) -> bool:
        """Whether everything that is to be remembered is certainly recorded."""
        is_written = self._work is None or self._work.is_written
        return is_written and all(inner.is_certain for inner in self._inner)

    def _write_again(self, until: Deadline) -> None:
        work = self._work
        if work is None or work.is_written:
            return
        pause = _FIRST_PAUSE_SECONDS
        while until.remaining_seconds() > 0:
            try:
                work.write_again(until=until)
            except LeaseLost as error:
                logger.error("The result is not recorded: %s", error)
                return
            except StoreUnavailable as error:
                self._problem = error
            else:
                return
            time.sleep(max(0.0, min(pause, until.remaining_seconds())))
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        logger.error(
            "The work of %s (%s) is done and not recorded, so a second delivery may run it again: %s",
            *(work.record.scope, work.record.key, self._problem),
        )

    def reported(self) -> None:
        """Record that this delivery's task has its report. Raises nothing of the store's: the report stands."""
        self.finish()
        work = self._work
        if work is None or not work.is_written:
            return
        try:
            work.reported(until=self._step())
        except (LeaseLost, StoreUnavailable) as error:
            logger.warning("The work is not recorded as reported, so a second delivery may report it again: %s", error)

    def abandon(self) -> None:
        """Forget this attempt after an exception out of the person's code, so that the next delivery runs."""
        if self._work is not None:
            self._work.abandon(until=self._step())

    def _step(self) -> Deadline:
        if self._deadline is None:
            return Deadline.after(_STEP_SECONDS)
        left = self._deadline.remaining_seconds()
        return Deadline.after(_LATE_SECONDS if left <= 0 else min(_STEP_SECONDS, left * _STEP_SHARE))


def is_technical(outcome: Outcome) -> bool:
    """Say whether an outcome is a failure that another run may not have."""
    return isinstance(outcome, Failed) and outcome.failure.technical


def run_once(work: Work | None, deadline: Deadline | None, run: Callable[[], object]) -> str | Deferred:
    """Run a plain handler, unless its work is done, and remember what it ended in: there is no task to report.

    Args:
        work: What `Once.enter` returned; None without `once`.
        deadline: When the invocation must have ended.
        run: Calls the handler.

    Returns:
        The result as the JSON text of an Output, the stored one where there is one. Or what `Task.defer()` returned, for
        the `task_callback` around the handler; that is not remembered: somebody else has the token of this very task.
    """
    recording = Recording(work, deadline)
    if recording.stored is not None:
        return _repeated(recording.stored)
    outcome: Outcome
    try:
        with recording:
            result = run()
        if isinstance(result, Deferred):
            recording.abandon()
            recording.finish_in_turn()
            return result
        try:
            outcome = Succeeded(text=encode_output(result))
        except OutputError as error:
            recording.refuse(error)
            outcome = Unwritable(error=error)
    except TaskFailed as failure:
        recording.keep(Failed(failure=Failure(error=failure.error, cause=failure.cause, technical=False)))
        recording.finish_in_turn()
        raise
    except BaseException as error:
        recording.abandon()
        if isinstance(error, Exception):  # FC ends the process after a SystemExit of its own
            recording.finish_in_turn()
        raise
    recording.keep(outcome)
    recording.finish_in_turn()
    if isinstance(outcome, Unwritable):
        raise outcome.error
    return str(outcome.text)


def _repeated(stored: Stored) -> str:
    if stored.refusal is not None:
        raise Unwritable.from_json(stored.refusal).error
    if stored.failure is not None:
        error, cause = stored.failure
        raise TaskFailed(error, cause=cause)
    return stored.output or "{}"
