"""What one answer of the console reads of an execution: everything once, and only what is asked for."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from fc_callback.local.history import read_history
from fc_callback.local.progress import has_ended, step_runs
from fc_callback.local.waiting_tasks import attempts_that_wait

if TYPE_CHECKING:
    from fc_callback.local.components import Components
    from fc_callback.local.history import HistoryEvent
    from fc_callback.local.progress import StepRun
    from fc_callback.local.store import Row


class ExecutionReading:
    """An execution, and what its history says. Each part is read when it is first needed, and kept.

    Attributes:
        components: The service.
        row: The row of the execution.
    """

    def __init__(self, components: Components, row: Row) -> None:
        self.components = components
        self.row = row

    @functools.cached_property
    def history(self) -> list[HistoryEvent]:
        """All events."""
        return read_history(self.components.store, self.row["id"])

    @functools.cached_property
    def runs(self) -> list[StepRun]:
        """All runs of all steps."""
        return step_runs(self.history)

    @functools.cached_property
    def waits(self) -> frozenset[int]:
        """The `event_id` of each attempt that waits, or waited, for a report."""
        return attempts_that_wait(self.components.store, self.row["id"])

    @property
    def is_ended(self) -> bool:
        """Whether the execution has ended, by its history."""
        return has_ended(self.history)
