"""What a task ended in, how it is reported, and how the record of `once` follows."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fc_callback.errors import StoreUnavailable
from fc_callback.failure import Failure
from fc_callback.output import encode_output
from fc_callback.value import Value

if TYPE_CHECKING:
    from typing import TypeAlias

    from fc_callback.cloudflow.client import CloudFlowClient
    from fc_callback.cloudflow.delivery import ReportResult
    from fc_callback.idempotency import Stored, Work
    from fc_callback.task import Task
    from fc_callback.token import TaskToken

    Outcome: TypeAlias = "Succeeded | Failed"

logger = logging.getLogger("fc_callback")

# What FC gets for a task that somebody else reports.
DEFERRED = '{"deferred":true}'


class Succeeded(Value, hidden=("text",)):
    """The function returned: `text` is the Output."""

    text: str
    error: str = ""


class Failed(Value):
    """The task has failed, by name; `text` is what FC gets for an invocation that ended well all the same."""

    failure: Failure

    @property
    def error(self) -> str:
        """The name that the flow sees."""
        return self.failure.error

    @property
    def text(self) -> str:
        """The failure as JSON."""
        return encode_output({"error": self.failure.error, "cause": self.failure.cause})


def stored_outcome(stored: Stored) -> Outcome | None:
    """Return the outcome of work that was done before; None where its task is deferred."""
    if stored.failure is not None:
        error, cause = stored.failure
        return Failed(failure=Failure(error=error, cause=cause, technical=False))
    return None if stored.output is None else Succeeded(text=stored.output)


def remember(work: Work | None, step: str, *what: str) -> None:
    """Take a step in the record of `once`; a store that is down must not cost a finished result."""
    if work is None:
        return
    try:
        getattr(work, step)(*what)
    except StoreUnavailable as error:
        logger.warning("The work is not recorded as %s, so a second delivery may run it again: %s", step, error)


def report(client: CloudFlowClient, task: Task, outcome: Outcome) -> ReportResult:
    """Report a task, with all the calls that it takes."""
    # Not the task's own deadline: what is worked out after its share of a batch's time is reported all the same.
    until = task.context.deadline
    if isinstance(outcome, Failed):
        failure = outcome.failure
        result = client.report_task_failed(task.token, failure.error, failure.cause, deadline=until)
    else:
        result = client.report_task_succeeded(task.token, outcome.text, deadline=until)
    if result.already_completed:
        logger.warning("Task %s had an end already: this report changed nothing.", task.token)
    elif result.attempts > 1:
        logger.info("Task %s is reported, with %d calls (%d throttled).", task.token, result.attempts, result.throttled)
    return result


def log_failure(failure: Failure, problem: BaseException, token: TaskToken) -> None:
    """Write where an exception came from: one that is reported never gets to FC, which would have logged it."""
    if not failure.technical:
        logger.info("Task %s has failed, as the function said: %s.", token, failure.error)
        return
    from traceback import format_exception

    from fc_callback.redaction import mask_secrets

    trace = mask_secrets("".join(format_exception(problem)))
    logger.error("Task %s has failed and is reported as %s.\n%s", token, failure.error, trace.rstrip())


def secrets_of(task: Task) -> tuple[str, ...]:
    """Return what must not stand in a Cause."""
    credentials = task.context.credentials
    known = (credentials.access_key_secret, credentials.security_token or "") if credentials else ()
    return (task.token.reveal(), *known)
