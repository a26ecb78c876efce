"""Messages that flows send to topics and queues of MNS, and the functions that are subscribed to these."""

from __future__ import annotations

import json
import logging
from base64 import b64decode, b64encode
from hashlib import md5
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback import Task, TaskFailed, task_callback
from fc_callback.errors import SettingsError
from fc_callback.events import MnsQueueEvents, MnsTopicEvent
from fc_callback.local import LocalCloudFlow
from fc_callback.runtime import FunctionSpec
from tests.local.raw_client import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.local.processes import Process

TOPIC = "acs:mns:cn-hangzhou:1000000000000001:/topics/orders/messages"
QUEUE = "acs:mns:::/queues/orders/messages"


def cloudflow(arn: str, *, message: Any = None, **more: Any) -> dict[str, Any]:
    """A flow that sends a message with its token, and waits for the report."""
    given = {"message": {"order.$": "$Input.order", "taskToken.$": "$Context.Current.TaskToken"}}
    state = {
        "Type": "Task",
        "Name": "Send",
        "Action": "MNS:SendMessage",
        "TaskMode": "RequestComplete" if message else "WaitForCustomCallback",
        "Parameters": {"resourceArn": arn, **(given if message is None else {"message": message}), **more},
        "End": True,
    }
    return {"Type": "StateMachine", "SpecVersion": "v1", "Name": "f", "StartAt": "Send", "States": [state]}


def legacy(arn: str, *, pattern: str = "waitForCallback", **more: Any) -> dict[str, Any]:
    sources = {"order": "$input.order", "taskToken": "$context.task.token"}
    step = {
        "type": "task",
        "name": "Send",
        "resourceArn": arn,
        "pattern": pattern,
        "inputMappings": [
            {"target": name, "source": source}
            for name, source in sources.items()
            if name == "order" or pattern == "waitForCallback"
        ],
        "serviceParams": {"MessageBody": "$", **more},
    }
    return {"version": "v1", "type": "flow", "steps": [step]}


CALLBACKS = [pytest.param(flow(arn), arn, id=f"{flow.__name__}-{arn[-15:-9]}")
             for flow in (cloudflow, legacy) for arn in (TOPIC, QUEUE)]  # fmt: skip


def start(service: LocalCloudFlow, definition: dict[str, Any], order: Any = None) -> None:
    service.create_flow("f", definition)
    service.start("f", {"order": order or {"id": "汉"}}, execution_name="e")


def received(service: LocalCloudFlow, count: int = 1) -> list[str]:
    until(lambda: [call.status for call in service.invocations()] == ["ended"] * count)
    return [call.event for call in service.invocations()]


@task_callback
def worker(payload: dict[str, Any]) -> dict[str, Any]:
    return {"done": payload["order"]["id"]}


@pytest.mark.parametrize("base64", [False, True], ids=["plain", "base64"])
@pytest.mark.parametrize(("definition", "arn"), CALLBACKS)
def test_a_callback_over_mns_runs_whole(
    service: LocalCloudFlow, definition: dict[str, Any], arn: str, base64: bool
) -> None:
    service.subscribe(arn, worker, base64=base64)
    start(service, definition)
    service.wait("f", "e", timeout=10).assert_succeeded_with({"done": "汉"})
    assert service.calls["ReportTaskSucceeded", "ok"] == 1
    types = [event.type for event in service.history("f", "e")]
    assert types[3:7] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]


@pytest.mark.parametrize(("definition", "arn"), CALLBACKS)
def test_a_worker_in_a_process_of_its_own_reports_too(definition: dict[str, Any], arn: str, tmp_path: Path) -> None:
    (tmp_path / "index.py").write_text(
        "from fc_callback import task_callback\n\n@task_callback\n"
        "def handler(payload: dict, context):\n    return {'done': payload['order']}\n"
    )
    spec = FunctionSpec(name="worker", code_dir=tmp_path, timeout_seconds=30)
    with LocalCloudFlow() as service:
        service.subscribe(arn, spec)
        start(service, definition, order=7)
        service.wait("f", "e").assert_succeeded_with({"done": 7})


@pytest.mark.parametrize(("definition", "arn"), CALLBACKS)
def test_a_worker_fails_the_task_by_name(service: LocalCloudFlow, definition: dict[str, Any], arn: str) -> None:
    @task_callback(on_failure="report")
    def rejecting(_payload: dict[str, Any], task: Task) -> None:
        raise TaskFailed("Rejected", cause=str(task.token is not None))

    service.subscribe(arn, rejecting)
    start(service, definition)
    service.wait("f", "e", timeout=10).assert_failed_with("Rejected")


def test_a_topic_delivers_the_bare_text_by_default_and_to_every_function(service: LocalCloudFlow) -> None:
    events: list[bytes] = []
    for name in ("one", "two"):
        service.add_function(events.append, name=name)
        service.subscribe("topics/orders", name)
    start(service, cloudflow(TOPIC, message={"n": [1, "汉"]}))
    assert received(service, 2) == ['{"n":[1,"汉"]}'] * 2
    assert events == ['{"n":[1,"汉"]}'.encode()] * 2
    assert [call.function for call in service.invocations()] == ["one", "two"]
    assert {call.asynchronous for call in service.invocations()} == {True}


def test_a_topic_in_json_form_has_the_message_among_its_fields(service: LocalCloudFlow) -> None:
    service.subscribe("topics/orders", lambda _event: {}, form="json")
    start(service, cloudflow(TOPIC, message="hello", messageTag="new"))
    event = MnsTopicEvent.parse(received(service)[0])
    answer = service.describe("f", "e").output or {}
    assert (event.message, event.topic_name, event.message_id) == ("hello", "orders", answer["MessageId"])
    assert json.loads(received(service)[0])["MessageTag"] == "new"
    assert event.message_md5 == md5(b"hello", usedforsecurity=False).hexdigest().upper() == answer["MessageBodyMD5"]


def test_a_queue_delivers_a_batch_of_one(service: LocalCloudFlow) -> None:
    service.subscribe("queues/orders", lambda _event: {}, base64=True)
    start(service, legacy(QUEUE, pattern="requestResponse"))
    (text,) = received(service)
    (event,) = MnsQueueEvents.parse(text)
    (raw,) = json.loads(text)
    answer = service.describe("f", "e").output or {}
    assert event.subject == "acs:mns:cn-hangzhou:1000000000000001:queues/orders"
    assert event.data.message_id == answer["MessageId"]
    assert b64decode(raw["data"]["messageBody"]).decode() == '{"order":{"id":"汉"}}'
    assert set(answer) == {"MessageId", "RequestId", "MessageBodyMD5"}


@pytest.mark.parametrize(
    ("file", "arn", "options"),
    [
        ("mns-topic-json-token.json", TOPIC, {"form": "json"}),
        ("mns-topic-json-base64-token.json", TOPIC, {"form": "json", "base64": True}),
        ("mns-queue-plain-token.json", QUEUE, {}),
        ("mns-queue-base64-token.json", QUEUE, {"base64": True}),
    ],
)
def test_an_event_has_the_members_and_types_of_one_that_fc_delivered(
    service: LocalCloudFlow, request: pytest.FixtureRequest, file: str, arn: str, options: Any
) -> None:
    def shape(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: shape(member) for name, member in value.items()}
        return [shape(member) for member in value] if isinstance(value, list) else type(value)

    service.subscribe(arn, lambda _event: {}, **options)
    start(service, cloudflow(arn))
    delivered = json.loads(received(service)[0])
    recorded = json.loads((request.config.rootpath / "tests" / "data" / "events" / file).read_text("utf-8"))
    assert shape(delivered) == shape(recorded)


def test_the_functions_of_a_queue_take_turns(service: LocalCloudFlow) -> None:
    for name in ("one", "two"):
        service.add_function(lambda _event: {}, name=name)
        service.subscribe("queues/orders", name)
    service.create_flow("f", cloudflow(QUEUE, message="x"))
    for _ in range(4):
        service.start("f")
    received(service, 4)
    assert [call.function for call in service.invocations()] == ["one", "two", "one", "two"]


def test_a_message_to_a_topic_without_a_function_is_accepted_and_lost_which_a_warning_says(
    service: LocalCloudFlow, caplog: pytest.LogCaptureFixture
) -> None:
    service.subscribe("queues/orders", lambda _event: {})
    with caplog.at_level(logging.WARNING, "fc_callback.local"):
        start(service, cloudflow(TOPIC, message="x"))
    assert service.wait("f", "e").status == "Succeeded"
    assert "topics/orders, so the message is lost. Subscribe one with service.subscribe('topics/orders'" in caplog.text
    assert service.invocations() == []


def test_a_message_waits_in_its_queue_for_the_first_function(
    service: LocalCloudFlow, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "fc_callback.local"):
        start(service, cloudflow(QUEUE))
    assert "queues/orders, so the message waits in the queue." in caplog.text
    assert [(call.function, call.status) for call in service.invocations()] == [("queues/orders", "queued")]
    service.subscribe("queues/orders", worker)
    service.wait("f", "e").assert_succeeded_with({"done": "汉"})
    assert [call.function for call in service.invocations()] == ["worker"]


@pytest.mark.parametrize(("definition", "delay"), [
    (cloudflow(QUEUE, delaySeconds=30), 30), (cloudflow(QUEUE, delaySeconds="30"), 30),
    (legacy(QUEUE, DelaySeconds=30, Priority=1), 30), (cloudflow(TOPIC, delaySeconds=30), 0),
    (cloudflow(QUEUE, **{"delaySeconds.$": "$Input.none"}), 0),
], ids=["cloudflow", "text", "legacy", "topic", "null"])  # fmt: skip
def test_a_message_of_a_queue_can_be_delayed(service: LocalCloudFlow, definition: Any, delay: int) -> None:
    service.subscribe("topics/orders", worker)
    service.subscribe("queues/orders", "worker")
    start(service, definition)
    if delay:
        service.advance(delay - 5)
        assert service.invocations()[0].status == "queued"
        service.advance(5.1)
    service.wait("f", "e", timeout=10).assert_succeeded_with({"done": "汉"})


@pytest.mark.parametrize(
    "definition",
    [
        legacy(TOPIC, MessageBody="$.none"),
        cloudflow("acs:fc:::functions/f", message="x"),
        cloudflow("", message="x"),
        cloudflow(QUEUE, message="x", delaySeconds=604_801),
        cloudflow(QUEUE, message="x", delaySeconds=-1),
        cloudflow(QUEUE, message="x", priority=17),
        legacy("acs:mns:::/topics/orders"),
        legacy(TOPIC, MessageBody=None),
    ],
    ids=["null", "function", "no-arn", "delay", "negative", "priority", "legacy-arn", "no-body"],
)
def test_what_mns_would_refuse_fails_the_task_at_once(service: LocalCloudFlow, definition: Any) -> None:
    service.subscribe("topics/orders", worker)
    start(service, definition)
    service.wait("f", "e").assert_failed_with("MNS.InvalidArgument")
    assert "TaskSubmitFailed" in [event.type for event in service.history("f", "e")]
    assert service.invocations() == []


def test_a_failed_delivery_is_retried_as_fc_does(service: LocalCloudFlow) -> None:
    attempts = []

    @task_callback
    def second_time(payload: dict[str, Any]) -> dict[str, Any]:
        attempts.append(payload)
        if len(attempts) == 1:
            raise OSError("once")
        return {}

    service.subscribe("topics/orders", second_time)
    start(service, cloudflow(TOPIC))
    service.wait("f", "e").assert_succeeded_with({})
    assert attempts[0] == attempts[1]


@pytest.mark.parametrize("arn", [TOPIC, QUEUE])
def test_a_message_outlives_a_closed_service_until_its_function_is_added(tmp_path: Path, arn: str) -> None:
    with LocalCloudFlow(database=tmp_path / "db") as service:
        service.subscribe(arn, "worker", base64=True)
        start(service, cloudflow(arn))
        token = service.waiting_token("f", "e").reveal()
        assert service.invocations()[0].status == "queued"
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    message = json.dumps({"order": {"id": "汉"}, "taskToken": token}, ensure_ascii=False, separators=(",", ":"))
    assert b"topics/orders" in files or b"queues/orders" in files
    assert token.encode() not in files
    assert b64encode(message.encode())[20:60] not in files
    with LocalCloudFlow(database=tmp_path / "db") as service:
        service.add_function(worker)
        service.wait("f", "e").assert_succeeded_with({"done": "汉"})
        assert token not in service.invocations()[0].event


def test_a_message_waits_in_its_queue_while_the_service_is_closed(tmp_path: Path) -> None:
    with LocalCloudFlow(database=tmp_path / "db") as service:
        start(service, legacy(QUEUE, DelaySeconds=60))
    with LocalCloudFlow(database=tmp_path / "db") as service:
        service.subscribe("queues/orders", worker)
        assert service.invocations()[0].status == "queued"
        service.advance(61)
        service.wait("f", "e").assert_succeeded_with({"done": "汉"})


def test_an_action_of_the_same_name_takes_the_messages_instead(service: LocalCloudFlow) -> None:
    service.subscribe("topics/orders", worker)
    service.add_action("acs:mns:", lambda parameters, *, task_token: {"own": True, **parameters})
    start(service, legacy(TOPIC, pattern="requestResponse"))
    output = {"own": True, "resourceArn": TOPIC, "MessageBody": {"order": {"id": "汉"}}}
    service.wait("f", "e").assert_succeeded_with(output)


@pytest.mark.parametrize(
    "name", ["topics/orders", "/topics/orders", "/topics/orders/messages", TOPIC, "acs:mns:::/topics/orders"]
)
def test_a_topic_is_named_as_mns_does(service: LocalCloudFlow, name: str) -> None:
    service.subscribe(name, worker)
    start(service, cloudflow(TOPIC))
    service.wait("f", "e").assert_succeeded_with({"done": "汉"})


@pytest.mark.parametrize("name", ["orders", "topic/orders", "topics/", "acs:fc:::functions/f", "topics/a/b", ""])
def test_a_name_of_neither_a_topic_nor_a_queue_is_refused(service: LocalCloudFlow, name: str) -> None:
    with pytest.raises(SettingsError, match="topics/NAME"):
        service.subscribe(name, worker)


def test_what_cannot_be_subscribed_is_refused(service: LocalCloudFlow) -> None:
    form: Any = "xml"
    with pytest.raises(SettingsError, match="'stream' or 'json'"):
        service.subscribe("topics/orders", worker, form=form)
    nameless: Any = object()
    with pytest.raises(SettingsError, match="no name"):
        service.subscribe("topics/orders", nameless)


def test_the_delay_of_a_message_is_skipped_with_the_rest_of_the_time() -> None:
    with LocalCloudFlow(skip_time=True) as service:
        service.subscribe("queues/orders", worker)
        start(service, cloudflow(QUEUE, delaySeconds=600_000))
        service.wait("f", "e", timeout=20).assert_succeeded_with({"done": "汉"})


def test_a_delivery_that_was_cut_off_by_a_kill_is_made_again(serve: Callable[..., Process], tmp_path: Path) -> None:
    hung = tmp_path / "hung"
    process = serve()
    process.create("f", json.dumps(cloudflow("acs:mns:::/queues/hung/messages")))
    process.start("f", "e")
    until(lambda: hung.exists() and hung.read_text().endswith("\n"))
    process.kill()
    (tmp_path / "go").touch()
    process = serve()
    until(lambda: process.invocations()[0]["status"] == "ended")
    first, second = (json.loads(line)[0]["data"]["messageBody"] for line in hung.read_text().splitlines())
    assert first == second
    assert process.client.report(json.loads(first)["taskToken"], {"n": 1}).status_code == 200
    assert process.describe("f", "e")["Status"] == "Succeeded"
