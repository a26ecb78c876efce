"""Every error of fc_callback, and where it stands.

    FcCallbackError
    ├── SettingsError (ValueError)               an argument, an option or a CLOUDFLOW_* variable cannot be used
    ├── HandlerInvalid (TypeError)               a function cannot be decorated as it is written
    ├── CredentialsNotFound (LookupError)        the function has no role
    ├── TaskTokenNotFound (LookupError)          the event holds no task token
    │   ├── EventNotUtf8                         ... for it cannot be read: its JSON is not UTF-8
    │   └── TokenAmbiguous                       ... or more than one
    ├── PayloadInvalid (ValueError)              the event or the payload has not the shape the function asks for
    ├── OutputError (TypeError)                  the result cannot be written as JSON
    │   └── OutputTooLarge                       ... or not within the flow's limit
    ├── TaskFailed                               raised by the function: an intended failure, by name
    ├── BatchFailed                              some tasks of an event that carries many have failed
    ├── NoRunningTask (LookupError)              current_task() was called outside of a task
    ├── LayerError (RuntimeError)                a layer of a handler called its call_next twice
    ├── IdempotencyError                         once= cannot say whether the work is done
    │   ├── IdempotencyKeyMissing (LookupError)  the payload holds no value for the key
    │   ├── PayloadChanged (ValueError)          the same key came with another payload
    │   ├── WorkInProgress                       another delivery is at this work
    │   ├── LeaseLost                            another delivery took this work over
    │   └── StoreUnavailable (ConnectionError)   the store of records does not answer, or not sensibly
    ├── SealError (ValueError)                   a sealed task token cannot be opened
    │   ├── SealInvalid                          not sealed with this key, or altered
    │   └── SealExpired                          sealed too long ago
    ├── ReportUndelivered (ConnectionError)      the result stands, but CloudFlow has not taken it yet
    ├── ServiceUnreachable (ConnectionError)     one call got no answer
    ├── CloudFlowError                           one call got an error for an answer
    │   └── one class for each code of the service, in `fc_callback.cloudflow.errors`
    ├── ApiError                                 `fc_callback.local`: the local CloudFlow refuses an operation
    ├── StillRunning (TimeoutError)              `fc_callback.local`: an execution has not ended in time
    ├── NoWaitingTask (LookupError)              `fc_callback.local`: an execution waits for no report
    ├── HandlerNotLoaded (ImportError)           `fc_callback.runtime.wsgi`: a function cannot be imported
    ├── BuildError                               `fc_callback.building`: the dependencies cannot be packed
    └── TemplateError (ValueError)               `fc_callback.scaffolding`: a project cannot be made from a template

Errors that the package itself catches have this root as well. Python's own errors remain for a call with unknown, missing
or mistyped arguments (TypeError), and for what a test asserts (AssertionError).

A text never holds a task token, an access key or a value of the event. It says what happened and what to do next.
"""

from __future__ import annotations

from typing import Any, TypeVar

_E = TypeVar("_E", bound="FcCallbackError")


def restored(cls: type[_E], args: tuple[Any, ...], state: dict[str, Any]) -> _E:
    """Return an error with these arguments and attributes, as it was before it was written somewhere."""
    error = cls.__new__(cls, *args)
    error.args = args  # an OSError sets them in __init__ alone
    error.__dict__.update(state)
    return error


class FcCallbackError(Exception):
    """The root of this package's errors.

    Attributes:
        hint: What the person can do about it; the end of the error's text.
    """

    hint: str = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint

    def __str__(self) -> str:
        message = str(self.args[0]) if self.args else type(self).__name__
        return f"{message} {self.hint}" if self.hint else message

    def __reduce__(self) -> tuple[Any, ...]:
        return restored, (type(self), self.args, self.__dict__.copy())


class SettingsError(FcCallbackError, ValueError):
    """An argument, an option or an environment variable holds something that cannot be used."""


class HandlerInvalid(FcCallbackError, TypeError):
    """A function cannot be decorated as it is written, or is called with other arguments than an event and a context."""


class CredentialsNotFound(FcCallbackError, LookupError):
    """The invocation carries no credentials to sign a report with."""

    hint = (
        "Give the function a role: `role: acs:ram::<account id>:role/<name>` in s.yaml, or Configuration > Role in the "
        "console. The role trusts fc.aliyuncs.com and allows fnf:ReportTaskSucceeded and fnf:ReportTaskFailed on '*'. "
        "Outside FC, set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET."
    )


class TaskTokenNotFound(FcCallbackError, LookupError):
    """The event holds no task token where one was looked for."""


class EventNotUtf8(TaskTokenNotFound):
    """The event, or a message in it, is JSON in an encoding other than UTF-8; a task token in it cannot be read safely."""

    hint = (
        "Let the producer send UTF-8, or JSON with every other character escaped (Python's json.dumps does that). In GBK "
        "some characters end in the byte of a backslash, so such bytes cannot be read as JSON before they are decoded."
    )


class TokenAmbiguous(TaskTokenNotFound):
    """The event holds several different task tokens, and nothing says which one is meant.

    Attributes:
        paths: Where they stand, like `$[0].data.taskToken`; the first few.
    """

    def __init__(self, message: str, *, paths: tuple[str, ...] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.paths = paths


class PayloadInvalid(FcCallbackError, ValueError):
    """The event, or the payload in it, does not have the shape that was asked for.

    Attributes:
        problems: What is wrong, as (path, problem) pairs, like `("$.order.lines", "Field required")`. They hold no
            value of the event.
    """

    def __init__(self, message: str, *, problems: tuple[tuple[str, str], ...] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.problems = problems


class OutputError(FcCallbackError, TypeError):
    """The function's result cannot be written as the JSON object that an Output is.

    Attributes:
        path: Where in the result, like `$.lines[2].price`.
    """

    def __init__(self, message: str, *, path: str = "$", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.path = path


class OutputTooLarge(OutputError):
    """The Output is larger than a flow takes: 64 KiB in CloudFlow, 32 KiB in Serverless Workflow.

    Attributes:
        size: Bytes of the Output, as UTF-8.
        limit: Bytes allowed.
        largest: The largest members of the Output, as (key, bytes) pairs, largest first.
    """

    hint = "Store the data (OSS, a table) and return a reference to it, or pass large_output= to do that in one place."

    def __init__(self, *, size: int, limit: int, largest: tuple[tuple[str, int], ...]) -> None:
        parts = ", ".join(f"{key}: {count} bytes" for key, count in largest)
        super().__init__(
            f"The Output is {size} bytes and the limit is {limit}." + (f" Largest members: {parts}." if parts else "")
        )
        self.size = size
        self.limit = limit
        self.largest = largest


class TaskFailed(FcCallbackError):
    """Raised by a function to fail its task by name, under either setting of `on_failure`.

    Args:
        error: The name that the flow's Catch and Retry see: 1 to 128 characters.
        cause: What happened, for people: up to 4,096 characters.

    Raises:
        SettingsError: `error` is empty or too long.
    """

    def __init__(self, error: str, *, cause: str = "") -> None:
        if not 1 <= len(error) <= ERROR_MAX_CHARACTERS:
            raise SettingsError(f"error must have 1 to {ERROR_MAX_CHARACTERS} characters, not {len(error)}.")
        super().__init__(f"{error}: {cause}" if cause else error)
        self.error = error
        self.cause = cause


ERROR_MAX_CHARACTERS = 128
CAUSE_MAX_CHARACTERS = 4096


class BatchFailed(FcCallbackError):
    """Some tasks of an event that carries many have failed; the others are reported.

    Attributes:
        failures: What each of them raised, as (position in the event, exception) pairs.
    """

    hint = "FC delivers the whole event again after this error; with once= only what is missing runs then."

    def __init__(self, message: str, *, failures: tuple[tuple[int, Exception], ...]) -> None:
        super().__init__(message)
        self.failures = failures


class NoRunningTask(FcCallbackError, LookupError):
    """There is no task where this code runs."""

    hint = (
        "Call it below a function made by task_callback, with a token in its event; start threads with "
        "contextvars.copy_context().run."
    )


class LayerError(FcCallbackError, RuntimeError):
    """A layer called its `call_next` a second time: the handler would run twice."""

    hint = "Keep the result of the first call: result = call_next(call)."


class IdempotencyError(FcCallbackError):
    """`once=` cannot say whether the work is done, or must not let it run.

    Attributes:
        retryable: Whether a later delivery of the same event may end differently.
    """

    retryable = False


class IdempotencyKeyMissing(IdempotencyError, LookupError):
    """The payload holds no value for the key; running without one would make strangers share a result."""


class PayloadChanged(IdempotencyError, ValueError):
    """The key is known, but the work was first asked for with another payload."""

    hint = (
        "If this is other work, add what tells them apart to key=. If the difference means nothing, name the fields that "
        "must agree with check=(...)."
    )


class WorkInProgress(IdempotencyError):
    """Another delivery is at this work, and it did not end while this one waited.

    Attributes:
        retry_after_seconds: When the other delivery's lease ends.
    """

    retryable = True
    hint = "Let it pass through: FC delivers an asynchronous event again, and then the result is there."

    def __init__(self, message: str, *, retry_after_seconds: float, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_seconds = retry_after_seconds


class LeaseLost(IdempotencyError):
    """This delivery outlived its lease and another took the work over; its result was not recorded."""

    retryable = True
    hint = "Let it pass through: the next delivery gets the other's result. Give the function a longer timeout if it recurs."


class StoreUnavailable(IdempotencyError, ConnectionError):
    """The store of idempotency records does not answer, or holds what cannot be read."""

    retryable = True


class SealError(FcCallbackError, ValueError):
    """A sealed task token cannot be opened."""


class SealInvalid(SealError):
    """The text was not sealed with any of the keys, or it was altered."""


class SealExpired(SealError):
    """The text was sealed longer ago than allowed."""


class ReportUndelivered(FcCallbackError, ConnectionError):
    """A finished result could not be handed to CloudFlow before the time was up.

    The result is not a failure of the task: FC redelivers the event, and the report is tried again then.

    Attributes:
        attempts: How many calls were made.
        ambiguous: Whether one of them may have reached the service with its answer lost.
        last_error: What the last call ended in.
    """

    hint = "FC delivers the event again after this error; with once= that run only reports, where the result is recorded. See docs/delivery.md."

    def __init__(self, message: str, *, attempts: int, ambiguous: bool, last_error: FcCallbackError | None) -> None:
        super().__init__(message)
        self.attempts = attempts
        self.ambiguous = ambiguous
        self.last_error = last_error


class ServiceUnreachable(FcCallbackError, ConnectionError):
    """A call got no answer: refused, timed out, cut off, or not HTTP.

    Attributes:
        endpoint: Scheme, host and port that were called.
        ambiguous: Whether the request may have reached the service all the same.
        retryable: Whether the same call may succeed later; not where a certificate is not trusted, for example.
    """

    def __init__(
        self, message: str, *, endpoint: str, ambiguous: bool, retryable: bool = True, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.endpoint = endpoint
        self.ambiguous = ambiguous
        self.retryable = retryable
