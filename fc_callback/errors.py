"""The errors of fc_callback, as one tree.

    FcCallbackError
    ├── SettingsError (ValueError)               an argument, an option or a CLOUDFLOW_* variable is invalid
    ├── HandlerInvalid (TypeError)               a function cannot be decorated, because of its form or its parameters
    ├── CredentialsNotFound (LookupError)        the invocation has no credentials, because the function has no role
    ├── TaskTokenNotFound (LookupError)          the event holds no task token
    │   ├── EventNotUtf8                         the event is JSON, but its bytes are not UTF-8
    │   └── TokenAmbiguous                       the event holds several different task tokens
    ├── PayloadInvalid (ValueError)              the event or the payload does not have the shape that the function asks for
    ├── OutputError (TypeError)                  the result cannot be written as JSON
    │   └── OutputTooLarge                       the Output is larger than the flow's limit
    ├── TaskFailed                               the function raises it to fail its task by name
    ├── BatchFailed                              some tasks of an event with several tasks failed
    ├── NoRunningTask (LookupError)              current_task() was called, but no task is running
    ├── LayerError (RuntimeError)                a middleware layer called call_next twice
    ├── IdempotencyError                         once= does not know whether the work is done, or must not run it
    │   ├── IdempotencyKeyMissing (LookupError)  the payload has no value for the key
    │   ├── PayloadChanged (ValueError)          the same key came with a different payload
    │   ├── WorkInProgress                       another delivery is running this work
    │   ├── LeaseLost                            another delivery took over this work
    │   └── StoreUnavailable (ConnectionError)   the store does not answer, or its answer cannot be read
    ├── SealError (ValueError)                   a sealed task token cannot be opened
    │   ├── SealInvalid                          it was sealed with another key, or it was changed
    │   └── SealExpired                          it was sealed too long ago
    ├── ReportUndelivered (ConnectionError)      the result is final, but CloudFlow has not accepted the report in time
    ├── ServiceUnreachable (ConnectionError)     one call got no answer
    ├── CloudFlowError                           one call got an error as its answer
    │   └── one class for each code of the service, in `fc_callback.cloudflow.errors`
    ├── ApiError                                 `fc_callback.local`: the local CloudFlow refuses an operation
    ├── StillRunning (TimeoutError)              `fc_callback.local`: an execution did not end in time
    ├── NoWaitingTask (LookupError)              `fc_callback.local`: no task of an execution waits for a report
    ├── HandlerNotLoaded (ImportError)           `fc_callback.runtime.wsgi`: a function cannot be imported
    ├── BuildError                               `fc_callback.building`: the dependencies cannot be packaged
    └── TemplateError (ValueError)               `fc_callback.scaffolding`: a template cannot become a project

Errors that the package raises and catches itself have this root as well. Python's own errors remain for a call with
unknown, missing or mistyped arguments (TypeError) and for a failed assertion of a test (AssertionError).

The text of an error says what happened and what to do next. It never contains a task token, an access key or a value of
the event.
"""

from __future__ import annotations

from typing import Any, TypeVar

_E = TypeVar("_E", bound="FcCallbackError")


def restored(cls: type[_E], args: tuple[Any, ...], state: dict[str, Any]) -> _E:
    """Return an error with these arguments and attributes, without calling its `__init__`: for pickle and copy."""
    error = cls.__new__(cls, *args)
    error.args = args  # OSError sets them only in __init__
    error.__dict__.update(state)
    return error


class FcCallbackError(Exception):
    """The root of every error of this package. Catch it to catch them all.

    Attributes:
        hint: What to do next. It is the last part of the error's text.
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
    """Raised when an argument, an option or an environment variable is invalid: at the latest when it is first read."""


class HandlerInvalid(FcCallbackError, TypeError):
    """Raised when a function cannot be decorated, or when a handler is called without an event and a context."""


class CredentialsNotFound(FcCallbackError, LookupError):
    """Raised when there are no credentials to sign a report with.

    FC gives an invocation credentials if the function has a role.
    """

    hint = (
        "Give the function a role: `role: acs:ram::<account id>:role/<name>` in s.yaml, or Configuration > Role in the "
        "console. The role must trust fc.aliyuncs.com and allow fnf:ReportTaskSucceeded and fnf:ReportTaskFailed on '*'. "
        "Outside FC, set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET. In a test, use the fixture fc_context."
    )


class TaskTokenNotFound(FcCallbackError, LookupError):
    """Raised when the event holds no task token, or none at the place that `token=` names.

    With `missing_token="ignore"` the function runs without a task instead.
    """


class EventNotUtf8(TaskTokenNotFound):
    """Raised when the event, or a message in it, is JSON but not UTF-8. A token cannot be read from it safely."""

    hint = (
        "Let the producer send UTF-8, or JSON with all non-ASCII characters escaped (Python's json.dumps does that). In GBK "
        "some characters end with the byte of a backslash, so JSON in GBK cannot be read before it is decoded."
    )


class TokenAmbiguous(TaskTokenNotFound):
    """Raised when the event holds several different task tokens and no option says which one to use.

    Attributes:
        paths: The places of the first few tokens, like `$[0].data.taskToken`.
    """

    def __init__(self, message: str, *, paths: tuple[str, ...] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.paths = paths


class PayloadInvalid(FcCallbackError, ValueError):
    """Raised when the event, or the payload in it, does not have the shape that the function asks for.

    Attributes:
        problems: (path, problem) pairs, like `("$.order.lines", "Field required")`. They contain no value of the event.
    """

    def __init__(self, message: str, *, problems: tuple[tuple[str, str], ...] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.problems = problems


class OutputError(FcCallbackError, TypeError):
    """Raised when the function's result cannot be written as JSON. An Output is a JSON object.

    Attributes:
        path: The place in the result, like `$.lines[2].price`.
    """

    def __init__(self, message: str, *, path: str = "$", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.path = path


class OutputTooLarge(OutputError):
    """Raised when the Output is larger than the flow's limit: 64 KiB in CloudFlow, 32 KiB in Serverless Workflow.

    Attributes:
        size: The size of the Output in bytes, as UTF-8.
        limit: The limit in bytes.
        largest: The largest members of the Output, as (key, bytes) pairs, the largest first.
    """

    hint = (
        "Store the data (in OSS, in a table) and return a reference to it, or give large_output= a function that does "
        "this."
    )

    def __init__(self, *, size: int, limit: int, largest: tuple[tuple[str, int], ...]) -> None:
        parts = ", ".join(f"{key}: {count} bytes" for key, count in largest)
        super().__init__(
            f"The Output is {size} bytes and the limit is {limit}." + (f" Largest members: {parts}." if parts else "")
        )
        self.size = size
        self.limit = limit
        self.largest = largest


class TaskFailed(FcCallbackError):
    """Raise it in a function to fail its task by name, with both values of `on_failure`.

    Args:
        error: The name for the flow's Catch and Retry, 1 to 128 characters.
        cause: A description for people, up to 4,096 characters.

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
    """Raised when some tasks of an event with several tasks failed. The other tasks are reported.

    Attributes:
        failures: (position in the event, exception) pairs.
    """

    hint = "FC delivers the whole event again after this error. With once= work that is done does not run again."

    def __init__(self, message: str, *, failures: tuple[tuple[int, Exception], ...]) -> None:
        super().__init__(message)
        self.failures = failures


class NoRunningTask(FcCallbackError, LookupError):
    """Raised by `current_task()` where no task runs.

    A new thread does not know the task, because it starts without the context of the thread that started it.
    """

    hint = (
        "Call it inside a function decorated with task_callback, for an event with a token. Start threads with "
        "contextvars.copy_context().run."
    )


class LayerError(FcCallbackError, RuntimeError):
    """Raised when a middleware layer calls `call_next` a second time. The handler would run twice."""

    hint = "Keep the result of the first call: result = call_next(call)."


class IdempotencyError(FcCallbackError):
    """Raised when `once=` does not know whether the work is done, or must not run it.

    Attributes:
        retryable: Whether a later delivery of the same event may succeed.
    """

    retryable = False


class IdempotencyKeyMissing(IdempotencyError, LookupError):
    """Raised when the payload has no value for the key.

    Without a key, unrelated events would share one result.
    """


class PayloadChanged(IdempotencyError, ValueError):
    """Raised when an event has a key that is already known, but another payload than the first event with this key."""

    hint = (
        "If this is different work, add the field that distinguishes it to key=. If the difference does not matter, name "
        "the fields that must be equal in check=(...)."
    )


class WorkInProgress(IdempotencyError):
    """Raised when another delivery is running this work and did not finish while this delivery waited.

    Attributes:
        retry_after_seconds: Seconds until the lease of the other delivery ends.
    """

    retryable = True
    hint = "Let it pass through. FC delivers an asynchronous event again, and that delivery gets the result."

    def __init__(self, message: str, *, retry_after_seconds: float, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_seconds = retry_after_seconds


class LeaseLost(IdempotencyError):
    """Raised when this delivery ran longer than its lease and another delivery took over the work.

    The result of this delivery is not recorded.
    """

    retryable = True
    hint = (
        "Let it pass through. The next delivery gets the result of the other one. If this happens again, give the function "
        "a longer timeout."
    )


class StoreUnavailable(IdempotencyError, ConnectionError):
    """Raised when the store of idempotency records does not answer, or returns a record that cannot be read."""

    retryable = True


class SealError(FcCallbackError, ValueError):
    """Raised when a sealed task token cannot be opened."""


class SealInvalid(SealError):
    """Raised when the text was not sealed with any of the keys, or was changed."""

    hint = "Use the whole text, and give TokenSeal every key that may have sealed it."


class SealExpired(SealError):
    """Raised when the text was sealed longer ago than `max_age_seconds` allows."""

    hint = "Start the step again, or accept older texts with a larger max_age_seconds=."


class ReportUndelivered(FcCallbackError, ConnectionError):
    """Raised when CloudFlow did not accept the report of a finished result before the deadline.

    The task has not failed. FC delivers the event again, and that delivery reports again.

    Attributes:
        attempts: The number of calls.
        ambiguous: Whether one of the calls may have reached the service, with its answer lost.
        last_error: The error of the last call.
    """

    hint = (
        "FC delivers the event again after this error. With once=, that delivery only reports the recorded result. "
        "See docs/delivery.md."
    )

    def __init__(self, message: str, *, attempts: int, ambiguous: bool, last_error: FcCallbackError | None) -> None:
        super().__init__(message)
        self.attempts = attempts
        self.ambiguous = ambiguous
        self.last_error = last_error


class ServiceUnreachable(FcCallbackError, ConnectionError):
    """Raised when a call got no answer: the connection was refused, timed out or broke, or the answer was not HTTP.

    Attributes:
        endpoint: The scheme, host and port of the call.
        ambiguous: Whether the request may have reached the service.
        retryable: Whether the same call may succeed later. It is False if a certificate is not trusted, for example.
    """

    def __init__(
        self, message: str, *, endpoint: str, ambiguous: bool, retryable: bool = True, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.endpoint = endpoint
        self.ambiguous = ambiguous
        self.retryable = retryable
