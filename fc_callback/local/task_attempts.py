"""What a history says about the attempts of a step: when each ran and waited, and how it ended."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import attrs

from fc_callback.local.progress import TASK_ENDS

if TYPE_CHECKING:
    from collections.abc import Collection

    from fc_callback.flows.picture import StepState
    from fc_callback.local.history import HistoryEvent
    from fc_callback.local.progress import StepRun


@attrs.frozen(kw_only=True)
class TaskAttempt:
    """One attempt of a step; a step that is no task has one.

    Attributes:
        number: 1, and one more after each retry.
        event_id: The id of the event that it began with, which a task that waits has too: StepEntered, or TaskScheduled
            of a retry.
        begin: The time.
        submitted: The time at which its call was accepted; empty if it was not, or if the step is no task.
        end: The time; empty while it runs.
        is_retried: Whether it failed and another one followed, or will follow.
        is_reported: Whether a report ended it.
        error: The name of its error; empty if it succeeded.
        cause: The error's description.
    """

    number: int
    event_id: int
    begin: str
    submitted: str
    end: str
    is_retried: bool
    is_reported: bool
    error: str
    cause: str


def attempts_of(run: StepRun, waits: Collection[int]) -> list[TaskAttempt]:
    """Return the attempts of a run of a step, in their order.

    Args:
        run: The run.
        waits: The `event_id` of each attempt that waits, or waited, for a report.
    """
    starts = [index for index, event in enumerate(run.events) if event.type == "TaskScheduled"]
    bounds = [0, *starts[1:], len(run.events)]
    parts = [run.events[begin:end] for begin, end in itertools.pairwise(bounds)]
    return [_attempt(run, number, part, waits) for number, part in enumerate(parts, start=1)]


def _attempt(run: StepRun, number: int, events: list[HistoryEvent], waits: Collection[int]) -> TaskAttempt:
    submitted = next((event.time for event in events if event.type == "TaskSubmitted"), "")
    end = next((event for event in events if event.type in TASK_ENDS), run.over)
    own_error = next((event.detail for event in reversed(events) if "error" in event.detail), {})
    error = run.error if run.lists else own_error
    is_report = end is not None and end.type in {"TaskSucceeded", "TaskFailed"}
    return TaskAttempt(
        number=number,
        event_id=events[0].id,
        begin=events[0].time,
        submitted=submitted,
        end="" if end is None else end.time,
        is_retried=bool(own_error) and events[-1].type in TASK_ENDS,
        is_reported=is_report and bool(submitted) and events[0].id in waits,
        error=str(error.get("error", "")),
        cause=str(error.get("cause", "")),
    )


def run_state(run: StepRun, waits: Collection[int], *, is_ended: bool) -> StepState:
    """Return the state of a run of a step; `is_ended` says that the execution has ended."""
    task = run.open_task
    attempt = 0 if task is None else run.id if run.attempts == 1 else task.id
    return run.state(waiting=attempt in waits, ended=is_ended)
