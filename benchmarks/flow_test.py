"""Measure a whole-flow test: start an execution, let someone else complete its callback, check the result.

    pip install '.[local]' -r benchmarks/requirements.txt
    python -m benchmarks.flow_test

The peer is AWS's testing package for durable functions, which runs a function with a callback on this machine too. A test
begins with nothing and ends with everything closed, as a test without shared fixtures does. The turns alternate in one
process, and a ratio is the median of the ratios of the turns. The imports of both sides come before the first turn.

It also measures how many reports per second the local CloudFlow takes over HTTP, with each report committed to a file.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fc_callback import CloudFlowClient
from fc_callback.local import LocalCloudFlow

if TYPE_CHECKING:
    from collections.abc import Callable

FLOW = """
Type: StateMachine
SpecVersion: v1
Name: approval
StartAt: Ask
States:
  - Type: Task
    Name: Ask
    Action: FC:InvokeFunction
    TaskMode: WaitForCustomCallback
    Timeout: 3600
    Parameters:
      resourceArn: acs:fc:::functions/ask
      invocationType: Async
      body: {taskToken.$: $Context.Current.TaskToken}
    End: true
"""


def ours() -> None:
    """Test a flow with the local CloudFlow."""
    with LocalCloudFlow() as service:
        service.add_function(lambda _event: {}, name="ask")
        service.create_flow("approval", FLOW)
        execution = service.start("approval")
        service.waiting("approval")[0].succeed({"approved": True})
        assert service.wait("approval", execution).output == {"approved": True}


def aws() -> Callable[[], None]:
    """Return a test of the same with AWS's package."""
    durable_execution = import_module("aws_durable_execution_sdk_python.execution").durable_execution
    runner_class = import_module("aws_durable_execution_sdk_python_testing.runner").DurableFunctionTestRunner

    def ask(_event: object, context: Any) -> object:
        return context.create_callback(name="ask").result()

    function = durable_execution(ask)

    def test() -> None:
        with runner_class(handler=function) as runner:
            execution = runner.run_async(input="{}")
            callback = runner.wait_for_callback(execution)
            runner.send_callback_success(callback, result=json.dumps({"approved": True}).encode())
            assert "approved" in str(runner.wait_for_result(execution).result)

    return test


def reports_per_second(reports: int) -> float:
    """Return how many reports one client sends in a second, over HTTP with signatures."""
    with tempfile.TemporaryDirectory() as folder, LocalCloudFlow(database=Path(folder) / "db") as service:
        client = CloudFlowClient(endpoint=service.endpoint, credentials=service.credentials)
        service.add_function(lambda _event: {}, name="ask")
        service.create_flow("approval", FLOW)
        names = [service.start("approval").name for _ in range(reports)]
        tokens = [service.waiting_token("approval", name) for name in names]
        began = time.perf_counter()
        for token in tokens:
            client.report_task_succeeded(token, {})
        return reports / (time.perf_counter() - began)


def main() -> None:
    """Print the figures."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--turns", type=int, default=15)
    arguments.add_argument("--reports", type=int, default=500)
    options = arguments.parse_args()
    logging.disable(logging.WARNING)
    sides = {"fc_callback": ours, "AWS durable testing": aws()}
    for test in sides.values():
        test()
    turns = [{name: _seconds(test) for name, test in sides.items()} for _ in range(options.turns)]
    for name in sides:
        seconds = statistics.median(turn[name] for turn in turns)
        ratio = statistics.median(turn[name] / turn["AWS durable testing"] for turn in turns)
        print(f"{name:22} {seconds * 1000:8.1f} ms   {ratio:5.3f} of the peer")
    print(f"reports over HTTP      {reports_per_second(options.reports):8.0f} per second")


def _seconds(test: Callable[[], None]) -> float:
    began = time.perf_counter()
    test()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
