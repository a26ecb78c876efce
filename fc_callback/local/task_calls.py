"""Makes the calls of tasks: invokes functions, starts child flows, calls actions, sends messages."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from fc_callback.flows.definition import RUNTIME_ERROR, compact
from fc_callback.flows.targets import parse_target
from fc_callback.local.api_errors import ApiError
from fc_callback.local.clock import iso_milliseconds
from fc_callback.local.execution_record import SubmitFailed
from fc_callback.local.starts import insert_execution

if TYPE_CHECKING:
    from fc_callback.flows.definition import JsonObject
    from fc_callback.flows.flow import TaskCall
    from fc_callback.local.clock import Clock
    from fc_callback.local.invoker import Invoker
    from fc_callback.local.messages import Messages
    from fc_callback.local.store import ServiceStore


class TaskCaller:
    """Makes the calls of tasks; see `fc_callback.local.execution_record.TaskCalls`."""

    def __init__(self, store: ServiceStore, clock: Clock, invoker: Invoker, messages: Messages) -> None:
        self._store = store
        self._clock = clock
        self._invoker = invoker
        self._messages = messages

    def submit(self, call: TaskCall, *, account: str, execution: int, task: int, task_token: str) -> JsonObject | None:  # noqa: ARG002
        """Store a call, which starts after the commit of the transaction."""
        if call.action == "FC:InvokeFunction":
            return self._invoke(call, account, execution, task)
        if call.action == "FNF:StartExecution":
            return self._start_flow(call, account, task)
        if self._invoker.actions.find(call.action) is not None:
            self._call_action(call, account, execution, task)
            return None  # the engine learns of its end
        if call.action == "MNS:SendMessage" or call.action.startswith("acs:mns:"):
            return self._messages.send(call, account)
        raise SubmitFailed(
            RUNTIME_ERROR,
            f"The local CloudFlow does not have the action {call.action!r}: "
            f"add it with service.add_action({call.action!r}, ...).",
        )

    def stop_flow(self, task: int) -> None:
        """Stop the child flow that a task waited for; it ends in a transaction of its own."""
        for child in self._store.all(
            "SELECT e.id FROM executions e JOIN tasks t ON t.id = e.reports_to"
            " WHERE e.reports_to = ? AND e.status = 'Running' AND t.waits_for = 'end'",
            task,
        ):
            self._store.insert("timers", due=self._clock.now(), kind="stop", execution=child["id"])

    def cancel(self, task: int) -> None:
        """End everything that still runs for a task: the child flow that it waits for, and its invocations."""
        self.stop_flow(task)
        self._invoker.cancel(task)

    def _invoke(self, call: TaskCall, account: str, execution: int, task: int) -> JsonObject | None:
        function = self._invoker.find(call.resource_arn)
        if function is None:
            raise SubmitFailed("FC.FunctionNotFound", f"There is no function for {call.resource_arn}.")
        self._invoker.submit(
            function=function,
            event=call.event,
            asynchronous=call.asynchronous,
            account=account,
            execution=execution,
            task=task,
        )
        return {} if call.asynchronous else None  # FC has accepted the event

    def _call_action(self, call: TaskCall, account: str, execution: int, task: int) -> None:
        self._invoker.submit(
            kind="action",
            function=call.action,
            event=compact(self._invoker.actions.parameters(call)),
            asynchronous=False,
            account=account,
            execution=execution,
            task=task,
        )

    def _start_flow(self, call: TaskCall, account: str, task: int) -> JsonObject:
        """Start a child flow in the task's own account; the child begins in a transaction of its own."""
        target = parse_target(call.resource_arn)
        if target is None or target.kind != "flow":
            raise SubmitFailed(RUNTIME_ERROR, f"{call.resource_arn!r} is not the ARN of a flow.")
        flow = self._store.one("SELECT * FROM flows WHERE account = ? AND name = ?", account, target.name)
        if flow is None:
            raise SubmitFailed("fnf.FlowNotExists", ApiError("FlowNotExists", target.name).message)
        given = call.parameters.get("input")
        try:
            name = insert_execution(
                self._store,
                self._clock,
                flow,
                name=str(call.parameters.get("executionName") or ""),
                # A text is passed on as it is, as StartExecution's own parameter is one.
                execution_input=given if isinstance(given, str) else compact({} if given is None else given),
                reports_to=task if call.waits_for == "end" else None,
            )
        except ApiError as error:
            raise SubmitFailed(f"fnf.{error.code}", error.message) from None
        response = {
            "FlowName": target.name,
            "Name": name,
            "StartedTime": iso_milliseconds(self._clock.now()),
            "RequestId": str(uuid.uuid4()).upper(),
        }
        return {shown: response.get(field, "") for shown, field in call.started.items()}
