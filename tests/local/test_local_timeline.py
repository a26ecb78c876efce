"""What the timeline of an execution says: which rows it has, and what their bars show."""

from __future__ import annotations

from typing import Any

import pytest

from fc_callback.local.history import HistoryEvent
from fc_callback.local.timeline import Timeline, TimelineRow, read_timeline
from fc_callback.local.timeline_drawing import axis_marks, label_place, percent
from fc_callback.local.timeline_folds import Folds

BEGIN = 1_790_000_000.0  # 2026-09-21T14:13:20Z


class Story:
    """A history that a test writes event by event. Each event is caused by the one before, if the test says nothing else."""

    def __init__(self) -> None:
        self.events: list[HistoryEvent] = []
        self.add("ExecutionStarted", at=0)

    def add(self, event_type: str, step: str = "", *, at: float, after: int | None = None, **detail: Any) -> int:
        seconds = 20 + at
        self.events.append(
            HistoryEvent(
                id=len(self.events) + 1,
                type=event_type,
                step=step,
                schedule_event_id=len(self.events) if after is None else after,
                time=f"2026-09-21T14:{13 + int(seconds // 60):02}:{seconds % 60:06.3f}Z",
                detail=detail,
            )
        )
        return len(self.events)

    def call(self, step: str, *, at: float, after: int | None = None) -> int:
        """Begin a task whose call is accepted at once; return the id of StepEntered."""
        entered = self.add("StepEntered", step, at=at, after=after)
        self.add("StepStarted", step, at=at, input={})
        self.schedule(step, at=at)
        return entered

    def schedule(self, step: str, *, at: float, after: int | None = None) -> int:
        scheduled = self.add("TaskScheduled", step, at=at, after=after)
        self.add("TaskStarted", step, at=at)
        self.add("TaskSubmitted", step, at=at)
        return scheduled

    def succeed(self, step: str, *, at: float, after: int | None = None) -> int:
        self.add("TaskSucceeded", step, at=at, after=after, output={})
        self.add("StepSucceeded", step, at=at, output={})
        return self.add("StepExited", step, at=at)

    def timeline(self, *waits: int, now: float = 100, folds: str = "") -> Timeline:
        return read_timeline(self.events, now=BEGIN + now, waits=waits, folds=Folds.read(folds))

    def rows(self, *waits: int, now: float = 100, folds: str = "") -> list[TimelineRow]:
        return self.timeline(*waits, now=now, folds=folds).rows


def shapes(row: TimelineRow) -> list[tuple[str, bool, float, float]]:
    return [(bar.state, bar.is_wait, round(bar.begin, 3), round(bar.end, 3)) for bar in row.bars]


def labels(rows: list[TimelineRow]) -> list[str]:
    return [f"{'  ' * row.depth}{row.kind} {row.label}" for row in rows]


def a_retried_task() -> tuple[Story, int, int]:
    story = Story()
    entered = story.call("Ask", at=1)
    failed = story.add("TaskFailed", "Ask", at=3, error="Later", cause="not yet")
    again = story.schedule("Ask", at=8, after=failed)
    return story, entered, again


def test_a_retry_has_a_row_of_its_own_after_the_wait_for_it() -> None:
    story, entered, again = a_retried_task()
    story.succeed("Ask", at=10)

    first, second = story.rows(entered, again)

    assert (first.kind, first.label, first.state, first.error) == ("step", "Ask", "retried", "Later")
    assert (second.kind, second.label, second.state, second.error) == ("attempt", "2", "done", "")
    assert shapes(first) == [("retried", False, 1, 1), ("retried", True, 1, 3)]
    assert second.pause == pytest.approx((3, 8))
    assert shapes(second)[1] == ("done", True, 8, 10)
    assert (second.since, second.seconds, second.waited_seconds) == pytest.approx((8, 2, 2))


def test_a_step_that_waits_for_its_retry_shows_the_wait_until_now() -> None:
    story, entered, _ = a_retried_task()
    del story.events[-3:]

    [row] = story.rows(entered, now=7)

    assert row.state == "running"
    assert row.pause == pytest.approx((3, 7))
    assert shapes(row)[-1] == ("retried", True, 1, 3)


def test_of_many_attempts_the_first_and_the_newest_are_shown() -> None:
    story = Story()
    entered = story.call("Ask", at=0)
    for number in range(1, 30):
        failed = story.add("TaskFailed", "Ask", at=number, error="Later", cause="")
        story.schedule("Ask", at=number, after=failed)

    rows = story.rows(entered)

    assert labels(rows)[:3] == ["step Ask", "more 18", "attempt 20"]
    assert labels(rows)[-1] == "attempt 30"
    assert rows[1].fold is not None
    assert len(story.rows(entered, folds=rows[1].fold)) == 30


def test_the_arrival_of_a_report_is_marked_and_a_returned_call_is_not() -> None:
    story = Story()
    asked = story.call("Ask", at=1)
    story.succeed("Ask", at=4)
    story.call("Call", at=4)
    story.succeed("Call", at=6)

    ask, call = story.rows(asked)

    assert ask.reports == pytest.approx((4,))
    assert call.reports == ()
    assert [bar.is_wait for bar in call.bars] == [False]


def test_a_task_that_timed_out_shows_no_report() -> None:
    story = Story()
    asked = story.call("Ask", at=1)
    story.add("TaskTimedOut", "Ask", at=4, error="FnF.TaskTimeout", cause="")
    story.add("StepFailed", "Ask", at=4, error="FnF.TaskTimeout", cause="")
    story.add("ExecutionFailed", at=4)

    [row] = story.rows(asked)

    assert (row.state, row.error, row.reports) == ("failed", "FnF.TaskTimeout", ())


def test_what_runs_lasts_until_now_and_what_an_end_stopped_until_that_end() -> None:
    story = Story()
    asked = story.call("Ask", at=1)

    [row] = story.rows(asked, now=31)
    assert (row.state, row.end) == ("waiting", "")
    assert row.seconds == pytest.approx(30)

    story.add("ExecutionStopped", at=11)
    timeline = story.timeline(asked, now=31)
    [row] = timeline.rows
    assert row.state == "stopped"
    assert (row.seconds, timeline.seconds) == pytest.approx((10, 11))
    assert row.end == story.events[-1].time


def test_a_clock_that_is_behind_the_history_makes_no_negative_bar() -> None:
    story = Story()
    asked = story.call("Ask", at=30)

    timeline = story.timeline(asked, now=10)

    assert all(0 <= bar.begin <= bar.end <= timeline.seconds for bar in timeline.rows[0].bars)


def test_an_execution_without_an_event_has_no_row() -> None:
    assert read_timeline([], now=BEGIN, waits=(), folds=Folds()).rows == []


def a_map(count: int, *, done: int = 0, failed: bool = False) -> tuple[Story, list[int]]:
    """Return the story of a map of tasks that wait; the first `done` ones have ended, and the last one has failed."""
    story = Story()
    story.add("StepEntered", "Each", at=1)
    started = story.add("StepStarted", "Each", at=1, input={})
    asked = []
    for number in range(count):
        iteration = story.add("IterationEntered", "Each", at=1, after=started)
        asked.append(story.call("Ask", at=1, after=iteration))
        submitted = len(story.events)
        if number < done:
            exited = story.succeed("Ask", at=2 + number, after=submitted)
            story.add("IterationExited", "Each", at=2 + number, after=exited)
    if failed:
        story.add("TaskFailed", "Ask", at=90, after=len(story.events), error="Bad", cause="")
        story.add("StepFailed", "Ask", at=90, error="Bad")
    return story, asked


def test_iterations_are_folded_until_the_reader_opens_them() -> None:
    story, asked = a_map(2, done=1)

    rows = story.rows(*asked)
    assert labels(rows) == ["step Each", "  iteration 1", "  iteration 2"]
    assert [row.state for row in rows] == ["running", "done", "waiting"]
    assert rows[0].counts == {"waiting": 1, "done": 1}
    assert shapes(rows[1]) == [("done", False, 1, 1), ("done", True, 1, 2)]  # a folded row shows the bars inside it

    assert rows[2].fold is not None
    opened = story.rows(*asked, folds=rows[2].fold)
    assert labels(opened) == ["step Each", "  iteration 1", "  iteration 2", "    step Ask"]
    assert opened[2].fold == ""


def test_of_many_iterations_the_failed_and_the_waiting_ones_come_first() -> None:
    story, asked = a_map(30, done=20, failed=True)

    rows = story.rows(*asked)

    assert [row.label for row in rows[1:3]] == ["30", "21"]
    assert rows[1].state == "failed"
    assert rows[1].error == "Bad"
    assert (rows[-1].kind, rows[-1].label) == ("more", "18")
    assert rows[-1].fold is not None
    assert len(story.rows(*asked, folds=rows[-1].fold)) == 31


def test_branches_are_open_until_the_reader_folds_them() -> None:
    story = Story()
    story.add("StepEntered", "All", at=1)
    started = story.add("StepStarted", "All", at=1, input={})
    branches = [story.add("BranchEntered", "All", at=1, after=started) for _ in range(2)]
    for name, branch in zip("AB", branches, strict=True):
        story.add("StepEntered", name, at=1, after=branch)

    rows = story.rows()
    assert labels(rows) == ["step All", "  branch 1", "    step A", "  branch 2", "    step B"]
    assert [row.path for row in rows if row.path] == ["All", "All/branch 1/A", "All/branch 2/B"]

    assert rows[1].fold is not None
    assert labels(story.rows(folds=rows[1].fold)) == ["step All", "  branch 1", "  branch 2", "    step B"]


def test_a_long_loop_shows_its_first_steps_and_its_last_one() -> None:
    story = Story()
    for _ in range(200):
        story.add("StepEntered", "Look", at=1)
        story.add("StepExited", "Look", at=1)

    rows = story.rows()

    assert len(rows) == 62
    assert labels(rows)[-2:] == ["more 139", "step Look"]
    assert rows[-1].run == story.events[-2].id


@pytest.mark.parametrize("text", ["", "x", "1;2", "-1", "4:", "9" * 40, "1:2:3", "١", "<script>,'"])
def test_a_text_that_no_page_has_written_unfolds_nothing(text: str) -> None:
    assert Folds.read(text) == Folds()


def test_what_is_unfolded_is_kept_by_the_next_click() -> None:
    folds = Folds.read("17,23,4:62")
    assert str(folds) == "17,23,4:62"
    assert folds.flipped(17) == "23,4:62"
    assert folds.flipped(5) == "17,23,5,4:62"
    assert folds.with_more(4, 62) == "17,23,4:112"
    assert folds.with_more(4, 1_000) is None
    assert Folds.read("4:99999999").count(4, 12) == 1_000


@pytest.mark.parametrize("seconds", [0.0, 0.0004, 0.7, 12.4, 61, 3_600, 86_400 * 40.5, 86_400 * 365 * 90])
def test_the_axis_has_few_marks_and_all_of_them_within_it(seconds: float) -> None:
    marks = axis_marks(seconds)
    assert marks[0] == 0
    assert 1 <= len(marks) <= 6
    assert all(mark < seconds for mark in marks[1:])


def test_a_duration_is_written_where_it_can_be_read() -> None:
    story = Story()
    story.call("Long", at=0)
    story.succeed("Long", at=90)
    story.call("Short", at=90)
    story.succeed("Short", at=91)
    story.call("Late", at=99)
    long, short, late = story.rows()

    assert label_place(long, 100).bar == 0
    beside, before = label_place(short, 1000), label_place(late, 100)
    assert (beside.bar, beside.anchor, beside.x) == (None, "start", "9.1%")
    assert (before.bar, before.anchor, before.x) == (None, "end", "99%")
    assert percent(0, 0) == "0%"


def test_the_duration_of_a_group_is_written_above_its_bar_and_within_the_picture() -> None:
    story, asked = a_map(1)
    [group, _iteration] = story.rows(*asked)
    early, late = label_place(group, 100), label_place(group, 1.01)
    assert (early.x, early.anchor, early.bar) == ("1%", "start", None)
    assert late.anchor == "end"
