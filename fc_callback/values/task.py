"""The running task: what a function may know about the task it is part of."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from fc_callback.errors import NoRunningTask
from fc_callback.values.base import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextvars import Token

    from fc_callback.values.context import Deadline, FcContext
    from fc_callback.values.token import TaskToken


class Deferred(Value):
    """What a function returns when somebody else will report its task: made by `Task.defer()`."""

    token: TaskToken


class Task(Value, hidden=("payload", "context")):
    """One waiting step of a flow's execution, while the function that works on it runs.

    Attributes:
        token: Names the task; masked in every text form, `token.reveal()` gives it.
        payload: The JSON object in which the token was found, without the keys that held it.
        context: The invocation.
        path: Where in the event the token was found.
        deadline: When this work must have ended; None where the function's timeout is not known.
        token_keys: The keys of that object that held the token.
    """

    token: TaskToken
    payload: Mapping[str, Any]
    context: FcContext
    path: str = "$"
    deadline: Deadline | None = None
    token_keys: tuple[str, ...] = ()

    @property
    def remaining_seconds(self) -> float:
        """Seconds until the deadline, never below zero; infinite where there is none."""
        return max(0.0, self.deadline.remaining_seconds()) if self.deadline else float("inf")

    @property
    def attempt(self) -> int:
        """1 for the first delivery of the event, 2 for FC's first retry of it, and so on."""
        return self.context.retry_count + 1

    def __copy__(self) -> Task:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Task:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # A pickled task is one in a log record or a crash report, and the payload holds the token in the clear.
        return _from_pickle, (self.context, self.path, str(self.token))

    def defer(self) -> Deferred:
        """Say that somebody else will report this task: return what this returns, and nothing is reported.

        Hand on `token.reveal()` first, or better a sealed form of it. Whoever finishes the task uses `CloudFlowClient`
        or `fc-callback report`.
        """
        return Deferred(token=self.token)


def _from_pickle(context: FcContext, path: str, shown: str) -> Task:
    from fc_callback.values.token import TaskToken

    return Task(token=TaskToken(shown), payload={}, context=context, path=path)


_current: ContextVar[Task | None] = ContextVar("fc_callback_task", default=None)


def current_task() -> Task:
    """Return the task that this code runs for.

    asyncio tasks see it by themselves; a thread sees it when it is started with a copy of the context
    (`contextvars.copy_context().run`).

    Raises:
        NoRunningTask: This code does not run below a function made by `task_callback`.
    """
    task = _current.get()
    if task is None:
        raise NoRunningTask("No task is running here.")
    return task


# Returns the task that this code runs for, or None: for helpers that work with and without one, and ask at each log line.
running_task: Callable[[], Task | None] = _current.get


class running:  # noqa: N801 - with running(task): ...
    """Make a task the current one for the time of a `with` block."""

    # A class: a generator would take several times as long.
    __slots__ = ("_mark", "_task")

    def __init__(self, task: Task | None) -> None:
        self._task = task

    def __enter__(self) -> None:
        """Begin."""
        self._mark: Token[Task | None] = _current.set(self._task)

    def __exit__(self, *_: object) -> None:
        """End, whatever the block ended in."""
        _current.reset(self._mark)
