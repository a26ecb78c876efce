"""The function with the tasks of one event: called as FC calls it, it reports to a local CloudFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fc_callback.errors import BatchFailed
from fc_callback.testing import TaskCloudFlow, events

from conftest import together
from index import handler

Context = Callable[..., Any]


def order(name: str, amount: str) -> dict[str, Any]:
    return {"order": {"id": name, "amount": amount}}


def test_each_task_of_an_event_ends_by_itself(local_cloudflow: TaskCloudFlow, fc_context: Context) -> None:
    paid, refused = (local_cloudflow.new_task(order(name, amount)) for name, amount in (("o-1", "12.50"), ("o-2", "0")))

    handler(together(paid.event_as(events.mns_queue), refused.event_as(events.mns_queue)), fc_context())

    paid.assert_succeeded_with({"orderId": "o-1", "charged": "12.50", "status": "paid"})
    refused.assert_failed_with("InvalidAmount", "o-2")


def test_a_provider_that_does_not_answer_fails_the_event_and_no_other_task(
    local_cloudflow: TaskCloudFlow, fc_context: Context
) -> None:
    paid, down = (local_cloudflow.new_task(order(name, "1")) for name in ("o-3", "down-4"))

    with pytest.raises(BatchFailed):
        handler(together(paid.event_as(events.mns_queue), down.event_as(events.mns_queue)), fc_context())

    paid.assert_succeeded()
    down.assert_waiting()
