"""What stands in a message, and what can be wrong with it."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel, Field


class Order(BaseModel):
    """One order."""

    id: str = Field(min_length=1)
    amount: Decimal


class Payload(BaseModel):
    """The message, as the flows write it; the task token beside it is none of the function's business."""

    order: Order


class InvalidAmount(ValueError):
    """There is nothing to charge."""
