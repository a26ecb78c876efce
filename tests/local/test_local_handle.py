"""The handle of tests: what waits, who completes it, how an execution ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback.local import LocalCloudFlow, NoWaitingTask, StillRunning

if TYPE_CHECKING:
    from collections.abc import Iterator

FLOW = """
Type: StateMachine
SpecVersion: v1
Name: order
StartAt: Pause
States:
  - {Type: Wait, Name: Pause, Seconds: 300, Next: Approve}
  - Type: Task
    Name: Approve
    Action: FC:InvokeFunction
    TaskMode: WaitForCustomCallback
    Timeout: 3600
    Parameters:
      resourceArn: acs:fc:::functions/ask
      invocationType: Async
      body: {taskToken.$: $Context.Current.TaskToken}
    InputConstructor: {order.$: $Input.order}
    Retry: [{Errors: [Later], MaxAttempts: 1, IntervalSeconds: 60}]
    Catch: [{Errors: [FnF.TaskTimeout], Next: Late}]
    End: true
  - {Type: Fail, Name: Late, Code: TooLate, Detail: no approval came}
"""


@pytest.fixture
def service() -> Iterator[LocalCloudFlow]:
    with LocalCloudFlow(skip_time=True) as running:
        running.add_function(lambda _event: {}, name="ask")
        running.create_flow("order", FLOW)
        yield running


def test_another_person_completes_the_step(service: LocalCloudFlow) -> None:
    execution = service.start("order", {"order": 7})
    service.run_until_waiting("order", execution).succeed({"approved": True})
    service.wait("order", execution).assert_succeeded_with({"approved": True})


def test_what_waits_says_where_and_for_how_long_and_never_shows_the_token(service: LocalCloudFlow) -> None:
    execution = service.start("order", {"order": 7})
    task = service.run_until_waiting("order", execution, step="Approve")
    assert (task.flow, task.execution, task.step, task.attempt) == ("order", execution.name, "Approve", 1)
    assert task.input == {"order": 7}
    service.advance(100)
    (later,) = service.waiting()
    assert later.age_seconds == pytest.approx(100, abs=5)
    assert later.seconds_left == pytest.approx(3500, abs=5)
    token = service.waiting_token("order", execution).reveal()
    assert token not in repr(later)


def test_waiting_tasks_are_selected_and_the_oldest_comes_first(service: LocalCloudFlow) -> None:
    names = [service.start("order", {"order": number}).name for number in range(3)]
    for name in names:
        service.run_until_waiting("order", name)
    assert [task.execution for task in service.waiting("order")] == names
    assert [task.execution for task in service.waiting(execution=names[1])] == [names[1]]
    assert service.waiting("other") == []
    assert service.waiting(step="Pause") == []


def test_a_failed_attempt_is_retried_and_the_next_one_is_the_second(service: LocalCloudFlow) -> None:
    execution = service.start("order", {"order": 7})
    service.run_until_waiting("order", execution).fail("Later", "not now")
    second = service.run_until_waiting("order", execution)
    assert second.attempt == 2
    second.succeed({})
    ended = service.wait("order", execution)
    assert ended.step("Approve").attempts == 2
    assert ended.step("Approve").status == "succeeded"


def test_skipped_time_reaches_the_timeout_of_a_task_in_no_time(service: LocalCloudFlow) -> None:
    began = time.monotonic()
    ended = service.wait("order", service.start("order", {"order": 7}))
    assert time.monotonic() - began < 30
    ended.assert_failed_with("TooLate")
    assert ended.step("Approve").status == "caught"
    assert ended.step("Approve").error == "FnF.TaskTimeout"
    assert ended.step("Late").status == "failed"


def test_a_wrong_expectation_says_what_happened(service: LocalCloudFlow) -> None:
    ended = service.wait("order", service.start("order", {"order": 7}))
    with pytest.raises(AssertionError, match=r"It failed with TooLate: no approval came(?s:.*)\d ExecutionFailed"):
        ended.assert_succeeded_with({})
    running = service.start("order", {"order": 7})
    with pytest.raises(AssertionError, match="It still runs"):
        running.assert_failed_with("TooLate")
    with pytest.raises(LookupError, match="'Aprove' has not begun; begun are: Pause"):
        running.step("Aprove")


def test_a_wrong_output_is_shown_beside_the_expected_one(service: LocalCloudFlow) -> None:
    execution = service.start("order", {"order": 7})
    service.run_until_waiting("order", execution).succeed({"approved": True})
    with pytest.raises(AssertionError, match=r"'approved': True.*and not.*'approved': False"):
        service.wait("order", execution).assert_succeeded_with({"approved": False})


def test_waiting_for_a_task_of_an_ended_execution_says_so(service: LocalCloudFlow) -> None:
    execution = service.wait("order", service.start("order", {"order": 7}))
    with pytest.raises(NoWaitingTask, match="has ended"):
        service.run_until_waiting("order", execution)


def test_without_skipped_time_the_clock_stays_and_the_wait_names_the_step() -> None:
    with LocalCloudFlow() as real:
        real.create_flow("order", FLOW)
        execution = real.start("order", {"order": 7})
        with pytest.raises(StillRunning, match="at step 'Pause'"):
            real.run_until_waiting("order", execution, timeout=0.05)


def test_time_is_not_skipped_while_a_function_runs() -> None:
    def slow(_event: bytes) -> dict[str, Any]:
        time.sleep(0.2)
        return {"done": True}

    flow = """
version: v1
type: flow
steps:
  - {type: task, name: work, resourceArn: "acs:fc:::services/s/functions/slow", timeoutSeconds: 60}
"""
    with LocalCloudFlow(skip_time=True) as service:
        service.add_function(slow)
        service.create_flow("f", flow)
        service.wait("f", service.start("f")).assert_succeeded_with({"done": True})
