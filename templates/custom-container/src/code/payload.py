"""The model of the event, and its errors."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Report(BaseModel):
    """The report to create."""

    id: str = Field(min_length=1)
    pages: int = Field(ge=1)


class Payload(BaseModel):
    """The event, as the flows map it. It comes without the task token."""

    report: Report
