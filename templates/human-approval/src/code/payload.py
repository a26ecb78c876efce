"""What the flow hands to the function that asks."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Question(BaseModel):
    """What a person is to decide."""

    subject: str = Field(min_length=1, max_length=200)
