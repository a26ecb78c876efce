"""The function by itself: no flow, no cloud."""

from __future__ import annotations

from decimal import Decimal

import pytest
from index import handler
from payload import InvalidAmount, Payload

from fc_callback import FcContext

charge = handler.__wrapped__  # the function as it is written


def test_an_order_is_charged() -> None:
    payload = Payload.model_validate({"order": {"id": "o-1", "amount": "12.50"}})

    assert charge(payload, FcContext()) == {"orderId": "o-1", "charged": Decimal("12.50"), "status": "paid"}


@pytest.mark.parametrize("amount", [0, -1])
def test_an_order_with_nothing_to_charge_is_refused(amount: int) -> None:
    with pytest.raises(InvalidAmount, match="o-2"):
        charge(Payload.model_validate({"order": {"id": "o-2", "amount": amount}}), FcContext())
