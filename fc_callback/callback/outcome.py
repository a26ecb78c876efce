"""The outcome of a task: succeeded, failed, not writable, or deferred. An exception becomes a failure here."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Literal

from fc_callback.errors import (
    CAUSE_MAX_CHARACTERS,
    ERROR_MAX_CHARACTERS,
    LeaseLost,
    OutputError,
    OutputTooLarge,
    StoreUnavailable,
    TaskFailed,
    WorkInProgress,
    restored,
)
from fc_callback.payload.output import encode_output
from fc_callback.redaction import mask_secrets
from fc_callback.values.base import Value
from fc_callback.values.task import Deferred

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeAlias

    from fc_callback.idempotency.work import Stored
    from fc_callback.values.task import Task

    Outcome: TypeAlias = "Succeeded | Failed | Unwritable | Deferred"

# The text that FC gets for a task that another process reports.
DEFERRED = '{"deferred":true}'

_CAUSE_CHARACTERS = 1000


class Succeeded(SimpleNamespace):
    """The function returned: `text` is the Output.

    It is not a tuple: tools that record the variables of frames show the items of a tuple, and an Output may repeat the token.
    """

    text: str
    error = ""
    technical = False

    def __repr__(self) -> str:
        return f"<Succeeded with {len(self.text)} characters>"


class Failed(Value):
    """The task failed.

    Attributes:
        error: The name for a flow's Catch and Retry, 1 to 128 characters.
        cause: A summary for people, at most 4,096 characters, without secrets.
        technical: Whether the cause was an exception other than `TaskFailed`. Another run may succeed.
    """

    error: str
    cause: str
    technical: bool = True

    @property
    def text(self) -> str:
        """The JSON that FC gets. The invocation succeeds although the task failed."""
        return encode_output({"error": self.error, "cause": self.cause})


class Unwritable(Value):
    """The function returned a value that cannot be an Output. The error is raised, because failures are not reported."""

    error: OutputError

    def to_json(self) -> str:
        """Return the error as JSON, for a record."""
        return json.dumps([type(self.error).__name__, str(self.error.args[0]), vars(self.error)])

    @classmethod
    def from_json(cls, text: str) -> Unwritable:
        """Read the JSON that `to_json` wrote.

        Raises:
            StoreUnavailable: The text is damaged.
        """
        try:
            name, message, state = json.loads(text)
            kind = {kind.__name__: kind for kind in (OutputError, OutputTooLarge)}[name]
            if "largest" in state:
                state["largest"] = tuple((key, size) for key, size in state["largest"])
            return cls(error=restored(kind, (message,), state))
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise StoreUnavailable("A record in the store has a damaged error.") from error


def stored_outcome(stored: Stored, task: Task | None, *, raises: bool) -> Outcome:
    """Return the outcome that a store has recorded.

    Args:
        stored: The stored result.
        task: The task to report. None for a handler without a task.
        raises: Whether the error of a result that could not be an Output is raised again and not reported.

    Raises:
        StoreUnavailable: The record is damaged.
    """
    if stored.refusal is not None and raises:
        return Unwritable.from_json(stored.refusal)
    if stored.failure is not None:
        error, cause = stored.failure
        return Failed(error=error, cause=cause, technical=False)
    if stored.output is None and task is not None:
        return Deferred(token=task.token)
    return Succeeded(text=stored.output or "{}")


# A handler with its own `once` inside the function raises these. The work has not failed, because another delivery does it.
_NO_FAILURES = (LeaseLost, StoreUnavailable, WorkInProgress)


class ResultOptions(Value):
    """The options that decide how a result or an exception becomes an outcome. The defaults are for handlers without a task.

    Attributes:
        on_failure: Whether every exception is a failure of the task (`report`), or only `TaskFailed` (`raise`).
        large_output: `raise`, or a callable that stores an Output over the limit and returns another Output.
        transient: Exceptions that pass through also with `on_failure="report"`.
        error_names: The Error for exceptions of these classes and their subclasses.
    """

    on_failure: Literal["raise", "report"] = "raise"
    large_output: Literal["raise"] | Callable[[str, Task], object] = "raise"
    transient: tuple[type[BaseException], ...] = ()
    error_names: Mapping[type[BaseException], str] = {}

    def failure_of(self, problem: BaseException, task: Task | None) -> Failed | None:
        """Return the failure for an exception of the function, or None if the exception passes through."""
        if not isinstance(problem, TaskFailed):
            is_failure = self.on_failure == "report" and isinstance(problem, Exception)
            if not is_failure or isinstance(problem, (*self.transient, *_NO_FAILURES)):
                return None
        if task is None:
            return failure_of(problem, names=self.error_names)
        secrets = (task.token.secret, *task.context.secrets)
        return failure_of(problem, names=self.error_names, request_id=task.context.request_id, secrets=secrets)


def failure_of(
    problem: BaseException,
    *,
    names: Mapping[type[BaseException], str],
    request_id: str = "",
    secrets: Iterable[str] = (),
) -> Failed:
    """Return the failure for an exception.

    The Error is that of `TaskFailed`, else the name in `names` for the class or its nearest base, else the name of the class.

    Args:
        problem: The exception.
        names: The option `error_names`.
        request_id: FC's id of the invocation. It identifies the lines of the log.
        secrets: Texts to mask in the Cause.
    """
    if isinstance(problem, TaskFailed):
        cause = mask_secrets(_encodable(problem.cause), also=secrets)
        return Failed(error=_encodable(problem.error), cause=cause[:CAUSE_MAX_CHARACTERS], technical=False)
    kind = type(problem)
    name = next((names[base] for base in kind.__mro__ if base in names), kind.__name__)
    message = mask_secrets(_message_of(problem), also=secrets)
    if len(message) > _CAUSE_CHARACTERS:
        message = f"{message[:_CAUSE_CHARACTERS]}..."
    cause = f"{kind.__name__}: {message}" if message else kind.__name__
    return Failed(
        error=name[:ERROR_MAX_CHARACTERS],
        cause=f"{cause} (RequestId {request_id})"[:CAUSE_MAX_CHARACTERS] if request_id else cause,
    )


def _message_of(problem: BaseException) -> str:
    try:
        return _encodable(str(problem))
    except Exception:  # noqa: BLE001 - a user's __str__ may raise anything, but the report must be sent
        return ""


def _encodable(text: str) -> str:
    """Return the text without lone surrogates, which UTF-8 cannot encode."""
    return text.encode("utf-8", "replace").decode()
