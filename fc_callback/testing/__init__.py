"""Testing handlers: a local CloudFlow with waiting tasks, FC's contexts, the events of every trigger, faults.

For tests of a client alone: `MockTransport`, which a function of the test answers, and `no_waiting()`.

With pytest nothing has to be imported: the fixtures `local_cloudflow` and `fc_context` come with the installation.

    def test_an_order_is_paid(local_cloudflow, fc_context):
        task = local_cloudflow.new_task({"orderId": 1})
        handler(task.event, fc_context())
        task.assert_succeeded_with({"orderId": 1, "status": "paid"})

The local CloudFlow needs the extra `local`: `pip install 'fc-callback[local]'`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fc_callback.local.faults import Fault, RandomFaults
    from fc_callback.runtime.contexts import make_context
    from fc_callback.testing import events
    from fc_callback.testing.credentials import make_credentials
    from fc_callback.testing.tasks import TaskCloudFlow, WaitingTask
    from fc_callback.testing.transport import MockAnswer, MockRequest, MockTransport, no_waiting

_ROOMS = {
    "Fault": "fc_callback.local.faults",
    "MockAnswer": "fc_callback.testing.transport",
    "MockRequest": "fc_callback.testing.transport",
    "MockTransport": "fc_callback.testing.transport",
    "RandomFaults": "fc_callback.local.faults",
    "TaskCloudFlow": "fc_callback.testing.tasks",
    "WaitingTask": "fc_callback.testing.tasks",
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


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "events":
        return import_module("fc_callback.testing.events")
    room = _ROOMS.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(room), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
