"""Every way in which a task can call a function, in both languages."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fc_callback.local import ApiError, LocalCloudFlow
from tests.local.raw_client import CALLBACK_FLOW, Inbox, RawClient, error_of, until


class OrderRejected(Exception):
    pass


def legacy(pattern: str, kind: str | None = None, *, more: str = "") -> str:
    params = f"    serviceParams: {{InvocationType: {kind}}}\n" if kind else ""
    return f"""
version: v1
type: flow
steps:
  - type: task
    name: work
    resourceArn: acs:fc:cn-hangzhou:1000000000000001:functions/work/LATEST
    pattern: {pattern}
{params}{more}
"""


def cloudflow(mode: str, kind: str, *, more: str = "") -> str:
    return f"""
Type: StateMachine
SpecVersion: v1
Name: f
StartAt: Work
States:
  - Name: Work
    Type: Task
    Action: FC::InvokeFunction
    TaskMode: {mode}
    Parameters:
      resourceArn: acs:fc:::services/s.LATEST/functions/work
      invocationType: {kind}
      body: {{n.$: $Input.n, token.$: $Context.Current.TaskToken}}
    End: true
{more}
"""


def types(service: LocalCloudFlow) -> list[str]:
    return [event.type for event in service.history("f", "e")]


def execute(service: LocalCloudFlow, definition: str, function: Any = None, given: Any = None) -> Any:
    service.add_function(function or (lambda event: {"doubled": json.loads(event)["n"] * 2}), name="work")
    service.create_flow("f", definition)
    service.start("f", given or {"n": 4}, execution_name="e")
    return service.wait("f", "e")


@pytest.mark.parametrize(
    ("definition", "output"),
    [
        (legacy("requestResponse"), {"doubled": 8}),
        (legacy("requestResponse", "Async"), {}),
        (legacy("sync"), {"doubled": 8}),
        (legacy("sync", "Async"), {"doubled": 8}),
        (cloudflow("RequestComplete", "Sync"), {"Body": {"doubled": 8}}),
        (cloudflow("RequestComplete", "Async"), {}),
        (cloudflow("WaitForSystemCallback", "Async"), {"doubled": 8}),
    ],
)
def test_a_task_that_needs_no_report_ends_with_its_function_or_its_call(
    service: LocalCloudFlow, definition: str, output: Any
) -> None:
    assert execute(service, definition).output == output


@pytest.mark.parametrize(
    ("definition", "submitted"),
    [
        (legacy("requestResponse"), False),
        (legacy("sync"), True),
        (cloudflow("RequestComplete", "Sync"), False),
        (cloudflow("WaitForSystemCallback", "Async"), True),
    ],
)
def test_the_history_shows_how_a_task_was_called(service: LocalCloudFlow, definition: str, submitted: bool) -> None:
    execute(service, definition)
    middle = ["TaskSubmitted"] if submitted else []
    assert types(service) == [
        "ExecutionStarted",
        "StepEntered",
        "StepStarted",
        "TaskScheduled",
        "TaskStarted",
        *middle,
        "TaskSucceeded",
        "StepSucceeded",
        "StepExited",
        "ExecutionSucceeded",
    ]


@pytest.mark.parametrize(
    "definition", [legacy("requestResponse"), legacy("sync"), cloudflow("RequestComplete", "Sync")]
)
def test_a_functions_exception_is_the_steps_error_by_its_class(service: LocalCloudFlow, definition: str) -> None:
    def work(event: bytes) -> None:
        raise OrderRejected("no lines")

    execution = execute(service, definition, work)
    assert (execution.status, execution.error, execution.cause) == ("Failed", "OrderRejected", "no lines")
    assert types(service)[-3:] == ["TaskFailed", "StepFailed", "ExecutionFailed"]


@pytest.mark.parametrize("value", [None, [1], "plain text", 3, b"\xff", '{"a": NaN}'])
def test_a_function_that_returns_no_object_fails_its_step(service: LocalCloudFlow, value: Any) -> None:
    execution = execute(service, legacy("requestResponse"), lambda event: value)
    assert (execution.status, execution.error) == (
        "Failed",
        "FnF.InvalidLocal" if value != b"\xff" else "UnicodeDecodeError",
    )


def test_a_sync_callback_task_fails_at_once_when_its_function_does(service: LocalCloudFlow) -> None:
    def work(event: bytes) -> None:
        raise OrderRejected("no lines")

    execution = execute(service, legacy("waitForCallback", "Sync"), work)
    assert (execution.status, execution.error) == ("Failed", "OrderRejected")


def test_a_sync_callback_task_ignores_what_its_function_returns(service: LocalCloudFlow, raw: RawClient) -> None:
    tokens = []

    def work(event: bytes) -> dict[str, str]:
        tokens.append(json.loads(event)["token"])
        return {"ignored": "yes"}

    service.add_function(work, name="work")
    service.create_flow("f", cloudflow("WaitForCustomCallback", "Sync"))
    service.start("f", {"n": 1}, execution_name="e")
    until(lambda: "TaskSubmitted" in types(service))
    assert raw.report(tokens[0], {"reported": True}).status_code == 200
    assert service.wait("f", "e").output == {"reported": True}


def test_an_async_callback_task_does_not_see_its_functions_exceptions(service: LocalCloudFlow, raw: RawClient) -> None:
    tries = []

    def work(event: bytes, context: Any) -> None:
        tries.append((context.retry_count, context.request_id, json.loads(event)["token"]))
        raise OrderRejected("no lines")

    service.add_function(work, name="work")
    service.create_flow("f", cloudflow("WaitForCustomCallback", "Async"))
    service.start("f", {"n": 1}, execution_name="e")
    until(lambda: service.invocations("work")[0].status == "ended")
    assert [count for count, _id, _token in tries] == [0, 1, 2, 3]
    assert len({request_id for _count, request_id, _token in tries}) == 1
    assert len({token for _count, _id, token in tries}) == 1
    assert service.describe("f", "e").status == "Running"
    assert raw.report(tries[0][2], {"late": True}).status_code == 200
    assert service.wait("f", "e").output == {"late": True}


@pytest.mark.parametrize("count", [0, 2])
def test_fcs_retries_can_be_set_and_their_end_fails_a_system_callback(count: int) -> None:
    with LocalCloudFlow(async_retries=count, async_retry_delay_seconds=0.01) as service:
        tries = []

        def work(event: bytes) -> None:
            tries.append(event)
            raise OrderRejected("no lines")

        execution = execute(service, legacy("sync"), work)
        assert (execution.status, execution.error) == ("Failed", "OrderRejected")
        assert len(tries) == count + 1


def test_a_function_that_is_not_there_fails_the_submission(service: LocalCloudFlow) -> None:
    service.create_flow("f", legacy("requestResponse"))
    service.start("f", {}, execution_name="e")
    execution = service.wait("f", "e")
    assert (execution.status, execution.error) == ("Failed", "FC.FunctionNotFound")
    assert "TaskSubmitFailed" in types(service)


def test_a_task_that_outlasts_its_time_is_timed_out_and_its_late_result_ignored(service: LocalCloudFlow) -> None:
    go = threading.Event()

    def work(event: bytes) -> dict[str, bool]:
        go.wait(20)
        return {"late": True}

    service.add_function(work, name="work")
    service.create_flow("f", cloudflow("RequestComplete", "Sync").replace("End: true", "Timeout: '30'\n    End: true"))
    service.start("f", {"n": 1}, execution_name="e")
    service.advance(31)
    execution = service.wait("f", "e")
    go.set()
    assert (execution.status, execution.error) == ("Failed", "FnF.TaskTimeout")
    until(lambda: service.invocations("work")[0].status == "ended")
    assert types(service)[-3:] == ["TaskTimedOut", "StepFailed", "ExecutionFailed"]


def test_two_reports_at_the_same_moment_have_one_winner(service: LocalCloudFlow, waiting: str) -> None:
    clients = [RawClient(service.endpoint, service.credentials) for _ in range(8)]
    barrier = threading.Barrier(8)

    def report(place: int) -> Any:
        barrier.wait()
        return clients[place].report(waiting, {"winner": place})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(report, range(8)))
    for client in clients:
        client.session.close()
    winners = [place for place, answer in enumerate(answers) if answer.status_code == 200]
    assert len(winners) == 1
    assert {error_of(answer) for answer in answers if answer.status_code != 200} == {(400, "TaskAlreadyCompleted")}
    assert service.wait("approve", "ask").output == {"winner": winners[0]}


def test_two_hundred_tasks_that_finish_together_are_all_taken(service: LocalCloudFlow) -> None:
    service.add_function(lambda _event: {}, name="notify")
    service.create_flow("approve", CALLBACK_FLOW)
    for number in range(200):
        service.start("approve", {"order": number}, execution_name=f"e{number}")
    assert len(service.waiting("approve")) == 200
    tokens = [service.waiting_token("approve", f"e{number}").reveal() for number in range(200)]
    assert len(set(tokens)) == 200

    def report(token: str) -> int:
        client = RawClient(service.endpoint, service.credentials)
        try:
            return client.report(token, {"done": True}).status_code
        finally:
            client.session.close()

    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(report, tokens)) == {200}
    assert {service.wait("approve", f"e{number}").status for number in range(200)} == {"Succeeded"}


def test_a_loop_of_steps_ends_at_the_limit_of_events(service: LocalCloudFlow) -> None:
    service.create_flow(
        "f",
        "Type: StateMachine\nSpecVersion: v1\nStartAt: A\n"
        "States: [{Type: Pass, Name: A, Next: B}, {Type: Pass, Name: B, Next: A}]",
    )
    service.start("f", execution_name="e")
    execution = service.wait("f", "e")
    assert (execution.status, execution.error) == ("Failed", "FnF.RuntimeError")
    assert "5000 events" in execution.cause


def test_a_loop_by_way_of_catch_ends_there_too(service: LocalCloudFlow) -> None:
    service.create_flow("f", legacy("requestResponse", more="    catch: [{errors: [FnF.ALL], goto: work}]"))
    service.start("f", {}, execution_name="e")
    assert "5000 events" in service.wait("f", "e").cause


def test_data_over_the_limit_fails_the_execution(service: LocalCloudFlow) -> None:
    execution = execute(service, legacy("requestResponse"), lambda event: {"x": "a" * 33_000})
    assert (execution.status, execution.error) == ("Failed", "FnF.RuntimeError")
    assert "the limit is 32768" in execution.cause


def test_an_input_over_the_limit_is_refused(service: LocalCloudFlow) -> None:
    service.create_flow("f", legacy("requestResponse"))
    with pytest.raises(ApiError, match="EntityTooLarge"):
        service.start("f", {"x": "a" * 40_000})


def test_executions_waits_and_time_outs_happen_in_their_order_when_the_clock_is_moved(service: LocalCloudFlow) -> None:
    service.create_flow(
        "f",
        """
version: v1
type: flow
steps:
  - {type: wait, name: w1, duration: 100}
  - {type: wait, name: w2, duration: 100}
  - {type: wait, name: w3, duration: 100}
""",
    )
    service.start("f", {}, execution_name="e")
    service.advance(250)
    assert service.describe("f", "e").status == "Running"
    assert [event.step for event in service.history("f", "e") if event.type == "StepExited"] == ["w1", "w2"]
    service.advance(50)
    assert service.wait("f", "e").status == "Succeeded"


def test_a_deleted_flow_stops_its_executions(service: LocalCloudFlow, raw: RawClient, waiting: str) -> None:
    assert raw.v1("DeleteFlow", form={"Name": "approve"}).status_code == 200
    assert error_of(raw.report(waiting)) == (400, "TaskAlreadyCompleted")
    with pytest.raises(ApiError, match="FlowNotExists"):
        service.describe("approve", "ask")
    service.create_flow("approve", CALLBACK_FLOW)
    assert service.start("approve", {}, execution_name="ask").status == "Running"


def test_waiting_too_long_says_where_the_execution_stands(service: LocalCloudFlow, waiting: str) -> None:
    with pytest.raises(TimeoutError, match="at step 'ask'"):
        service.wait("approve", "ask", timeout=0.01)


@pytest.mark.parametrize(
    ("given", "status", "cause"),
    [
        ({"pause": 2}, "Succeeded", ""),
        ({"pause": 0}, "Failed", "from 1 to 300"),
        ({"pause": "soon"}, "Failed", "from 1 to 300"),
        ({}, "Failed", "from 1 to 300"),
    ],
)
def test_a_cloudflow_wait_takes_its_seconds_from_its_input(
    service: LocalCloudFlow, given: dict[str, Any], status: str, cause: str
) -> None:
    service.create_flow(
        "f",
        "Type: StateMachine\nSpecVersion: v1\nStartAt: W\n"
        "States: [{Type: Wait, Name: W, Seconds.$: $Input.pause, End: true}]",
    )
    service.start("f", given, execution_name="e")
    service.advance(2)
    execution = service.wait("f", "e")
    assert execution.status == status
    assert cause in execution.cause


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"until": "2019-05-02T15:04:05Z"}, "Succeeded"),
        ({"until": "2999-05-02T15:04:05Z"}, "Failed"),
        ({"until": "tomorrow"}, "Failed"),
        ({"until": 5}, "Failed"),
    ],
)
def test_a_legacy_wait_takes_its_time_from_its_input(
    service: LocalCloudFlow, given: dict[str, Any], status: str
) -> None:
    step = {"type": "wait", "name": "w", "timestamp": "$.until"}
    service.create_flow("f", {"version": "v1", "type": "flow", "steps": [step]})
    service.start("f", given, execution_name="e")
    assert service.wait("f", "e").status == status


def test_a_cloudflow_catch_without_a_constructor_goes_on_with_the_states_input(service: LocalCloudFlow) -> None:
    more = "  - {Type: Pass, Name: Handler, End: true}"
    definition = cloudflow("RequestComplete", "Sync", more=more).replace(
        "End: true\n  -", "Catch: [{Errors: [FnF.ALL], Next: Handler}]\n    End: true\n  -"
    )

    def work(event: bytes) -> None:
        raise OrderRejected("no lines")

    assert execute(service, definition, work, {"n": 3}).output == {"n": 3}


def test_a_cloudflow_timeout_can_be_an_expression(service: LocalCloudFlow, inbox: Inbox) -> None:
    service.add_function(inbox, name="work")
    definition = cloudflow("WaitForCustomCallback", "Async").replace("End: true", "Timeout.$: $Input.n\n    End: true")
    service.create_flow("f", definition)
    service.start("f", {"n": 40}, execution_name="e")
    service.advance(20)
    assert service.describe("f", "e").status == "Running"
    service.advance(20)
    assert service.wait("f", "e").error == "FnF.TaskTimeout"


def test_a_function_can_be_replaced_while_an_invocation_of_it_runs(service: LocalCloudFlow) -> None:
    go, runs = threading.Event(), []

    def work(event: bytes) -> dict[str, str]:
        runs.append(1)
        go.wait(20)
        return {"by": "the old one"}

    service.add_function(work)
    service.create_flow("f", legacy("requestResponse"))
    service.start("f", {}, execution_name="e")
    until(lambda: runs)
    service.add_function(lambda event: {"by": "the new one"}, name="work")
    service.start("f", {}, execution_name="next")
    assert service.wait("f", "next").output == {"by": "the new one"}
    go.set()
    assert service.wait("f", "e").output == {"by": "the old one"}
    assert len(runs) == 1


def test_closing_the_service_ends_a_long_poll(inbox: Inbox) -> None:
    with LocalCloudFlow() as service, ThreadPoolExecutor(1) as pool:
        service.add_function(inbox, name="notify")
        service.create_flow("approve", CALLBACK_FLOW)
        service.start("approve", {}, execution_name="ask")
        client = RawClient(service.endpoint, service.credentials)
        polling = {"FlowName": "approve", "ExecutionName": "ask", "WaitTimeSeconds": "60"}
        poll = pool.submit(client.v1, "DescribeExecution", polling)
        until(lambda: any(service._components.engine._waiting.values()))
        service.close()
        assert poll.result(10).json()["Status"] == "Running"
        client.session.close()
