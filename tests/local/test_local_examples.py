"""Small flows of both languages with the outputs that their documentation leads one to expect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fc_callback.local import ApiError, LocalCloudFlow
from tests.local.raw_client import DATA, Inbox, RawClient, until

FLOWS = DATA / "flows"


class Temporary(Exception):
    pass


def add(event: bytes) -> dict[str, int]:
    numbers = json.loads(event)
    return {"sum": numbers["a"] + numbers["b"]}


def boom(event: bytes) -> None:
    raise Temporary("try later")


def cases(*names: str) -> list[Any]:
    found = []
    for name in names:
        for number, line in enumerate((FLOWS / f"{name}.cases").read_text().splitlines()):
            given, _, expected = line.removesuffix(" I").partition(" -> ")
            status, _, output = expected.partition(" ")
            found.append(pytest.param(name, json.loads(given), status, output, id=f"{name}-{number}"))
    return found


def run(service: LocalCloudFlow, flow: str, given: Any) -> Any:
    """Run an execution to its end, with the clock moved over its waits and retries."""
    name = service.start(flow, given).name
    for _ in range(60):
        if service.describe(flow, name).status != "Running":
            break
        idle = {"queued", "running"}.isdisjoint(invocation.status for invocation in service.invocations())
        if idle:
            service.advance(1)
    return service.wait(flow, name)


@pytest.mark.parametrize(("name", "given", "status", "output"), cases("L1", "L2", "L7", "L10", "C1", "C2", "C6", "C8"))
def test_an_example_flow_ends_as_it_should(
    service: LocalCloudFlow, name: str, given: Any, status: str, output: Any
) -> None:
    service.add_function(add)
    service.add_function(boom)
    service.create_flow("example", (FLOWS / f"{name}.yaml").read_text())
    execution = run(service, "example", given)
    assert execution.status == status
    if output and status == "Succeeded":
        assert execution.output == json.loads(output)
    else:
        assert execution.output is None


@pytest.mark.parametrize(("name", "given", "status", "output"), cases("C7"))
def test_an_example_flow_waits_for_a_report(
    service: LocalCloudFlow, raw: RawClient, inbox: Inbox, name: str, given: Any, status: str, output: Any
) -> None:
    service.create_flow("example", (FLOWS / f"{name}.yaml").read_text())
    mark = given.pop("#", "")
    service.start("example", given, execution_name="e")
    if mark:
        error = mark.partition(":")[2]
        answer = raw.v1("ReportTaskFailed", {"TaskToken": inbox.token()}, {"Error": error, "Cause": "why"})
    else:
        answer = raw.report(inbox.token(), {"decision": "approved"})
    assert answer.status_code == 200
    execution = service.wait("example", "e")
    assert (execution.status, execution.output) == (status, json.loads(output))


@pytest.mark.parametrize(
    ("name", "word", "step"),
    [
        ("L3", "'choice'", "'route'"),
        ("L4", "'parallel'", "'par'"),
        ("L5", "'foreach'", "'outer'"),
        ("L6", "'choice'", "'more'"),
        ("L8", "'choice'", "'decide'"),
        ("L9", "'acs:fnf:::flow/c'", "'child'"),
        ("C3", "'Choice'", "'More'"),
        ("C4", "'Parallel'", "'P'"),
        ("C5", "'Map'", "'M'"),
        ("C9", "'Parallel'", "'P'"),
        ("C10", "'Choice'", "'C'"),
    ],
)
def test_a_step_that_is_not_supported_is_refused_by_name(
    service: LocalCloudFlow, name: str, word: str, step: str
) -> None:
    with pytest.raises(ApiError) as refused:
        service.create_flow("example", (FLOWS / f"{name}.yaml").read_text())
    assert refused.value.code == "InvalidArgument"
    assert word in refused.value.message
    assert step in refused.value.message


def test_a_retry_waits_longer_each_time(service: LocalCloudFlow) -> None:
    service.add_function(boom)
    definition = (FLOWS / "L7.yaml").read_text()
    service.create_flow("example", definition.replace("intervalSeconds: 1", "intervalSeconds: 100"))
    service.start("example", {}, execution_name="e")

    def failures() -> int:
        return sum(event.type == "TaskFailed" for event in service.history("example", "e"))

    until(lambda: failures() == 1)
    service.advance(100)
    until(lambda: failures() == 2)
    service.advance(150)
    assert len(service.invocations("boom")) == 2
    service.advance(50)
    assert service.wait("example", "e").output == {"errCode": "Temporary", "handled": "Temporary"}


def test_a_retried_callback_task_gets_a_fresh_token_and_the_old_one_is_spent(
    service: LocalCloudFlow, raw: RawClient
) -> None:
    inbox = Inbox()
    service.add_function(inbox, name="notify")
    service.create_flow(
        "again",
        """
version: v1
type: flow
steps:
  - type: task
    name: ask
    resourceArn: acs:fc:::services/s/functions/notify
    pattern: waitForCallback
    timeoutSeconds: 10
    inputMappings: [{target: taskToken, source: $context.task.token}]
    retry: [{errors: [FnF.TaskTimeout], intervalSeconds: 5}]
""",
    )
    service.start("again", {}, execution_name="e")
    old = inbox.token()
    service.advance(20)
    new = inbox.token(1)
    assert new != old
    assert raw.report(old).json()["Code"] == "TaskAlreadyCompleted"
    assert raw.report(new, {"ok": True}).status_code == 200
    assert service.wait("again", "e").output == {"ok": True}
