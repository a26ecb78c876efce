"""What the history of an execution says about its steps: their states and times, and the tasks that wait.

It needs the events only, so that it works for executions of the real service too. An event belongs to the run of its step
that its causes (`ScheduleEventId`) lead to; an event without a cause counts as caused by the event before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.local.clock import parse_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fc_callback.flows.picture import StepState
    from fc_callback.local.history import HistoryEvent

_TASK_ENDS = frozenset({"TaskSucceeded", "TaskFailed", "TaskTimedOut", "TaskSubmitFailed"})
_INNER = frozenset({"StepStarted", "BranchEntered", "IterationEntered"})
# The state of a step that ran several times is the first of these that one of its runs has.
_ORDER: tuple[StepState, ...] = ("waiting", "running", "failed", "stopped", "caught", "done")


@attrs.define(kw_only=True, eq=False)
class StepRun:
    """One run of a step, from StepEntered on.

    Attributes:
        step: The step's name.
        around: The run of the step that this one is inside; None if it is in the flow's own list.
        inside: The runs of steps inside it.
        events: The events of the run itself, without those of steps inside it.
    """

    step: str
    around: StepRun | None
    inside: list[StepRun] = attrs.field(factory=list, repr=False)
    events: list[HistoryEvent] = attrs.field(factory=list)

    def has(self, event_type: str) -> bool:
        """Return whether it has an event of this type."""
        return any(event.type == event_type for event in self.events)

    @property
    def attempts(self) -> int:
        """How often its task was called; 1 for a step that is no task."""
        return max(1, sum(event.type == "TaskScheduled" for event in self.events))

    @property
    def is_over(self) -> bool:
        """Whether it ended, or the step around it did."""
        return self.has("StepExited") or self.has("StepFailed") or (self.around is not None and self.around.is_over)

    @property
    def open_task(self) -> HistoryEvent | None:
        """The event TaskScheduled of a task that has not ended; None if there is none."""
        tasks = [event for event in self.events if event.type == "TaskScheduled" or event.type in _TASK_ENDS]
        return tasks[-1] if tasks and tasks[-1].type == "TaskScheduled" and not self.is_over else None

    @property
    def error(self) -> dict[str, Any]:
        """The detail of its last error, or of a step inside it, with `error` and `cause`; empty if it succeeded or has none."""
        if self.has("StepSucceeded"):
            return {}
        own = next((event.detail for event in reversed(self.events) if "error" in event.detail), None)
        return own or next((run.error for run in reversed(self.inside) if run.has("StepFailed")), {})

    def state(self, *, waiting: bool, ended: bool) -> StepState:
        """Return the state; `waiting` says that its tasks wait for a report, `ended` that the execution has ended."""
        if self.has("StepFailed"):
            return "failed"
        if self.has("StepExited"):
            return "done" if self.has("StepSucceeded") else "caught"
        if ended or self.is_over:
            return "stopped"
        return "waiting" if waiting and self.open_task is not None else "running"


def step_runs(history: Iterable[HistoryEvent]) -> list[StepRun]:
    """Return the runs of steps in the order in which they began."""
    runs: list[StepRun] = []
    events: dict[int, HistoryEvent] = {}
    owners: dict[int, StepRun] = {}
    for event in history:
        events[event.id] = event
        cause = _cause(event)
        if event.type == "StepEntered":
            around = _around(events.get(cause), owners)
            owners[event.id] = run = StepRun(step=event.step, around=around)
            runs.append(run)
            if around is not None:
                around.inside.append(run)
        else:
            while cause in events and (cause not in owners or owners[cause].step != event.step):
                cause = _cause(events[cause])
            if cause not in owners:
                continue
            owners[event.id] = owners[cause]
        owners[event.id].events.append(event)
    return runs


def _cause(event: HistoryEvent) -> int:
    earlier = 0 < event.schedule_event_id < event.id
    return event.schedule_event_id if earlier else event.id - 1


def _around(cause: HistoryEvent | None, owners: dict[int, StepRun]) -> StepRun | None:
    """Return the run that a step is inside, from the event that caused it."""
    owner = None if cause is None else owners.get(cause.id)
    if cause is None or owner is None:
        return None
    return owner if cause.type in _INNER else owner.around


@attrs.frozen(kw_only=True)
class StepProgress:
    """All runs of one step together.

    Attributes:
        step: The step's name.
        state: `waiting` (for a report), `running`, `failed`, `stopped` (by the end of a step around it or of the
            execution), `caught` (a catch rule took its error) or `done`; of several runs the first state of this list.
        runs: How often it ran.
        attempts: How often its task was called, in all runs together.
        started: The time, like `2020-09-22T23:43:40.073Z`.
        duration_seconds: From the first begin to the last end; None while it runs.
        error: The name of its last error; empty if there is none.
        cause: The description of the error.
    """

    step: str
    state: StepState
    runs: int
    attempts: int
    started: str
    duration_seconds: float | None
    error: str
    cause: str


def progress(history: Sequence[HistoryEvent], callback_steps: Iterable[str]) -> list[StepProgress]:
    """Return what happened to each step, in the order in which they began.

    Args:
        history: All events of the execution.
        callback_steps: The names of the steps that wait for a report.
    """
    ended, callbacks = has_ended(history), set(callback_steps)
    by_step: dict[str, list[StepRun]] = {}
    for run in step_runs(history):
        by_step.setdefault(run.step, []).append(run)
    return [_progress_of(step, runs, waiting=step in callbacks, ended=ended) for step, runs in by_step.items()]


def has_ended(history: Sequence[HistoryEvent]) -> bool:
    """Return whether the last event ends the execution."""
    return bool(history) and history[-1].type.startswith("Execution") and history[-1].type != "ExecutionStarted"


def _progress_of(step: str, runs: list[StepRun], *, waiting: bool, ended: bool) -> StepProgress:
    states = {run.state(waiting=waiting, ended=ended) for run in runs}
    state = next(one for one in _ORDER if one in states)
    errors = [run.error for run in runs if run.error]
    first, last = runs[0].events[0].time, max(run.events[-1].time for run in runs)
    return StepProgress(
        step=step,
        state=state,
        runs=len(runs),
        attempts=sum(run.attempts for run in runs),
        started=first,
        duration_seconds=None if state in {"waiting", "running"} else seconds_between(first, last),
        error=str(errors[-1]["error"]) if errors else "",
        cause=str(errors[-1].get("cause", "")) if errors else "",
    )


def seconds_between(earlier: str, later: str) -> float | None:
    """Return the seconds between two times of the service; None if one of them cannot be read."""
    begin, end = parse_time(earlier), parse_time(later)
    return None if begin is None or end is None else round(max(0.0, end - begin), 3)
