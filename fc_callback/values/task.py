"""The running task: a waiting step of a flow, as its function sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fc_callback.values.base import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fc_callback.values.context import Deadline, FcContext
    from fc_callback.values.token import TaskToken


class Deferred(Value):
    """The result of `Task.defer()`. A function returns it if another process will report its task."""

    token: TaskToken


class Task(Value, hidden=("payload", "context")):
    """One waiting step of a flow's execution, while its function runs.

    Attributes:
        token: Identifies the task. Its text form is masked; `token.reveal()` returns it.
        payload: The JSON object in which the token was found, without the keys of the token.
        context: The invocation.
        path: The place of the token in the event, like `$[0].data.taskToken`.
        deadline: The time at which this work must have ended. None if the function's timeout is not known.
        token_keys: The keys of that object with the token as their value.
    """

    token: TaskToken
    payload: Mapping[str, Any]
    context: FcContext
    path: str = "$"
    deadline: Deadline | None = None
    token_keys: tuple[str, ...] = ()

    @property
    def remaining_seconds(self) -> float:
        """Seconds until the deadline, never below zero. Infinite without a deadline."""
        return max(0.0, self.deadline.remaining_seconds()) if self.deadline else float("inf")

    @property
    def attempt(self) -> int:
        """1 for the first delivery of the event, 2 for FC's first retry, and so on."""
        return self.context.retry_count + 1

    def __copy__(self) -> Task:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Task:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # A task is pickled for a log record or a crash report. So the payload, which may contain secrets, is left out.
        return _task_from_pickle, (self.context, self.path, str(self.token))

    def defer(self) -> Deferred:
        """Return a value that tells `task_callback` not to report this task: another process will report it.

        The function must return this value. Before that, give the other process `token.reveal()`, or better the sealed
        token (`TokenSeal`). It reports with `CloudFlowClient` or `fc-callback report`.
        """
        return Deferred(token=self.token)


def _task_from_pickle(context: FcContext, path: str, shown: str) -> Task:
    from fc_callback.values.token import TaskToken

    return Task(token=TaskToken(shown), payload={}, context=context, path=path)
