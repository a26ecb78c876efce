"""What holds for the history of every execution, whatever its flow and whatever happened to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fc_callback.local import HistoryEvent

EXECUTION_ENDS = {"ExecutionSucceeded", "ExecutionFailed", "ExecutionStopped", "ExecutionTimedOut"}
TASK_ENDS = {"TaskSucceeded", "TaskFailed", "TaskTimedOut", "TaskSubmitFailed"}
BEGINNINGS = {
    "StepStarted": "StepEntered",
    "StepSucceeded": "StepEntered",
    "StepFailed": "StepEntered",
    "StepExited": "StepEntered",
    "BranchExited": "BranchEntered",
    "IterationExited": "IterationEntered",
    **dict.fromkeys(TASK_ENDS, "TaskScheduled"),
}


def check_history(events: Sequence[HistoryEvent], *, ended: bool) -> None:
    """Check that ids have no gap, that causes come first, and that nothing ends twice.

    Raises:
        AssertionError: A rule is broken.
    """
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    assert events[0].type == "ExecutionStarted"
    ends = [event.id for event in events if event.type in EXECUTION_ENDS]
    assert ends == ([len(events)] if ended else []), "one end, and nothing after it"
    causes = {event.id: event for event in events}
    ended_once: Counter[tuple[str, int]] = Counter()
    for event in events:
        assert event.schedule_event_id < event.id
        beginning = BEGINNINGS.get(event.type)
        if beginning is not None:
            cause = event
            while (cause.type, cause.step) != (beginning, event.step):
                assert cause.schedule_event_id, f"event {event.id}, {event.type} of {event.step}, has no {beginning}"
                cause = causes[cause.schedule_event_id]
            kind = "TaskEnd" if event.type in TASK_ENDS else event.type
            ended_once[kind, cause.id] += 1
    twice = {key: count for key, count in ended_once.items() if count > 1}
    assert not twice, f"these have ended more than once: {twice}"


def count(events: Sequence[HistoryEvent], *types: str) -> int:
    """Return how many events have one of the types."""
    return sum(event.type in types for event in events)
