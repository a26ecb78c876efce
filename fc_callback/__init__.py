"""Handlers for Alibaba Cloud Function Compute that complete CloudFlow callback tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fc_callback._lazy import attach

__version__ = "0.1.0"

if TYPE_CHECKING:
    from fc_callback.callback.decorator import task_callback
    from fc_callback.callback.initializer import initializer
    from fc_callback.cloudflow.client import CloudFlowClient
    from fc_callback.cloudflow.delivery import ReportResult
    from fc_callback.cloudflow.errors import CloudFlowError, TaskAlreadyCompleted
    from fc_callback.cloudflow.retry import RetryPolicy
    from fc_callback.errors import (
        BatchFailed,
        CredentialsNotFound,
        FcCallbackError,
        NoRunningTask,
        OutputError,
        OutputTooLarge,
        PayloadInvalid,
        ReportUndelivered,
        ServiceUnreachable,
        SettingsError,
        TaskFailed,
        TaskTokenNotFound,
        TokenAmbiguous,
    )
    from fc_callback.idempotency import once
    from fc_callback.logs.logger import Logger
    from fc_callback.middleware import layers
    from fc_callback.parser import event_parser
    from fc_callback.sealing import TokenSeal
    from fc_callback.values.context import Credentials, FcContext
    from fc_callback.values.invocation import current_task
    from fc_callback.values.task import Task
    from fc_callback.values.token import TaskToken

_MODULES = {
    "BatchFailed": "fc_callback.errors",
    "CloudFlowClient": "fc_callback.cloudflow.client",
    "CloudFlowError": "fc_callback.cloudflow.errors",
    "Credentials": "fc_callback.values.context",
    "CredentialsNotFound": "fc_callback.errors",
    "FcCallbackError": "fc_callback.errors",
    "FcContext": "fc_callback.values.context",
    "Logger": "fc_callback.logs.logger",
    "NoRunningTask": "fc_callback.errors",
    "OutputError": "fc_callback.errors",
    "OutputTooLarge": "fc_callback.errors",
    "PayloadInvalid": "fc_callback.errors",
    "ReportResult": "fc_callback.cloudflow.delivery",
    "ReportUndelivered": "fc_callback.errors",
    "RetryPolicy": "fc_callback.cloudflow.retry",
    "ServiceUnreachable": "fc_callback.errors",
    "SettingsError": "fc_callback.errors",
    "Task": "fc_callback.values.task",
    "TaskAlreadyCompleted": "fc_callback.cloudflow.errors",
    "TaskFailed": "fc_callback.errors",
    "TaskToken": "fc_callback.values.token",
    "TaskTokenNotFound": "fc_callback.errors",
    "TokenAmbiguous": "fc_callback.errors",
    "TokenSeal": "fc_callback.sealing",
    "current_task": "fc_callback.values.invocation",
    "event_parser": "fc_callback.parser",
    "initializer": "fc_callback.callback.initializer",
    "layers": "fc_callback.middleware",
    "once": "fc_callback.idempotency",
    "task_callback": "fc_callback.callback.decorator",
}

__all__ = [
    "BatchFailed",
    "CloudFlowClient",
    "CloudFlowError",
    "Credentials",
    "CredentialsNotFound",
    "FcCallbackError",
    "FcContext",
    "Logger",
    "NoRunningTask",
    "OutputError",
    "OutputTooLarge",
    "PayloadInvalid",
    "ReportResult",
    "ReportUndelivered",
    "RetryPolicy",
    "ServiceUnreachable",
    "SettingsError",
    "Task",
    "TaskAlreadyCompleted",
    "TaskFailed",
    "TaskToken",
    "TaskTokenNotFound",
    "TokenAmbiguous",
    "TokenSeal",
    "current_task",
    "event_parser",
    "initializer",
    "layers",
    "once",
    "task_callback",
]

__getattr__, __dir__ = attach(__name__, _MODULES)
