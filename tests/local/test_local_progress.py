"""What a history says about the steps of an execution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest

from fc_callback.local import LocalCloudFlow
from fc_callback.local.progress import has_ended, progress, seconds_between, step_runs
from tests.local.test_local_lists import ask, body, each, machine, parallel

if TYPE_CHECKING:
    from fc_callback.local import HistoryEvent


@pytest.fixture
def flows(service: LocalCloudFlow) -> LocalCloudFlow:
    service.add_function(lambda _event: {}, name="ask")
    return service


def run(flows: LocalCloudFlow, definition: dict[str, Any], **execution_input: Any) -> None:
    flows.create_flow("f", definition)
    flows.start("f", execution_input, execution_name="one")
    flows.run_until_waiting("f", "one")


def states(flows: LocalCloudFlow, *callbacks: str) -> dict[str, str]:
    return {step.step: step.state for step in progress(flows.history("f", "one"), callbacks)}


def failing_branch() -> dict[str, Any]:
    caught = {"Catch": [{"Errors": ["Bad"], "Next": "After"}], "End": False, "Next": "After"}
    return machine(parallel(body(ask("Left")), body(ask("Right")), **caught), ask("After"))


def test_a_branch_that_another_one_ended_is_stopped_while_the_execution_goes_on(flows: LocalCloudFlow) -> None:
    run(flows, failing_branch())
    flows.waiting(step="Left")[0].fail("Bad", "so")
    flows.run_until_waiting("f", "one", step="After")

    found = progress(flows.history("f", "one"), ["Left", "Right", "After"])

    assert {step.step: step.state for step in found} == {
        "P": "caught", "Left": "failed", "Right": "stopped", "After": "waiting",
    }  # fmt: skip
    assert [(step.error, step.cause) for step in found if step.step == "P"] == [("Bad", "so")]
    assert flows.describe("f", "one").step("P").status == "caught"


def test_the_open_iterations_of_a_map_are_told_from_the_ended_ones(flows: LocalCloudFlow) -> None:
    run(flows, machine(each(ask())), items=[1, 2, 3])
    flows.waiting()[1].succeed({})

    runs = [one for one in step_runs(flows.history("f", "one")) if one.step == "Ask"]

    assert [one.open_task is None for one in runs] == [False, True, False]
    assert [one.around and one.around.step for one in runs] == ["M"] * 3
    assert states(flows, "Ask") == {"M": "running", "Ask": "waiting"}
    assert states(flows) == {"M": "running", "Ask": "running"}  # for a report waits only what the caller names


def test_the_end_of_an_execution_stops_what_runs(flows: LocalCloudFlow) -> None:
    run(flows, machine(each(ask())), items=[1])
    flows.stop("f", "one")

    assert states(flows, "Ask") == {"M": "stopped", "Ask": "stopped"}
    assert has_ended(flows.history("f", "one"))


def without_causes(history: list[HistoryEvent]) -> list[HistoryEvent]:
    return [attrs.evolve(event, schedule_event_id=0) for event in history]


def test_a_sequence_is_read_without_causes(flows: LocalCloudFlow) -> None:
    run(flows, machine(ask("One", End=False, Next="Two"), ask("Two")))
    flows.waiting()[0].succeed({})
    flows.run_until_waiting("f", "one")

    history = flows.history("f", "one")

    assert progress(without_causes(history), ["One", "Two"]) == progress(history, ["One", "Two"])


@pytest.mark.parametrize(
    ("later", "seconds"), [("2026-01-01T00:00:01.500Z", 1.5), ("2025-12-31T00:00:00.000Z", 0.0), ("soon", None)]
)
def test_the_time_between_two_events_is_never_negative(later: str, seconds: float | None) -> None:
    assert seconds_between("2026-01-01T00:00:00.000Z", later) == seconds


def test_a_run_has_the_path_of_its_step_and_the_number_of_its_branch(flows: LocalCloudFlow) -> None:
    run(flows, machine(parallel(body(ask("Left")), body(parallel(body(ask("In/out ä")), Name="Q")))))

    found = step_runs(flows.history("f", "one"))

    assert [one.path for one in found] == [
        "P",
        "P/branch 1/Left",
        "P/branch 2/Q",
        "P/branch 2/Q/branch 1/In%2Fout%20%C3%A4",
    ]
    assert [one.id for one in found] == [one.events[0].id for one in found]


def test_the_iterations_of_a_map_have_their_numbers_and_their_ends(flows: LocalCloudFlow) -> None:
    run(flows, machine(each(ask(), MaxConcurrency=2)), items=[1, 2, 3])
    flows.waiting()[1].succeed({})
    flows.run_until_waiting("f", "one")

    found = step_runs(flows.history("f", "one"))

    assert [(inner.kind, inner.number, inner.end is None) for inner in found[0].lists] == [
        ("iteration", 1, True), ("iteration", 2, False), ("iteration", 3, True),
    ]  # fmt: skip
    assert [one.path for one in found] == ["M", "M/Ask", "M/Ask", "M/Ask"]


def test_the_branches_of_a_retried_parallel_are_numbered_anew(flows: LocalCloudFlow) -> None:
    retried = {"Retry": [{"Errors": ["Bad"], "IntervalSeconds": 0, "MaxAttempts": 3}]}
    run(flows, machine(parallel(body(ask("Left")), body(ask("Right")), **retried)))
    for _ in range(2):
        flows.waiting(step="Left")[0].fail("Bad", "so")
        flows.run_until_waiting("f", "one", step="Left")

    runs = step_runs(flows.history("f", "one"))

    assert [inner.number for inner in runs[0].lists] == [1, 2] * 3
    assert {one.path for one in runs} == {"P", "P/branch 1/Left", "P/branch 2/Right"}


def test_a_branch_that_another_one_ended_stays_stopped_after_the_retry(flows: LocalCloudFlow) -> None:
    retried = {"Retry": [{"Errors": ["Bad"], "IntervalSeconds": 60, "MaxAttempts": 1}]}
    run(flows, machine(parallel(body(ask("Left")), body(ask("Right")), **retried)))
    flows.waiting(step="Left")[0].fail("Bad", "so")

    assert states(flows, "Left", "Right") == {"P": "running", "Left": "failed", "Right": "stopped"}

    flows.advance(60)
    flows.run_until_waiting("f", "one")
    runs = step_runs(flows.history("f", "one"))

    found = [(one.step, one.state(waiting=True, ended=False)) for one in runs if one.step != "P"]
    assert found == [("Left", "failed"), ("Right", "stopped"), ("Left", "waiting"), ("Right", "waiting")]
