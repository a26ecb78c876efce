"""Measure many tasks that finish at once, with the account's quota: 10 calls, then 2 per second.

    python -m benchmarks.storm --tasks 200 --instances 1
    python -m benchmarks.storm --tasks 200 --instances 100

With one instance, all tasks are threads of one process, as in a custom runtime with `instanceConcurrency`. With many
instances, each is a process without knowledge of the others.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import attrs

from tests.waiting import WaitingTasks

QUOTA_BURST = 10
QUOTA_PER_SECOND = 2.0


@attrs.frozen(kw_only=True)
class Outcome:
    """The result of a storm."""

    tasks: int
    instances: int
    delivered: int
    ended_once: int
    throttled: int
    seconds: float

    @property
    def ideal_seconds(self) -> float:
        """The least time that the quota allows."""
        return max(0.0, (self.tasks - QUOTA_BURST) / QUOTA_PER_SECOND)


def run(*, tasks: int, instances: int) -> Outcome:
    """Let all tasks finish at once, and return the result."""
    with WaitingTasks(quota=True) as service:
        waiting = [service.new(order=number) for number in range(tasks)]
        shares = [[task.event.decode() for task in waiting[index::instances]] for index in range(instances)]
        environment = {**os.environ, **service.service.environment}
        processes = [_started(environment) for _ in shares]
        for process, events in zip(processes, shares, strict=True):
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(events) + "\n")
            process.stdin.flush()
            process.stdout.readline()  # it is ready
        service.service.advance(60, skew=False)  # the bucket is full when the storm begins
        began = time.monotonic()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        delivered = sum(int(process.communicate()[0]) for process in processes)
        seconds = time.monotonic() - began
        calls = service.service.calls
        return Outcome(
            tasks=tasks,
            instances=instances,
            delivered=delivered,
            ended_once=sum(task.reports() == 1 for task in waiting),
            throttled=calls["ReportTaskSucceeded", "ResourceThrottled"],
            seconds=seconds,
        )


def _started(environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.storm", "--child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=Path(__file__).parent.parent,
    )


def child() -> None:
    """Run one instance: read the events, wait for the start signal, finish all tasks at once."""
    from fc_callback import task_callback

    ready = threading.Barrier(parties := len(events := json.loads(sys.stdin.readline())) + 1)
    delivered: list[str] = []
    function = SimpleNamespace(name="storm", handler="index.handler", memory=512, timeout=900)
    context = SimpleNamespace(request_id="1", function=function, region="cn-hangzhou")

    @task_callback
    def handler(_event: bytes) -> dict[str, bool]:
        ready.wait()
        return {"done": True}

    threads = [threading.Thread(target=lambda one=event: delivered.append(handler(one, context))) for event in events]
    for thread in threads:
        thread.start()
    print(parties, flush=True)
    sys.stdin.readline()
    ready.wait()
    for thread in threads:
        thread.join()
    print(len(delivered))


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--instances", type=int, default=1)
    parser.add_argument("--child", action="store_true")
    arguments = parser.parse_args()
    if arguments.child:
        child()
        return
    outcome = run(tasks=arguments.tasks, instances=arguments.instances)
    print(
        f"{outcome.tasks} tasks on {outcome.instances} instances: {outcome.delivered} delivered, {outcome.ended_once} ended "
        f"once, {outcome.seconds:.1f} s ({outcome.seconds / outcome.ideal_seconds:.2f} of what the quota allows), "
        f"{outcome.throttled} calls throttled ({outcome.throttled / outcome.tasks:.2f} a task)"
    )


if __name__ == "__main__":
    main()
