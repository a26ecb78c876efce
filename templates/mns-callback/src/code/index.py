"""The function: it charges the order of an MNS message, and completes the step that sent the message."""

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


# MNS does not pass an exception to the flow. Therefore an exception is reported as a failure with the name of its class. A
# ConnectionError passes through instead, so that the message is delivered again.
@task_callback(on_failure="report", transient=(ConnectionError,))
def handler(payload: Payload, context: Any, task: Task) -> dict[str, Any]:
    """Charge an order. The token is found in the message, in every format of the trigger."""
    order = payload.order
    if order.amount <= 0:
        raise InvalidAmount(f"order {order.id} has nothing to charge")
    logger.info("Charging order %s, delivery %d", order.id, task.attempt)
    charge(order.id, order.amount, delivery=task.attempt)
    return {"orderId": order.id, "charged": order.amount, "status": "paid"}
