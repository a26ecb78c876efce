"""What a person does with flows and executions on a running local CloudFlow, for the default account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fc_callback.flows.definition import compact
from fc_callback.local.awaiting import wait_until_ended, wait_until_waiting
from fc_callback.local.history import HistoryEvent, read_history
from fc_callback.local.values import Execution
from fc_callback.local.waiting_tasks import WaitingTask, waiting_tasks, waiting_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fc_callback.local.components import Components
    from fc_callback.values.token import TaskToken


class FlowOperations:
    """The methods of `LocalCloudFlow` for flows, executions and waiting tasks."""

    @property
    def _components(self) -> Components:
        raise NotImplementedError

    def create_flow(
        self, name: str, definition: str | Mapping[str, Any], *, replace: bool = False, express: bool = False
    ) -> None:
        """Create a flow in the default account.

        Args:
            name: The flow's name.
            definition: In either language: YAML or JSON text, or the mapping itself.
            replace: Whether to update the flow if the name exists.
            express: Whether it is an Express flow, which `start_sync` starts: at most 5 minutes, no callbacks.

        Raises:
            ApiError: The service refuses the definition; the message names the step.
        """
        self._components.create_flow(name, definition, replace=replace, express=express)

    def warnings(self, flow: str) -> list[str]:
        """Return texts about what the definition of a flow has and nothing reads, like a misspelt field.

        Raises:
            ApiError: The flow does not exist.
        """
        warnings: list[str] = self._components.perform("DescribeFlow", Name=flow)["Warnings"]
        return warnings

    def start(
        self, flow: str, execution_input: Mapping[str, Any] | None = None, *, execution_name: str = ""
    ) -> Execution:
        """Start an execution in the default account; return its state.

        Raises:
            ApiError: The service refuses it.
        """
        name = self._components.start_execution(flow, execution_input or {}, execution_name=execution_name)
        return self.describe(flow, name)

    def start_sync(
        self,
        flow: str,
        execution_input: Mapping[str, Any] | None = None,
        *,
        execution_name: str = "",
        timeout: float = 30.0,
    ) -> Execution:
        """Start an execution of an Express flow, wait until it has ended, and return its state.

        Raises:
            StillRunning: It has not ended after `timeout` seconds of real time.
            ApiError: The service refuses it.
        """
        text = compact(dict(execution_input or {}))
        started = self._components.perform(
            "StartSyncExecution", FlowName=flow, Input=text, ExecutionName=execution_name
        )
        return self.wait(flow, str(started["Name"]), timeout=timeout)

    def describe(self, flow: str, execution: str | Execution) -> Execution:
        """Return the state of an execution.

        Raises:
            ApiError: It does not exist.
        """
        return Execution.read(self._row(flow, execution), self._components.store)

    def wait(self, flow: str, execution: str | Execution, *, timeout: float = 30.0) -> Execution:
        """Wait until an execution has ended, and return its state.

        Raises:
            StillRunning: It has not ended after `timeout` seconds of real time.
            ApiError: It does not exist.
        """
        row = self._row(flow, execution)
        wait_until_ended(self._components, row["id"], timeout=timeout)
        return self.describe(flow, execution)

    def run_until_waiting(
        self, flow: str, execution: str | Execution, *, step: str | None = None, timeout: float = 30.0
    ) -> WaitingTask:
        """Wait until a task of an execution waits for a report, and return it; the oldest, if there are several.

        Args:
            flow: The flow's name.
            execution: The execution.
            step: Wait for a task of this step.
            timeout: In seconds of real time.

        Raises:
            NoWaitingTask: The execution has ended.
            StillRunning: No task waits after `timeout` seconds.
            ApiError: The execution does not exist.
        """
        row = self._row(flow, execution)
        wait_until_waiting(self._components, row["id"], step=step, timeout=timeout)
        return self.waiting(flow, execution, step)[0]

    def history(self, flow: str, execution: str | Execution) -> list[HistoryEvent]:
        """Return the whole history of an execution.

        Raises:
            ApiError: It does not exist.
        """
        return read_history(self._components.store, self._row(flow, execution)["id"])

    def stop(self, flow: str, execution: str | Execution, *, error: str = "", cause: str = "") -> Execution:
        """Stop a running execution.

        Raises:
            ApiError: It does not exist, or has ended.
        """
        name = _name_of(execution)
        self._components.perform("StopExecution", FlowName=flow, ExecutionName=name, Error=error, Cause=cause)
        return self.describe(flow, name)

    def waiting(
        self, flow: str | None = None, execution: str | Execution | None = None, step: str | None = None
    ) -> list[WaitingTask]:
        """Return the tasks that wait for a report, the oldest first; each argument selects.

        Each of them has `succeed(output)` and `fail(error, cause)`, so a test needs no task token.
        """
        name = None if execution is None else _name_of(execution)
        return waiting_tasks(self._components, flow=flow, execution=name, step=step)

    def waiting_token(self, flow: str, execution: str | Execution) -> TaskToken:
        """Return the token of the task that an execution waits for.

        Raises:
            ApiError: The execution does not exist.
            NoWaitingTask: It does not wait for a report.
        """
        return waiting_token(self._components, flow, _name_of(execution))

    def _row(self, flow: str, execution: str | Execution) -> Any:
        return self._components.execution_row(flow, _name_of(execution))


def _name_of(execution: str | Execution) -> str:
    return execution.name if isinstance(execution, Execution) else execution
