"""What the flow hands to the function, and what can be wrong with it."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Report(BaseModel):
    """The report to make."""

    id: str = Field(min_length=1)
    pages: int = Field(ge=1)


class Payload(BaseModel):
    """The event, as the flows map it; the task token beside it is none of the function's business."""

    report: Report
