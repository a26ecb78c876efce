"""Tools for tests of handlers: a local CloudFlow with waiting tasks, FC's contexts, the events of all triggers, faults.

For tests of a client only: `MockTransport`, whose responses the test defines, and `no_waiting()`.

With pytest nothing must be imported: the fixtures `local_cloudflow` and `fc_context` are installed with the package.

    def test_an_order_is_paid(local_cloudflow, fc_context):
        task = local_cloudflow.new_task({"orderId": 1})
        handler(task.event, fc_context())
        task.assert_succeeded_with({"orderId": 1, "status": "paid"})

The local CloudFlow needs the extra `local`: `pip install 'fc-callback[local]'`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fc_callback._lazy import attach

if TYPE_CHECKING:
    from fc_callback.local.faults import Fault, RandomFaults
    from fc_callback.runtime.contexts import make_context
    from fc_callback.testing import events
    from fc_callback.testing.credentials import make_credentials
    from fc_callback.testing.tasks import TaskCloudFlow, WaitingTask
    from fc_callback.testing.transport import MockAnswer, MockRequest, MockTransport, no_waiting

_MODULES = {
    "Fault": "fc_callback.local.faults",
    "MockAnswer": "fc_callback.testing.transport",
    "MockRequest": "fc_callback.testing.transport",
    "MockTransport": "fc_callback.testing.transport",
    "RandomFaults": "fc_callback.local.faults",
    "TaskCloudFlow": "fc_callback.testing.tasks",
    "WaitingTask": "fc_callback.testing.tasks",
    "events": "fc_callback.testing.events",
    "make_context": "fc_callback.runtime.contexts",
    "make_credentials": "fc_callback.testing.credentials",
    "no_waiting": "fc_callback.testing.transport",
}

__all__ = [
    "Fault",
    "MockAnswer",
    "MockRequest",
    "MockTransport",
    "RandomFaults",
    "TaskCloudFlow",
    "WaitingTask",
    "events",
    "make_context",
    "make_credentials",
    "no_waiting",
]

__getattr__, __dir__ = attach(__name__, _MODULES, extra="local")
