"""What API 2019-03-15 has and the local CloudFlow does not: a caller learns of it by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fc_callback.local.api_errors import ApiError, invalid_argument

if TYPE_CHECKING:
    from collections.abc import Mapping

# Source: the API metadata and the SDKs of 2025-10, which added versions, aliases and map runs.
DOCUMENTED_OPERATIONS = frozenset({
    "CreateFlow", "UpdateFlow", "DescribeFlow", "DeleteFlow", "ListFlows",
    "StartExecution", "StartSyncExecution", "StopExecution", "DescribeExecution", "ListExecutions", "GetExecutionHistory",
    "ReportTaskSucceeded", "ReportTaskFailed",
    "CreateSchedule", "UpdateSchedule", "DescribeSchedule", "DeleteSchedule", "ListSchedules",
    "PublishFlowVersion", "DeleteFlowVersion", "ListFlowVersions",
    "CreateFlowAlias", "UpdateFlowAlias", "DescribeFlowAlias", "DeleteFlowAlias", "ListFlowAliases",
    "DescribeMapRun", "UpdateMapRun", "DescribeRegions",
})  # fmt: skip
# Parameters of features that do not exist here. They are refused, because ignoring them would hide a difference.
_MISSING_PARAMETERS = {
    "CreateFlow": ("ExternalStorageLocation", "Environment", "ResourceGroupId"),
    "UpdateFlow": ("Environment",),
    "DescribeFlow": ("FlowVersion",),
    "ListFlows": ("ResourceGroupId",),
    "StartExecution": ("Qualifier",),
    "StartSyncExecution": ("Qualifier",),
    "ListExecutions": ("Qualifier", "MapRunName"),
}


def missing_operation(action: str) -> ApiError:
    """Return the error for an operation that does not exist here; it says whether the real service has it."""
    detail = f"The local CloudFlow does not have {action}." if action in DOCUMENTED_OPERATIONS else ""
    return ApiError("ActionNotSupported", action, detail=detail)


def refuse_missing_parameters(action: str, parameters: Mapping[str, str]) -> None:
    """Refuse a parameter that only the real service has.

    Raises:
        ApiError: InvalidArgument.
    """
    for name in _MISSING_PARAMETERS.get(action, ()):
        if parameters.get(name) and not (name == "Qualifier" and parameters[name] == "LATEST"):
            raise invalid_argument(f"The local CloudFlow does not have the parameter {name} of {action}.")
