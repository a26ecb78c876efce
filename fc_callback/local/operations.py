"""The operations of API 2019-03-15: each takes the parameters and returns the response.

Source: the API metadata of fnf 2019-03-15 (`aliyun-openapi-meta`, `en-US/fnf`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fc_callback.errors import CAUSE_MAX_CHARACTERS, ERROR_MAX_CHARACTERS
from fc_callback.flows.definition import NAME_PATTERN
from fc_callback.local.api_errors import ApiError, invalid_argument
from fc_callback.local.clock import iso_milliseconds, parse_time
from fc_callback.local.engine import Engine, check_definition

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fc_callback.local.clock import Clock
    from fc_callback.local.store import Row, ServiceStore

API_VERSION = "2019-03-15"
_STATUSES = ("Starting", "Running", "Stopped", "Succeeded", "Failed", "TimedOut")
# Parameters of features that do not exist here. They are refused, because ignoring them would hide a difference.
_UNSUPPORTED = {
    "CreateFlow": ("ExternalStorageLocation", "Environment", "ResourceGroupId"),
    "UpdateFlow": ("Environment",),
    "DescribeFlow": ("FlowVersion",),
    "ListFlows": ("ResourceGroupId",),
    "StartExecution": ("Qualifier",),
    "StartSyncExecution": ("Qualifier",),
    "ListExecutions": ("Qualifier", "MapRunName"),
}
MAX_WAIT_SECONDS = 60


def required(parameters: Mapping[str, str], name: str, *, blank: bool = False) -> str:
    """Return a required parameter.

    Raises:
        ApiError: It is missing, or empty although `blank` is false.
    """
    value = parameters.get(name)
    if value is None or (not value and not blank):
        raise ApiError("MissingRequiredParams", name)
    return value


def _number_parameter(parameters: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = parameters.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise invalid_argument(f"{name} must be a number from {low} to {high}.")
    return int(text)


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

    def knows(self, action: str) -> bool:
        """Return whether the operation exists here."""
        return action in self._table

    def perform(self, action: str, account: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        """Perform an operation; return the response without its RequestId.

        Raises:
            ApiError: The service refuses it.
        """
        for name in _UNSUPPORTED.get(action, ()):
            if parameters.get(name) and not (name == "Qualifier" and parameters[name] == "LATEST"):
                raise invalid_argument(f"The parameter {name} is not supported by the local CloudFlow.")
        with self._store.transaction():
            return self._table[action](account, parameters)

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
        cause = _cause(error, given)
        return {"EventId": self._engine.report_failed(account, token, error, cause)}

    def _create_flow(self, account: str, given: Mapping[str, str]) -> dict[str, Any]:
        name, definition = required(given, "Name"), required(given, "Definition")
        description, kind = required(given, "Description", blank=True), required(given, "Type")
        if not NAME_PATTERN.fullmatch(name):
            raise invalid_argument(
                "A flow's name has 1 to 128 letters, digits, _ and -, and begins with a letter or _."
            )
        _check_kind(kind)
        mode = given.get("ExecutionMode") or "Standard"
        if mode not in {"Standard", "Express"}:
            raise invalid_argument("ExecutionMode must be Standard or Express.")
        check_definition(definition, express=mode == "Express")
        if self._store.one("SELECT 1 FROM flows WHERE account = ? AND name = ?", account, name) is not None:
            raise ApiError("FlowAlreadyExists", name)
        now, mask = self._clock.now(), self._store.mask_tokens
        self._store.insert(
            "flows",
            account=account,
            name=name,
            definition=mask(definition),
            description=mask(description),
            type=kind,
            role_arn=given.get("RoleArn", ""),
            created=now,
            modified=now,
            mode=mode,
        )
        return self._flow_response(self._flow(account, name))

    def _update_flow(self, account: str, given: Mapping[str, str]) -> dict[str, Any]:
        flow = self._flow(account, required(given, "Name"))
        if given.get("ExecutionMode", flow["mode"]) not in {"", flow["mode"]}:
            raise invalid_argument(
                f"Flow {flow['name']} has ExecutionMode {flow['mode']}, which UpdateFlow cannot change."
            )
        definition = given.get("Definition") or flow["definition"]
        check_definition(definition, express=flow["mode"] == "Express")
        kind = given.get("Type") or flow["type"]
        _check_kind(kind)
        self._store.update(
            "flows",
            flow["id"],
            definition=self._store.mask_tokens(definition),
            description=self._store.mask_tokens(given.get("Description", flow["description"])),
            type=kind,
            role_arn=given.get("RoleArn", flow["role_arn"]),
            modified=self._clock.now(),
        )
        return self._flow_response(self._flow(account, flow["name"]))

    def _describe_flow(self, account: str, given: Mapping[str, str]) -> dict[str, Any]:
        return self._flow_response(self._flow(account, required(given, "Name")))

    def _delete_flow(self, account: str, given: Mapping[str, str]) -> dict[str, Any]:
        flow = self._flow(account, required(given, "Name"))
        for row in self._store.all("SELECT id FROM executions WHERE flow = ? AND status = 'Running'", flow["id"]):
            self._engine.stop_execution(row["id"], "FlowDeleted", "The flow was deleted.")
        self._store.run("DELETE FROM flows WHERE id = ?", flow["id"])
        return {}

    def _list_flows(self, account: str, given: Mapping[str, str]) -> dict[str, Any]:
        limit = _number_parameter(given, "Limit", 60, 1, 999)
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
        limit = _number_parameter(given, "Limit", 60, 1, 99)
        status = given.get("Status", "")
        if status and status not in _STATUSES:
            raise invalid_argument(f"Status must be one of {', '.join(_STATUSES)}.")
        before = _number_parameter(given, "NextToken", 2**62, 0, 2**62)
        prefix = given.get("ExecutionNamePrefix", "")
        rows = self._store.all(
            "SELECT * FROM executions WHERE flow = ? AND id < ? AND (? = '' OR status = ?)"
            " AND substr(name, 1, length(?)) = ? AND started >= ? AND started <= ? ORDER BY id DESC LIMIT ?",
            *(flow["id"], before, status, status, prefix, prefix),
            *(
                _time_parameter(given, "StartedTimeBegin", 0.0),
                _time_parameter(given, "StartedTimeEnd", 1e12),
                limit + 1,
            ),
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
        cause = _cause(error, given)
        row = self.execution_row(account, flow_name, name)
        if row["status"] != "Running":
            raise ApiError("ExecutionAlreadyCompleted", name, flow_name)
        self._engine.stop_execution(row["id"], error, cause)
        return self.execution_response(self.execution_row(account, flow_name, name))

    def _get_execution_history(self, account: str, given: Mapping[str, str]) -> dict[str, Any]:
        row = self.execution_row(account, required(given, "FlowName"), required(given, "ExecutionName"))
        limit = _number_parameter(given, "Limit", 60, 1, 999)
        first = _number_parameter(given, "NextToken", 1, 0, 2**62)
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


def wait_seconds(given: Mapping[str, str]) -> int:
    """Return how long DescribeExecution waits for the end of the execution.

    Raises:
        ApiError: The number is out of bounds.
    """
    return _number_parameter(given, "WaitTimeSeconds", 0, 0, MAX_WAIT_SECONDS)


def _check_kind(kind: str) -> None:
    if kind not in {"FDL", "DEFAULT"}:
        raise invalid_argument("Type must be FDL.")


def _cause(error: str, given: Mapping[str, str]) -> str:
    cause = given.get("Cause", "")
    if len(error) > ERROR_MAX_CHARACTERS or len(cause) > CAUSE_MAX_CHARACTERS:
        limits = f"1 to {ERROR_MAX_CHARACTERS} and Cause up to {CAUSE_MAX_CHARACTERS}"
        raise invalid_argument(f"Error may have {limits} characters.")
    return cause


def _time_parameter(given: Mapping[str, str], name: str, default: float) -> float:
    text = given.get(name)
    if not text:
        return default
    parsed = parse_time(text)
    if parsed is None:
        raise invalid_argument(f"{name} must be a time like 2020-09-22T23:43:40Z.")
    return parsed
