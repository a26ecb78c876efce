"""The function with one task: called as FC calls it, it reports to a local CloudFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fc_callback.testing import TaskCloudFlow

from index import handler

Context = Callable[..., Any]


def report(name: str) -> dict[str, Any]:
    return {"report": {"id": name, "pages": 3}}


def test_a_report_is_made(local_cloudflow: TaskCloudFlow, fc_context: Context) -> None:
    task = local_cloudflow.new_task(report("r-1"))

    handler(task.event, fc_context("custom", timeout_seconds=7200))

    task.assert_succeeded_with({"reportId": "r-1", "pages": 3})


def test_a_page_that_cannot_be_rendered_fails_the_task_by_name(
    local_cloudflow: TaskCloudFlow, fc_context: Context
) -> None:
    task = local_cloudflow.new_task(report("broken-2"))

    handler(task.event, fc_context("custom", timeout_seconds=7200))

    task.assert_failed_with("ValueError", "page 1")


def test_a_job_without_enough_time_stops_by_itself(local_cloudflow: TaskCloudFlow, fc_context: Context) -> None:
    task = local_cloudflow.new_task(report("r-3"))

    handler(task.event, fc_context("custom", timeout_seconds=100))

    task.assert_failed_with("OutOfTime", "0 of 3 pages")
