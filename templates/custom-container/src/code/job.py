"""Stands where the work will stand."""

from __future__ import annotations


def render(report_id: str, page: int) -> None:
    """Make one page of a report; `broken-` reports have none."""
    if report_id.startswith("broken-"):
        raise ValueError(f"page {page} cannot be rendered")
