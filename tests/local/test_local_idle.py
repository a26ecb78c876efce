"""A service to which nothing happens does nothing, and one to which much has happened has not grown."""

from __future__ import annotations

import gc
import itertools
import json
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from fc_callback.local import LocalCloudFlow, StillRunning
from tests.local.raw_client import CALLBACK_FLOW, RawClient, until
from tests.profiles import THOROUGH, by_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PASS = "version: v1\ntype: flow\nsteps:\n  - {type: pass, name: one}\n"
WAIT = "version: v1\ntype: flow\nsteps:\n  - {type: wait, name: one, duration: $.seconds}\n"
WARMING = by_profile(500, 4_000)
EXECUTIONS = by_profile(2_000, 20_000)
# What belongs to other tests of the process may grow beside one of these rounds. What an execution leaves grows in each.
ROUNDS = by_profile(3, 1)


@attrs.frozen
class Used:
    """A service with a history, and by how much its process grew in each round of it."""

    service: LocalCloudFlow
    objects: list[int]
    kilobytes: list[int]


def memory() -> tuple[int, int]:
    gc.collect()
    resident = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")]
    return len(gc.get_objects()), int(resident[0].split()[1])


@pytest.fixture(scope="module")
def used() -> Iterator[Used]:
    with LocalCloudFlow() as service:
        tokens: queue.Queue[str] = queue.Queue()
        service.add_function(lambda event: tokens.put(json.loads(event)["taskToken"]), name="notify")
        service.create_flow("pass", PASS)
        service.create_flow("approve", CALLBACK_FLOW)
        client = RawClient(service.endpoint, service.credentials)

        def run(count: int) -> None:
            for number in range(count):
                if number % by_profile(8, 2):
                    service.start("pass", {"number": number})
                    continue
                execution = service.start("approve", {"order": number})
                token = tokens.get(timeout=20)
                with pytest.raises(StillRunning):
                    service.wait("approve", execution, timeout=0)
                assert client.report(token).status_code == 200

        run(WARMING)
        # coverage keeps some objects of its own for each thread that it traces, and each invocation is a thread.
        trace = threading.gettrace()
        threading.settrace(None)
        marks = [memory()]
        for _ in range(ROUNDS):
            run(EXECUTIONS)
            marks.append(memory())
        threading.settrace(trace)
        grown = [(after[0] - before[0], after[1] - before[1]) for before, after in itertools.pairwise(marks)]
        yield Used(service, [one[0] for one in grown], [one[1] for one in grown])
        client.session.close()


@pytest.mark.thorough
@pytest.mark.timeout(by_profile(120, 900))
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_the_memory_does_not_grow_with_the_number_of_executions(used: Used) -> None:
    assert min(used.objects) < 200
    if THOROUGH:
        assert min(used.kilobytes) < 8_192


def statements_during(service: LocalCloudFlow, seconds: float) -> list[str]:
    """Return the SQL statements that run in a time in which nothing happens."""
    seen: list[str] = []
    connection = service._components.store._connection
    connection.set_trace_callback(seen.append)
    time.sleep(seconds)
    connection.set_trace_callback(None)
    return seen


@pytest.mark.parametrize("timers", [0, 1, 50])
def test_no_statement_runs_while_nothing_happens(used: Used, monkeypatch: pytest.MonkeyPatch, timers: int) -> None:
    monkeypatch.setattr("fc_callback.local.timers.MAX_TIMER_NAP_SECONDS", 0.01)
    service = used.service
    service.create_flow("wait", WAIT, replace=True)
    waiting = [service.start("wait", {"seconds": 80_000 + number}) for number in range(timers)]
    if not timers:
        service.start("pass")

    # The timers' thread looks once after each change, so the first of these times may have statements.
    assert any(statements_during(service, 0.3) == [] for _ in range(10))
    for execution in waiting:
        service.stop("wait", execution)


def test_a_timer_is_acted_on_while_others_are_far_away(service: LocalCloudFlow) -> None:
    service.create_flow("wait", WAIT)
    far = service.start("wait", {"seconds": 80_000})
    near = service.start("wait", {"seconds": 1})

    assert service.wait("wait", near).status == "Succeeded"
    assert service.describe("wait", far).status == "Running"
    service.advance(80_000)
    assert service.describe("wait", far).status == "Succeeded"


def test_a_timer_is_acted_on_after_the_machine_has_slept(
    service: LocalCloudFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fc_callback.local.timers.MAX_TIMER_NAP_SECONDS", 0.05)
    service.create_flow("wait", WAIT)
    execution = service.start("wait", {"seconds": 3600})
    time.sleep(0.2)
    service._components.clock.moved_seconds += 3600  # as the system's clock does, of which no thread is told

    assert service.wait("wait", execution).status == "Succeeded"


def test_a_wait_that_was_given_up_is_forgotten(service: LocalCloudFlow, raw: RawClient, waiting: str) -> None:
    for _ in range(3):
        with pytest.raises(StillRunning):
            service.wait("approve", "ask", timeout=0)
    name = {"FlowName": "approve", "ExecutionName": "ask"}
    assert raw.v1("DescribeExecution", {**name, "WaitTimeSeconds": "1"}).json()["Status"] == "Running"

    until(lambda: service._components.engine._waiting == {})


def processes(parent: int) -> list[int]:
    """Return a process and all below it."""
    children = text_of(Path(f"/proc/{parent}/task/{parent}/children")).split()
    return [parent, *(one for child in children for one in processes(int(child)))]


def text_of(file: Path) -> str:
    """Return a file of /proc; nothing if its thread or process has just ended."""
    try:
        return file.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def switches(parent: int) -> int:
    """Return how often any thread of the processes has woken up from a wait."""
    files = [file for process in processes(parent) for file in Path(f"/proc/{process}/task").glob("*/status")]
    lines = [line for file in files for line in text_of(file).splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Callable[[], tuple[int, dict[str, str]]]]:
    (tmp_path / "index.py").write_text("def handler(event, context):\n    print('here I am')\n    return {}\n")
    started: list[subprocess.Popen[Any]] = []

    def start() -> tuple[int, dict[str, str]]:
        arguments = ["--port", "0", "--json", "--database", f"{tmp_path}/db", "-f", f"one={tmp_path}:index.handler"]
        process = subprocess.Popen(
            [sys.executable, "-m", "fc_callback", "local", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        return process.pid, json.loads(process.stdout.readline())

    yield start
    for process in started:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux")
def test_an_idle_command_sleeps_whatever_its_history(
    tmp_path: Path, command: Callable[[], tuple[int, dict[str, str]]]
) -> None:
    call = {"type": "task", "name": "one", "resourceArn": "acs:fc:::services/s/functions/one"}
    with LocalCloudFlow(database=tmp_path / "db") as service:
        service.add_function(lambda _event: {}, name="one")
        service.create_flow("one", {"version": "v1", "type": "flow", "steps": [call]})
        for _ in range(300):
            service.wait("one", service.start("one"))
        key = service.credentials
    process, environment = command()
    client = RawClient(environment["CLOUDFLOW_ENDPOINT"], key)
    assert client.v1("StartExecution", form={"FlowName": "one", "ExecutionName": "e"}).status_code == 200
    name = {"FlowName": "one", "ExecutionName": "e", "WaitTimeSeconds": "20"}
    assert client.v1("DescribeExecution", name).json()["Status"] == "Succeeded"

    def slept() -> bool:
        before = switches(process)
        time.sleep(1)
        return switches(process) == before

    assert any(slept() for _ in range(10))
    client.session.close()
