"""Waiting tasks for the asking: an execution whose one step waits for a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fc_callback.local.service import LocalCloudFlow
    from fc_callback.values.token import TaskToken

# The function that such a step calls; it takes the event, and leaves the report to others.
_FUNCTION = "fc-callback-new-task"
_CLOUDFLOW = """
Type: StateMachine
Name: {name}
SpecVersion: v1
StartAt: Task
States:
  - Name: Task
    Type: Task
    Action: FC:InvokeFunction
    TaskMode: WaitForCustomCallback
    Timeout: {timeout}
    Parameters:
      resourceArn: acs:fc:cn-hangzhou:{account}:functions/{function}/LATEST
      invocationType: Async
      body:
        taskToken.$: $Context.Current.TaskToken
    End: true
"""
_LEGACY = """
version: v1
type: flow
steps:
  - type: task
    name: Task
    resourceArn: acs:fc:cn-hangzhou:{account}:services/tests/functions/{function}
    pattern: waitForCallback
    timeoutSeconds: {timeout}
    serviceParams: {{InvocationType: Async}}
    inputMappings:
      - {{target: taskToken, source: $context.task.token}}
"""


@attrs.frozen(kw_only=True)
class StartedTask:
    """A task that waits.

    Attributes:
        flow: The flow's name.
        execution: The execution's name.
        token: Its task token.
    """

    flow: str
    execution: str
    token: TaskToken


def start_task(
    service: LocalCloudFlow,
    payload: Mapping[str, Any],
    *,
    language: Literal["cloudflow", "legacy"] = "cloudflow",
    timeout_seconds: int = 3600,
) -> StartedTask:
    """Start an execution of the default account whose one step waits for a report.

    Args:
        service: Where.
        payload: The execution's input.
        language: CloudFlow's definition language, or that of Serverless Workflow.
        timeout_seconds: When the step gives up.

    Raises:
        ApiError: The payload is too large, or the timeout cannot be used.
    """
    if _FUNCTION not in service.functions:
        service.add_function(lambda _event: {}, name=_FUNCTION)
    flow = f"new-task-{language}-{timeout_seconds}"
    definition = _CLOUDFLOW if language == "cloudflow" else _LEGACY
    values = {"name": flow, "timeout": timeout_seconds, "account": service.account_id, "function": _FUNCTION}
    service.create_flow(flow, definition.format(**values), replace=True)
    execution = service.start(flow, payload).name
    return StartedTask(flow=flow, execution=execution, token=service.waiting_token(flow, execution))
