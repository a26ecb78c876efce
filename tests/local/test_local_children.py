"""Flows that start flows, in every mode and both languages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback.local import ApiError, LocalCloudFlow
from fc_callback.local.components import Components, build_components
from fc_callback.local.options import ServiceOptions
from tests.local.definitions import (
    ask,
    child,
    failing,
    inner,
    legacy,
    legacy_child,
    legacy_fail,
    legacy_pass,
    machine,
    passing,
    waiting,
)
from tests.local.raw_client import RawClient, error_of, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ECHO = machine(passing())
TWICE = legacy(legacy_pass(got="$input.v", who="child"))
ASK = machine(ask())


@pytest.fixture
def flows(service: LocalCloudFlow) -> LocalCloudFlow:
    service.add_function(lambda _event: {}, name="ask")
    return service


def run(service: LocalCloudFlow, definition: Any, given: dict[str, Any] | None = None, **children: Any) -> Any:
    """Create the flows over HTTP, start the first one, and wait for its end."""
    client = RawClient(service.endpoint, service.credentials)
    for name, text in {"f": definition, **children}.items():
        form = {"Name": name, "Definition": json.dumps(text), "Description": "", "Type": "FDL"}
        answer = client.v1("CreateFlow", form=form)
        assert answer.status_code == 200, answer.text
    started = client.v1("StartExecution", {"FlowName": "f", "ExecutionName": "e"}, {"Input": json.dumps(given or {})})
    assert started.status_code == 200, started.text
    client.v1("DescribeExecution", {"FlowName": "f", "ExecutionName": "e", "WaitTimeSeconds": "20"}, method="GET")
    client.session.close()
    return service.wait("f", "e")


def executions(service: LocalCloudFlow, flow: str) -> list[Any]:
    listed = service._components.perform("ListExecutions", FlowName=flow)["Executions"]
    return [service.describe(flow, execution["Name"]) for execution in listed]


def running(service: LocalCloudFlow, flow: str) -> list[Any]:
    return [execution for execution in executions(service, flow) if execution.status == "Running"]


# What goes in and what comes out


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, {"v": 1, "w": {"x": 2}}),
        ({"Input": "$"}, {"v": 1, "w": {"x": 2}}),
        ({"Input": "$.w"}, {"x": 2}),
        ({"Input": {"c": 3}}, {"c": 3}),
        ({"Input": '{"text": true}'}, {"text": True}),
        ({"Input": "$.absent"}, {}),
    ],
)
def test_a_legacy_task_gives_its_child_the_mapped_input_a_part_of_it_or_a_constant(
    service: LocalCloudFlow, params: dict[str, Any], expected: Any
) -> None:
    task = legacy_child("c", inputMappings=[{"target": "v", "source": 1}, {"target": "w", "source": {"x": 2}}])
    execution = run(service, legacy({**task, "serviceParams": params}), {"lost": True}, c=ECHO)
    assert execution.output == expected
    (started,) = executions(service, "c")
    assert started.input == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [({"input.$": "$Input"}, {"v": 5}), ({"input": {"a": {"b.$": "$Input.v"}}}, {"a": {"b": 5}}), ({}, {})],
)
def test_a_cloudflow_task_gives_its_child_the_parameter_input(
    service: LocalCloudFlow, given: dict[str, Any], expected: Any
) -> None:
    assert run(service, machine(child("c", **given)), {"v": 5}, c=ECHO).output == expected


def test_a_synchronous_child_s_output_is_the_task_s_result_in_both_languages(service: LocalCloudFlow) -> None:
    task = legacy_child("c", outputMappings=[{"target": "x", "source": "$local.got"}])
    assert run(service, legacy(task), {"v": 7}, c=TWICE).output == {"x": 7}
    shaped = child("c", **{"input.$": "$Input"}, OutputConstructor={"x.$": "$Output.got"})
    service.create_flow("g", machine(shaped))
    assert service.wait("g", service.start("g", {"v": 8})).output == {"x": 8}


def test_a_legacy_request_goes_on_at_once_with_the_fields_of_start_execution(flows: LocalCloudFlow) -> None:
    task = legacy_child("c", "requestResponse", serviceParams={"ExecutionName": "$.name"})
    execution = run(flows, legacy(task), {"name": "n1"}, c=ASK)
    assert execution.status == "Succeeded"
    assert {"FlowName": "c", "Name": "n1", "Status": "", "Output": "", "StoppedTime": ""}.items() <= (
        execution.output.items()
    )
    assert execution.output["StartedTime"].endswith("Z")
    assert execution.output["RequestId"]
    until(lambda: flows.waiting("c", "n1"))


def test_a_cloudflow_request_goes_on_at_once_with_the_documented_names(flows: LocalCloudFlow) -> None:
    execution = run(flows, machine(child("c", "RequestComplete", executionName="n1")), c=ASK)
    assert set(execution.output) == {"FlowName", "ExecutionName", "RequestID"}
    assert (execution.output["FlowName"], execution.output["ExecutionName"]) == ("c", "n1")
    assert flows.describe("c", "n1").status == "Running"


def test_a_child_without_a_name_gets_one_of_its_own_each_time(service: LocalCloudFlow) -> None:
    task = legacy_child("c", "requestResponse")
    run(service, legacy(task, {**task, "name": "again"}), c=ECHO)
    assert len({execution.name for execution in executions(service, "c")}) == 2


@pytest.mark.parametrize("language", ["legacy", "CloudFlow"])
def test_a_name_in_use_is_an_error_that_can_be_caught(service: LocalCloudFlow, language: str) -> None:
    service.create_flow("c", ECHO)
    service.wait("c", service.start("c", execution_name="taken"))
    catch: list[dict[str, Any]]
    if language == "legacy":
        catch = [{"errors": ["fnf.ExecutionAlreadyExists"], "goto": "p"}]
        params = {"ExecutionName": "taken"}
        flow = legacy(legacy_child("c", serviceParams=params, catch=catch), legacy_pass(caught=True))
    else:
        catch = [{"Errors": ["fnf.ExecutionAlreadyExists"], "Next": "P", "OutputConstructor": {"caught": True}}]
        flow = machine(child("c", executionName="taken", Catch=catch), passing())
    assert run(service, flow).output == {"caught": True}
    assert "TaskSubmitFailed" in [event.type for event in service.history("f", "e")]


def test_a_request_for_a_name_that_runs_starts_nothing_and_a_synchronous_one_is_refused(flows: LocalCloudFlow) -> None:
    flows.create_flow("c", ASK)
    flows.start("c", execution_name="busy")
    assert run(flows, legacy(legacy_child("c", "requestResponse", serviceParams={"ExecutionName": "busy"}))).output[
        "Name"
    ] == ("busy")
    flows.create_flow("g", legacy(legacy_child("c", serviceParams={"ExecutionName": "busy"})))
    assert flows.wait("g", flows.start("g")).error == "fnf.ExecutionAlreadyExists"
    assert len(executions(flows, "c")) == 1


# Errors


@pytest.mark.parametrize("child_flow", [legacy(legacy_fail("ChildBad")), machine(failing("ChildBad"))])
@pytest.mark.parametrize("parent", [legacy(legacy_child("c")), machine(child("c"))])
def test_a_child_s_fail_is_the_task_s_error_by_its_name(service: LocalCloudFlow, parent: Any, child_flow: Any) -> None:
    execution = run(service, parent, c=child_flow)
    assert (execution.status, execution.error, execution.cause) == ("Failed", "ChildBad", "why")
    events = {event.type: event.detail for event in service.history("f", "e")}
    assert events["TaskFailed"] == {"error": "ChildBad", "cause": "why"}
    assert "TaskSubmitted" in events


def test_a_failed_child_is_started_again_by_a_retry_and_then_caught(service: LocalCloudFlow) -> None:
    rules: dict[str, Any] = {
        "retry": [{"errors": ["ChildBad"], "intervalSeconds": 0, "maxAttempts": 2}],
        "catch": [{"errors": ["ChildBad"], "goto": "p"}],
    }
    flow = legacy(legacy_child("c", **rules), legacy_pass(fixed=True))
    assert run(service, flow, c=legacy(legacy_fail("ChildBad"))).output == {"fixed": True}
    assert len(executions(service, "c")) == 3


@pytest.mark.parametrize(("error", "expected"), [("Enough", "Enough"), ("", "FnF.RuntimeError")])
def test_a_stopped_child_s_error_is_the_task_s(flows: LocalCloudFlow, error: str, expected: str) -> None:
    flows.create_flow("c", ASK)
    flows.create_flow("f", machine(child("c", executionName="n")))
    flows.start("f", execution_name="e")
    until(lambda: flows.waiting("c", "n"))
    flows.stop("c", "n", error=error)
    execution = flows.wait("f", "e")
    assert execution.error == expected
    assert execution.cause == ("" if error else "Execution n of flow c has ended as Stopped.")


def test_a_child_s_own_timeout_is_a_task_timeout(flows: LocalCloudFlow) -> None:
    flows.create_flow("c", machine(ask(), Timeout=10))
    flows.create_flow("f", legacy(legacy_child("c")))
    flows.start("f", execution_name="e")
    until(lambda: flows.waiting("c"))
    flows.advance(10)
    assert flows.wait("f", "e").error == "FnF.TaskTimeout"


@pytest.mark.parametrize("mode", ["RequestComplete", "WaitForSystemCallback", "WaitForCustomCallback"])
def test_a_child_that_does_not_exist_is_an_error_by_name(service: LocalCloudFlow, mode: str) -> None:
    execution = run(service, machine(child("absent", mode)))
    assert execution.error == "fnf.FlowNotExists"
    assert "absent" in execution.cause


def test_a_child_of_another_account_does_not_exist(service: LocalCloudFlow) -> None:
    stranger = RawClient(service.endpoint, service.add_account("2000000000000002"))
    form = {"Name": "c", "Definition": json.dumps(ECHO), "Description": "", "Type": "FDL"}
    assert stranger.v1("CreateFlow", form=form).status_code == 200
    stranger.session.close()
    assert run(service, machine(child("c"))).error == "fnf.FlowNotExists"


@pytest.mark.parametrize("given", [[1], 5, "no json"])
def test_an_input_that_is_no_object_is_refused(service: LocalCloudFlow, given: Any) -> None:
    assert run(service, machine(child("c", input=given)), c=ECHO).error == "fnf.InvalidArgument"


def test_an_input_over_the_child_s_limit_is_refused(service: LocalCloudFlow) -> None:
    big = {"text": "x" * 40_000}
    assert run(service, machine(child("c", **{"input.$": "$Input"})), big, c=TWICE).error == "fnf.EntityTooLarge"
    assert executions(service, "c") == []


def test_an_output_over_the_parent_s_limit_fails_the_parent(service: LocalCloudFlow) -> None:
    big = machine(passing(OutputConstructor={"text": "x" * 40_000}))
    execution = run(service, legacy(legacy_child("c")), c=big)
    assert execution.error == "FnF.RuntimeError"
    assert "32768" in execution.cause
    assert executions(service, "c")[0].status == "Succeeded"


def test_the_history_of_a_synchronous_child_is_that_of_a_task_that_waits(service: LocalCloudFlow) -> None:
    run(service, legacy(legacy_child("c")), {"v": 1}, c=TWICE)
    events = [(event.type, event.detail) for event in service.history("f", "e") if event.step == "call"]
    assert events == [
        ("StepEntered", {"input": {"v": 1}, "local": {}}),
        ("StepStarted", {"input": {"v": 1}}),
        ("TaskScheduled", {"input": {"v": 1}, "resourceArn": "acs:fnf:::flow/c"}),
        ("TaskStarted", {}),
        ("TaskSubmitted", {}),
        ("TaskSucceeded", {"output": {"got": 1, "who": "child"}}),
        ("StepSucceeded", {"output": {"got": 1, "who": "child"}}),
        ("StepExited", {"local": {"got": 1, "who": "child"}}),
    ]


# Depth and width


def test_children_of_children_in_both_languages_pass_results_up_and_errors_too(service: LocalCloudFlow) -> None:
    levels = {
        "a": legacy(legacy_child("b")),
        "b": machine(child("c", **{"input.$": "$Input"})),
        "c": legacy(legacy_child("d")),
    }
    assert run(service, machine(child("a", **{"input.$": "$Input"})), {"v": 3}, **levels, d=TWICE).output == {
        "got": 3,
        "who": "child",
    }
    service.create_flow("d", legacy(legacy_fail("Deep")), replace=True)
    assert service.wait("f", service.start("f", {})).error == "Deep"


def test_each_iteration_of_a_map_has_a_child_of_its_own(service: LocalCloudFlow) -> None:
    each = {
        "Type": "Map",
        "Name": "M",
        "ItemsPath": "$Input.items",
        "End": True,
        "Processor": inner(child("c", **{"input.$": "$Input"})),
    }
    items = [{"v": number} for number in range(5)]
    output = run(service, machine(each), {"items": items}, c=TWICE).output
    assert [item["got"] for item in output["Items"]] == list(range(5))


def test_a_failed_child_of_a_branch_stops_the_children_of_the_others(flows: LocalCloudFlow) -> None:
    branches = [inner(child("good", executionName="g")), inner(child("bad", executionName="b"))]
    flows.create_flow("good", ASK)
    flows.create_flow("bad", ASK)
    flows.create_flow("f", machine({"Type": "Parallel", "Name": "P", "Branches": branches, "End": True}))
    flows.start("f", execution_name="e")
    until(lambda: len(flows.waiting()) == 2)
    flows.waiting("bad")[0].fail("Rejected")
    assert flows.wait("f", "e").error == "Rejected"
    assert flows.wait("good", "g").status == "Stopped"


LOOP = legacy(
    legacy_pass("turn", n="$input.n"),
    {
        "type": "choice",
        "name": "enough",
        "inputMappings": [
            {"target": "eventId", "source": "$context.step.eventId"},
            {"target": "n", "source": "$input.n"},
        ],
        "choices": [
            {"condition": "$.n <= 0", "goto": "done"},
            {"condition": "$.eventId >= 4000", "goto": "call"},
        ],
        "default": {"goto": "turn"},
    },
    legacy_child(
        "f",
        "requestResponse",
        end=True,
        inputMappings=[{"target": "n", "source": 0}],
        serviceParams={"Input": "$", "ExecutionName": "next"},
    ),
    {"type": "succeed", "name": "done"},
)


def test_a_flow_that_restarts_itself_before_its_history_is_full_succeeds(service: LocalCloudFlow) -> None:
    execution = run(service, LOOP, {"n": 1})
    assert execution.status == "Succeeded"
    assert 4000 < len(service.history("f", "e")) < 5000
    assert service.wait("f", "next").status == "Succeeded"
    assert len(executions(service, "f")) == 2


# A parent that ends stops its synchronous child


@pytest.fixture
def deep(flows: LocalCloudFlow) -> LocalCloudFlow:
    """Execution `e` of `f` waits for `c`, which waits for `d`, which waits for a report."""
    flows.create_flow("d", ASK)
    flows.create_flow("c", legacy(legacy_child("d", serviceParams={"ExecutionName": "n"})))
    flows.create_flow("f", machine(child("c", executionName="n", Timeout=30), Timeout=60))
    flows.start("f", execution_name="e")
    until(lambda: flows.waiting("d", "n"))
    return flows


def test_a_stopped_parent_stops_its_children_and_theirs(deep: LocalCloudFlow) -> None:
    (task,) = deep.waiting("d")
    deep.stop("f", "e", error="Enough")
    assert [deep.wait(flow, "n").status for flow in "cd"] == ["Stopped", "Stopped"]
    assert deep.describe("d", "n").cause == "The execution that waited for it has ended."
    with pytest.raises(ApiError, match="TaskAlreadyCompleted"):
        task.succeed({})
    assert [deep.history(flow, "n")[-1].type for flow in "cd"] == ["ExecutionStopped", "ExecutionStopped"]
    assert deep.history("f", "e")[-1].type == "ExecutionStopped"


def test_a_task_that_times_out_stops_its_child(deep: LocalCloudFlow) -> None:
    deep.advance(30)
    assert deep.wait("f", "e").error == "FnF.TaskTimeout"
    assert [deep.wait(flow, "n").status for flow in "cd"] == ["Stopped", "Stopped"]
    assert "TaskTimedOut" in [event.type for event in deep.history("f", "e")]


def test_a_parent_that_times_out_stops_its_child(flows: LocalCloudFlow) -> None:
    flows.create_flow("c", ASK)
    flows.create_flow("f", machine(child("c", executionName="n"), Timeout=60))
    flows.start("f", execution_name="e")
    until(lambda: flows.waiting("c", "n"))
    flows.advance(60)
    assert flows.wait("f", "e").status == "TimedOut"
    assert flows.wait("c", "n").status == "Stopped"


@pytest.mark.parametrize("mode", ["RequestComplete", "WaitForCustomCallback"])
def test_a_child_that_the_parent_does_not_wait_for_outlives_it(flows: LocalCloudFlow, mode: str) -> None:
    flows.create_flow("c", ASK)
    flows.create_flow("f", machine(child("c", mode, executionName="n", Next="W"), waiting(300)))
    flows.start("f", execution_name="e")
    until(lambda: flows.waiting("c", "n"))
    flows.stop("f", "e")
    flows.waiting("c", "n")[0].succeed({})
    assert flows.wait("c", "n").status == "Succeeded"


# Callbacks


def test_a_child_reports_the_token_that_its_parent_put_into_its_input(service: LocalCloudFlow, raw: RawClient) -> None:
    def reporter(event: bytes) -> None:
        given = json.loads(event)["input"]
        raw.report(given["token"], {"seen": given["v"]})

    service.add_function(reporter, name="ask")
    given = {"token.$": "$Context.Current.TaskToken", "v.$": "$Input.v"}
    flow = machine(child("c", "WaitForCustomCallback", input=given))
    execution = run(service, flow, {"v": 4}, c=machine(ask(mode="RequestComplete")))
    assert execution.output == {"seen": 4}
    until(lambda: executions(service, "c")[0].status == "Succeeded")
    assert executions(service, "c")[0].input == {"token": "<task-token>", "v": 4}


@pytest.fixture
def token(flows: LocalCloudFlow) -> str:
    """The token of execution `e` of `f`, which waits for a report."""
    flows.create_flow("f", ASK)
    return flows.waiting_token("f", flows.start("f", execution_name="e")).reveal()


def start_with(client: RawClient, token: str, flow: str = "c", **given: str) -> Any:
    return client.v1("StartExecution", {"FlowName": flow}, {"CallbackFnFTaskToken": token, **given})


@pytest.mark.parametrize(
    ("flow", "status", "error", "output"),
    [
        (TWICE, "Succeeded", "", {"got": 5, "who": "child"}),
        (machine(failing("Bad")), "Failed", "Bad", None),
        (legacy(legacy_fail("Bad")), "Failed", "Bad", None),
    ],
)
def test_the_end_of_an_execution_that_was_started_with_a_token_completes_the_task(
    flows: LocalCloudFlow, raw: RawClient, token: str, flow: Any, status: str, error: str, output: Any
) -> None:
    flows.create_flow("c", flow)
    answer = start_with(raw, token, Input='{"v": 5}')
    assert answer.status_code == 200
    assert token not in answer.text
    execution = flows.wait("f", "e")
    assert (execution.status, execution.error, execution.output) == (status, error, output)
    assert error_of(raw.report(token)) == (400, "TaskAlreadyCompleted")


def test_the_same_call_again_starts_nothing_and_another_token_is_refused(
    flows: LocalCloudFlow, raw: RawClient, token: str
) -> None:
    flows.create_flow("c", ASK)
    assert start_with(raw, token, ExecutionName="n").status_code == 200
    assert start_with(raw, token, ExecutionName="n").json()["Status"] == "Running"
    other = flows.waiting_token("f", flows.start("f", execution_name="e2")).reveal()
    assert error_of(start_with(raw, other, ExecutionName="n")) == (400, "ExecutionAlreadyExists")
    flows.waiting("c", "n")[0].succeed({"n": 1})
    assert flows.wait("f", "e").output == {"n": 1}


def test_a_token_that_cannot_be_reported_starts_nothing(flows: LocalCloudFlow, raw: RawClient, token: str) -> None:
    flows.create_flow("c", ECHO)
    stranger = RawClient(flows.endpoint, flows.add_account("2000000000000002"))
    form = {"Name": "c", "Definition": json.dumps(ECHO), "Description": "", "Type": "FDL"}
    assert stranger.v1("CreateFlow", form=form).status_code == 200
    assert error_of(start_with(stranger, token)) == (403, "AccessDenied")
    stranger.session.close()
    assert error_of(start_with(raw, "nonsense")) == (400, "InvalidArgument")
    raw.report(token)
    assert error_of(start_with(raw, token)) == (400, "TaskAlreadyCompleted")
    assert executions(flows, "c") == []


def test_an_execution_may_end_before_the_sync_invocation_that_started_it_has_returned(
    service: LocalCloudFlow, raw: RawClient
) -> None:
    def starter(event: bytes) -> None:
        assert start_with(raw, json.loads(event)["taskToken"], ExecutionName="n").status_code == 200
        until(lambda: service.describe("f", "e").status != "Running")

    service.add_function(starter, name="ask")
    assert run(service, machine(ask(kind="Sync")), c=ECHO).output == {}
    types = [event.type for event in service.history("f", "e")]
    assert types.index("TaskSubmitted") < types.index("TaskSucceeded")


def test_a_task_that_ended_first_is_not_completed_again(flows: LocalCloudFlow, raw: RawClient, token: str) -> None:
    flows.create_flow("c", ASK)
    start_with(raw, token, ExecutionName="n")
    raw.report(token, {"by": "report"})
    flows.waiting("c", "n")[0].succeed({"by": "child"})
    assert flows.wait("c", "n").status == "Succeeded"
    assert flows.wait("f", "e").output == {"by": "report"}
    assert [event.type for event in flows.history("f", "e")].count("TaskSucceeded") == 1


# Restarts


def between_two_transactions(database: Path, action: Callable[[Components], Any]) -> Any:
    """Open the database in a service without threads, do one thing, and leave the file as a killed process does."""
    options = ServiceOptions(
        database=database,
        host="127.0.0.1",
        port=0,
        quota=False,
        sync_report="accept",
        async_retries=3,
        async_retry_delay_seconds=1.0,
        credentials_seconds=60.0,
        instances=1,
        account_id="1",
        accounts=(),
        region="cn-hangzhou",
        skip_time=False,
    )
    components = build_components(options, endpoint="http://127.0.0.1:1")
    try:
        return action(components)
    finally:
        components.close()


def create(database: Path, name: str, definition: Any) -> None:
    between_two_transactions(database, lambda it: it.create_flow(name, definition, replace=False))


def test_no_child_is_lost_or_begun_twice_with_a_restart_between_any_two_transactions(tmp_path: Path) -> None:
    each = {
        "Type": "Map",
        "Name": "M",
        "ItemsPath": "$Input.items",
        "End": True,
        "Processor": inner(child("c", **{"input.$": "$Input"})),
    }
    flows = {"f": machine(each), "c": legacy(legacy_child("d")), "d": TWICE}
    for name, text in flows.items():
        create(tmp_path / "db", name, text)
    given = {"items": [{"v": 1}, {"v": 2}, {"v": 3}]}
    between_two_transactions(tmp_path / "db", lambda it: it.start_execution("f", given, execution_name="e"))
    transactions = 0
    while between_two_transactions(tmp_path / "db", lambda it: it.engine.fire_due()):
        transactions += 1
    assert transactions == 12  # each of the six children begins, and tells its parent of its end
    with LocalCloudFlow(database=tmp_path / "db", account_id="1") as service:
        output = service.wait("f", "e").output or {}
        assert [item["got"] for item in output["Items"]] == [1, 2, 3]
        for flow in "cd":
            assert len(executions(service, flow)) == 3
            for execution in executions(service, flow):
                types = [event.type for event in service.history(flow, execution)]
                assert (types.count("ExecutionStarted"), types.count("ExecutionSucceeded")) == (1, 1)


@pytest.mark.parametrize("before", [0, 1, 2])
def test_a_stop_reaches_children_with_a_restart_between_any_two_transactions(tmp_path: Path, before: int) -> None:
    flows = {"f": machine(child("c", executionName="n")), "c": legacy(legacy_child("d")), "d": machine(waiting(300))}
    for name, text in flows.items():
        create(tmp_path / "db", name, text)
    between_two_transactions(tmp_path / "db", lambda it: it.start_execution("f", {}, execution_name="e"))
    for _ in range(before):
        assert between_two_transactions(tmp_path / "db", lambda it: it.engine.fire_due())
    stop = {"FlowName": "f", "ExecutionName": "e"}
    between_two_transactions(tmp_path / "db", lambda it: it.perform("StopExecution", **stop))
    while between_two_transactions(tmp_path / "db", lambda it: it.engine.fire_due()):
        pass
    with LocalCloudFlow(database=tmp_path / "db", account_id="1") as service:
        started = [execution for flow in "fcd" for execution in executions(service, flow)]
        assert len(started) == 3
        assert {execution.status for execution in started} == {"Stopped"}
        assert service._components.engine.next_due() is None
