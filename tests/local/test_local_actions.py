"""Actions that are not functions: what they are given, what their result and their errors do, and what a killed service repeats."""

from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback import TaskFailed, TaskToken
from fc_callback.errors import SettingsError
from fc_callback.local import LocalCloudFlow
from tests.local.raw_client import RawClient, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.local.processes import Process

HANDLER = {"Type": "Pass", "Name": "Handler", "End": True}


def task(action: str = "HTTP:Request", **more: Any) -> dict[str, Any]:
    parameters = {"url": "http://example.com", "body.$": "$Input"}
    return {"Type": "Task", "Name": "Call", "Action": action, "Parameters": parameters, "End": True, **more}


def machine(*states: dict[str, Any]) -> dict[str, Any]:
    return {"Type": "StateMachine", "SpecVersion": "v1", "Name": "f", "StartAt": "Call", "States": list(states)}


def legacy(**step: Any) -> dict[str, Any]:
    return {"version": "v1", "type": "flow", "steps": [{"type": "task", "name": "Call", **step}]}


def run(service: LocalCloudFlow, definition: dict[str, Any], given: dict[str, Any] | None = None) -> Any:
    service.create_flow("f", definition)
    return service.wait("f", service.start("f", given or {}, execution_name="e"), timeout=10)


class Recorder:
    """An action that keeps what it is called with."""

    def __init__(self, result: Any = None) -> None:
        self.calls: list[tuple[dict[str, Any], TaskToken | None]] = []
        self.result = {"Code": 200} if result is None else result

    def __call__(self, parameters: dict[str, Any], *, task_token: TaskToken | None) -> Any:
        self.calls.append((parameters, task_token))
        return self.result


@pytest.mark.parametrize(
    ("name", "definition", "parameters"),
    [
        ("HTTP:Request", machine(task()), {"url": "http://example.com", "body": {"n": 1}}),
        ("HTTP:Request", machine(task("HTTP::Request")), {"url": "http://example.com", "body": {"n": 1}}),
        ("ocr:RecognizeX", machine(task("ocr:RecognizeX", Parameters={"Url.$": "$Input.n"})), {"Url": 1}),
        ("ocr:RecognizeX", legacy(action="ocr:RecognizeX", serviceParams={"All": "$", "N": "$.n", "K": "v"}),
         {"All": {"n": 1}, "N": 1, "K": "v"}),
        ("acs:oss:::bucket", legacy(resourceArn="acs:oss:::bucket", serviceParams={"Key": "$.n"}),
         {"resourceArn": "acs:oss:::bucket", "Key": 1}),
    ],
    ids=["cloudflow", "double-colon", "cloudflow-openapi", "legacy-openapi", "legacy-arn"],
)  # fmt: skip
def test_an_action_gets_the_evaluated_parameters_and_its_result_is_that_of_the_step(
    service: LocalCloudFlow, name: str, definition: dict[str, Any], parameters: dict[str, Any]
) -> None:
    action = Recorder()
    service.add_action(name, action)
    run(service, definition, {"n": 1}).assert_succeeded_with({"Code": 200})
    assert action.calls == [(parameters, None)]


def test_the_action_of_the_name_comes_before_that_of_the_longest_beginning(service: LocalCloudFlow) -> None:
    def named(text: str) -> Callable[..., dict[str, Any]]:
        return lambda parameters, *, task_token: {"by": text, **parameters}

    for name in ("ocr:", "ocr:Recognize", "ocr:Do", "acs:mns:", "acs:mns:::/queues/q:"):
        service.add_action(name, named(name))
    found = {}
    for called in ("ocr:Do", "ocr:Done", "ocr:do"):
        service.create_flow("f", machine(task(called, Parameters={"k": "v"})), replace=True)
        found[called] = service.wait("f", service.start("f")).output
    assert found == {
        "ocr:Do": {"by": "ocr:Do", "k": "v"},
        "ocr:Done": {"by": "ocr:", "Action": "Done", "k": "v"},
        "ocr:do": {"by": "ocr:", "Action": "do", "k": "v"},
    }
    arn = "acs:mns:::/topics/t/messages"
    service.create_flow("f", legacy(resourceArn=arn, serviceParams={"MessageBody": "$"}), replace=True)
    sent = service.wait("f", service.start("f", {"n": 1})).output
    assert sent == {"by": "acs:mns:", "resourceArn": arn, "MessageBody": {"n": 1}}


@pytest.mark.parametrize("called", ["HTTP:request", "HTTP:Requests", "http:Request", "Request"])
def test_a_name_that_is_written_differently_is_another_action(service: LocalCloudFlow, called: str) -> None:
    service.add_action("HTTP:Request", Recorder())
    run(service, machine(task(called))).assert_failed_with("FnF.RuntimeError")


@pytest.mark.parametrize(
    ("name", "definition"),
    [
        ("HTTP:Request", machine(task())),
        ("EventBridge:PutEvents", machine(task("EventBridge:PutEvents"))),
        ("ocr:Do", legacy(action="ocr:Do")),
        ("acs:oss:::bucket", legacy(resourceArn="acs:oss:::bucket")),
    ],
)
def test_an_action_that_was_not_added_fails_its_task_at_once_and_says_what_to_add(
    service: LocalCloudFlow, name: str, definition: dict[str, Any]
) -> None:
    ended = run(service, definition)
    ended.assert_failed_with("FnF.RuntimeError")
    assert ended.cause == (
        f"The local CloudFlow does not have the action {name!r}: add it with service.add_action({name!r}, ...)."
    )
    assert "TaskSubmitFailed" in [event.type for event in service.history("f", "e")]
    assert service.invocations() == []


def test_where_the_step_waits_for_a_callback_the_action_has_the_token_and_its_answer_is_ignored(
    service: LocalCloudFlow, raw: RawClient
) -> None:
    action = Recorder(result=[object()])
    service.add_action("HTTP:Request", action)
    service.create_flow("f", machine(task(TaskMode="WaitForCustomCallback")))
    service.start("f", execution_name="e")
    until(lambda: "TaskSubmitted" in [event.type for event in service.history("f", "e")])
    ((_, token),) = action.calls
    assert isinstance(token, TaskToken)
    assert raw.report(token.reveal(), {"approved": True}).status_code == 200
    service.wait("f", "e").assert_succeeded_with({"approved": True})


def test_an_action_may_report_its_task_before_it_returns(service: LocalCloudFlow, raw: RawClient) -> None:
    def action(parameters: dict[str, Any], *, task_token: TaskToken | None) -> None:
        assert task_token is not None
        assert raw.report(task_token.reveal(), parameters["body"]).status_code == 200
        raise RuntimeError("too late to matter")

    service.add_action("HTTP:Request", action)
    run(service, machine(task(TaskMode="WaitForCustomCallback")), {"n": 1}).assert_succeeded_with({"n": 1})


@pytest.mark.parametrize("mode", ["RequestComplete", "WaitForCustomCallback"])
def test_a_task_failed_fails_the_step_by_its_name(service: LocalCloudFlow, mode: str) -> None:
    def action(_parameters: dict[str, Any], *, task_token: TaskToken | None) -> dict[str, Any]:
        raise TaskFailed("ocr.Timeout", cause="it took too long")

    service.add_action("HTTP:Request", action)
    ended = run(service, machine(task(TaskMode=mode)))
    assert (ended.status, ended.error, ended.cause) == ("Failed", "ocr.Timeout", "it took too long")
    assert service.invocations()[0].error_name == "ocr.Timeout"


def test_retry_and_catch_see_the_errors_of_an_action(service: LocalCloudFlow) -> None:
    calls = []

    def action(_parameters: dict[str, Any], *, task_token: TaskToken | None) -> dict[str, Any]:
        calls.append(task_token)
        raise TaskFailed("ocr.Throttled" if len(calls) < 3 else "ocr.Broken", cause="why")

    service.add_action("ocr:", action)
    retry = [{"Errors": ["ocr.Throttled"], "MaxAttempts": 3, "IntervalSeconds": 0}]
    code = {"error.$": "$Context.Current.Error.Code", "why.$": "$Context.Current.Error.Detail"}
    catch = [{"Errors": ["ocr.Broken"], "Next": "Handler", "OutputConstructor": code}]
    ended = run(service, machine(task("ocr:Do", TaskMode="WaitForCustomCallback", Retry=retry, Catch=catch), HANDLER))
    ended.assert_succeeded_with({"error": "ocr.Broken", "why": "why"})
    assert len({token.reveal() for token in calls if token}) == 3


def test_another_exception_is_named_by_its_class_and_logged_with_its_traceback(
    service: LocalCloudFlow, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = []

    def action(_parameters: dict[str, Any], *, task_token: TaskToken | None) -> dict[str, Any]:
        assert task_token is not None
        tokens.append(task_token.reveal())
        raise LookupError(f"no such thing as {task_token.reveal()}")

    service.add_action("HTTP:Request", action)
    with caplog.at_level(logging.ERROR, "fc_callback.local"):
        ended = run(service, machine(task(TaskMode="WaitForCustomCallback")))
        until(lambda: caplog.records)
    ended.assert_failed_with("LookupError")
    assert ended.cause == "no such thing as ***"
    (record,) = caplog.records
    assert "The action HTTP:Request failed:\nTraceback" in record.getMessage()
    assert "raise LookupError" in record.getMessage()
    (invocation,) = service.invocations("HTTP:Request")
    assert "raise LookupError" in invocation.log
    assert tokens[0] not in caplog.text + str(invocation)


@pytest.mark.parametrize(
    "result",
    [[], "text", 7, {"n": float("nan")}, {"n": object()}, {1: {2}}],
    ids=["list", "text", "number", "nan", "object", "set"],
)
def test_a_result_that_is_no_json_object_fails_the_step_as_that_of_a_function(
    service: LocalCloudFlow, result: Any
) -> None:
    service.add_action("HTTP:Request", Recorder(result=result))
    run(service, machine(task())).assert_failed_with("FnF.InvalidLocal")


def test_none_is_no_result(service: LocalCloudFlow) -> None:
    service.add_action("HTTP:Request", lambda _parameters, *, task_token: None)
    run(service, machine(task())).assert_failed_with("FnF.InvalidLocal")


def test_a_result_over_the_limit_of_the_language_fails_the_step(service: LocalCloudFlow) -> None:
    service.add_action("HTTP:Request", Recorder(result={"Body": "x" * 65_536}))
    ended = run(service, machine(task()))
    ended.assert_failed_with("FnF.RuntimeError")
    assert "the limit is 65536" in ended.cause


def test_a_call_is_listed_like_an_invocation_without_its_token(service: LocalCloudFlow) -> None:
    service.add_action("HTTP:Request", Recorder())
    parameters = {"headers": {"X-Token.$": "$Context.Current.TaskToken"}}
    service.create_flow("f", machine(task(TaskMode="WaitForCustomCallback", Parameters=parameters)))
    service.start("f", execution_name="e")
    until(lambda: [call.status for call in service.invocations()] == ["ended"])
    (call,) = service.invocations("HTTP:Request")
    assert json.loads(call.event) == {"headers": {"X-Token": "<task-token>"}}
    assert (call.function, call.asynchronous, call.error_type) == ("HTTP:Request", False, "")


def test_an_action_that_runs_holds_up_nothing_and_a_late_result_is_ignored(service: LocalCloudFlow) -> None:
    begun, go = threading.Event(), threading.Event()

    def action(_parameters: dict[str, Any], *, task_token: TaskToken | None) -> dict[str, Any]:
        begun.set()
        assert go.wait(20)
        return {"late": True}

    service.add_action("HTTP:Request", action)
    catch = [{"Errors": ["FnF.TaskTimeout"], "Next": "Handler"}]
    service.create_flow("f", machine(task(Timeout=30, Catch=catch), HANDLER))
    service.start("f", {"n": 1}, execution_name="e")
    assert begun.wait(20)
    assert service.describe("f", "e").status == "Running"
    service.advance(31)
    service.describe("f", "e").assert_succeeded_with({"n": 1})
    go.set()
    until(lambda: service.invocations()[0].status == "ended")
    service.describe("f", "e").assert_succeeded_with({"n": 1})


@pytest.mark.parametrize("added", ["HTTP:Request", "HTTP:"])
def test_a_call_that_the_service_did_not_finish_is_made_again_when_the_action_is_added(
    tmp_path: Path, added: str
) -> None:
    begun, go = threading.Event(), threading.Event()
    tokens = []

    def hanging(_parameters: dict[str, Any], *, task_token: TaskToken | None) -> None:
        assert task_token is not None
        tokens.append(task_token.reveal())
        begun.set()
        go.wait(20)

    with LocalCloudFlow(database=tmp_path / "db") as service:
        service.add_action("HTTP:Request", hanging)
        parameters = {"token.$": "$Context.Current.TaskToken", "body.$": "$Input"}
        service.create_flow("f", machine(task(TaskMode="WaitForCustomCallback", Parameters=parameters)))
        service.start("f", {"n": 1}, execution_name="e")
        assert begun.wait(20)
    go.set()
    assert all(tokens[0].encode() not in path.read_bytes() for path in tmp_path.iterdir())
    again = Recorder()
    with LocalCloudFlow(database=tmp_path / "db") as service:
        service.add_action("ocr:", again)
        assert service.invocations()[0].status == "running"
        service.add_action(added, again)
        until(lambda: service.invocations()[0].status == "ended")
        ((parameters, token),) = again.calls
        assert parameters == {"token": tokens[0], "body": {"n": 1}}
        assert token is not None
        assert token.reveal() == tokens[0]
        service.waiting("f", "e")[0].succeed({"done": True})
        service.describe("f", "e").assert_succeeded_with({"done": True})


@pytest.mark.parametrize("mode", ["RequestComplete", "WaitForCustomCallback"])
def test_a_call_that_was_cut_off_by_a_kill_is_made_again_with_the_same_token(
    serve: Callable[..., Process], tmp_path: Path, mode: str
) -> None:
    def acted() -> list[dict[str, Any]]:
        path = tmp_path / "acted"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    process = serve()
    process.create("f", json.dumps(machine(task("test:Act", TaskMode=mode))))
    process.start("f", "e")
    until(acted)
    process.kill()
    (tmp_path / "go").touch()
    process = serve()
    until(lambda: process.invocations()[0]["status"] == "ended")
    first, second = acted()
    assert first == second
    assert (first["token"] is not None) == (mode == "WaitForCustomCallback")
    if first["token"]:
        assert process.client.report(first["token"], {"acted": True}).status_code == 200
    found = process.describe("f", "e")
    assert (found["Status"], json.loads(found["Output"])) == ("Succeeded", {"acted": True})


@pytest.mark.parametrize(
    ("name", "action", "hint"),
    [
        ("Request", Recorder(), "HTTP:Request"),
        ("", Recorder(), "HTTP:Request"),
        ("FC:InvokeFunction", Recorder(), "add_function"),
        ("FNF:StartExecution", Recorder(), "create_flow"),
        ("HTTP:Request", {"Code": 200}, "cannot be called"),
    ],
    ids=["no-colon", "empty", "function", "flow", "no-callable"],
)
def test_a_name_or_an_action_that_could_never_be_called_is_refused(
    service: LocalCloudFlow, name: str, action: Any, hint: str
) -> None:
    with pytest.raises(SettingsError, match=hint):
        service.add_action(name, action)


def test_the_last_action_of_a_name_replaces_the_others(service: LocalCloudFlow) -> None:
    service.add_action("HTTP:Request", Recorder(result={"first": True}))
    service.add_action("HTTP:Request", Recorder(result={"second": True}))
    run(service, machine(task())).assert_succeeded_with({"second": True})


def test_time_is_not_skipped_while_an_action_runs() -> None:
    begun, go = threading.Event(), threading.Event()

    def action(_parameters: dict[str, Any], *, task_token: TaskToken | None) -> dict[str, Any]:
        begun.set()
        assert go.wait(20)
        return {"in": "time"}

    with LocalCloudFlow(skip_time=True) as service:
        service.add_action("HTTP:Request", action)
        service.create_flow("f", machine(task(Timeout=30)))
        service.start("f", execution_name="e")
        assert begun.wait(20)
        threading.Timer(0.2, go.set).start()
        service.wait("f", "e", timeout=20).assert_succeeded_with({"in": "time"})
