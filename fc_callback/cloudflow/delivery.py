"""The attempts of one report: repeated until the answer is certain or the time is up."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from fc_callback.cloudflow.errors import CloudFlowError, TaskAlreadyCompleted
from fc_callback.cloudflow.throttle import pause, throttle_queue_for
from fc_callback.errors import ReportUndelivered, ServiceUnreachable
from fc_callback.values.base import Value
from fc_callback.values.context import Deadline
from fc_callback.values.safe_log import log_safely

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.cloudflow.retry import RetryPolicy

# Its debug records say which call failed and is repeated.
RETRIES_LOGGER = "fc_callback.cloudflow.delivery"
logger = logging.getLogger(RETRIES_LOGGER)

# A call needs about this long: the last attempt begins no later than this before the end.
_CALL_SECONDS = 1.0


class ReportResult(Value):
    """The result of a report.

    Attributes:
        event_id: The id of the history event that the report made; None if its answer was lost.
        request_id: The service's id of the last call, for a ticket.
        attempts: The number of calls.
        throttled: The number of calls that were answered with 429.
        already_completed: Whether the task had ended before this report: by another reporter, or by an earlier delivery.
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
    """Repeat a call until its effect is certain.

    An attempt whose answer was lost is ambiguous: the service may have taken the report. If the service answers the next
    attempt with TaskAlreadyCompleted, the report counts as delivered.

    Args:
        call: Makes one attempt, within the deadline and the seconds for an answer that it gets.
        action: The operation, for errors.
        policy: How often, how long and how far apart.
        deadline: The invocation's; the attempts end `policy.reserve_seconds` before it.
        read_seconds: How long an attempt waits for an answer; the first one waits less if time is scarce.
        already_completed: What happens if another reporter completed the task: `accept` or `raise`.
        endpoint: Throttled threads of this process queue for it.

    Raises:
        CloudFlowError: The service refuses the report for good.
        ServiceUnreachable: No attempt can reach the service.
        ReportUndelivered: The time was up first.
    """
    seen = _Attempts()
    ends_at = None if deadline is None else deadline.at - policy.reserve_seconds
    last_start = time.monotonic() + policy.total_seconds if ends_at is None else ends_at - _CALL_SECONDS
    while True:
        left = float("inf") if ends_at is None else ends_at - seen.now()
        if left <= 0:
            raise _undelivered(action, seen, None)
        seen.made += 1
        wait_seconds = _first_wait_seconds(read_seconds, left) if seen.made == 1 else read_seconds
        seen.cut_short = wait_seconds < read_seconds
        until = None if ends_at is None else Deadline(at=ends_at - seen.skipped_seconds)
        try:
            document = call(until, wait_seconds)
        except TaskAlreadyCompleted as error:
            seen.ambiguous = seen.ambiguous or error.ambiguous
            if not seen.ambiguous and already_completed == "raise":
                raise
            return _result(seen, {"RequestId": error.request_id}, already_completed=not seen.ambiguous)
        except (CloudFlowError, ServiceUnreachable) as error:
            seen.ambiguous = error.ambiguous = seen.ambiguous or error.ambiguous
            if isinstance(error, CloudFlowError) and error.clock_differs and not seen.clock_corrected:
                seen.clock_corrected = True
                continue
            if not error.retryable:
                raise
            problem = error
        else:
            if seen.throttled:
                throttle_queue_for(endpoint).passed()
            return _result(seen, document)
        # Outside of the handler, so that the error raised here has no chain of earlier attempts.
        if not _wait(problem, seen, policy, last_start, endpoint):
            raise _undelivered(action, seen, problem)


def _first_wait_seconds(read_seconds: float, left: float) -> float:
    """Return how long the first attempt waits for its answer.

    A kept connection may have gone silent. If time is scarce, a short first wait leaves time for a second attempt. If
    the time is too short for two attempts, the first one gets all of it.
    """
    short = min(read_seconds, left / 3)
    return short if left < 2 * read_seconds and left - short > _CALL_SECONDS else read_seconds


def _wait(
    problem: CloudFlowError | ServiceUnreachable,
    seen: _Attempts,
    policy: RetryPolicy,
    last_start: float,
    endpoint: str,
) -> bool:
    """Wait before the next attempt; return whether there is time for one."""
    throttled = isinstance(problem, CloudFlowError) and problem.throttled
    if throttled:
        seen.throttled += 1
    left = max(0.0, last_start - seen.now())
    # An attempt with a shortened wait is never the last one.
    if seen.last_try or (left == 0 and not seen.cut_short):
        return False
    log_safely(logger, logging.DEBUG, "Call %d failed: %s", seen.made, problem)
    asked = getattr(problem, "retry_after_seconds", None)
    seconds = policy.wait_seconds(
        seen.throttled if throttled else seen.made - seen.throttled, throttled=throttled, retry_after_seconds=asked
    )
    queue = throttle_queue_for(endpoint) if throttled else None
    try:
        if queue is not None:
            turn = queue.wait_seconds(seconds, again=seen.throttled > 1, ahead_seconds=seen.skipped_seconds)
            seconds = max(turn, asked or 0.0)
        if seconds >= left:  # the policy's wait is too long: one last attempt while there is time
            seen.last_try = True
        seen.skipped_seconds += pause(min(seconds, left))
    finally:
        if queue is not None:
            queue.leave()
    return True


def _result(seen: _Attempts, document: dict[str, Any], *, already_completed: bool = False) -> ReportResult:
    event_id, request_id = document.get("EventId"), document.get("RequestId")
    return ReportResult(
        event_id=event_id if isinstance(event_id, int) else None,
        request_id=request_id if isinstance(request_id, str) else "",
        attempts=seen.made,
        throttled=seen.throttled,
        already_completed=already_completed,
    )


def _undelivered(
    action: str, seen: _Attempts, problem: CloudFlowError | ServiceUnreachable | None
) -> ReportUndelivered:
    # What to do about a service that cannot be reached. The hint of a 429 or 500 is to retry, which was done.
    advice = f" {problem.hint}" if isinstance(problem, ServiceUnreachable) else ""
    why = f" The last call: {problem.args[0]}{advice}" if problem is not None else ""
    calls = "1 call" if seen.made == 1 else f"{seen.made} calls"
    return ReportUndelivered(
        f"{action} was not delivered before the deadline, after {calls}.{why}",
        attempts=seen.made,
        ambiguous=seen.ambiguous,
        last_error=problem,
    )
