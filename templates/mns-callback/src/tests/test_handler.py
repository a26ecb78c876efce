"""The function with one message: called as FC calls it, it reports to a local CloudFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fc_callback.testing import TaskCloudFlow, events

from index import handler

Context = Callable[..., Any]


def order(name: str, amount: str) -> dict[str, Any]:
    return {"order": {"id": name, "amount": amount}}


@pytest.mark.parametrize("form", ["json", "stream"])
def test_the_order_of_a_message_is_charged(local_cloudflow: TaskCloudFlow, fc_context: Context, form: str) -> None:
    task = local_cloudflow.new_task(order("o-1", "12.50"))

    handler(task.event_as(events.mns_topic, form=form), fc_context())

    task.assert_succeeded_with({"orderId": "o-1", "charged": "12.50", "status": "paid"})


@pytest.mark.parametrize("amount", ["0", "-1"])
def test_an_order_with_nothing_to_charge_fails_by_name(
    local_cloudflow: TaskCloudFlow, fc_context: Context, amount: str
) -> None:
    task = local_cloudflow.new_task(order("o-2", amount))

    handler(task.event_as(events.mns_topic, form="json"), fc_context())

    task.assert_failed_with("InvalidAmount", "o-2")


def test_a_provider_that_does_not_answer_is_asked_again(local_cloudflow: TaskCloudFlow, fc_context: Context) -> None:
    task = local_cloudflow.new_task(order("flaky-3", "1"))

    with pytest.raises(ConnectionError):
        handler(task.event_as(events.mns_topic, form="json"), fc_context())
    task.assert_waiting()

    handler(task.event_as(events.mns_topic, form="json"), fc_context(retry_count=1))
    task.assert_succeeded()
