"""Tasks that wait for a report: those of running executions, and an execution with one, started on request."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any, Literal

import attrs

from fc_callback.flows.definition import compact
from fc_callback.local.api_errors import NoWaitingTask
from fc_callback.local.execution_record import parsed_flow
from fc_callback.values.token import TaskToken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fc_callback.local.components import Components
    from fc_callback.local.store import ServiceStore

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


@attrs.frozen(kw_only=True)
class WaitingTask:
    """A task that waits for a report. It can be completed without its token.

    Attributes:
        id: Its number in this service, which is not a secret.
        flow: The flow's name.
        execution: The execution's name.
        step: The step's name.
        input: The step's input; tokens are masked.
        event_id: The id of the event that this attempt began with in the execution's history: StepEntered, or TaskScheduled
            of a retry.
        attempt: 1, and one more after each retry of the step.
        age_seconds: How long it has waited.
        seconds_left: The time before it times out; None for no timeout.
    """

    id: int
    flow: str
    execution: str
    step: str
    input: dict[str, Any]
    event_id: int
    attempt: int
    age_seconds: float
    seconds_left: float | None
    _report: Callable[..., Any] = attrs.field(repr=False, alias="report", eq=False)

    def succeed(self, output: Mapping[str, Any] | None = None) -> None:
        """Complete the task with its output.

        Raises:
            ApiError: The output is too large, or the task does not wait any more.
        """
        self._report("ReportTaskSucceeded", Output=compact(dict(output or {})))

    def fail(self, error: str, cause: str = "") -> None:
        """Complete the task with an error, which the flow's retry and catch rules see by its name.

        Raises:
            ApiError: The error's name is empty or too long, or the task does not wait any more.
        """
        self._report("ReportTaskFailed", Error=error, Cause=cause)


_WAITING = (
    " FROM tasks t JOIN executions e ON e.id = t.execution WHERE t.status != 'ended' AND t.waits_for = 'report'"
    " AND e.account = ?1"
)


def count_waiting_tasks(components: Components) -> int:
    """Return how many tasks of the default account wait for a report."""
    row = components.store.one(f"SELECT COUNT(*) AS count{_WAITING}", components.options.account_id)
    return 0 if row is None else int(row["count"])


def waiting_tasks(
    components: Components,
    *,
    flow: str | None = None,
    execution: str | None = None,
    step: str | None = None,
    limit: int = -1,
) -> list[WaitingTask]:
    """Return the tasks of the default account that wait for a report, the oldest first; each argument selects.

    At most `limit` of them; -1 for all.
    """
    store, now = components.store, components.clock.now()
    rows = store.all(
        "SELECT t.*, e.flow_name, e.name, (SELECT state FROM frames WHERE id = t.frame) AS state, (SELECT due FROM timers"  # noqa: S608
        f" WHERE execution = t.execution AND task = t.id AND kind = 'task') AS due{_WAITING}"
        " AND (?2 IS NULL OR e.flow_name = ?2) AND (?3 IS NULL OR e.name = ?3) AND (?4 IS NULL OR t.step = ?4)"
        " ORDER BY t.id LIMIT ?5",
        *(components.options.account_id, flow, execution, step, limit),
    )
    return [
        WaitingTask(
            id=row["id"],
            flow=row["flow_name"],
            execution=row["name"],
            step=row["step"],
            input=json.loads(store.masked(row["state"]))["step_input"],
            event_id=row["event"],
            attempt=row["attempt"],
            age_seconds=now - row["opened"],
            seconds_left=None if row["due"] is None else row["due"] - now,
            report=functools.partial(_report, components, row["id"]),
        )
        for row in rows
    ]


def attempts_that_wait(store: ServiceStore, execution: int) -> frozenset[int]:
    """Return the `event_id` of each attempt of an execution that waits, or waited, for a report."""
    rows = store.all("SELECT event FROM tasks WHERE execution = ? AND waits_for = 'report'", execution)
    return frozenset(row["event"] for row in rows)


def output_limit_bytes(components: Components, task: WaitingTask) -> int:
    """Return the largest Output that a task can be completed with: the limit of its flow's language, in bytes of JSON."""
    row = components.execution_row(task.flow, task.execution)
    return parsed_flow(row["definition"]).limit_bytes


def report_task(components: Components, task: int, content: Mapping[str, Any]) -> None:
    """Complete a task by its number: with `output`, or with `error` and `cause`.

    Raises:
        NoWaitingTask: No task of the default account that waits for reports has this number.
        ApiError: The report is refused, for example because the task has ended.
        TypeError: The content has another form.
    """
    known = components.store.one(
        "SELECT 1 FROM tasks t JOIN executions e ON e.id = t.execution"
        " WHERE t.id = ? AND t.waits_for = 'report' AND e.account = ?",
        *(task, components.options.account_id),
    )
    if known is None:
        raise NoWaitingTask(f"There is no task {task} that waits for a report.")
    if content.keys() == {"output"} and isinstance(content["output"], dict):
        _report(components, task, "ReportTaskSucceeded", Output=json.dumps(content["output"], ensure_ascii=False))
    elif {"error"} <= content.keys() <= {"error", "cause"} and all(isinstance(each, str) for each in content.values()):
        _report(components, task, "ReportTaskFailed", Error=content["error"], Cause=content.get("cause", ""))
    else:
        raise TypeError('Send {"output": {}}, or {"error": "Name", "cause": "text"}.')


def _report(components: Components, task: int, action: str, **parameters: str) -> None:
    components.perform(action, TaskToken=components.store.task_token(task), **parameters)


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
