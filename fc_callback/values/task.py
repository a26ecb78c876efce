"""A task: what a function may know about the waiting step of a flow that it works on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fc_callback.values.base import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

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
