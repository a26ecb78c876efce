"""The model of a message, and its errors."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel, Field


class Order(BaseModel):
    """One order."""

    id: str = Field(min_length=1)
    amount: Decimal


class Payload(BaseModel):
    """The message, as the flows write it. It comes without the task token."""

    order: Order


class InvalidAmount(ValueError):
    """The amount is not above zero."""
