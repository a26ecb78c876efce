"""Branches, iterations and alternatives: how they run beside each other, fail, are retried, and stand in the history."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback.local import ApiError, LocalCloudFlow

if TYPE_CHECKING:
    from pathlib import Path


def machine(*states: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "Type": "StateMachine",
        "SpecVersion": "v1",
        "Name": "f",
        "StartAt": states[0]["Name"],
        "States": list(states),
        **more,
    }


def ask(name: str = "Ask", **more: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Name": name,
        "Action": "FC:InvokeFunction",
        "TaskMode": "WaitForCustomCallback",
        "Parameters": {
            "resourceArn": "acs:fc:::functions/ask",
            "invocationType": "Async",
            "body": {"token.$": "$Context.Current.TaskToken"},
        },
        "End": True,
        **more,
    }


def body(*states: dict[str, Any]) -> dict[str, Any]:
    return {"StartAt": states[0]["Name"], "States": list(states)}


def parallel(*branches: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"Type": "Parallel", "Name": "P", "Branches": list(branches), "End": True, **more}


def each(*states: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"Type": "Map", "Name": "M", "ItemsPath": "$Input.items", "Processor": body(*states), "End": True, **more}


@pytest.fixture
def flows(service: LocalCloudFlow) -> LocalCloudFlow:
    service.add_function(lambda _event: {}, name="ask")
    return service


def start(service: LocalCloudFlow, definition: Any, given: dict[str, Any] | None = None) -> None:
    service.create_flow("f", definition)
    service.start("f", given or {}, execution_name="e")


def finish(service: LocalCloudFlow) -> Any:
    return service.wait("f", "e", timeout=10)


def outline(service: LocalCloudFlow) -> list[str]:
    return [f"{event.type} {event.step}".strip() for event in service.history("f", "e")]


def test_tasks_of_branches_wait_beside_each_other_and_end_in_any_order(flows: LocalCloudFlow) -> None:
    start(flows, machine(parallel(body(ask("A")), body(ask("B")))))
    waiting = flows.waiting("f", "e")
    assert [task.step for task in waiting] == ["A", "B"]
    waiting[1].succeed({"by": "B"})
    waiting[0].succeed({"by": "A"})
    assert finish(flows).output == {"Branch0": {"by": "A"}, "Branch1": {"by": "B"}}


def test_a_map_runs_as_many_iterations_at_a_time_as_it_may_and_keeps_the_order(flows: LocalCloudFlow) -> None:
    start(flows, machine(each(ask(), MaxConcurrency=2)), {"items": [{"n": number} for number in range(5)]})
    most = 0
    while tasks := flows.waiting("f"):
        most = max(most, len(tasks))
        tasks[-1].succeed({"n": tasks[-1].input["n"] * 10})
    assert most == 2
    assert finish(flows).output == {"Items": [{"n": number * 10} for number in range(5)]}


def test_the_first_error_of_a_branch_ends_the_others_and_is_caught_by_the_state(flows: LocalCloudFlow) -> None:
    caught = {"Errors": ["Rejected"], "Next": "After", "OutputConstructor": {"error.$": "$Context.Current.Error.Code"}}
    after = {"Type": "Pass", "Name": "After", "End": True}
    start(flows, machine(parallel(body(ask("A")), body(each(ask("B"))), Catch=[caught]), after), {"items": [{}, {}]})
    one, *others = flows.waiting("f")
    one.fail("Rejected", "no")
    assert finish(flows).output == {"error": "Rejected"}
    assert len(others) == 2
    for other in others:
        with pytest.raises(ApiError, match="TaskAlreadyCompleted"):
            other.succeed({})
    assert flows.waiting() == []


def test_an_error_that_no_list_catches_fails_the_execution_by_its_name(flows: LocalCloudFlow) -> None:
    failing = {"Type": "Fail", "Name": "Broken", "Code": "Bad", "Detail": "why"}
    start(flows, machine(parallel(body(ask("A")), body(each(failing)))), {"items": [{}]})
    execution = finish(flows)
    assert (execution.status, execution.error, execution.cause) == ("Failed", "Bad", "why")
    assert outline(flows)[-4:] == ["StepFailed Broken", "StepFailed M", "StepFailed P", "ExecutionFailed"]


def test_a_retried_map_begins_all_its_iterations_again_with_new_tokens(flows: LocalCloudFlow) -> None:
    retry = [{"Errors": ["Again"], "MaxAttempts": 1, "IntervalSeconds": 5}]
    start(flows, machine(each(ask(), Retry=retry)), {"items": [{}, {}]})
    tasks = flows.waiting("f")
    tasks[0].fail("Again")
    assert flows.waiting("f") == []
    flows.advance(5)
    for task in flows.waiting("f"):
        task.succeed({"second": True})
    assert finish(flows).output == {"Items": [{"second": True}, {"second": True}]}
    with pytest.raises(ApiError, match="TaskAlreadyCompleted"):
        tasks[1].succeed({})
    assert outline(flows).count("StepEntered M") == 1


def test_a_failed_retry_of_a_parallel_ends_in_its_catch(flows: LocalCloudFlow) -> None:
    failing = {"Type": "Fail", "Name": "Broken", "Code": "Bad"}
    rules = {
        "Retry": [{"Errors": ["FnF.ALL"], "MaxAttempts": 2, "IntervalSeconds": 1}],
        "Catch": [{"Errors": ["Bad"], "Next": "After", "OutputConstructor": {"n.$": "$Context.Current.RetryCount"}}],
    }
    start(flows, machine(parallel(body(failing), **rules), {"Type": "Pass", "Name": "After", "End": True}))
    flows.advance(3)
    assert finish(flows).output == {"n": 2}


def test_the_history_of_a_parallel_names_each_branch_and_what_caused_each_event(flows: LocalCloudFlow) -> None:
    one, two = ({"Type": "Pass", "Name": name, "End": True} for name in "AB")
    start(flows, machine(parallel(body(one), body(two))), {"k": 1})
    finish(flows)
    events = flows.history("f", "e")
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    assert outline(flows) == [
        "ExecutionStarted",
        *("StepEntered P", "StepStarted P", "BranchEntered P", "BranchEntered P"),
        *("StepEntered A", "StepStarted A", "StepSucceeded A", "StepExited A"),
        *("StepEntered B", "StepStarted B", "StepSucceeded B", "StepExited B"),
        *("BranchExited P", "BranchExited P", "StepSucceeded P", "StepExited P", "ExecutionSucceeded"),
    ]
    by_id = {event.id: event for event in events}
    for event in events:
        if event.step in {"A", "B"} and event.type != "StepEntered":
            assert by_id[event.schedule_event_id].step == event.step
    details = [event.detail for event in events if event.type == "BranchExited"]
    assert details == [{"output": {"k": 1}}, {"output": {"k": 1}}]


def test_the_history_of_a_legacy_foreach_has_input_and_local_of_each_iteration(service: LocalCloudFlow) -> None:
    steps = [{"type": "pass", "name": "p", "outputMappings": [{"target": "twice", "source": "$input.it"}]}]
    step = {
        "type": "foreach",
        "name": "all",
        "iterationMapping": {"collection": "$.list", "item": "it"},
        "steps": steps,
    }
    service.create_flow("f", {"version": "v1", "type": "flow", "steps": [step]})
    service.start("f", {"list": [7]}, execution_name="e")
    finish(service)
    details = {event.type: event.detail for event in service.history("f", "e")}
    assert details["IterationEntered"] == {"input": {"list": [7], "it": 7}, "local": {}}
    assert details["IterationExited"] == {"local": {"twice": 7}}
    assert outline(service).count("IterationEntered all") == 1


def test_an_open_map_goes_on_after_a_restart(tmp_path: Path) -> None:
    with LocalCloudFlow(database=tmp_path / "db") as first:
        first.add_function(lambda _event: {}, name="ask")
        start(first, machine(each(ask(), MaxConcurrency=2)), {"items": [{"n": 1}, {"n": 2}, {"n": 3}]})
        first.waiting("f")[0].succeed({"done": 1})
    with LocalCloudFlow(database=tmp_path / "db") as second:
        second.add_function(lambda _event: {}, name="ask")
        while tasks := second.waiting("f"):
            tasks[0].succeed({"done": tasks[0].input["n"]})
        assert finish(second).output == {"Items": [{"done": 1}, {"done": 2}, {"done": 3}]}


def test_a_flow_that_loops_for_ever_ends_at_the_limit_of_events(service: LocalCloudFlow) -> None:
    start(service, machine({"Type": "Pass", "Name": "A", "Next": "A"}))
    execution = finish(service)
    assert (execution.status, execution.error) == ("Failed", "FnF.RuntimeError")
    assert "5000 events" in execution.cause
    assert [event.type for event in service.history("f", "e")][4998:] == ["StepStarted", "ExecutionFailed"]


def test_a_report_that_fills_the_history_is_accepted_and_ends_the_execution(flows: LocalCloudFlow) -> None:
    loop = {"Type": "Pass", "Name": "A", "Next": "A"}
    start(flows, machine(ask(Next="A", End=False), loop))
    (task,) = flows.waiting("f")
    task.succeed({})
    assert finish(flows).status == "Failed"
    assert len(flows.history("f", "e")) == 5000


def test_results_that_are_too_large_together_fail_the_map(service: LocalCloudFlow) -> None:
    big = {"Type": "Pass", "Name": "Big", "End": True, "OutputConstructor": {"text": "x" * 30_000}}
    start(service, machine(each(big)), {"items": [{}, {}, {}]})
    execution = finish(service)
    assert execution.error == "FnF.RuntimeError"
    assert "65536" in execution.cause


def test_globals_are_shared_by_branches_and_iterations(service: LocalCloudFlow) -> None:
    states = [
        each(
            {"Type": "Pass", "Name": "W", "End": True, "GlobalConstructor": {"seen.$": "$Input.n"}}, End=False, Next="R"
        ),
        {"Type": "Pass", "Name": "R", "End": True, "InputConstructor": {"last.$": "$Global.seen"}},
    ]
    start(service, machine(*states), {"items": [{"n": 1}, {"n": 2}]})
    assert finish(service).output == {"last": 2}


def test_items_that_are_no_list_fail_the_state_and_can_be_caught(service: LocalCloudFlow) -> None:
    catch = [{"Errors": ["FnF.ALL"], "Next": "A"}]
    states = (each({"Type": "Pass", "Name": "X", "End": True}, Catch=catch), {"Type": "Pass", "Name": "A", "End": True})
    start(service, machine(*states), {"items": "no list"})
    assert finish(service).output == {"items": "no list"}


def test_a_choice_without_a_true_branch_and_without_default_fails(service: LocalCloudFlow) -> None:
    choice = {"Type": "Choice", "Name": "C", "Branches": [{"Condition": "$Input.a == 1", "Next": "A"}]}
    start(service, machine(choice, {"Type": "Pass", "Name": "A", "End": True}))
    execution = finish(service)
    assert execution.error == "FnF.RuntimeError"
    assert "no Default" in execution.cause


def test_a_path_that_leads_nowhere_is_null_with_a_warning(
    service: LocalCloudFlow, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "fc_callback.local"):
        start(service, machine({"Type": "Pass", "Name": "A", "End": True, "OutputConstructor": {"x.$": "$Input.no.x"}}))
    assert finish(service).output == {"x": None}
    assert "Flow f, execution e, step A: $Input.no.x leads nowhere" in caplog.text


def test_a_path_of_the_flow_itself_is_named_without_a_step(
    service: LocalCloudFlow, caplog: pytest.LogCaptureFixture
) -> None:
    flow = {"version": "v1", "type": "flow", "steps": [{"type": "pass", "name": "p"}]}
    mapping = {"target": "x", "source": "$input.no"}
    with caplog.at_level(logging.WARNING, "fc_callback.local"):
        start(service, {**flow, "inputMappings": [mapping]})
    assert "Flow f, execution e: $input.no leads nowhere" in caplog.text


def test_stopping_ends_every_branch(flows: LocalCloudFlow) -> None:
    start(flows, machine(parallel(body(ask("A")), body(each(ask("B"))))), {"items": [{}, {}]})
    tasks = flows.waiting("f")
    flows.stop("f", "e", error="Enough")
    assert flows.waiting() == []
    for task in tasks:
        with pytest.raises(ApiError, match="TaskAlreadyCompleted"):
            task.succeed({})
    assert json.dumps(flows.history("f", "e")[-1].detail) == '{"error": "Enough", "cause": ""}'


def test_the_timeout_of_a_flow_ends_every_branch(flows: LocalCloudFlow) -> None:
    start(flows, machine(parallel(body(ask("A")), body(ask("B"))), Timeout=10))
    flows.advance(10)
    assert finish(flows).status == "TimedOut"
    assert flows.waiting() == []


def test_the_last_run_of_a_step_is_told_from_the_iterations_beside_it(flows: LocalCloudFlow) -> None:
    start(flows, machine(each(ask())), {"items": [{"n": 1}, {"n": 2}]})
    first, second = flows.waiting("f")
    first.succeed({"done": 1})
    step = flows.describe("f", "e").step("Ask")
    assert (step.status, step.input, step.output) == ("running", {"n": 2}, None)
    second.fail("Late", "why")
    step = finish(flows).step("Ask")
    assert (step.status, step.input, step.output, step.error) == ("failed", {"n": 2}, None, "Late")
    whole = finish(flows).step("M")
    assert (whole.status, whole.error, whole.attempts) == ("failed", "Late", 1)
