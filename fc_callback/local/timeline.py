"""What happened when in an execution, as rows of bars: one row for each attempt of a step, and each branch and iteration.

All is read from the history. Seconds count from the begin of the execution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

from fc_callback.local.clock import iso_milliseconds, parse_time
from fc_callback.local.progress import has_ended, step_runs
from fc_callback.local.task_attempts import attempts_of, run_state

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from fc_callback.flows.picture import StepState
    from fc_callback.local.history import HistoryEvent
    from fc_callback.local.progress import ListRun, StepRun
    from fc_callback.local.task_attempts import TaskAttempt
    from fc_callback.local.timeline_folds import Folds

# Of the lists inside one step, the attempts of one, and the steps of one list; a further row leads to more.
MOST_LISTS = 12
MOST_ATTEMPTS = 12
_MOST_RUNS = 60
# Of one row; more of them would be too narrow to see.
_MOST_BARS = 40
# Failed and waiting ones come first.
URGENCY: tuple[StepState, ...] = ("failed", "waiting", "running", "stopped", "caught", "done")


@attrs.frozen(kw_only=True)
class Bar:
    """A part of a row.

    Attributes:
        step: The step's name.
        state: Its state; `retried` for an attempt after which another one followed.
        is_wait: Whether the step waited for a report.
        begin: In seconds.
        end: In seconds.
    """

    step: str
    state: StepState | Literal["retried"]
    is_wait: bool
    begin: float
    end: float


@attrs.frozen(kw_only=True)
class TimelineRow:
    """One row of a timeline.

    Attributes:
        kind: `step` for the first attempt of a step, `attempt` for a further one, `branch` or `iteration`, or `more` for a
            row that stands for others.
        depth: How many steps, branches and iterations are around it.
        id: The id of the event that it began with; of `more` that of what holds the rows, and 0 for the execution.
        label: The step's name, the number of the attempt, branch or iteration, or the number of further rows.
        path: The step's path; empty for a branch, an iteration and `more`.
        run: The id of the step's run; 0 for a branch, an iteration and `more`.
        state: The state; empty for `more`.
        counts: How many of the branches or iterations inside it have each state, if it has any.
        error: The name of its error.
        begin: The time.
        since: The begin in seconds.
        end: The time; empty while it runs.
        seconds: From begin to end, or until now.
        waited_seconds: How long of it the step waited for reports.
        bars: The parts.
        pause: The wait before this attempt, or after the last one until the next, from its begin to its end; None for none.
        reports: When reports arrived, in seconds.
        fold: What `Folds` reads after a click on the row; None if it has nothing to show or hide.
        is_open: Whether it shows what is inside it.
    """

    kind: Literal["step", "attempt", "branch", "iteration", "more"]
    depth: int
    id: int
    label: str
    path: str = ""
    run: int = 0
    state: StepState | Literal["retried", ""] = ""
    counts: dict[StepState, int] = attrs.field(factory=dict)
    error: str = ""
    begin: str = ""
    since: float = 0.0
    end: str = ""
    seconds: float = 0.0
    waited_seconds: float = 0.0
    bars: tuple[Bar, ...] = ()
    pause: tuple[float, float] | None = None
    reports: tuple[float, ...] = ()
    fold: str | None = None
    is_open: bool = False

    @property
    def is_group(self) -> bool:
        """Whether its bar stands for the bars of other rows below it."""
        return bool(self.counts) or (self.kind in {"branch", "iteration"} and self.is_open)


@attrs.frozen(kw_only=True)
class Timeline:
    """The rows of an execution, and how long it has run.

    Attributes:
        begin: The begin of the execution, in seconds since the epoch.
        seconds: From its begin to its end, or until now.
        rows: The rows, in the order in which the steps began; of many iterations the failed and the waiting ones first.
    """

    begin: float
    seconds: float
    rows: list[TimelineRow]


def read_timeline(history: Sequence[HistoryEvent], *, now: float, waits: Collection[int], folds: Folds) -> Timeline:
    """Return the timeline of an execution.

    Args:
        history: All its events.
        now: The service's time, at which the bars of what runs end.
        waits: The `event_id` of each attempt that waits, or waited, for a report.
        folds: What the reader has unfolded.
    """
    begin = (parse_time(history[0].time) if history else None) or now
    last = parse_time(history[-1].time) if has_ended(history) else None
    end = max(now if last is None else last, begin)
    writer = _RowWriter(begin, end, waits, folds, is_ended=last is not None)
    writer.add_runs(0, [run for run in step_runs(history) if run.within is None], depth=0)
    return Timeline(begin=begin, seconds=end - begin, rows=writer.rows)


class _RowWriter:
    def __init__(self, begin: float, end: float, waits: Collection[int], folds: Folds, *, is_ended: bool) -> None:
        self.rows: list[TimelineRow] = []
        self._begin = begin
        self._end = end
        self._waits = waits
        self._folds = folds
        self._is_ended = is_ended

    def add_runs(self, list_id: int, runs: list[StepRun], *, depth: int) -> None:
        """Add the steps of a list: the first ones and the newest one."""
        shown = self._folds.count(list_id, _MOST_RUNS)
        for run in runs[:shown]:
            self._add_run(run, depth)
        hidden = runs[shown:-1]
        if hidden:
            self._add_more(list_id, len(hidden), shown, depth)
        for run in runs[shown:][-1:]:
            self._add_run(run, depth)

    def _add_run(self, run: StepRun, depth: int) -> None:
        attempts = attempts_of(run, self._waits)
        shown = self._folds.count(run.id, MOST_ATTEMPTS)
        hidden = max(0, len(attempts) - shown)  # those after the first one: the newest tell the most
        for attempt, following in zip(attempts, [*attempts[1:], None], strict=True):
            if not 1 < attempt.number <= hidden + 1:
                self._add_attempt(run, attempt, following, attempts, depth)
            elif attempt.number == 2:  # noqa: PLR2004 - the first one that is hidden
                self._add_more(run.id, hidden, shown, depth)
        for alternative in run.lists:
            if alternative.kind == "alternative":
                self.add_runs(alternative.id, alternative.runs, depth=depth + 1)
        self._add_lists(run, [inner for inner in run.lists if inner.kind != "alternative"], depth + 1)

    def _add_attempt(
        self, run: StepRun, attempt: TaskAttempt, following: TaskAttempt | None, attempts: list[TaskAttempt], depth: int
    ) -> None:
        is_first = attempt.number == 1
        state = self.state(run) if following is None else "retried"
        bars = self._attempt_bars(run, attempt)
        pause = None
        if not is_first:
            pause = (self._at(attempts[attempt.number - 2].end), self._at(attempt.begin))
        elif following is None and attempt.is_retried and not self._is_ended:
            pause = (self._at(attempt.end), self._end - self._begin)
        end = attempt.end or self._end_text
        self.rows.append(
            TimelineRow(
                kind="step" if is_first else "attempt",
                depth=depth,
                id=attempt.event_id,
                label=run.step if is_first else str(attempt.number),
                path=run.path,
                run=run.id,
                state=state,
                counts=self._counts(run),
                error=attempt.error,
                begin=attempt.begin,
                since=self._at(attempt.begin),
                end=end,
                seconds=self._at(end) - self._at(attempt.begin),
                waited_seconds=sum(bar.end - bar.begin for bar in bars if bar.is_wait),
                bars=tuple(bars),
                pause=pause,
                reports=(self._at(attempt.end),) if attempt.is_reported else (),
            )
        )

    def _add_lists(self, run: StepRun, lists: list[ListRun], depth: int) -> None:
        states = {inner.id: self._list_state(inner) for inner in lists}
        if len(lists) > MOST_LISTS:
            lists = sorted(lists, key=lambda inner: URGENCY.index(states[inner.id]))
        shown = self._folds.count(run.id, MOST_LISTS)
        attempts = list(dict.fromkeys(inner.retry_of for inner in run.lists))
        for inner in lists[:shown]:
            number = attempts.index(inner.retry_of) + 1
            label = str(inner.number) if number == 1 else f"{inner.number}, attempt {number}"
            self._add_list(inner, label, states[inner.id], depth)
        if lists[shown:]:
            self._add_more(run.id, len(lists) - shown, shown, depth)

    def _add_list(self, inner: ListRun, label: str, state: StepState, depth: int) -> None:
        assert inner.kind != "alternative"
        is_open = self._folds.is_open(inner.id, by_default=inner.kind == "branch")
        attempts = [(run, attempt) for run in inner.runs for attempt in attempts_of(run, self._waits)]
        bars = [bar for run, attempt in attempts for bar in self._attempt_bars(run, attempt)]
        reports = [self._at(attempt.end) for _, attempt in attempts if attempt.is_reported]
        waited = sum(bar.end - bar.begin for bar in bars if bar.is_wait)
        end = "" if state in {"running", "waiting"} else (inner.over.time if inner.over else self._end_text)
        if is_open or len(bars) > _MOST_BARS:
            bars = [Bar(step="", state=state, is_wait=False, begin=self._at(inner.begin.time), end=self._at(end))]
        self.rows.append(
            TimelineRow(
                kind=inner.kind,
                depth=depth,
                id=inner.id,
                label=label,
                state=state,
                error=next((str(run.error.get("error", "")) for run in inner.runs if run.has("StepFailed")), ""),
                begin=inner.begin.time,
                since=self._at(inner.begin.time),
                end=end,
                seconds=self._at(end) - self._at(inner.begin.time),
                waited_seconds=waited,
                bars=tuple(bars),
                reports=() if is_open else tuple(reports),
                fold=self._folds.flipped(inner.id),
                is_open=is_open,
            )
        )
        if is_open:
            self.add_runs(inner.id, inner.runs, depth=depth + 1)

    def _add_more(self, item: int, count: int, shown: int, depth: int) -> None:
        self.rows.append(
            TimelineRow(kind="more", depth=depth, id=item, label=str(count), fold=self._folds.with_more(item, shown))
        )

    def _attempt_bars(self, run: StepRun, attempt: TaskAttempt) -> list[Bar]:
        """Return the bars of an attempt: while its call runs, and while it waits for a report."""
        state = "retried" if attempt.is_retried else self.state(run)
        begin, end = self._at(attempt.begin), self._at(attempt.end)
        if not attempt.submitted or attempt.event_id not in self._waits:
            return [Bar(step=run.step, state=state, is_wait=False, begin=begin, end=end)]
        middle = self._at(attempt.submitted)
        return [
            Bar(step=run.step, state=state, is_wait=False, begin=begin, end=middle),
            Bar(step=run.step, state=state, is_wait=True, begin=middle, end=end),
        ]

    def state(self, run: StepRun) -> StepState:
        """Return the state of a run of a step."""
        return run_state(run, self._waits, is_ended=self._is_ended)

    def _list_state(self, inner: ListRun) -> StepState:
        if inner.end is not None:
            return "done"
        if any(run.has("StepFailed") for run in inner.runs):
            return "failed"
        if inner.over is not None or self._is_ended:
            return "stopped"
        return "waiting" if inner.runs and self._is_waiting(inner.runs[-1]) else "running"

    def _is_waiting(self, run: StepRun) -> bool:
        """Return whether the step, or a step inside it, waits for a report; of a list only the last step can."""
        inside = (inner.runs[-1] for inner in run.lists if inner.over is None and inner.runs)
        return self.state(run) == "waiting" or any(self._is_waiting(last) for last in inside)

    def _counts(self, run: StepRun) -> dict[StepState, int]:
        states = [self._list_state(inner) for inner in run.lists if inner.kind != "alternative"]
        return {state: states.count(state) for state in URGENCY if state in states}

    def _at(self, time: str) -> float:
        """Return a time in seconds; the end of the timeline for an empty text."""
        moment = parse_time(time) if time else self._end
        return min(max((moment or self._begin) - self._begin, 0.0), self._end - self._begin)

    @property
    def _end_text(self) -> str:
        return iso_milliseconds(self._end) if self._is_ended else ""
