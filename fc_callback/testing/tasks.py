"""A local CloudFlow that starts waiting tasks, and the tasks with their assertions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import attrs

from fc_callback.local.service import LocalCloudFlow
from fc_callback.local.waiting_tasks import start_task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fc_callback.local.history import HistoryEvent
    from fc_callback.values.token import TaskToken

_ENDS = frozenset({"TaskSucceeded", "TaskFailed", "TaskTimedOut"})
_EXECUTION_ENDS = frozenset({"ExecutionSucceeded", "ExecutionFailed", "ExecutionStopped", "ExecutionTimedOut"})
_WAIT_SECONDS = 10.0


@attrs.frozen(kw_only=True)
class WaitingTask:
    """One step of an execution that waits for its report.

    Attributes:
        service: The local CloudFlow.
        flow: The flow's name.
        execution: The execution's name.
        token: Its task token.
        payload: The payload that the flow sends to the function, without the token.
        key: The token's key in the payload.
    """

    service: TaskCloudFlow = attrs.field(repr=False)
    flow: str
    execution: str
    token: TaskToken
    payload: Mapping[str, Any] = attrs.field(repr=False)
    key: str = "taskToken"

    @property
    def event(self) -> bytes:
        """The event of a direct call: the payload with the token. For other triggers see `event_as`."""
        return json.dumps({**self.payload, self.key: self.token.reveal()}, ensure_ascii=False).encode()

    def event_as(self, trigger: Callable[..., bytes], **options: Any) -> bytes:
        """Return the event that a trigger delivers, like `task.event_as(events.mns_topic, form="json")`.

        Args:
            trigger: A builder of `fc_callback.testing.events`.
            options: The builder's own options.
        """
        return trigger(self.payload, token=self.token, key=self.key, **options)

    @property
    def status(self) -> str:
        """The execution's status: `Running` while the task waits, `Succeeded`, `Failed`, `TimedOut` or `Stopped`."""
        return self.service.describe(self.flow, self.execution).status

    @property
    def output(self) -> dict[str, Any] | None:
        """The reported Output; None if success was not reported."""
        end = self._end()
        return None if end is None else end.detail.get("output")

    @property
    def failure(self) -> tuple[str, str] | None:
        """The Error and the Cause; None if the task has not failed."""
        end = self._end()
        if end is None or end.type == "TaskSucceeded":
            return None
        return str(end.detail.get("error", "")), str(end.detail.get("cause", ""))

    def wait(self, timeout: float = _WAIT_SECONDS) -> WaitingTask:
        """Wait until another thread or process has reported the task, and return it.

        Raises:
            StillRunning: It has not been reported after `timeout` seconds of real time.
        """
        self.service.wait(self.flow, self.execution, timeout=timeout)
        return self

    def assert_waiting(self) -> None:
        """Fail unless the task still waits."""
        __tracebackhide__ = True
        _check(self._end() is None and self.status == "Running", "waits", self)

    def assert_succeeded(self) -> None:
        """Fail unless success was reported."""
        __tracebackhide__ = True
        end = self._end()
        _check(end is not None and end.type == "TaskSucceeded", "has succeeded", self)

    def assert_succeeded_with(self, output: Mapping[str, Any]) -> None:
        """Fail unless success was reported with this Output."""
        __tracebackhide__ = True
        self.assert_succeeded()
        given = self.output
        _check(given == output, f"has succeeded with {_json_text(output)}", self)

    def assert_failed_with(self, error: str, cause: str | None = None) -> None:
        """Fail unless a failure was reported with this Error, and a Cause that contains `cause`."""
        __tracebackhide__ = True
        failure = self.failure
        _check(failure is not None and failure[0] == error, f"has failed with {error!r}", self)
        assert failure is not None
        _check(
            cause is None or cause in failure[1], f"has failed with {error!r} and a Cause with {cause!r} in it", self
        )

    def assert_timed_out(self) -> None:
        """Fail unless the task has timed out; `service.advance(seconds)` moves the clock."""
        __tracebackhide__ = True
        end = self._end()
        _check(end is not None and end.type == "TaskTimedOut", "has timed out", self)

    def _end(self) -> HistoryEvent | None:
        return _end_of(self.service.history(self.flow, self.execution))

    def __str__(self) -> str:
        return describe_task(self.service.history(self.flow, self.execution))


def _end_of(history: Sequence[HistoryEvent]) -> HistoryEvent | None:
    return next((event for event in history if event.type in _ENDS), None)


def describe_task(history: Sequence[HistoryEvent]) -> str:
    """Describe the state of an execution's one task."""
    end = _end_of(history)
    if end is None:
        status = history[-1].type.removeprefix("Execution") if history[-1].type in _EXECUTION_ENDS else ""
        return f"its execution is {status}" if status else "it waits: it has not been reported"
    if end.type == "TaskSucceeded":
        return f"it has succeeded with {_json_text(end.detail.get('output'))}"
    words = "timed out" if end.type == "TaskTimedOut" else "failed"
    return f"it has {words} with {end.detail.get('error', '')!r}: {end.detail.get('cause', '')}"


class TaskCloudFlow(LocalCloudFlow):
    """A `LocalCloudFlow` that also starts waiting tasks, with `new_task`."""

    def __enter__(self) -> TaskCloudFlow:
        """Start the service and return it."""
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
        """Start an execution with one step, which waits for its report, and return that task.

        Args:
            payload: The payload that the flow sends to the function; the token is added to it.
            key: The token's key in the payload.
            language: The flow's definition language: CloudFlow's, or that of Serverless Workflow.
            timeout_seconds: The step's timeout.
        """
        given = dict(payload or {})
        task = start_task(self._components, given, language=language, timeout_seconds=timeout_seconds)
        return WaitingTask(
            service=self, flow=task.flow, execution=task.execution, token=task.token, payload=given, key=key
        )


def _check(holds: bool, expected: str, task: WaitingTask) -> None:  # noqa: FBT001 - the condition
    __tracebackhide__ = True
    if not holds:
        raise AssertionError(f"Expected a task that {expected}, but {str(task).rstrip('.')}.")


def _json_text(output: object) -> str:
    return json.dumps(output, ensure_ascii=False, sort_keys=True, default=str)
