"""Tasks that wait for a report: an execution with one callback step, started on request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import attrs

from fc_callback.local.api_errors import NoWaitingTask
from fc_callback.values.token import TaskToken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fc_callback.local.components import Components

# The function that such a step calls. It takes the event and does not report the task.
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
    """A waiting task.

    Attributes:
        flow: The flow's name.
        execution: The execution's name.
        token: The task token.
    """

    flow: str
    execution: str
    token: TaskToken


def start_task(
    components: Components,
    payload: Mapping[str, Any],
    *,
    language: Literal["cloudflow", "legacy"] = "cloudflow",
    timeout_seconds: int = 3600,
) -> StartedTask:
    """Start an execution of the default account that has one step, which waits for a report.

    Args:
        components: The service.
        payload: The execution's input.
        language: The flow's definition language: CloudFlow's, or that of Serverless Workflow.
        timeout_seconds: The step's timeout.

    Raises:
        ApiError: The payload is too large, or the timeout cannot be used.
    """
    if _FUNCTION not in components.invoker.names:
        components.invoker.add(_FUNCTION, lambda _event: {})
    flow = f"new-task-{language}-{timeout_seconds}"
    definition = (_CLOUDFLOW if language == "cloudflow" else _LEGACY).format(
        name=flow, timeout=timeout_seconds, account=components.options.account_id, function=_FUNCTION
    )
    components.create_flow(flow, definition, replace=True)
    execution = components.start_execution(flow, payload)
    return StartedTask(flow=flow, execution=execution, token=waiting_token(components, flow, execution))


def waiting_token(components: Components, flow: str, execution: str) -> TaskToken:
    """Return the token of the task that an execution waits for.

    Raises:
        ApiError: The execution does not exist.
        NoWaitingTask: It does not wait for a report.
    """
    row = components.execution_row(flow, execution)
    task = components.store.one(
        "SELECT id FROM tasks WHERE execution = ? AND waits_for = 'report' AND status != 'ended'", row["id"]
    )
    if task is None:
        raise NoWaitingTask(f"Execution {row['name']} of flow {flow} does not wait for a report.")
    return TaskToken(components.store.task_token(task["id"]))
