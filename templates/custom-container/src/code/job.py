"""A placeholder for your work."""

from __future__ import annotations


def render(report_id: str, page: int) -> None:
    """Create one page of a report. It fails for a report whose id begins with `broken-`."""
    if report_id.startswith("broken-"):
        raise ValueError(f"page {page} cannot be rendered")
