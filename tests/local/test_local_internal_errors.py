"""What an execution, and every other one, sees of an error inside the service, and of calls at the same moment."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback.local import LocalCloudFlow
from tests.local.definitions import ask, child, inner, legacy, machine, passing, waiting
from tests.local.raw_client import until

if TYPE_CHECKING:
    from pathlib import Path


def start(service: LocalCloudFlow, definition: Any, given: Any = None, *, name: str = "f") -> None:
    service.create_flow(name, {**definition, "Name": name} if "States" in definition else definition, replace=True)
    service.start(name, given or {}, execution_name="e")


def spoil(service: LocalCloudFlow, table: str, **columns: Any) -> None:
    """Write what the service itself never writes, so that its next reading is an internal error."""
    store = service._components.store
    with store.transaction():
        for row in store.all(f"SELECT id FROM {table}"):
            store.update(table, row["id"], **columns)


@pytest.mark.parametrize("spoiled", [("frames", {"state": "no JSON"}), ("executions", {"definition": "no flow"})])
def test_an_internal_error_fails_its_own_execution_and_the_timers_go_on(
    service: LocalCloudFlow, caplog: pytest.LogCaptureFixture, spoiled: tuple[str, dict[str, Any]]
) -> None:
    start(service, machine(waiting(1)), {"secret": "value"})
    spoil(service, spoiled[0], **spoiled[1])
    with caplog.at_level(logging.ERROR, "fc_callback.local"):
        broken = service.wait("f", "e", timeout=10)
    assert (broken.status, broken.error) == ("Failed", "FnF.RuntimeError")
    assert "internal error" in broken.cause
    assert "Execution e of flow f fails" in caplog.text
    assert "engine.py" in caplog.text
    assert "value" not in caplog.text
    start(service, machine(waiting(1)), name="g")
    assert service.wait("g", "e", timeout=10).status == "Succeeded"


def test_an_internal_error_does_not_stop_an_advance_of_the_clock(service: LocalCloudFlow) -> None:
    start(service, machine(waiting(60)))
    spoil(service, "frames", state="no JSON")
    start(service, machine(waiting(100)), name="g")
    service.advance(200)
    assert service.describe("f", "e").status == "Failed"
    assert service.describe("g", "e").status == "Succeeded"


def test_an_internal_error_at_the_end_of_a_function_fails_its_execution(service: LocalCloudFlow) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def slow(_event: bytes) -> dict[str, Any]:
        begun.set()
        may_end.wait(10)
        return {}

    service.add_function(slow, name="ask")
    start(service, machine(ask(mode="RequestComplete", kind="Sync")))
    assert begun.wait(10)
    spoil(service, "frames", state="no JSON")
    may_end.set()
    assert service.wait("f", "e", timeout=10).status == "Failed"
    (invocation,) = service.invocations()
    assert (invocation.status, invocation.error_name) == ("ended", "FC.InternalServerError")


@pytest.mark.parametrize("value", ["\ud800", {"half": "\udfff"}], ids=["text", "object"])
def test_half_a_character_in_a_result_is_an_error_of_the_function(service: LocalCloudFlow, value: Any) -> None:
    service.add_function(lambda _event: value, name="ask")
    start(service, machine(ask(mode="RequestComplete", kind="Sync")))
    assert service.wait("f", "e", timeout=10).error == "UnicodeEncodeError"


@pytest.mark.parametrize("waits", [False, True])
def test_a_value_that_nests_deeper_in_each_loop_fails_the_flow(service: LocalCloudFlow, waits: bool) -> None:
    loop = passing(Next="P", OutputConstructor={"in.$": "$Input"})
    start(service, machine(waiting(1, Next="P"), loop) if waits else machine(loop))
    service.advance(1)
    execution = service.wait("f", "e", timeout=10)
    assert (execution.status, execution.cause) == ("Failed", "A value is nested deeper than 100 levels.")


def test_a_global_that_nests_deeper_in_each_loop_fails_the_flow(service: LocalCloudFlow) -> None:
    start(service, machine(passing(Next="P", GlobalConstructor={"in.$": "$Global"})))
    assert service.wait("f", "e", timeout=10).cause == "A value is nested deeper than 100 levels."


@pytest.mark.parametrize("report", ["ReportTaskSucceeded", "ReportTaskFailed"])
def test_a_report_that_finds_no_room_for_its_events_ends_the_execution(service: LocalCloudFlow, report: str) -> None:
    may_end = threading.Event()
    service.add_function(lambda _event: may_end.wait(10), name="ask")
    start(service, machine(ask(kind="Sync")))
    spoil(service, "executions", events=4_999)
    (task,) = service.waiting("f")
    task.succeed({}) if report == "ReportTaskSucceeded" else task.fail("No")
    execution = service.wait("f", "e", timeout=10)
    may_end.set()
    assert "5000 events" in execution.cause


def test_a_loop_over_much_data_leaves_the_service_free_for_other_calls(service: LocalCloudFlow) -> None:
    start(service, machine(passing(Next="P")), {"text": "x" * 60_000})
    assert service.describe("f", "e").status == "Running"
    service.stop("f", "e", error="Enough")
    assert service.describe("f", "e").status == "Stopped"
    history = service.history("f", "e")
    assert [event.id for event in history] == list(range(1, len(history) + 1))
    assert len(history) < 5_000


def test_what_was_left_for_another_transaction_goes_on_after_a_restart(tmp_path: Path) -> None:
    big = passing("A", Next="B", OutputConstructor={"text": "y" * 50_000})
    small = passing("C", OutputConstructor={"x": 1})
    each = {
        "Type": "Map",
        "Name": "M",
        "ItemsPath": "$Input.items",
        "Processor": inner(big, passing("B", Next="C"), small),
        "OutputConstructor": {"n.$": "length($Output.Items)"},
        "End": True,
    }
    with LocalCloudFlow(database=tmp_path / "db") as first:
        first._components.engine.stop_timers()  # like the end of the process between two transactions
        start(first, machine(each), {"items": [{}] * 60})
        before = len(first.history("f", "e"))
        assert first.describe("f", "e").status == "Running"
    with LocalCloudFlow(database=tmp_path / "db") as second:
        assert second.wait("f", "e", timeout=60).output == {"n": 60}
        names = [(event.type, event.step) for event in second.history("f", "e")]
    assert before < len(names)
    assert names.count(("StepEntered", "C")) == names.count(("IterationExited", "M")) == 60


def test_clocks_that_are_moved_at_the_same_moment_move_by_the_sum(service: LocalCloudFlow) -> None:
    for number in range(4):
        start(service, machine(waiting(5 * number + 1)), name=f"f{number}")
    before = service._components.clock.moved_seconds
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _number: service.advance(10), range(40)))
    assert service._components.clock.moved_seconds - before == pytest.approx(400)


def test_many_who_skip_the_time_skip_it_once() -> None:
    states = [{**waiting(100, Next=f"W{number + 1}"), "Name": f"W{number}"} for number in range(20)]
    with LocalCloudFlow(skip_time=True) as service:
        service.create_flow("f", machine(*states, {**waiting(100), "Name": "W20"}))
        for number in range(16):
            service.start("f", {}, execution_name=f"e{number}")
        with ThreadPoolExecutor(16) as threads:
            ends = list(threads.map(lambda number: service.wait("f", f"e{number}", timeout=60), range(16)))
        assert {end.status for end in ends} == {"Succeeded"}
        assert 2_000 < service._components.clock.moved_seconds < 2_150


def test_data_at_the_limit_are_started_with_and_reported(service: LocalCloudFlow) -> None:
    service.add_function(lambda _event: {}, name="ask")
    data = {"items": [1] * 30_000}  # 60 KB of compact JSON
    start(service, machine(ask(Parameters={"resourceArn": "acs:fc:::functions/ask", "invocationType": "Async"})), data)
    service.waiting("f")[0].succeed(data)
    assert service.wait("f", "e", timeout=10).output == data


def test_a_token_directly_before_other_letters_is_not_in_the_file(tmp_path: Path) -> None:
    tokens: list[str] = []
    body = {"text.$": 'format("{}{}tail", $Context.Current.TaskToken, $Context.Current.TaskToken)'}
    flow = machine(ask(Parameters={"resourceArn": "acs:fc:::functions/ask", "invocationType": "Async", "body": body}))
    with LocalCloudFlow(database=tmp_path / "db") as service:
        service.add_function(lambda event: tokens.append(event.decode()), name="ask")
        service.create_flow("f", flow)
        names = ["e" * length for length in (1, 2, 3)]  # tokens that end in ==, = and a letter
        for name in names:
            service.start("f", {}, execution_name=name)
        while not all(invocation.status == "ended" for invocation in service.invocations()):
            pass
        assert sum(text.endswith('tail"}') for text in tokens) == 3
        for text in tokens:
            whole = text.removeprefix('{"text":"').removesuffix('tail"}')
            token = whole[: len(whole) // 2]
            assert whole == token * 2
            stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
            assert token.encode() not in stored


def lists(depth: int, leaf: dict[str, Any]) -> dict[str, Any]:
    step = leaf
    for number in range(depth):
        step = {"Type": "Parallel", "Name": f"P{number}", "Branches": [inner(step)], "End": True}
    return machine(step)


def test_steps_nest_thirty_levels_deep(service: LocalCloudFlow) -> None:
    service.add_function(lambda _event: {}, name="ask")
    start(service, lists(30, ask()))
    service.waiting("f")[0].succeed({"deep": True})
    output: Any = service.wait("f", "e", timeout=10).output
    for _ in range(30):
        output = output["Branch0"]
    assert output == {"deep": True}


def test_alternatives_and_iterations_nest_thirty_levels_deep_and_fail_from_the_deepest(service: LocalCloudFlow) -> None:
    service.add_function(lambda _event: {}, name="ask")
    step: dict[str, Any] = {
        "type": "task",
        "name": "ask",
        "resourceArn": "acs:fc:::functions/ask",
        "pattern": "waitForCallback",
    }
    for number in range(30):
        steps = [step]
        step = {"type": "choice", "name": f"s{number}", "choices": [{"condition": "true", "steps": steps}]}
        if number % 2:
            mapping = {"collection": "$.items", "item": "item"}
            step = {"type": "foreach", "name": f"s{number}", "iterationMapping": mapping, "steps": steps}
    start(service, legacy(step), {"items": [1]})
    service.waiting("f")[0].fail("Deep")
    assert service.wait("f", "e", timeout=10).error == "Deep"
    assert [event.type for event in service.history("f", "e")].count("StepFailed") == 31


@pytest.mark.parametrize("value", [["Sync"], {"kind": "Sync"}, 1, True])
def test_an_invocation_type_of_the_flows_data_that_is_no_text_fails_the_flow(
    service: LocalCloudFlow, value: Any
) -> None:
    service.add_function(lambda _event: {}, name="ask")
    parameters = {"resourceArn": "acs:fc:::functions/ask", "invocationType.$": "$Input.kind"}
    start(service, machine(ask(mode="RequestComplete", Parameters=parameters)), {"kind": value})
    assert service.describe("f", "e").cause == "State 'Ask': invocationType is neither Sync nor Async."


@pytest.mark.parametrize("error", [KeyboardInterrupt(), asyncio.CancelledError(), SystemExit(1)], ids=repr)
def test_a_function_that_is_cancelled_or_exits_fails_its_step(service: LocalCloudFlow, error: BaseException) -> None:
    def end(*_given: Any, **_more: Any) -> dict[str, Any]:
        raise error

    service.add_function(end, name="ask")
    service.add_action("X:Y", end)
    start(service, machine(ask(mode="RequestComplete", kind="Sync")))
    start(service, machine({"Type": "Task", "Name": "T", "Action": "X:Y", "End": True}), name="g")
    for name in "fg":
        assert service.wait(name, "e", timeout=10).error == type(error).__name__


def test_an_action_whose_result_nests_too_deep_fails_its_step(service: LocalCloudFlow) -> None:
    def deep(_parameters: Any, *, task_token: Any) -> dict[str, Any]:
        del task_token
        value: dict[str, Any] = {}
        for _ in range(5_000):
            value = {"in": value}
        return value

    service.add_action("X:Y", deep)
    start(service, machine({"Type": "Task", "Name": "T", "Action": "X:Y", "End": True}))
    assert service.wait("f", "e", timeout=10).error == "FnF.InvalidLocal"


@pytest.mark.parametrize("spoiled", [("frames", {"state": "no JSON"}), ("executions", {"definition": "no flow"})])
def test_an_internal_error_in_a_child_flow_fails_the_step_that_waits_for_it(
    service: LocalCloudFlow, spoiled: tuple[str, dict[str, Any]]
) -> None:
    service.create_flow("child", {**machine(waiting(60)), "Name": "child"})
    caught = [{"Errors": ["FnF.RuntimeError"], "Next": "P", "OutputConstructor": {"caught": True}}]
    start(service, machine(child("child", Next="P", Catch=caught), passing()))
    store = service._components.store
    until(lambda: store.one("SELECT id FROM frames WHERE execution = 2") is not None)
    with store.transaction():
        column = "execution" if spoiled[0] == "frames" else "id"
        ((name, value),) = spoiled[1].items()
        store.run(f"UPDATE {spoiled[0]} SET {name} = ? WHERE {column} = 2", value)
    service.advance(60)
    assert service.wait("f", "e", timeout=10).output == {"caught": True}


def test_a_full_disk_delays_what_is_due_until_there_is_room(
    service: LocalCloudFlow, caplog: pytest.LogCaptureFixture
) -> None:
    data = {"text": "x" * 60_000}
    start(service, machine(waiting(1, Next="P"), passing()), data)
    store = service._components.store
    with store.transaction():
        (pages,) = store.all("PRAGMA page_count")[0]
        store.run(f"PRAGMA max_page_count = {pages}")
    with caplog.at_level(logging.ERROR, "fc_callback.local"):
        until(lambda: "A timer could not be acted on" in caplog.text)
    assert service.describe("f", "e").status == "Running"
    with store.transaction():
        store.run("PRAGMA max_page_count = 1000000")
    assert service.wait("f", "e", timeout=10).output == data


def test_a_full_disk_at_the_end_of_a_function_fails_nothing_that_has_room_later(service: LocalCloudFlow) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def slow(_event: bytes) -> dict[str, Any]:
        begun.set()
        may_end.wait(10)
        return {"text": "x" * 60_000}

    service.add_function(slow, name="ask")
    start(service, machine(ask(mode="RequestComplete", kind="Sync")))
    assert begun.wait(10)
    store = service._components.store
    with store.transaction():
        (pages,) = store.all("PRAGMA page_count")[0]
        store.run(f"PRAGMA max_page_count = {pages}")
    may_end.set()
    time.sleep(0.3)
    with store.transaction():
        store.run("PRAGMA max_page_count = 1000000")
    assert service.wait("f", "e", timeout=10).status == "Succeeded"
