"""Small flows of both languages with the outputs that their documentation leads one to expect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fc_callback.local import ApiError
from tests.flows.examples import CHILD, FLOWS, FUNCTIONS, Example, boom, examples
from tests.local.raw_client import until

if TYPE_CHECKING:
    from fc_callback.local import Execution, LocalCloudFlow


def run(service: LocalCloudFlow, flow: str) -> Execution:
    """Wait until the execution `e` has ended, with the clock moved over its waits and retries."""
    for _ in range(60):
        if service.describe(flow, "e").status != "Running":
            break
        idle = {"queued", "running"}.isdisjoint(invocation.status for invocation in service.invocations())
        if idle:
            service.advance(1)
    return service.wait(flow, "e")


@pytest.mark.parametrize("example", examples())
def test_an_example_flow_ends_as_it_should(service: LocalCloudFlow, example: Example) -> None:
    for function in FUNCTIONS:
        service.add_function(function)
    service.add_function(lambda _event: {"ignored": True}, name="notify")
    service.create_flow("c", CHILD)
    service.create_flow("example", example.definition)
    service.start("example", example.given, execution_name="e")
    if "functions/notify" in example.definition:
        task = service.run_until_waiting("example", "e")
        if example.reported_error:
            task.fail(example.reported_error, "why")
        else:
            task.succeed({"decision": "approved"})
    execution = run(service, "example")
    assert (execution.status, execution.output) == (example.status, example.output)
    if example.status == "Failed":
        assert execution.error == example.error


def test_all_examples_are_run() -> None:
    assert len(examples()) == 33


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


def test_a_retried_callback_task_gets_a_fresh_token_and_the_old_one_is_spent(service: LocalCloudFlow) -> None:
    service.add_function(lambda _event: {}, name="notify")
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
    old = service.run_until_waiting("again", "e")
    service.advance(20)
    new = service.run_until_waiting("again", "e")
    assert (old.attempt, new.attempt) == (1, 2)
    with pytest.raises(ApiError, match="TaskAlreadyCompleted"):
        old.succeed()
    new.succeed({"ok": True})
    assert service.wait("again", "e").output == {"ok": True}
