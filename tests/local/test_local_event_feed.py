"""Listeners of events: each event once, in the order of its execution."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from fc_callback.local import LocalCloudFlow
from tests.local.raw_client import CALLBACK_FLOW, until

if TYPE_CHECKING:
    from pathlib import Path

    from fc_callback.local import ExecutionEvent

PASS = "version: v1\ntype: flow\nsteps:\n  - {type: pass, name: one}\n"


def ids_of(told: list[ExecutionEvent], execution: str) -> list[int]:
    return [each.event.id for each in told if each.execution == execution]


def test_each_event_comes_once_and_in_order_from_many_threads(service: LocalCloudFlow) -> None:
    told: list[ExecutionEvent] = []
    service.add_event_listener(told.append)
    service.create_flow("pass", PASS)

    def start(name: str) -> None:
        for number in range(20):
            service.start("pass", execution_name=f"{name}-{number}")

    threads = [threading.Thread(target=start, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    until(lambda: sum(each.event.type == "ExecutionSucceeded" for each in told) == 60)
    for name in "abc":
        for number in range(20):
            events = service.history("pass", f"{name}-{number}")
            assert ids_of(told, f"{name}-{number}") == [event.id for event in events]


def test_only_a_task_that_waits_for_a_report_is_told_to_wait(service: LocalCloudFlow, waiting: str) -> None:
    told: list[ExecutionEvent] = []
    service.add_event_listener(told.append)
    service.add_function(lambda _event: {}, name="call")
    arn = "acs:fc:::services/s/functions/call"
    step = {"type": "task", "name": "call", "resourceArn": arn}
    service.create_flow("call", {"version": "v1", "type": "flow", "steps": [step]})
    service.wait("call", service.start("call", execution_name="called"))
    service.start("approve", execution_name="again")
    service.run_until_waiting("approve", "again")
    service.waiting("approve", "ask")[0].succeed({})

    until(lambda: [each.execution for each in told if each.event.type == "ExecutionSucceeded"] == ["called", "ask"])
    assert {each.execution for each in told if each.waits_for_report} <= {"again"}
    until(lambda: any(each.waits_for_report for each in told))
    assert "TaskScheduled" not in [each.event.type for each in told if each.execution == "ask"]  # it was before
    assert waiting not in str(told)


def test_events_of_before_a_restart_are_not_told_again(tmp_path: Path) -> None:
    with LocalCloudFlow(database=tmp_path / "local.db") as service:
        service.add_function(lambda _event: {}, name="notify")
        service.create_flow("approve", CALLBACK_FLOW)
        service.start("approve", execution_name="one")
        service.run_until_waiting("approve", "one")
        before = len(service.history("approve", "one"))
    told: list[ExecutionEvent] = []
    with LocalCloudFlow(database=tmp_path / "local.db") as service:
        service.add_event_listener(told.append)
        service.waiting()[0].succeed({})
        until(lambda: bool(told) and told[-1].event.type == "ExecutionSucceeded")

    assert told[0].event.id >= before  # the start of the service may add TaskSubmitted
    assert "ExecutionStarted" not in [each.event.type for each in told]


def test_no_listener_s_thread_outlives_its_service() -> None:
    with LocalCloudFlow() as service:
        service.add_event_listener(lambda _told: None)
        [thread] = [each for each in threading.enumerate() if each.name == "local-cloudflow-events"]
    thread.join(10)
    assert not thread.is_alive()
