"""Stands where your payment provider's client will stand."""

from __future__ import annotations

from decimal import Decimal


def charge(order_id: str, amount: Decimal) -> None:
    """Charge an amount; like the magic numbers of a real sandbox, `down-` orders find nobody there.

    It is called by several threads at a time.
    """
    if order_id.startswith("down-"):
        raise ConnectionError("the payment provider did not answer")
