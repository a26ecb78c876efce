"""The function with one task: called as FC calls it, it reports to a local CloudFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fc_callback.testing import TaskCloudFlow

from index import handler

Context = Callable[..., Any]


def order(name: str, amount: str) -> dict[str, Any]:
    return {"order": {"id": name, "amount": amount}}


def test_an_order_is_charged(local_cloudflow: TaskCloudFlow, fc_context: Context) -> None:
    task = local_cloudflow.new_task(order("o-1", "12.50"))

    handler(task.event, fc_context())

    task.assert_succeeded_with({"orderId": "o-1", "charged": "12.50", "status": "paid"})


@pytest.mark.parametrize("amount", ["0", "-1"])
def test_an_order_with_nothing_to_charge_fails_by_name(
    local_cloudflow: TaskCloudFlow, fc_context: Context, amount: str
) -> None:
    task = local_cloudflow.new_task(order("o-2", amount))

    handler(task.event, fc_context())

    task.assert_failed_with("InvalidAmount", "o-2")


def test_a_provider_that_does_not_answer_is_asked_again(local_cloudflow: TaskCloudFlow, fc_context: Context) -> None:
    task = local_cloudflow.new_task(order("flaky-3", "1"))

    with pytest.raises(ConnectionError):
        handler(task.event, fc_context())
    task.assert_waiting()

    handler(task.event, fc_context(retry_count=1))
    task.assert_succeeded()
