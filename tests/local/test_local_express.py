"""Express flows: which definitions they take, and StartSyncExecution."""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING, Any

import pytest
from alibabacloud_fnf20190315 import models

from fc_callback.local import ApiError, LocalCloudFlow, StillRunning
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
from tests.local.test_local_sdk import client_of

if TYPE_CHECKING:
    from collections.abc import Iterator

# The SDK closes no connections by itself; its garbage is not this project's to collect.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


def create(client: RawClient, definition: Any, mode: str = "Express", name: str = "x") -> Any:
    form = {"Name": name, "Definition": json.dumps(definition), "Description": "", "Type": "FDL", "ExecutionMode": mode}
    return client.v1("CreateFlow", form=form)


def start_sync(client: RawClient, name: str = "", given: Any = None, **options: Any) -> Any:
    form = {"Input": json.dumps(given or {})} | ({"ExecutionName": name} if name else {})
    return client.v1("StartSyncExecution", {"FlowName": "x"}, form, **options)


@pytest.fixture
def opened() -> Iterator[threading.Event]:
    """What the function `hold` waits for; set when the test ends."""
    event = threading.Event()
    yield event
    event.set()


# The mode of a flow


@pytest.mark.parametrize(("given", "shown"), [("Express", "Express"), ("Standard", "Standard"), ("", "Standard")])
def test_the_mode_of_a_flow_is_stored_and_shown(raw: RawClient, given: str, shown: str) -> None:
    assert create(raw, machine(passing()), given).json()["ExecutionMode"] == shown
    assert raw.v1("DescribeFlow", {"Name": "x"}, method="GET").json()["ExecutionMode"] == shown
    assert raw.v1("ListFlows", method="GET").json()["Flows"][0]["ExecutionMode"] == shown


def test_an_unknown_mode_is_refused(raw: RawClient) -> None:
    answer = create(raw, machine(passing()), "Fast")
    assert error_of(answer) == (400, "InvalidArgument")
    assert "Standard or Express" in answer.json()["Message"]


def test_an_update_keeps_the_mode_and_its_rules(raw: RawClient) -> None:
    create(raw, machine(passing()))
    answer = raw.v1("UpdateFlow", form={"Name": "x", "ExecutionMode": "Standard"})
    assert error_of(answer) == (400, "InvalidArgument")
    assert "cannot change" in answer.json()["Message"]
    waits = json.dumps(machine(ask()))
    assert error_of(raw.v1("UpdateFlow", form={"Name": "x", "Definition": waits})) == (400, "InvalidArgument")
    answer = raw.v1("UpdateFlow", form={"Name": "x", "Description": "new", "ExecutionMode": "Express"})
    assert answer.json()["ExecutionMode"] == "Express"


@pytest.mark.parametrize(
    ("definition", "step"),
    [
        (machine(ask()), "Ask"),
        (machine(ask(mode="WaitForSystemCallback")), "Ask"),
        (machine(child("c")), "Call"),
        (machine(child("c", "WaitForCustomCallback")), "Call"),
        (machine({"Type": "Parallel", "Name": "P", "Branches": [inner(passing()), inner(ask())], "End": True}), "Ask"),
        (
            machine({"Type": "Map", "Name": "M", "ItemsPath": "$Input.i", "Processor": inner(child("c")), "End": True}),
            "Call",
        ),
        (legacy(legacy_child("c")), "call"),
        (legacy(legacy_child("c", "waitForCallback")), "call"),
    ],
)
def test_a_task_that_waits_for_a_callback_is_refused_by_name(raw: RawClient, definition: Any, step: str) -> None:
    answer = create(raw, definition)
    assert error_of(answer) == (400, "InvalidArgument")
    assert f"Step '{step}'" in answer.json()["Message"]
    assert "RequestComplete" in answer.json()["Message"]
    assert create(raw, definition, "Standard").status_code == 200


@pytest.mark.parametrize("seconds", [20, 21])
@pytest.mark.parametrize("language", ["legacy", "CloudFlow"])
def test_a_wait_has_up_to_20_seconds(raw: RawClient, language: str, seconds: int) -> None:
    wait = {"type": "wait", "name": "W", "duration": seconds}
    answer = create(raw, legacy(wait) if language == "legacy" else machine(waiting(seconds)))
    assert answer.status_code == (200 if seconds == 20 else 400)
    if seconds > 20:
        assert "20 seconds" in answer.json()["Message"]


def test_a_wait_whose_duration_comes_from_the_input_has_the_same_limit(raw: RawClient) -> None:
    create(raw, machine({"Type": "Wait", "Name": "W", "Seconds.$": "$Input.pause", "End": True}))
    ended = start_sync(raw, given={"pause": 21}).json()
    assert (ended["Status"], ended["ErrorCode"]) == ("Failed", "FnF.RuntimeError")
    assert "20 seconds" in ended["ErrorMessage"]


# Start


@pytest.mark.parametrize("definition", [machine(passing()), legacy(legacy_pass(v="$input.v"))])
def test_start_sync_execution_answers_when_the_execution_has_ended(raw: RawClient, definition: Any) -> None:
    create(raw, definition)
    ended = start_sync(raw, "run", {"v": 1}).json()
    assert set(ended) == {
        *(
            "FlowName",
            "Name",
            "Status",
            "ErrorCode",
            "ErrorMessage",
            "Output",
            "StartedTime",
            "StoppedTime",
            "RequestId",
        )
    }
    assert (ended["FlowName"], ended["Status"], ended["ErrorCode"]) == ("x", "Succeeded", "")
    assert json.loads(ended["Output"]) == {"v": 1}
    assert re.fullmatch(r"run:[0-9a-f-]{36}", ended["Name"])
    assert ended["StoppedTime"] >= ended["StartedTime"] > "2020"


def test_one_name_starts_as_many_express_executions_as_wanted(raw: RawClient) -> None:
    create(raw, machine(passing()))
    names = {start_sync(raw, name).json()["Name"] for name in ("run", "run", "", "")}
    assert len(names) == 4


@pytest.mark.parametrize("definition", [machine(failing("Bad")), legacy(legacy_fail("Bad"))])
def test_a_failed_express_execution_names_its_error(raw: RawClient, definition: Any) -> None:
    create(raw, definition)
    ended = start_sync(raw).json()
    assert (ended["Status"], ended["ErrorCode"], ended["ErrorMessage"], ended["Output"]) == ("Failed", "Bad", "why", "")


def test_each_mode_has_its_own_start(raw: RawClient) -> None:
    create(raw, machine(passing()))
    answer = raw.v1("StartExecution", {"FlowName": "x"})
    assert error_of(answer) == (400, "InvalidArgument")
    assert "StartSyncExecution" in answer.json()["Message"]
    create(raw, machine(passing()), "Standard", name="s")
    answer = raw.v1("StartSyncExecution", {"FlowName": "s"})
    assert error_of(answer) == (400, "InvalidArgument")
    assert "with StartExecution" in answer.json()["Message"]
    assert raw.v1("ListExecutions", {"FlowName": "s"}, method="GET").json()["Executions"] == []


def test_start_sync_execution_refuses_what_start_execution_refuses(raw: RawClient) -> None:
    assert error_of(start_sync(raw)) == (404, "FlowNotExists")
    create(raw, machine(passing()))
    assert error_of(start_sync(raw, "no spaces")) == (400, "InvalidArgument")
    assert error_of(raw.v1("StartSyncExecution", {"FlowName": "x"}, {"Input": "[]"})) == (400, "InvalidArgument")
    assert error_of(start_sync(raw, given={"x": "y" * 70_000})) == (400, "EntityTooLarge")
    assert error_of(raw.v1("StartSyncExecution")) == (400, "MissingRequiredParams")


def test_a_flow_cannot_start_an_express_flow_as_its_child(service: LocalCloudFlow) -> None:
    service.create_flow("x", machine(passing()), express=True)
    service.create_flow("f", machine(child("x")))
    execution = service.wait("f", service.start("f"))
    assert execution.error == "fnf.InvalidArgument"
    assert "StartSyncExecution" in execution.cause


def test_an_express_flow_calls_functions_and_starts_standard_flows(service: LocalCloudFlow) -> None:
    service.add_function(lambda event: {"got": json.loads(event)["input"]}, name="ask")
    service.create_flow("c", machine(passing()))
    states = (
        ask(mode="RequestComplete", kind="Sync", Next="Call"),
        child("c", "RequestComplete", **{"input.$": "$Input"}),
    )
    service.create_flow("x", machine(*states), express=True)
    execution = service.start_sync("x", {"v": 1})
    assert execution.status == "Succeeded"
    assert (execution.output or {})["FlowName"] == "c"
    child_name = (execution.output or {})["ExecutionName"]
    assert service.wait("c", child_name).output == {"Body": {"got": {"v": 1}}}


# Time


def hold(service: LocalCloudFlow, opened: threading.Event) -> threading.Event:
    """Add the function `ask`, which waits; return what it sets when it has begun."""
    begun = threading.Event()

    def function(_event: bytes) -> dict[str, Any]:
        begun.set()
        opened.wait(30)
        return {"done": True}

    service.add_function(function, name="ask")
    return begun


def test_an_execution_of_an_express_flow_times_out_after_five_minutes(
    service: LocalCloudFlow, raw: RawClient, opened: threading.Event
) -> None:
    begun = hold(service, opened)
    create(raw, machine(ask(mode="RequestComplete", kind="Sync"), Timeout=10_000))
    answers: list[Any] = []
    caller = threading.Thread(target=lambda: answers.append(start_sync(raw).json()))
    caller.start()
    assert begun.wait(20)
    service.advance(299, skew=False)
    assert answers == []
    service.advance(1, skew=False)
    caller.join(20)
    assert answers[0]["Status"] == "TimedOut"


def test_a_shorter_timeout_of_the_flow_counts(service: LocalCloudFlow, opened: threading.Event) -> None:
    begun = hold(service, opened)
    service.create_flow("x", machine(ask(mode="RequestComplete", kind="Sync"), Timeout=7), express=True)
    with pytest.raises(StillRunning, match="'Ask'"):
        service.start_sync("x", timeout=0.05)
    assert begun.wait(20)
    service.advance(7)
    (listed,) = service._components.perform("ListExecutions", FlowName="x")["Executions"]
    assert listed["Status"] == "TimedOut"


def test_fifty_waiting_calls_hold_up_no_other_call(
    service: LocalCloudFlow, raw: RawClient, opened: threading.Event
) -> None:
    hold(service, opened)
    create(raw, machine(ask(mode="RequestComplete", kind="Sync")))
    answers: list[Any] = []

    def call() -> None:
        client = RawClient(service.endpoint, service.credentials)
        answers.append(start_sync(client).json()["Status"])
        client.session.close()

    callers = [threading.Thread(target=call) for _ in range(50)]
    for caller in callers:
        caller.start()
    until(lambda: sum(map(len, service._components.engine._waiting.values())) == 50)
    assert raw.v1("ListFlows", method="GET").status_code == 200
    assert answers == []
    opened.set()
    for caller in callers:
        caller.join(30)
    assert answers == ["Succeeded"] * 50


def test_a_service_that_closes_ends_the_waiting_call(opened: threading.Event) -> None:
    with LocalCloudFlow() as service:
        begun = hold(service, opened)
        service.create_flow("x", machine(ask(mode="RequestComplete", kind="Sync")), express=True)
        client = RawClient(service.endpoint, service.credentials)
        answers: list[Any] = []
        caller = threading.Thread(target=lambda: answers.append(start_sync(client)))
        caller.start()
        assert begun.wait(20)
        until(service._components.engine._waiting.values)
    caller.join(20)
    client.session.close()
    assert error_of(answers[0]) == (500, "InternalServerError")


def test_express_starts_have_a_quota_of_their_own(raw: RawClient, service: LocalCloudFlow) -> None:
    service._components.quota.enabled = True
    service.create_flow("x", machine(passing()), express=True)
    assert [start_sync(raw).status_code for _ in range(20)] == [200] * 20


# From Python, and by the official SDK


def test_python_creates_and_starts_an_express_flow(service: LocalCloudFlow) -> None:
    service.create_flow("x", machine(passing()), express=True)
    execution = service.start_sync("x", {"v": 1}, execution_name="run")
    assert (execution.status, execution.output) == ("Succeeded", {"v": 1})
    assert execution.name.startswith("run:")
    assert service.history("x", execution)[0].type == "ExecutionStarted"
    with pytest.raises(ApiError, match="StartSyncExecution"):
        service.start("x")
    with pytest.raises(ApiError, match="cannot change"):
        service.create_flow("x", machine(passing()), replace=True)
    service.create_flow("x", machine(passing("Q")), replace=True, express=True)


def test_the_official_sdk_starts_an_express_execution_and_gets_its_end(service: LocalCloudFlow) -> None:
    client = client_of(service)
    definition = json.dumps(machine(passing(Next="W"), waiting(1, Next="B"), failing("Bad")).copy())
    definition = definition.replace('"Name": "Broken"', '"Name": "B"')
    created = client.create_flow(
        models.CreateFlowRequest(name="x", definition=definition, description="", type="FDL", execution_mode="Express")
    ).body
    assert created.execution_mode == "Express"
    request = models.StartSyncExecutionRequest(flow_name="x", execution_name="run", input='{"v": 1}')
    ended = client.start_sync_execution(request).body
    assert (ended.status, ended.error_code, ended.error_message) == ("Failed", "Bad", "why")
    assert ended.name.startswith("run:")
    assert ended.stopped_time > ended.started_time
