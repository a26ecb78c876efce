"""The function: a long job in pages. Its result completes the waiting step of the flow."""

from __future__ import annotations

import logging
import os
from typing import Any

from fc_callback import Task, TaskFailed, initializer, task_callback

from job import render
from payload import Payload

logging.getLogger().setLevel(os.environ.get("LOG_LEVEL", "INFO"))
logger = logging.getLogger(__name__)

initialize = initializer

# Seconds for the longest page, and for a report to CloudFlow after it.
PAGE_SECONDS = 60.0


# The flow invokes this function asynchronously, so an exception is reported as a failure with the name of its class. A job
# that hangs is reported as DeadlineExceeded, a minute before FC ends it.
@task_callback(on_failure="report", deadline_margin_seconds=60)
def handler(payload: Payload, context: Any, task: Task) -> dict[str, Any]:
    """Create a report, and stop if there is not enough time for another page."""
    report = payload.report
    for page in range(1, report.pages + 1):
        if task.remaining_seconds < 2 * PAGE_SECONDS:
            raise TaskFailed("OutOfTime", cause=f"{page - 1} of {report.pages} pages are done")
        render(report.id, page)
    logger.info("Report %s has %d pages", report.id, report.pages)
    return {"reportId": report.id, "pages": report.pages}
