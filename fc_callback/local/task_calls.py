"""Makes the calls of tasks: invokes functions, starts child flows, calls actions, sends messages."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

from fc_callback.flows.definition import RUNTIME_ERROR, compact
from fc_callback.flows.targets import parse_target
from fc_callback.local.api_errors import ApiError
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

    def abandon(self, task: int) -> None:
        """Stop the child flow that a task waited for."""
        row = self._store.one("SELECT waits_for FROM tasks WHERE id = ?", task)
        if row is None or row["waits_for"] != "end":
            return
        for child in self._store.all("SELECT id FROM executions WHERE reports_to = ? AND status = 'Running'", task):
            self._store.insert("timers", due=self._clock.now(), kind="stop", execution=child["id"])

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
        try:
            name = insert_execution(
                self._store,
                self._clock,
                flow,
                name=str(call.parameters.get("executionName") or ""),
                execution_input=json.dumps(call.parameters.get("input") or {}, ensure_ascii=False),
                reports_to=task if call.waits_for == "end" else None,
            )
        except ApiError as error:
            raise SubmitFailed(f"fnf.{error.code}", error.message) from None
        return {"FlowName": target.name, "ExecutionName": name, "RequestID": str(uuid.uuid4())}
