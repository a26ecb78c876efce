"""The operations of API 2019-03-15: each takes the parameters and returns the response.

Source: the API metadata of fnf 2019-03-15 (`aliyun-openapi-meta`, `en-US/fnf`).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from fc_callback.local.api_errors import ApiError, invalid_argument
from fc_callback.local.clock import iso_milliseconds
from fc_callback.local.engine import Engine, check_definition
from fc_callback.local.execution_list import STATUSES, find_executions
from fc_callback.local.missing import missing_operation, refuse_missing_parameters
from fc_callback.local.parameters import (
    check_new_flow,
    check_type,
    checked_cause,
    number_parameter,
    required,
    time_parameter,
    wait_seconds,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fc_callback.local.clock import Clock
    from fc_callback.local.store import Row, ServiceStore

_LOG = logging.getLogger("fc_callback.local")
API_VERSION = "2019-03-15"
# They read a definition before their transaction, which would hold up every other call.
READ_A_DEFINITION = frozenset({"CreateFlow", "UpdateFlow", "DescribeFlow", "StartExecution", "StartSyncExecution"})


class Operations:
    """Performs the operations of the API for an account."""

    def __init__(self, store: ServiceStore, clock: Clock, engine: Engine) -> None:
        self._store = store
        self._clock = clock
        self._engine = engine
        self._table: dict[str, Callable[[str, Mapping[str, str]], dict[str, Any]]] = {
            "ReportTaskSucceeded": self._report_task_succeeded,
            "ReportTaskFailed": self._report_task_failed,
            "CreateFlow": self._create_flow,
            "UpdateFlow": self._update_flow,
            "DescribeFlow": self._describe_flow,
            "DeleteFlow": self._delete_flow,
            "ListFlows": self._list_flows,
            "StartExecution": self._start_execution,
            "StartSyncExecution": self._start_sync_execution,
            "DescribeExecution": self._describe_execution,
            "ListExecutions": self._list_executions,
            "StopExecution": self._stop_execution,
            "GetExecutionHistory": self._get_execution_history,
        }

    def require(self, action: str) -> None:
        """Check that an operation exists here.

        Raises:
            ApiError: ActionNotSupported; the message says whether only the real service has the operation.
        """
        if action not in self._table:
            raise missing_operation(action)

    def perform(self, action: str, account: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        """Perform an operation; return the response without its RequestId.

        Raises:
            ApiError: The service refuses it.
        """
        self.require(action)
        refuse_missing_parameters(action, parameters)
        if action in READ_A_DEFINITION:
            self._read_definition(action, account, parameters)
        with self._store.transaction():
            return self._table[action](account, parameters)

    def _read_definition(self, action: str, account: str, given: Mapping[str, str]) -> None:
        """Check the definition that an operation gets or uses; the transaction finds it parsed."""
        if action == "CreateFlow":
            check_new_flow(given)
            check_definition(given["Definition"], express=given.get("ExecutionMode") == "Express")
            return
        flow = self._flow(account, required(given, "FlowName" if action.startswith("Start") else "Name"))
        definition = (given.get("Definition") if action == "UpdateFlow" else "") or flow["definition"]
        check_definition(definition, express=flow["mode"] == "Express")

    def execution_row(self, account: str, flow_name: str, execution_name: str) -> Row:
        """Return the row of an execution.

        Raises:
            ApiError: The execution or its flow does not exist.
        """
        flow = self._flow(account, flow_name)
        row = self._store.one("SELECT * FROM executions WHERE flow = ? AND name = ?", flow["id"], execution_name)
        if row is None:
            raise ApiError("ExecutionNotExists", execution_name, flow_name)
        return row

    def _flow(self, account: str, name: str) -> Row:
        row = self._store.one("SELECT * FROM flows WHERE account = ? AND name = ?", account, name)
        if row is None:
            raise ApiError("FlowNotExists", name)
        return row

    def _report_task_succeeded(self, account: str, given: Mapping[str, str]) -> dict[str, Any]:
        token, output = required(given, "TaskToken"), required(given, "Output", blank=True)
        return {"EventId": self._engine.report_succeeded(account, token, output)}

    def _report_task_failed(self, account: str, given: Mapping[str, str]) -> dict[str, Any]:
        token, error = required(given, "TaskToken"), required(given, "Error")
        cause = checked_cause(error, given)
        return {"EventId": self._engine.report_failed(account, token, error, cause)}

    def _create_flow(self, account: str, given: Mapping[str, str]) -> dict[str, Any]:
        name = given["Name"]
        if self._store.one("SELECT 1 FROM flows WHERE account = ? AND name = ?", account, name) is not None:
            raise ApiError("FlowAlreadyExists", name)
        now, mask = self._clock.now(), self._store.mask_tokens
        self._store.insert(
            "flows",
            account=account,
            name=name,
            definition=mask(given["Definition"]),
            description=mask(given["Description"]),
            type=given["Type"],
            role_arn=given.get("RoleArn", ""),
            created=now,
            modified=now,
            mode=given.get("ExecutionMode") or "Standard",
        )
        return self._flow_with_warnings(self._flow(account, name), log=True)

    def _update_flow(self, account: str, given: Mapping[str, str]) -> dict[str, Any]:
        flow = self._flow(account, required(given, "Name"))
        if given.get("ExecutionMode", flow["mode"]) not in {"", flow["mode"]}:
            raise invalid_argument(
                f"Flow {flow['name']} has ExecutionMode {flow['mode']}, which UpdateFlow cannot change."
            )
        definition = given.get("Definition") or flow["definition"]
        kind = given.get("Type") or flow["type"]
        check_type(kind)
        self._store.update(
            "flows",
            flow["id"],
            definition=self._store.mask_tokens(definition),
            description=self._store.mask_tokens(given.get("Description", flow["description"])),
            type=kind,
            role_arn=given.get("RoleArn", flow["role_arn"]),
            modified=self._clock.now(),
        )
        return self._flow_with_warnings(self._flow(account, flow["name"]), log=True)

    def _describe_flow(self, account: str, given: Mapping[str, str]) -> dict[str, Any]:
        return self._flow_with_warnings(self._flow(account, required(given, "Name")))

    def _delete_flow(self, account: str, given: Mapping[str, str]) -> dict[str, Any]:
        flow = self._flow(account, required(given, "Name"))
        for row in self._store.all("SELECT id FROM executions WHERE flow = ? AND status = 'Running'", flow["id"]):
            self._engine.stop_execution(row["id"], "FlowDeleted", "The flow was deleted.")
        self._store.run("DELETE FROM flows WHERE id = ?", flow["id"])
        return {}

    def _list_flows(self, account: str, given: Mapping[str, str]) -> dict[str, Any]:
        limit = number_parameter(given, "Limit", 60, 1, 999)
        after = given.get("NextToken", "")
        rows = self._store.all(
            "SELECT * FROM flows WHERE account = ? AND name > ? ORDER BY name LIMIT ?", account, after, limit + 1
        )
        response: dict[str, Any] = {"Flows": [self._flow_response(row) for row in rows[:limit]]}
        if len(rows) > limit:
            response["NextToken"] = rows[limit - 1]["name"]
        return response

    def _flow_response(self, row: Row) -> dict[str, Any]:
        return {
            "Id": f"flow-{row['id']}",
            "Name": row["name"],
            "Type": row["type"],
            "Definition": self._store.masked(row["definition"]),
            "Description": self._store.masked(row["description"]),
            "RoleArn": row["role_arn"],
            "ExecutionMode": row["mode"],
            "CreatedTime": iso_milliseconds(row["created"]),
            "LastModifiedTime": iso_milliseconds(row["modified"]),
        }

    def _flow_with_warnings(self, row: Row, *, log: bool = False) -> dict[str, Any]:
        """Return a flow with `Warnings`: texts about what its definition has and nothing reads. Only this service has them."""
        flow = check_definition(row["definition"])
        texts = [self._store.masked(warning.message) for warning in flow.warnings]
        if flow.name not in {"", row["name"]}:
            name = self._store.masked(flow.name)
            texts.insert(0, f"The flow: its Name is {name!r}; CloudFlow demands the name of the flow, {row['name']!r}.")
        for text in texts if log else ():
            _LOG.warning("Flow %s: %s", row["name"], text)
        return {**self._flow_response(row), "Warnings": texts}

    def _start_execution(self, account: str, given: Mapping[str, str]) -> dict[str, Any]:
        flow = self._flow(account, required(given, "FlowName"))
        chosen = given.get("ExecutionName", "")
        running = self._store.one("SELECT * FROM executions WHERE flow = ? AND name = ?", flow["id"], chosen)
        name = self._engine.start_execution(
            flow,
            name=chosen,
            execution_input=given.get("Input", ""),
            callback_token=given.get("CallbackFnFTaskToken", ""),
        )
        response = self.execution_response(self.execution_row(account, flow["name"], name))
        # The real service responds before the execution has begun, so its response lacks these.
        return response if running is not None else {**response, "Status": "", "Output": "", "StoppedTime": ""}

    def _start_sync_execution(self, account: str, given: Mapping[str, str]) -> dict[str, Any]:
        """Start an execution; the caller waits for its end, and calls `sync_response` then."""
        flow = self._flow(account, required(given, "FlowName"))
        name = self._engine.start_execution(
            flow, name=given.get("ExecutionName", ""), execution_input=given.get("Input", ""), express=True
        )
        return self.sync_response(self.execution_row(account, flow["name"], name))

    def sync_response(self, row: Row) -> dict[str, Any]:
        """Return an execution in the format of StartSyncExecution."""
        fields = ("FlowName", "Name", "Status", "Output", "StartedTime", "StoppedTime")
        response = self.execution_response(row)
        return {
            **{name: response[name] for name in fields},
            "ErrorCode": self._store.masked(row["error"]),
            "ErrorMessage": self._store.masked(row["cause"]),
        }

    def execution_response(self, row: Row) -> dict[str, Any]:
        """Return an execution in the format of the HTTP API."""
        return {
            "FlowName": row["flow_name"],
            "Name": row["name"],
            "FlowDefinition": self._store.masked(row["definition"]),
            "Status": row["status"],
            "Input": self._store.masked(row["input"]),
            "Output": self._store.masked(row["output"]),
            "StartedTime": iso_milliseconds(row["started"]),
            "StoppedTime": iso_milliseconds(row["stopped"]),
        }

    def _describe_execution(self, account: str, given: Mapping[str, str]) -> dict[str, Any]:
        wait_seconds(given)
        row = self.execution_row(account, required(given, "FlowName"), required(given, "ExecutionName"))
        return self.execution_response(row)

    def _list_executions(self, account: str, given: Mapping[str, str]) -> dict[str, Any]:
        flow = self._flow(account, required(given, "FlowName"))
        limit = number_parameter(given, "Limit", 60, 1, 99)
        status = given.get("Status", "")
        if status and status not in STATUSES:
            raise invalid_argument(f"Status must be one of {', '.join(STATUSES)}.")
        rows = find_executions(
            self._store,
            account,
            flow=flow["name"],
            status=status,
            name_prefix=given.get("ExecutionNamePrefix", ""),
            begin=time_parameter(given, "StartedTimeBegin", 0.0),
            end=time_parameter(given, "StartedTimeEnd", 1e12),
            before=number_parameter(given, "NextToken", 2**62, 0, 2**62),
            limit=limit + 1,
        )
        executions = [self.execution_response(row) for row in rows[:limit]]
        if given.get("MetadataOnly", "").lower() == "true":
            for execution in executions:
                execution.update(Input="", Output="", FlowDefinition="")
        response: dict[str, Any] = {"Executions": executions}
        if len(rows) > limit:
            response["NextToken"] = str(rows[limit - 1]["id"])
        return response

    def _stop_execution(self, account: str, given: Mapping[str, str]) -> dict[str, Any]:
        flow_name, name = required(given, "FlowName"), required(given, "ExecutionName")
        error = given.get("Error", "")
        cause = checked_cause(error, given)
        row = self.execution_row(account, flow_name, name)
        if row["status"] != "Running":
            raise ApiError("ExecutionAlreadyCompleted", name, flow_name)
        self._engine.stop_execution(row["id"], error, cause)
        return self.execution_response(self.execution_row(account, flow_name, name))

    def _get_execution_history(self, account: str, given: Mapping[str, str]) -> dict[str, Any]:
        row = self.execution_row(account, required(given, "FlowName"), required(given, "ExecutionName"))
        limit = number_parameter(given, "Limit", 60, 1, 999)
        first = number_parameter(given, "NextToken", 1, 0, 2**62)
        rows = self._store.all(
            "SELECT * FROM events WHERE execution = ? AND id >= ? ORDER BY id LIMIT ?", row["id"], first, limit + 1
        )
        response: dict[str, Any] = {"Events": [self._event_response(event) for event in rows[:limit]]}
        if len(rows) > limit:
            response["NextToken"] = str(rows[limit]["id"])
        return response

    def _event_response(self, row: Row) -> dict[str, Any]:
        return {
            "Type": row["type"],
            "EventId": row["id"],
            "ScheduleEventId": row["cause"],
            "StepName": row["step"],
            "Time": iso_milliseconds(row["time"]),
            "EventDetail": self._store.masked(row["detail"]),
        }
