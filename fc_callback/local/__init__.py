"""The local CloudFlow: the service's HTTP API on this machine, with flows, functions, a clock and faults.

    from fc_callback.local import LocalCloudFlow

    with LocalCloudFlow() as service:
        service.add_function(charge)  # made by task_callback: it reports to this service
        service.create_flow("orders", definition)
        execution = service.wait("orders", service.start("orders", {"orderId": "o-1"}))

It needs the extra `local`: `pip install 'fc-callback[local]'`. It listens on 127.0.0.1 only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fc_callback._lazy import attach

if TYPE_CHECKING:
    from fc_callback.local.api_errors import ApiError, NoWaitingTask, StillRunning
    from fc_callback.local.event_feed import ExecutionEvent
    from fc_callback.local.faults import Fault, RandomFaults
    from fc_callback.local.history import ExecutedStep, HistoryEvent
    from fc_callback.local.service import LocalCloudFlow
    from fc_callback.local.values import Execution, FunctionInvocation
    from fc_callback.local.waiting_tasks import WaitingTask

_MODULES = {
    "ApiError": "fc_callback.local.api_errors",
    "ExecutedStep": "fc_callback.local.history",
    "Execution": "fc_callback.local.values",
    "ExecutionEvent": "fc_callback.local.event_feed",
    "Fault": "fc_callback.local.faults",
    "FunctionInvocation": "fc_callback.local.values",
    "HistoryEvent": "fc_callback.local.history",
    "LocalCloudFlow": "fc_callback.local.service",
    "NoWaitingTask": "fc_callback.local.api_errors",
    "RandomFaults": "fc_callback.local.faults",
    "StillRunning": "fc_callback.local.api_errors",
    "WaitingTask": "fc_callback.local.waiting_tasks",
}

__all__ = [
    "ApiError",
    "ExecutedStep",
    "Execution",
    "ExecutionEvent",
    "Fault",
    "FunctionInvocation",
    "HistoryEvent",
    "LocalCloudFlow",
    "NoWaitingTask",
    "RandomFaults",
    "StillRunning",
    "WaitingTask",
]

__getattr__, __dir__ = attach(__name__, _MODULES, extra="local")
