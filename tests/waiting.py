"""Tasks that wait on a local CloudFlow, and what became of them."""

from __future__ import annotations

import json
import queue
from typing import Any

import attrs

from fc_callback.local import LocalCloudFlow

LEGACY = """
version: v1
type: flow
steps:
  - type: task
    name: wait
    resourceArn: acs:fc:::services/s/functions/catch
    pattern: waitForCallback
    timeoutSeconds: 600
    serviceParams: {InvocationType: Async}
    inputMappings:
      - {target: taskToken, source: $context.task.token}
      - {target: order, source: $input.order}
"""

CLOUDFLOW = """
Type: StateMachine
Name: cloudflow
SpecVersion: v1
StartAt: Wait
States:
  - Name: Wait
    Type: Task
    Action: FC:InvokeFunction
    TaskMode: WaitForCustomCallback
    Timeout: 600
    Parameters:
      resourceArn: acs:fc:cn-hangzhou:1000000000000001:functions/catch/LATEST
      invocationType: Async
      body:
        taskToken.$: $Context.Current.TaskToken
        order.$: $Input.order
    End: true
"""


@attrs.frozen(kw_only=True)
class WaitingTask:
    """One task that waits, and a look at its execution."""

    service: LocalCloudFlow = attrs.field(repr=False)
    flow: str
    execution: str
    event: bytes = attrs.field(repr=False)

    @property
    def token(self) -> str:
        return str(json.loads(self.event)["taskToken"])

    @property
    def status(self) -> str:
        return self.service.describe(self.flow, self.execution).status

    @property
    def output(self) -> dict[str, Any] | None:
        """The Output that CloudFlow has, once the execution has ended."""
        return self.service.wait(self.flow, self.execution, timeout=10).output

    @property
    def failure(self) -> tuple[str, str]:
        ended = self.service.wait(self.flow, self.execution, timeout=10)
        return ended.error, ended.cause

    def reports(self) -> int:
        """How many reports of it were taken: never more than one."""
        kinds = [event.type for event in self.service.history(self.flow, self.execution)]
        return sum(kind in {"TaskSucceeded", "TaskFailed", "TaskTimedOut"} for kind in kinds)


class WaitingTasks:
    """A local CloudFlow with a flow in each language, whose one step waits for a callback."""

    def __init__(self, **options: Any) -> None:
        self.service = LocalCloudFlow(**options)
        self._caught: dict[str, bytes] = {}
        self._arrived: queue.Queue[bytes] = queue.Queue()

    def __enter__(self) -> WaitingTasks:
        self.service.start_service()
        self.service.add_function(self._catch, name="catch")
        self.service.create_flow("legacy", LEGACY)
        self.service.create_flow("cloudflow", CLOUDFLOW)
        return self

    def __exit__(self, *_: object) -> None:
        self.service.close()

    def _catch(self, event: bytes) -> str:
        self._arrived.put(event)
        return "{}"

    def new(self, flow: str = "cloudflow", order: Any = None) -> WaitingTask:
        """Start an execution and return its waiting task."""
        execution = self.service.start(flow, {"order": order})
        while True:
            event = self._caught.pop(execution.name, None)
            if event is not None:
                return WaitingTask(service=self.service, flow=flow, execution=execution.name, event=event)
            arrived = self._arrived.get(timeout=10)
            from fc_callback.token import TaskToken

            name = TaskToken(json.loads(arrived)["taskToken"]).execution
            assert name is not None
            self._caught[name] = arrived
