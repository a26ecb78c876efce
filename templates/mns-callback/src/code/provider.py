"""A placeholder for the client of your payment provider."""

from __future__ import annotations

from decimal import Decimal


def charge(order_id: str, amount: Decimal, *, delivery: int) -> None:
    """Charge an amount. As in a sandbox, an order whose id begins with `flaky-` gets no answer the first time."""
    if order_id.startswith("flaky-") and delivery == 1:
        raise ConnectionError("the payment provider did not answer")
