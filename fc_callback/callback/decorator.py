"""`@task_callback`: an ordinary FC function becomes a CloudFlow callback task. `steps.py` tells what it does then."""

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
    """A handler made by `task_callback`: called by FC with the event and the context, it returns the Output's text.

    `__wrapped__` is the function as it was written, for unit tests. `__task_callback__` is the mark by which tools know a
    decorated handler, under other decorators too: what its `on_failure` is.
    """

    __name__: str
    __qualname__: str
    __task_callback__: Literal["raise", "report"]

    @property
    def __wrapped__(self) -> Callable[P, R_co]:
        """The plain function."""

    def __call__(self, event: Any, context: Any, **further: Any) -> str:
        """Run the task; further arguments, by name, go to the function."""


class TaskOptions(TypedDict, total=False):
    """The options of `task_callback`, for type checkers; `Options` checks them and has their defaults."""

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

    The task token is taken out of the event, the function runs, its return value becomes the task's `Output`, and
    `ReportTaskSucceeded` is called, signed with the credentials of this invocation. The Output's text is also what FC
    gets. An exception passes through, and nothing is reported: FC's own retries see it.

    Args:
        function: The function; left out when there are options.
        token: Where the token is: a path such as `"data.ticket"`, several to try, or a callable that gets the decoded
            event. By default `taskToken`, `TaskToken` or `task_token` is looked for, through what triggers wrap around
            a message.
        missing_token: `raise`, or `ignore`: without a token the function is served as a plain one.
        on_failure: `raise`: an exception passes through. `report`: it becomes ReportTaskFailed, and the invocation ends
            well; a function still running shortly before its timeout is reported as `DeadlineExceeded`.
        already_completed: What a task that somebody else has completed is: `accept` (logged), or `raise`.
        large_output: `raise`, or a callable that gets an Output over the limit and the task, stores it, and returns
            what the task's Output is instead.
        output_limit_bytes: What an Output may have, in bytes of UTF-8; 65536 by default, 32768 for Serverless Workflow.
        transient: With `on_failure="report"`: exceptions that pass through all the same, so that FC retries.
        error_names: The Error for exceptions of these classes and their subclasses; by default the class's name.
        deadline_margin_seconds: With `on_failure="report"`: how long before the timeout `DeadlineExceeded` is reported.
        once: Work that is done once, whatever is delivered twice: see `fc_callback.idempotency`.
        batch: For events that carry many tasks (arrays of EventBridge and MNS): the function runs once for each
            element, so many at a time, each reports on its own, and what failed is raised together as `BatchFailed`.
        client: Who reports, where retrying or the endpoint are set by hand; one without credentials gets those of each
            invocation. By default a client with the region and the credentials of each invocation.

    Raises:
        SettingsError: An option cannot be used.
        TypeError: The function's annotations ask for something that cannot be given.

    The decorated handler raises:
        TaskTokenNotFound: The event holds no token.
        PayloadInvalid: The payload is not what the function's annotation asks for.
        OutputError, OutputTooLarge: The result cannot be the task's Output.
        CredentialsNotFound: The function has no role.
        CloudFlowError: The service refuses the report for good.
        ServiceUnreachable: No report can reach the service: its certificate is not trusted, or a proxy refuses.
        ReportUndelivered: The time was up before the service had taken the report.
        StoreUnavailable: `once`: the store does not answer before the work; nothing ran.
    """
    checked = Options(**options)  # type: ignore[arg-type]  # error_names=None is read as no names

    def decorate(plain: Callable[..., Any]) -> Any:
        binding = bind(plain, decorator="task_callback")
        load_asyncio_for(plain)
        handler = binding.handler(Steps(binding, checked).serve, returns=str)
        handler.__task_callback__ = checked.on_failure
        return handler

    return decorate if function is None else decorate(function)
