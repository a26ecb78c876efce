"""Stands where your payment provider's client will stand."""

from __future__ import annotations

from decimal import Decimal


def charge(order_id: str, amount: Decimal, *, delivery: int) -> None:
    """Charge an amount; like the magic numbers of a real sandbox, `flaky-` orders get no answer the first time."""
    if order_id.startswith("flaky-") and delivery == 1:
        raise ConnectionError("the payment provider did not answer")
