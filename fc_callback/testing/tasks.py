"""A local CloudFlow that hands out waiting tasks, and what a test asks about them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import attrs

from fc_callback.local.service import LocalCloudFlow
from fc_callback.local.waiting_tasks import start_task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fc_callback.local.values import HistoryEvent
    from fc_callback.values.token import TaskToken

_ENDS = frozenset({"TaskSucceeded", "TaskFailed", "TaskTimedOut"})
_EXECUTION_ENDS = frozenset({"ExecutionSucceeded", "ExecutionFailed", "ExecutionStopped", "ExecutionTimedOut"})
_WAIT_SECONDS = 10.0


@attrs.frozen(kw_only=True)
class WaitingTask:
    """One step of an execution that waits for its callback.

    Attributes:
        service: Where it waits.
        flow: The flow's name.
        execution: The execution's name.
        token: Its task token.
        payload: What the flow sends to the function, the token left out.
        key: The name that the token has in the payload.
    """

    service: TaskCloudFlow = attrs.field(repr=False)
    flow: str
    execution: str
    token: TaskToken
    payload: Mapping[str, Any] = attrs.field(repr=False)
    key: str = "taskToken"

    @property
    def event(self) -> bytes:
        """The event of a direct call: the payload with the token in it. For other triggers see `event_as`."""
        return json.dumps({**self.payload, self.key: self.token.reveal()}, ensure_ascii=False).encode()

    def event_as(self, trigger: Callable[..., bytes], **options: Any) -> bytes:
        """Return the event that a trigger would deliver, like `task.event_as(events.mns_topic, form="json")`.

        Args:
            trigger: A builder of `fc_callback.testing.events`.
            options: Its own options.
        """
        return trigger(self.payload, token=self.token, key=self.key, **options)

    @property
    def status(self) -> str:
        """The execution's: `Running` while the task waits, `Succeeded`, `Failed`, `TimedOut` or `Stopped`."""
        return self.service.describe(self.flow, self.execution).status

    @property
    def output(self) -> dict[str, Any] | None:
        """The Output it was completed with; None where it was not."""
        end = self._end()
        return None if end is None else end.detail.get("output")

    @property
    def failure(self) -> tuple[str, str] | None:
        """The Error and the Cause it failed with; None where it did not."""
        end = self._end()
        if end is None or end.type == "TaskSucceeded":
            return None
        return str(end.detail.get("error", "")), str(end.detail.get("cause", ""))

    def wait(self, timeout: float = _WAIT_SECONDS) -> WaitingTask:
        """Wait until it has been reported, by a thread or a process of the test's own, and return it.

        Raises:
            StillRunning: It has not, after `timeout` seconds of the real clock.
        """
        self.service.wait(self.flow, self.execution, timeout=timeout)
        return self

    def assert_waiting(self) -> None:
        """Fail unless nobody has reported it, and it has not timed out."""
        __tracebackhide__ = True
        _check(self._end() is None and self.status == "Running", "waits", self)

    def assert_succeeded(self) -> None:
        """Fail unless it was completed with any Output."""
        __tracebackhide__ = True
        end = self._end()
        _check(end is not None and end.type == "TaskSucceeded", "has succeeded", self)

    def assert_succeeded_with(self, output: Mapping[str, Any]) -> None:
        """Fail unless it was completed with this Output."""
        __tracebackhide__ = True
        self.assert_succeeded()
        given = self.output
        _check(given == output, f"has succeeded with {_text(output)}", self)

    def assert_failed_with(self, error: str, cause: str | None = None) -> None:
        """Fail unless it was reported as failed with this Error, and a Cause that contains `cause`."""
        __tracebackhide__ = True
        failure = self.failure
        _check(failure is not None and failure[0] == error, f"has failed with {error!r}", self)
        assert failure is not None
        _check(
            cause is None or cause in failure[1], f"has failed with {error!r} and a Cause with {cause!r} in it", self
        )

    def assert_timed_out(self) -> None:
        """Fail unless its time was up before anybody reported it; `service.advance(seconds)` moves the time."""
        __tracebackhide__ = True
        end = self._end()
        _check(end is not None and end.type == "TaskTimedOut", "has timed out", self)

    def _end(self) -> HistoryEvent | None:
        return _end_of(self.service.history(self.flow, self.execution))

    def __str__(self) -> str:
        return told(self.service.history(self.flow, self.execution))


def _end_of(history: Sequence[HistoryEvent]) -> HistoryEvent | None:
    return next((event for event in history if event.type in _ENDS), None)


def told(history: Sequence[HistoryEvent]) -> str:
    """Say what became of the one task of an execution."""
    end = _end_of(history)
    if end is None:
        status = history[-1].type.removeprefix("Execution") if history[-1].type in _EXECUTION_ENDS else ""
        return f"its execution is {status}" if status else "it waits: nobody has reported it"
    if end.type == "TaskSucceeded":
        return f"it has succeeded with {_text(end.detail.get('output'))}"
    words = "timed out" if end.type == "TaskTimedOut" else "failed"
    return f"it has {words} with {end.detail.get('error', '')!r}: {end.detail.get('cause', '')}"


class TaskCloudFlow(LocalCloudFlow):
    """The local CloudFlow, with waiting tasks for the asking; everything else as in `LocalCloudFlow`."""

    def __enter__(self) -> TaskCloudFlow:
        """Start, and return the service."""
        self.start_service()
        return self

    def new_task(
        self,
        payload: Mapping[str, Any] | None = None,
        *,
        key: str = "taskToken",
        language: Literal["cloudflow", "legacy"] = "cloudflow",
        timeout_seconds: int = 3600,
    ) -> WaitingTask:
        """Start an execution whose one step waits for a callback, and return that task.

        Args:
            payload: What the flow sends to the function; the token joins it.
            key: The name that the token has in it.
            language: CloudFlow's definition language, or that of Serverless Workflow.
            timeout_seconds: When the step gives up.
        """
        given = dict(payload or {})
        task = start_task(self._components, given, language=language, timeout_seconds=timeout_seconds)
        return WaitingTask(
            service=self, flow=task.flow, execution=task.execution, token=task.token, payload=given, key=key
        )


def _check(holds: bool, expected: str, task: WaitingTask) -> None:  # noqa: FBT001 - the one thing it is about
    __tracebackhide__ = True
    if not holds:
        raise AssertionError(f"Expected a task that {expected}, but {str(task).rstrip('.')}.")


def _text(output: object) -> str:
    return json.dumps(output, ensure_ascii=False, sort_keys=True, default=str)
