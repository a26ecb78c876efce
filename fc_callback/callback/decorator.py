"""`@task_callback`: makes an FC function a CloudFlow callback task. `steps.py` contains what it does for each event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, Protocol, TypedDict, TypeVar, overload

from fc_callback.callback.coroutines import load_asyncio_for
from fc_callback.callback.options import Options
from fc_callback.callback.steps import Steps
from fc_callback.payload.signatures import bind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Unpack

    from fc_callback.cloudflow.client import AlreadyCompleted, CloudFlowClient
    from fc_callback.idempotency.options import Once
    from fc_callback.payload.token_search import TokenOption
    from fc_callback.values.task import Task

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class TaskHandler(Protocol, Generic[P, R_co]):
    """A handler that `task_callback` returns. FC calls it with the event and the context, and gets the text of the Output.

    `__wrapped__` is the undecorated function, for unit tests. `__task_callback__` is the handler's `on_failure`. Tools find
    a decorated handler by it, also below other decorators. `__task_options__` has all its options.
    """

    __name__: str
    __qualname__: str
    __task_callback__: Literal["raise", "report"]

    @property
    def __wrapped__(self) -> Callable[P, R_co]:
        """The undecorated function."""

    def __call__(self, event: Any, context: Any, **further: Any) -> str:
        """Run the task. Further keyword arguments are passed to the function."""


class TaskOptions(TypedDict, total=False):
    """The options of `task_callback` for type checkers. `Options` checks them and has their defaults."""

    token: TokenOption
    missing_token: Literal["raise", "ignore"]
    on_failure: Literal["raise", "report"]
    already_completed: AlreadyCompleted
    large_output: Literal["raise"] | Callable[[str, Task], object]
    output_limit_bytes: int | None
    transient: tuple[type[BaseException], ...]
    error_names: Mapping[type[BaseException], str] | None
    deadline_margin_seconds: float
    once: Once | None
    batch: int | None
    client: CloudFlowClient | None


@overload
def task_callback(function: Callable[P, R_co], /) -> TaskHandler[P, R_co]: ...


@overload
def task_callback(**options: Unpack[TaskOptions]) -> Callable[[Callable[P, R_co]], TaskHandler[P, R_co]]: ...


def task_callback(function: Callable[..., Any] | None = None, /, **options: Unpack[TaskOptions]) -> Any:
    """Make an FC function a CloudFlow callback task.

    For each event, the handler finds the task token, runs the function, makes the return value the task's `Output`, and calls
    `ReportTaskSucceeded`, signed with the credentials of this invocation. It returns the text of the Output to FC. An
    exception passes through and is not reported, so that FC retries the event.

    Args:
        function: The function. It is left out if there are options.
        token: The place of the token: a path such as `"data.ticket"`, several paths, or a callable that gets the decoded
            event. By default the handler looks for `taskToken`, `TaskToken` or `task_token`, also inside the envelopes of
            triggers.
        missing_token: For an event without a token: `raise` an error, or `ignore` it and run the function without a task.
        on_failure: `raise`: an exception passes through. `report`: it is reported with ReportTaskFailed, and the handler
            returns normally. A function that still runs shortly before its timeout is reported as `DeadlineExceeded`.
        already_completed: If the task has already ended: `accept` it with a log line, or `raise` TaskAlreadyCompleted.
        large_output: For an Output over the limit: `raise` OutputTooLarge, or a callable that gets the text and the task,
            stores the text, and returns the Output to report instead.
        output_limit_bytes: The largest Output, in bytes of UTF-8: 65536 by default, 32768 for Serverless Workflow.
        transient: With `on_failure="report"`: exceptions that still pass through, so that FC retries the event.
        error_names: The Error for exceptions of these classes and their subclasses. The default is the name of the class.
        deadline_margin_seconds: With `on_failure="report"`: the seconds before the timeout at which `DeadlineExceeded` is
            reported.
        once: Runs the work once, also if the event is delivered again. See `fc_callback.idempotency`.
        batch: For events with several tasks (arrays of EventBridge and MNS): the number of elements that run at a time.
            The function runs once for each element, and each element reports separately. The failures are raised together
            as `BatchFailed`.
        client: The client that reports, with your own retry policy or endpoint. A client without credentials gets those
            of each invocation. The default is a client with the region and the credentials of the invocation.

    Raises:
        SettingsError: An option is invalid.
        HandlerInvalid: The function cannot be a handler, or no event can serve one of its annotations.

    The decorated handler raises:
        TaskTokenNotFound: The event holds no token.
        PayloadInvalid: The payload does not have the shape that the function's annotation asks for.
        OutputError, OutputTooLarge: The result cannot be the task's Output.
        CredentialsNotFound: The function has no role.
        CloudFlowError: The service refuses the report, and a repeated report would be refused too.
        ServiceUnreachable: No report can reach the service: its certificate is not trusted, or a proxy refuses.
        ReportUndelivered: The service did not accept the report before the deadline.
        IdempotencyKeyMissing: With `once`, the payload has no value for the key. The function did not run.
        StoreUnavailable: With `once`, the store does not answer before the work. The function did not run.
    """
    unknown = options.keys() - TaskOptions.__annotations__.keys()
    if unknown:
        raise TypeError(
            f"task_callback() has no option {min(unknown)!r}. Its options are {', '.join(TaskOptions.__annotations__)}."
        )
    checked = Options(**options)  # type: ignore[arg-type]  # error_names=None is read as no names

    def decorate(plain: Callable[..., Any]) -> Any:
        binding = bind(plain, decorator="task_callback")
        load_asyncio_for(plain)
        handler = binding.handler(Steps(binding, checked).serve, returns=str)
        handler.__task_callback__ = checked.on_failure
        handler.__task_options__ = checked
        return handler

    return decorate if function is None else decorate(function)
