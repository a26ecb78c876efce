"""The function: it charges an order, and its return value completes the waiting step of the flow."""

from __future__ import annotations

import logging
import os
from typing import Any

from fc_callback import Task, initializer, task_callback

from payload import InvalidAmount, Payload
from provider import charge

logging.getLogger().setLevel(os.environ.get("LOG_LEVEL", "INFO"))
logger = logging.getLogger(__name__)

initialize = initializer


# The flow invokes this function asynchronously, so it would not see an exception. Therefore an exception is reported as a
# failure with the name of its class. A ConnectionError passes through instead, so that FC delivers the event again.
@task_callback(on_failure="report", transient=(ConnectionError,))
def handler(payload: Payload, context: Any, task: Task) -> dict[str, Any]:
    """Charge an order."""
    order = payload.order
    if order.amount <= 0:
        raise InvalidAmount(f"order {order.id} has nothing to charge")
    logger.info("Charging order %s, delivery %d", order.id, task.attempt)
    charge(order.id, order.amount, delivery=task.attempt)
    return {"orderId": order.id, "charged": order.amount, "status": "paid"}
