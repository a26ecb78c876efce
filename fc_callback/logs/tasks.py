"""The line that a task's record is written as."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from fc_callback import metrics
from fc_callback.logs.records import record_at
from fc_callback.values.invocation import running_task, task_scope
from fc_callback.values.record_text import LOG_FIELDS

if TYPE_CHECKING:
    from fc_callback.metrics import TaskRecord


def write_task(record: TaskRecord) -> None:
    """Write a task's record to the logger `fc_callback.metrics`."""
    logger = metrics.logger
    if not logger.isEnabledFor(logging.INFO):
        return
    words = f"Task {record.outcome.replace('_', ' ')}."
    # The frame goes into no variable of its own: it would hold itself, and the event with it, until the next collection.
    line = record_at(
        sys._getframe(),  # noqa: SLF001 - as logging does
        *(logger.name, logging.INFO, words, ()),
        {LOG_FIELDS: record.fields()},
    )
    if record.task is None or record.task is running_task():
        logger.handle(line)
    else:
        with task_scope(record.task):  # the line names its task
            logger.handle(line)
