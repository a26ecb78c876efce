"""What the history of an execution says about its steps: their states and times, and the tasks that wait.

It needs the events only, so that it works for executions of the real service too. An event belongs to the run of its step
that its causes (`ScheduleEventId`) lead to; an event without a cause counts as caused by the event before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import attrs

from fc_callback.local.clock import parse_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fc_callback.flows.picture import StepState
    from fc_callback.local.history import HistoryEvent

TASK_ENDS = frozenset({"TaskSucceeded", "TaskFailed", "TaskTimedOut", "TaskSubmitFailed"})
_LISTS: dict[str, Literal["branch", "iteration"]] = {"BranchEntered": "branch", "IterationEntered": "iteration"}
_STEP_ENDS = frozenset({"StepExited", "StepFailed"})
_LIST_ENDS = frozenset({"BranchExited", "IterationExited"})
# The state of a step that ran several times is the first of these that one of its runs has.
STATE_ORDER: tuple[StepState, ...] = ("waiting", "running", "failed", "stopped", "caught", "done")


@attrs.define(kw_only=True, eq=False)
class ListRun:
    """One run of a list of steps inside a step.

    Attributes:
        kind: `branch` of a parallel, `iteration` of a map, or `alternative` of a choice.
        number: Its number among the branches or iterations of its step, from 1.
        around: The run of the step that it is inside.
        begin: The event that began it.
        end: The event BranchExited or IterationExited; None if there is none.
        runs: The runs of its steps.
    """

    kind: Literal["branch", "iteration", "alternative"]
    number: int
    around: StepRun = attrs.field(repr=False)
    begin: HistoryEvent
    end: HistoryEvent | None = None
    runs: list[StepRun] = attrs.field(factory=list, repr=False)
    # The failure after which the step around it began again, with this list or one before it; 0 for its first attempt.
    retry_of: int = 0

    @property
    def id(self) -> int:
        """The id of the event that began it."""
        return self.begin.id

    @property
    def over(self) -> HistoryEvent | None:
        """The event that ended it: its own, the failure of a step in it or beside it, or the end of the step around it."""
        return self.end or self.around.failures.get(self.retry_of) or self.around.over

    @property
    def path(self) -> str:
        """The path of its step; a branch adds its number, as the lists of branches are different ones."""
        return f"{self.around.path}/branch {self.number}" if self.kind == "branch" else self.around.path


@attrs.define(kw_only=True, eq=False)
class StepRun:
    """One run of a step, from StepEntered on.

    Attributes:
        step: The step's name.
        within: The run of the list that it is in; None if it is in the flow's own list.
        path: The names of the steps around it and its own, percent-encoded and joined by `/`; after the name of a
            parallel comes an element like `branch 2`. All runs of a step share it.
        lists: The runs of the lists of steps inside it.
        events: The events of the run itself, without those of steps inside it.
        failures: The events StepFailed that ended all lists inside it, by the `retry_of` of these lists.
    """

    step: str
    within: ListRun | None
    path: str = attrs.field(init=False)
    lists: list[ListRun] = attrs.field(factory=list, repr=False)
    events: list[HistoryEvent] = attrs.field(factory=list)
    failures: dict[int, HistoryEvent] = attrs.field(factory=dict, repr=False)
    _types: set[str] = attrs.field(init=False, factory=set, repr=False)

    def __attrs_post_init__(self) -> None:
        """Set the path."""
        name = quote(self.step, safe="")
        self.path = name if self.within is None else f"{self.within.path}/{name}"

    def add(self, event: HistoryEvent) -> None:
        """Add its next event."""
        self.events.append(event)
        self._types.add(event.type)

    def has(self, event_type: str) -> bool:
        """Return whether it has an event of this type."""
        return event_type in self._types

    @property
    def id(self) -> int:
        """The id of its event StepEntered, which tells it from other runs of its step."""
        return self.events[0].id

    @property
    def around(self) -> StepRun | None:
        """The run of the step that it is inside; None if it is in the flow's own list."""
        return None if self.within is None else self.within.around

    @property
    def inside(self) -> list[StepRun]:
        """The runs of steps inside it."""
        return [run for inner in self.lists for run in inner.runs]

    @property
    def attempts(self) -> int:
        """How often its task was called; 1 for a step that is no task."""
        return max(1, sum(event.type == "TaskScheduled" for event in self.events))

    @property
    def over(self) -> HistoryEvent | None:
        """The event that ended it: its own, or that of the list it is in; None while it runs."""
        if self.has("StepExited") or self.has("StepFailed"):
            return next(event for event in reversed(self.events) if event.type in _STEP_ENDS)
        return None if self.within is None else self.within.over

    @property
    def open_task(self) -> HistoryEvent | None:
        """The event TaskScheduled of a task that has not ended; None if there is none."""
        tasks = [event for event in self.events if event.type == "TaskScheduled" or event.type in TASK_ENDS]
        return tasks[-1] if tasks and tasks[-1].type == "TaskScheduled" and self.over is None else None

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
        if ended or self.over is not None:
            return "stopped"
        return "waiting" if waiting and self.open_task is not None else "running"


def step_runs(history: Iterable[HistoryEvent]) -> list[StepRun]:
    """Return the runs of steps in the order in which they began."""
    return _Reader().read(history)


class _Reader:
    """Tells to which run each event belongs."""

    def __init__(self) -> None:
        self._events: dict[int, HistoryEvent] = {}
        self._owners: dict[int, StepRun] = {}
        self._lists: dict[int, ListRun] = {}  # by the events that began them

    def read(self, history: Iterable[HistoryEvent]) -> list[StepRun]:
        runs: list[StepRun] = []
        for event in history:
            self._events[event.id] = event
            if event.type == "StepEntered":
                run = self._begin(event)
                runs.append(run)
            else:
                found = self._owner(event)
                if found is None:
                    continue
                run = found
            self._owners[event.id] = run
            run.add(event)
            if event.type in _LISTS:
                self._lists[event.id] = self._open_list(run, event, _LISTS[event.type])
            elif event.type in _LIST_ENDS:
                self._close_list(run, event)
            elif event.type == "StepFailed" and run.within is not None:
                run.within.around.failures[run.within.retry_of] = event
        return runs

    def _begin(self, event: HistoryEvent) -> StepRun:
        within = self._within(self._events.get(_cause(event)))
        run = StepRun(step=event.step, within=within)
        if within is not None:
            within.runs.append(run)
            if within.kind == "alternative":
                within.around.failures.clear()  # a retry of the choice
        return run

    def _within(self, cause: HistoryEvent | None) -> ListRun | None:
        """Return the list that a step is in, from the event that caused it."""
        owner = None if cause is None else self._owners.get(cause.id)
        if cause is None or owner is None:
            return None
        if cause.type == "StepStarted" and cause.id not in self._lists:
            self._lists[cause.id] = self._open_list(owner, cause, "alternative")
        return self._lists.get(cause.id, owner.within)

    def _owner(self, event: HistoryEvent) -> StepRun | None:
        cause = _cause(event)
        while cause in self._events and (cause not in self._owners or self._owners[cause].step != event.step):
            cause = _cause(self._events[cause])
        return self._owners.get(cause)

    def _open_list(
        self, run: StepRun, event: HistoryEvent, kind: Literal["branch", "iteration", "alternative"]
    ) -> ListRun:
        last = run.lists[-1] if run.lists else None
        cause = self._events.get(_cause(event))
        retry_of = 0 if last is None else last.retry_of
        if cause is not None and cause.type == "StepFailed":
            retry_of = cause.id  # a step inside it failed, and its retry rule applied
        number = 1 if last is None or last.retry_of != retry_of else last.number + 1
        opened = ListRun(kind=kind, number=number, around=run, begin=event, retry_of=retry_of)
        run.lists.append(opened)
        return opened

    def _close_list(self, run: StepRun, event: HistoryEvent) -> None:
        cause = _cause(event)
        last = self._owners.get(cause)
        within = self._lists.get(cause, None if last is None else last.within)
        if within is not None and within.around is run:
            within.end = event


def _cause(event: HistoryEvent) -> int:
    earlier = 0 < event.schedule_event_id < event.id
    return event.schedule_event_id if earlier else event.id - 1


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
    state = next(one for one in STATE_ORDER if one in states)
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
