"""What a stop reaches: branches, invocations that are queued, retried or running; and what it leaves alone."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest
from alibabacloud_fnf20190315 import models

from fc_callback.local import LocalCloudFlow
from fc_callback.runtime import FunctionSpec
from tests.local.definitions import ask, failing, inner, machine, passing, waiting
from tests.local.raw_client import Inbox, RawClient, error_of, until
from tests.local.test_local_sdk import client_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The SDK closes no connections by itself; its garbage is not this project's to collect.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

FUNCTION = """
import json, os, signal, time

def handler(event, context):
    given = json.loads(event)["input"]
    if given.get("stubborn"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("begun", given["n"])
    with open("begun", "a") as file:
        file.write(f"{given['n']} {os.getpid()}\\n")
    while given.get("hold", True) and not os.path.exists("go"):
        time.sleep(0.01)
    with open("finished", "a") as file:
        file.write(f"{given['n']}\\n")
    return {"n": given["n"]}
"""
SYNC = machine(ask(mode="RequestComplete", kind="Sync"))
ASYNC = machine(ask(mode="WaitForSystemCallback"))
CALLBACK = machine(ask())


class Held:
    """A service whose function `ask` runs in processes, and does not return before `go`."""

    def __init__(self, directory: Path, **options: Any) -> None:
        self.directory = directory
        (directory / "index.py").write_text(FUNCTION)
        self.spec = FunctionSpec(name="ask", code_dir=directory, timeout_seconds=60, **options)

    def lines(self, name: str) -> list[str]:
        path = self.directory / name
        return path.read_text().splitlines() if path.exists() else []

    def pid(self, number: int = 1) -> int:
        """Wait until invocation `number` runs, and return its process."""
        until(lambda: any(line.startswith(f"{number} ") for line in self.lines("begun")))
        return next(int(line.split()[1]) for line in self.lines("begun") if line.startswith(f"{number} "))

    def go(self) -> None:
        (self.directory / "go").touch()


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def held(tmp_path: Path) -> Held:
    return Held(tmp_path)


@pytest.fixture
def flows(held: Held) -> Iterator[LocalCloudFlow]:
    with LocalCloudFlow(functions=[held.spec], async_retry_delay_seconds=60) as service:
        yield service


def start(service: LocalCloudFlow, definition: Any, *, name: str = "e", **given: Any) -> None:
    service.create_flow("f", definition, replace=True)
    service.start("f", {"n": 1, **given}, execution_name=name)


# Running functions


@pytest.mark.parametrize("definition", [SYNC, ASYNC, CALLBACK, machine(ask(kind="Sync"))])
def test_a_stop_ends_the_process_of_a_running_function(flows: LocalCloudFlow, held: Held, definition: Any) -> None:
    start(flows, definition)
    pid = held.pid()
    flows.stop("f", "e", error="Enough", cause="a test")
    (invocation,) = flows.invocations()
    assert (invocation.status, invocation.error_type) == ("ended", "InvocationCancelled")
    assert invocation.ended
    until(lambda: not lives(pid))
    held.go()
    until(lambda: "begun 1" in flows.invocations()[0].log)
    (invocation,) = flows.invocations()
    assert (invocation.retry_count, invocation.error_type, invocation.result) == (0, "InvocationCancelled", "")
    assert held.lines("finished") == []
    execution = flows.describe("f", "e")
    assert (execution.status, execution.error, execution.cause) == ("Stopped", "Enough", "a test")
    last = flows.history("f", "e")[-1]
    assert (last.type, last.detail) == ("ExecutionStopped", {"error": "Enough", "cause": "a test"})


def test_a_function_in_a_custom_runtime_is_ended_too(tmp_path: Path) -> None:
    held = Held(tmp_path, runtime="custom")
    with LocalCloudFlow(functions=[held.spec]) as service:
        start(service, SYNC)
        pid = held.pid()
        service.stop("f", "e")
        until(lambda: not lives(pid))
        assert held.lines("finished") == []


def test_a_function_that_ignores_sigterm_is_killed(flows: LocalCloudFlow, held: Held) -> None:
    start(flows, SYNC, stubborn=True)
    pid = held.pid()
    flows.stop("f", "e")
    until(lambda: not lives(pid))


def test_the_next_invocation_has_a_new_process(flows: LocalCloudFlow, held: Held) -> None:
    start(flows, SYNC)
    pid = held.pid()
    flows.stop("f", "e")
    held.go()
    flows.start("f", {"n": 2}, execution_name="e2")
    assert flows.wait("f", "e2").output == {"Body": {"n": 2}}
    assert held.pid(2) != pid


def test_only_the_invocation_of_the_stopped_execution_is_ended(flows: LocalCloudFlow, held: Held) -> None:
    start(flows, SYNC)
    flows.start("f", {"n": 2}, execution_name="e2")
    first, second = held.pid(1), held.pid(2)
    flows.stop("f", "e")
    until(lambda: not lives(first))
    assert lives(second)
    held.go()
    assert flows.wait("f", "e2").output == {"Body": {"n": 2}}


def test_an_invocation_that_waits_for_a_process_never_runs(held: Held) -> None:
    with LocalCloudFlow(functions=[held.spec], instances=1) as service:
        start(service, SYNC)
        pid = held.pid()
        service.start("f", {"n": 2}, execution_name="e2")
        until(lambda: service.invocations()[1].status == "running")
        service.stop("f", "e2")
        held.go()
        assert service.wait("f", "e").output == {"Body": {"n": 1}}
        service.start("f", {"n": 3}, execution_name="e3")
        assert service.wait("f", "e3").output == {"Body": {"n": 3}}
        assert held.lines("finished") == ["1", "3"]
        assert held.pid(3) == pid  # the process serves the next request as before


def test_a_callable_goes_on_and_its_result_is_ignored(service: LocalCloudFlow) -> None:
    opened, begun, done = threading.Event(), threading.Event(), threading.Event()

    def function(_event: bytes) -> dict[str, Any]:
        begun.set()
        opened.wait(30)
        done.set()
        return {"late": True}

    service.add_function(function, name="ask")
    start(service, SYNC)
    assert begun.wait(20)
    service.stop("f", "e")
    opened.set()
    assert done.wait(20)
    until(lambda: not service._components.invoker._active)
    (invocation,) = service.invocations()
    assert (invocation.status, invocation.error_type, invocation.result) == ("ended", "InvocationCancelled", "")
    assert service.history("f", "e")[-1].type == "ExecutionStopped"


# Queued functions and retries


@pytest.mark.parametrize("definition", [ASYNC, CALLBACK])
def test_a_scheduled_retry_does_not_run_any_more(definition: Any) -> None:
    calls: list[bytes] = []

    def broken(event: bytes) -> None:
        calls.append(event)
        raise RuntimeError("on purpose")

    with LocalCloudFlow(async_retry_delay_seconds=60) as slow:
        slow.add_function(broken, name="ask")
        start(slow, definition)
        until(lambda: slow.invocations()[0].retry_count == 1)
        slow.stop("f", "e")
        slow.advance(3600)
        assert len(calls) == 1
        (invocation,) = slow.invocations()
        assert (invocation.status, invocation.error_type) == ("ended", "InvocationCancelled")
        assert slow._components.engine.next_due() is None


def test_a_stopped_invocation_is_not_delivered_again_after_a_restart(held: Held, tmp_path: Path) -> None:
    database = tmp_path / "db"
    with LocalCloudFlow(database=database, functions=[held.spec]) as service:
        start(service, CALLBACK)
        held.pid()
    with LocalCloudFlow(database=database) as service:  # without the function: the event stays queued
        assert service.invocations()[0].status == "running"
        service.stop("f", "e")
    with LocalCloudFlow(database=database, functions=[held.spec]) as service:
        assert service.invocations()[0].error_type == "InvocationCancelled"
        held.go()
        service.start("f", {"n": 2}, execution_name="e2")
        until(lambda: held.lines("finished") == ["2"])


# Other ends that cancel


def two(first: dict[str, Any], second: dict[str, Any], **more: Any) -> dict[str, Any]:
    branches = [inner(first), inner(second)]
    return {"Type": "Parallel", "Name": "P", "Branches": branches, **({} if "Next" in more else {"End": True}), **more}


@pytest.mark.parametrize("caught", [True, False])
def test_the_function_of_a_cancelled_branch_is_ended(service: LocalCloudFlow, held: Held, caught: bool) -> None:
    service.add_function(held.spec)
    inbox = Inbox()
    service.add_function(inbox, name="notify")
    rules = {"Catch": [{"Errors": ["Rejected"], "Next": "A", "OutputConstructor": {"caught": True}}]} if caught else {}
    steps = two(ask("Run", mode="RequestComplete", kind="Sync"), ask("Wait", "notify"), **rules)
    start(service, machine(steps, passing("A")))
    pid = held.pid()
    service.waiting("f", "e")[-1].fail("Rejected")
    assert service.wait("f", "e").status == ("Succeeded" if caught else "Failed")
    until(lambda: not lives(pid))
    cancelled = service.invocations("ask")
    assert [invocation.error_type for invocation in cancelled] == ["InvocationCancelled"]
    assert service.invocations("notify")[0].error_type == ""


def test_the_timeout_of_an_execution_ends_its_functions(flows: LocalCloudFlow, held: Held) -> None:
    start(flows, {**SYNC, "Timeout": 40})
    pid = held.pid()
    flows.advance(40)
    assert flows.wait("f", "e").status == "TimedOut"
    until(lambda: not lives(pid))


def test_a_deleted_flow_ends_its_functions(flows: LocalCloudFlow, held: Held) -> None:
    start(flows, SYNC)
    pid = held.pid()
    flows._components.perform("DeleteFlow", Name="f")
    until(lambda: not lives(pid))


# What goes on


def test_a_report_does_not_end_the_function_that_still_runs(flows: LocalCloudFlow, held: Held) -> None:
    start(flows, CALLBACK)
    held.pid()
    flows.waiting("f", "e")[0].succeed({"by": "report"})
    assert flows.wait("f", "e").output == {"by": "report"}
    held.go()
    until(lambda: flows.invocations()[0].status == "ended")
    (invocation,) = flows.invocations()
    assert (invocation.error_type, json.loads(invocation.result)) == ("", {"n": 1})


def test_the_timeout_of_a_task_does_not_end_its_function(flows: LocalCloudFlow, held: Held) -> None:
    start(flows, machine(ask(Timeout=5)))
    pid = held.pid()
    token = flows.waiting_token("f", "e").reveal()
    flows.advance(5, skew=False)
    assert flows.wait("f", "e").error == "FnF.TaskTimeout"
    assert lives(pid)
    client = RawClient(flows.endpoint, flows.credentials)
    assert error_of(client.report(token)) == (400, "TaskAlreadyCompleted")
    client.session.close()
    held.go()
    until(lambda: held.lines("finished") == ["1"])


def test_an_asynchronous_call_that_nothing_waits_for_goes_on(flows: LocalCloudFlow, held: Held) -> None:
    start(flows, machine(ask(mode="RequestComplete", Next="W"), waiting(300)))
    held.pid()
    flows.stop("f", "e")
    held.go()
    until(lambda: held.lines("finished") == ["1"])
    until(lambda: flows.invocations()[0].status == "ended")
    assert flows.invocations()[0].error_type == ""


# The operation


def test_the_official_sdk_stops_an_execution_with_its_function(flows: LocalCloudFlow, held: Held) -> None:
    start(flows, SYNC)
    pid = held.pid()
    request = models.StopExecutionRequest(flow_name="f", execution_name="e", error="Enough", cause="a test")
    stopped = client_of(flows).stop_execution(request).body
    assert (stopped.name, stopped.status) == ("e", "Stopped")
    until(lambda: not lives(pid))
    with pytest.raises(Exception, match="ExecutionAlreadyCompleted"):
        client_of(flows).stop_execution(request)


def test_a_stop_answers_before_a_stubborn_process_has_ended(flows: LocalCloudFlow, held: Held) -> None:
    start(flows, SYNC, stubborn=True)
    pid = held.pid()
    flows.stop("f", "e")
    assert lives(pid)
    flows.create_flow("g", machine(passing()))
    assert flows.wait("g", flows.start("g")).status == "Succeeded"
    until(lambda: not lives(pid))


def test_a_failed_state_beside_a_running_function_ends_it(flows: LocalCloudFlow, held: Held) -> None:
    slow = {"StartAt": "W", "States": [waiting(30, Next="Broken"), failing("Bad")]}
    branches = [inner(ask(mode="RequestComplete", kind="Sync")), slow]
    start(flows, machine({"Type": "Parallel", "Name": "P", "Branches": branches, "End": True}))
    pid = held.pid()
    flows.advance(30)
    assert flows.wait("f", "e").error == "Bad"
    until(lambda: not lives(pid))
