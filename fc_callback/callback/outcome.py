"""What a task ended in, and how it is reported."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from fc_callback.errors import OutputError, OutputTooLarge, StoreUnavailable, restored
from fc_callback.payload.output import encode_output
from fc_callback.values.base import Value

if TYPE_CHECKING:
    from typing import TypeAlias

    from fc_callback.callback.failure import Failure
    from fc_callback.cloudflow.client import CloudFlowClient
    from fc_callback.cloudflow.delivery import ReportResult
    from fc_callback.values.context import Deadline
    from fc_callback.values.task import Deferred, Task
    from fc_callback.values.token import TaskToken

    Outcome: TypeAlias = "Succeeded | Failed | Unwritable | Deferred"

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


class Unwritable(Value):
    """The function returned what cannot be an Output, and failures are not reported: the error is raised."""

    error: OutputError

    def to_json(self) -> str:
        """Return the error, for a record."""
        return json.dumps([type(self.error).__name__, str(self.error.args[0]), vars(self.error)])

    @classmethod
    def from_json(cls, text: str) -> Unwritable:
        """Return what `to_json` wrote.

        Raises:
            StoreUnavailable: It is damaged.
        """
        try:
            name, message, state = json.loads(text)
            kind = {kind.__name__: kind for kind in (OutputError, OutputTooLarge)}[name]
            if "largest" in state:
                state["largest"] = tuple((key, size) for key, size in state["largest"])
            return cls(error=restored(kind, (message,), state))
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise StoreUnavailable("The store holds a record whose error is damaged.") from error


def report(client: CloudFlowClient, task: Task, outcome: Succeeded | Failed, *, until: Deadline | None) -> ReportResult:
    """Report a task, with all the calls that it takes.

    Args:
        client: Who reports.
        task: The task.
        outcome: What it ended in.
        until: When the calls must have ended.
    """
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
