"""The record of a task whose invocation is ended by its timeout, on each kind of runtime."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback.testing import TaskCloudFlow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fc_callback.runtime import FunctionInstance, InvocationResult
    from fc_callback.testing import WaitingTask
    from tests.runtime.runtime_support import MakeInstance

REPORTING = """
    import json, time
    from fc_callback import metrics, task_callback
    metrics.listen(lambda record: print("RECORD", json.dumps(record.fields())))

    @task_callback(on_failure="report", deadline_margin_seconds=1.5)
    def handler(event: dict, context):
        {what}
"""
RAISING = """
    import json, time
    from fc_callback import metrics, task_callback
    metrics.listen(lambda record: print("RECORD", json.dumps(record.fields())))

    @task_callback
    def handler(event: dict, context):
        {what}
"""
SLEEP = "time.sleep(600)"
SPIN_OR_SLEEP = "while event['spins']: pass\n        time.sleep(600)"


@pytest.fixture(params=["python3.10", "python3.12", "custom"])
def runtime(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def service() -> Iterator[TaskCloudFlow]:
    with TaskCloudFlow() as service:
        yield service


def _records(result: InvocationResult) -> list[dict[str, Any]]:
    return [json.loads(line[7:]) for line in result.log.splitlines() if line.startswith("RECORD ")]


def _spun_and_slept(
    function: MakeInstance, service: TaskCloudFlow, code: str, timeout_seconds: float
) -> list[tuple[WaitingTask, InvocationResult]]:
    """Invoke, at once, a function that spins and one that sleeps until their time is up."""
    tasks = [service.new_task({"spins": spins}) for spins in (True, False)]
    code = code.format(what=SPIN_OR_SLEEP)
    instances = [function(code, timeout_seconds=timeout_seconds, environment=service.environment) for _ in tasks]

    def invoke(instance: FunctionInstance, task: WaitingTask) -> InvocationResult:
        return instance.invoke(task.event, credentials=service.session())

    with ThreadPoolExecutor() as threads:
        return list(zip(tasks, threads.map(invoke, instances, tasks), strict=True))


def test_a_reported_deadline_is_the_records_outcome_and_is_told_once(
    function: MakeInstance, service: TaskCloudFlow
) -> None:
    for task, result in _spun_and_slept(function, service, REPORTING, timeout_seconds=2.5):
        assert result.error_type == "FunctionTimeout", result.log
        task.assert_failed_with("DeadlineExceeded")
        outcomes = [(one["outcome"], one.get("error")) for one in _records(result)]
        assert outcomes == [("deadline_exceeded", None)], result.log


def test_where_nothing_is_reported_the_record_tells_what_ended_the_function(
    function: MakeInstance, service: TaskCloudFlow
) -> None:
    for task, result in _spun_and_slept(function, service, RAISING, timeout_seconds=2):
        assert result.error_type == "FunctionTimeout", result.log
        task.assert_waiting()
        assert [(one["outcome"], one["error"]) for one in _records(result)] == [("raised", "SystemExit")], result.log


def test_a_task_that_ended_before_is_not_told_again(function: MakeInstance, service: TaskCloudFlow) -> None:
    what = "return time.sleep(600 if event['wait'] else 0)"
    instance = function(RAISING.format(what=what), timeout_seconds=2, environment=service.environment)
    first = instance.invoke(service.new_task({"wait": False}).event, credentials=service.session())
    second = instance.invoke(service.new_task({"wait": True}).event, credentials=service.session())
    assert [one["outcome"] for one in _records(first)] == ["succeeded"], first.log
    assert [one["outcome"] for one in _records(second)] == ["raised"], second.log


@pytest.mark.parametrize("runtime", ["custom"])
def test_a_listener_that_hangs_does_not_keep_the_process(
    function: MakeInstance, service: TaskCloudFlow, runtime: str
) -> None:
    code = RAISING.replace('print("RECORD", json.dumps(record.fields()))', SLEEP)
    instance = function(code.format(what=SLEEP), timeout_seconds=1, environment=service.environment)
    result = instance.invoke(service.new_task().event, credentials=service.session())
    assert (result.error_type, result.exit_code) == ("FunctionTimeout", 143)
