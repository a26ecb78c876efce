"""The attempts of one report: repeated until the answer is certain or the time is up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from fc_callback.cloudflow.answers import request_id_of
from fc_callback.cloudflow.errors import CloudFlowError, TaskAlreadyCompleted
from fc_callback.cloudflow.pauses import pause
from fc_callback.cloudflow.throttle import turnstile_for
from fc_callback.errors import ReportUndelivered, ServiceUnreachable
from fc_callback.values.base import Value
from fc_callback.values.context import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.cloudflow.retry import RetryPolicy

# What a call needs at the least; a last attempt is begun this long before the end.
_CALL_SECONDS = 1.0


class ReportResult(Value):
    """What became of a report.

    Attributes:
        event_id: The id of the history event that the report made; None where its answer was lost.
        request_id: The service's id of the last call, for a ticket.
        attempts: How many calls it took.
        throttled: How many of them were answered with 429.
        already_completed: The task had an end before this report: somebody else's, or an earlier delivery's.
    """

    event_id: int | None
    request_id: str
    attempts: int = 1
    throttled: int = 0
    already_completed: bool = False


class _Attempts:
    """What the attempts so far have shown."""

    def __init__(self) -> None:
        self.made = 0
        self.throttled = 0
        self.ambiguous = False
        self.clock_corrected = False
        self.cut_short = False
        self.last_try = False
        self.skipped_seconds = 0.0

    def now(self) -> float:
        """Return the time on the clock of `time.monotonic()`, with the pauses that were skipped."""
        return time.monotonic() + self.skipped_seconds


def deliver(
    call: Callable[[Deadline | None, float], dict[str, Any]],
    *,
    action: str,
    policy: RetryPolicy,
    deadline: Deadline | None,
    read_seconds: float,
    already_completed: str,
    endpoint: str,
) -> ReportResult:
    """Make a call until it is certain what became of it.

    An attempt whose answer was lost is ambiguous: the service may have taken the report. If it says afterwards that the
    task has already completed, the report counts as delivered.

    Args:
        call: Makes one attempt, within the deadline and the seconds for an answer that it is given.
        action: The operation, for errors.
        policy: How often, how long, how far apart.
        deadline: The invocation's; the attempts end `policy.reserve_seconds` before it.
        read_seconds: How long an attempt waits for an answer, but for the first one where time is scarce.
        already_completed: What a task completed by somebody else is, `accept` or `raise`.
        endpoint: Where the threads of this process take turns when throttled.

    Raises:
        CloudFlowError: The service refuses the report for good.
        ServiceUnreachable: No attempt can reach the service.
        ReportUndelivered: The time was up first.
    """
    seen = _Attempts()
    ends_at = None if deadline is None else deadline.at - policy.reserve_seconds
    last_start = time.monotonic() + policy.total_seconds if ends_at is None else ends_at - _CALL_SECONDS
    while True:
        until = None if ends_at is None else Deadline(at=ends_at - seen.skipped_seconds)
        if until is not None and until.remaining_seconds() <= 0:
            raise _undelivered(action, seen, None)
        seen.made += 1
        wait_seconds = _first_wait_seconds(read_seconds, until) if seen.made == 1 else read_seconds
        seen.cut_short = wait_seconds < read_seconds
        try:
            document = call(until, wait_seconds)
        except TaskAlreadyCompleted as error:
            seen.ambiguous = seen.ambiguous or error.ambiguous
            if not seen.ambiguous and already_completed == "raise":
                raise
            return _result(seen, {"RequestId": error.request_id}, already_completed=not seen.ambiguous)
        except (CloudFlowError, ServiceUnreachable) as error:
            seen.ambiguous = error.ambiguous = seen.ambiguous or error.ambiguous
            if _clock_differs(error) and not seen.clock_corrected:
                seen.clock_corrected = True
                continue
            if not error.retryable:
                raise
            problem = error
        else:
            if seen.throttled:
                turnstile_for(endpoint).passed()
            return _result(seen, document)
        # Outside of the handler, so that what is raised here carries one error and not a chain of attempts.
        if not _wait(problem, seen, policy, last_start, endpoint):
            raise _undelivered(action, seen, problem)


def _first_wait_seconds(read_seconds: float, until: Deadline | None) -> float:
    """Return how long the first attempt waits for its answer: a connection that has gone silent leaves time for another.

    A last attempt gets all that is left: where the time is too short for two, the first one is that.
    """
    left = float("inf") if until is None else until.remaining_seconds()
    short = min(read_seconds, left / 3)
    return short if left < 2 * read_seconds and left - short > _CALL_SECONDS else read_seconds


def _clock_differs(error: CloudFlowError | ServiceUnreachable) -> bool:
    return isinstance(error, CloudFlowError) and error.clock_differs


def _wait(
    problem: CloudFlowError | ServiceUnreachable,
    seen: _Attempts,
    policy: RetryPolicy,
    last_start: float,
    endpoint: str,
) -> bool:
    """Wait before the next attempt; say whether there is time for one."""
    throttled = isinstance(problem, CloudFlowError) and problem.throttled
    if throttled:
        seen.throttled += 1
    left = max(0.0, last_start - seen.now())
    # An attempt whose wait was cut short was not to be the last one.
    if seen.last_try or (left == 0 and not seen.cut_short):
        return False
    asked = getattr(problem, "retry_after_seconds", None)
    seconds = policy.wait_seconds(
        seen.throttled if throttled else seen.made - seen.throttled, throttled=throttled, retry_after_seconds=asked
    )
    turnstile = turnstile_for(endpoint) if throttled else None
    try:
        if turnstile is not None:
            turn = turnstile.wait_seconds(seconds, again=seen.throttled > 1, ahead_seconds=seen.skipped_seconds)
            seconds = max(turn, asked or 0.0)
        if seconds >= left:  # too long for the policy's wait: one last attempt while there is time for one
            seen.last_try = True
        seen.skipped_seconds += pause(min(seconds, left))
    finally:
        if turnstile is not None:
            turnstile.leave()
    return True


def _result(seen: _Attempts, document: dict[str, Any], *, already_completed: bool = False) -> ReportResult:
    event_id = document.get("EventId")
    return ReportResult(
        event_id=event_id if isinstance(event_id, int) else None,
        request_id=request_id_of(document),
        attempts=seen.made,
        throttled=seen.throttled,
        already_completed=already_completed,
    )


def _undelivered(
    action: str, seen: _Attempts, problem: CloudFlowError | ServiceUnreachable | None
) -> ReportUndelivered:
    why = f" The last one: {problem.args[0]}" if problem is not None else ""
    calls = "1 call" if seen.made == 1 else f"{seen.made} calls"
    return ReportUndelivered(
        f"{action} could not be delivered in the time there was, with {calls}.{why}",
        attempts=seen.made,
        ambiguous=seen.ambiguous,
        last_error=problem,
    )
