"""Tasks that wait on a local CloudFlow, and what became of them: `fc_callback.testing`, with our tests' own words."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import attrs

from fc_callback.testing import TaskCloudFlow
from fc_callback.testing import WaitingTask as PublicTask

Language: TypeAlias = Literal["cloudflow", "legacy"]


@attrs.frozen(kw_only=True)
class WaitingTask:
    """One task that waits; what is asked of its end waits for it."""

    task: PublicTask

    @property
    def service(self) -> TaskCloudFlow:
        return self.task.service

    @property
    def flow(self) -> str:
        return self.task.flow

    @property
    def execution(self) -> str:
        return self.task.execution

    @property
    def event(self) -> bytes:
        return self.task.event

    @property
    def token(self) -> str:
        return self.task.token.reveal()

    @property
    def status(self) -> str:
        return self.task.status

    @property
    def output(self) -> dict[str, Any] | None:
        """The Output that CloudFlow has, once the execution has ended."""
        return self.task.wait().output

    @property
    def failure(self) -> tuple[str, str]:
        return self.task.wait().failure or ("", "")

    def reports(self) -> int:
        """How many reports of it were taken: never more than one."""
        kinds = [event.type for event in self.service.history(self.flow, self.execution)]
        return sum(kind in {"TaskSucceeded", "TaskFailed", "TaskTimedOut"} for kind in kinds)


class WaitingTasks:
    """A local CloudFlow that hands out waiting tasks, in either language."""

    def __init__(self, **options: Any) -> None:
        self.service = TaskCloudFlow(**options)

    def __enter__(self) -> WaitingTasks:
        self.service.start_service()
        return self

    def __exit__(self, *_: object) -> None:
        self.service.close()

    def new(self, flow: Language = "cloudflow", order: Any = None, timeout_seconds: int = 600) -> WaitingTask:
        """Start an execution and return its waiting task."""
        return WaitingTask(task=self.service.new_task({"order": order}, language=flow, timeout_seconds=timeout_seconds))
