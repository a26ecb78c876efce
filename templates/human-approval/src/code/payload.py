"""The model of the event of the function that asks."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Question(BaseModel):
    """The question to a person."""

    subject: str = Field(min_length=1, max_length=200)
