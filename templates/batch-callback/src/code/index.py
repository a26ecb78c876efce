"""The function: it charges the orders of one event, several at a time. Each completes the step that sent it."""

from __future__ import annotations

import logging
import os
from typing import Any

from fc_callback import initializer, task_callback

from payload import InvalidAmount, Payload
from provider import charge

logging.getLogger().setLevel(os.environ.get("LOG_LEVEL", "INFO"))
logger = logging.getLogger(__name__)

initialize = initializer


# With `batch`, the function runs once for each message of the event, eight at a time, and each reports its own task. A
# ConnectionError is not reported. When all messages are done, the invocation fails, and the whole event is delivered again.
# Reported tasks stay completed. If the work must not run twice, also use `once=`.
@task_callback(batch=8, on_failure="report", transient=(ConnectionError,))
def handler(payload: Payload) -> dict[str, Any]:
    """Charge one order."""
    order = payload.order
    if order.amount <= 0:
        raise InvalidAmount(f"order {order.id} has nothing to charge")
    logger.info("Charging order %s", order.id)
    charge(order.id, order.amount)
    return {"orderId": order.id, "charged": order.amount, "status": "paid"}
