"""What the console draws of an execution: the states of nodes by their place, taken edges, and the items of a map."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback.flows import parse_flow
from fc_callback.local.clock import parse_time
from fc_callback.local.console_graph import execution_graph_json
from tests.local.test_local_lists import ask, body, each, machine, parallel

if TYPE_CHECKING:
    from fc_callback.local import LocalCloudFlow


@pytest.fixture
def flows(service: LocalCloudFlow) -> LocalCloudFlow:
    service.add_function(lambda _event: {}, name="ask")
    return service


def start(flows: LocalCloudFlow, definition: dict[str, Any], **execution_input: Any) -> None:
    flows.create_flow("f", definition)
    flows.start("f", execution_input, execution_name="one")
    flows.run_until_waiting("f", "one")


def shown(flows: LocalCloudFlow, definition: dict[str, Any]) -> dict[str, Any]:
    history = flows.history("f", "one")
    now = parse_time(history[-1].time)
    assert now is not None
    return execution_graph_json(parse_flow(json.dumps(definition)), history, now)


def test_same_step_names_in_different_branches_have_their_own_states(flows: LocalCloudFlow) -> None:
    definition = machine(parallel(body(ask("A")), body(ask("A", End=False, Next="B"), ask("B"))))
    start(flows, definition)
    flows.waiting("f")[1].succeed({})

    graph = shown(flows, definition)

    assert {node["path"]: node["state"] for node in graph["nodes"]} == {
        "P": "running", "P/branch 1/A": "waiting", "P/branch 2/A": "done", "P/branch 2/B": "waiting",
    }  # fmt: skip
    assert [edge["state"] for edge in graph["edges"]] == ["active", "active", ""]


def test_a_map_counts_its_items_also_those_that_have_not_begun(flows: LocalCloudFlow) -> None:
    definition = machine(each(ask(), MaxConcurrency=2))
    start(flows, definition, items=[{}, {}, {}, {}, {}])
    flows.waiting("f")[0].succeed({})

    node = shown(flows, definition)["nodes"][0]

    assert node["summary"] == "1 of 5 done, 2 waiting"
    assert [(item["number"], item["state"], item["path"]) for item in node["items"]] == [
        ("2", "waiting", "M/Ask"), ("3", "waiting", "M/Ask"), ("1", "done", "M/Ask"),
    ]  # fmt: skip


def test_a_caught_error_takes_the_dashed_edge(flows: LocalCloudFlow) -> None:
    caught = {"Catch": [{"Errors": ["Bad"], "Next": "After"}], "End": False, "Next": "After"}
    definition = machine(ask("First", **caught), ask("After"))
    start(flows, definition)
    flows.waiting("f")[0].fail("Bad", "so")

    graph = shown(flows, definition)

    assert [(node["state"], node["error"]) for node in graph["nodes"]] == [("caught", "Bad"), ("waiting", "")]
    assert [edge["kind"] for edge in graph["edges"] if edge["state"]] == ["next", "catch"]


def test_the_items_of_a_map_that_failed_are_first_and_what_its_failure_stopped_is_told(flows: LocalCloudFlow) -> None:
    definition = machine(each(ask()))
    start(flows, definition, items=[{}, {}, {}])
    flows.waiting("f")[0].succeed({})
    flows.waiting("f")[1].fail("Bad", "so")
    flows.wait("f", "one")

    node = shown(flows, definition)["nodes"][0]

    assert node["summary"] == "1 of 3 done, 1 failed, 1 stopped"
    assert [(item["number"], item["state"]) for item in node["items"]] == [
        ("3", "failed"), ("2", "stopped"), ("1", "done"),
    ]  # fmt: skip


def test_a_map_that_is_retried_shows_the_items_of_its_last_attempt(flows: LocalCloudFlow) -> None:
    retry = [{"Errors": ["Bad"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    definition = machine(each(ask(), Retry=retry))
    start(flows, definition, items=[{}, {}])
    flows.waiting("f")[0].fail("Bad", "so")
    flows.advance(1)
    flows.run_until_waiting("f", "one")

    node = shown(flows, definition)["nodes"][0]

    assert (node["state"], node["summary"]) == ("running", "0 of 2 done, 2 waiting")


def test_a_loop_counts_its_runs_and_shows_the_state_of_the_last_one(flows: LocalCloudFlow) -> None:
    again = {
        "Type": "Choice",
        "Name": "Again",
        "Branches": [{"Condition": "$Input.again", "Next": "Ask"}],
        "Default": "Last",
    }
    definition = machine(ask(End=False, Next="Again"), again, ask("Last"))
    start(flows, definition)
    flows.waiting("f")[0].succeed({"again": True})
    flows.run_until_waiting("f", "one", step="Ask")

    nodes = {node["name"]: node for node in shown(flows, definition)["nodes"]}

    assert (nodes["Ask"]["state"], nodes["Ask"]["runs"]) == ("waiting", 2)
    assert (nodes["Again"]["state"], nodes["Last"]["state"]) == ("done", "not reached")


def test_legacy_alternatives_that_share_step_names_have_their_own_states(flows: LocalCloudFlow) -> None:
    def alternative(condition: str) -> dict[str, Any]:
        return {"condition": condition, "steps": [{"type": "pass", "name": "same"}]}

    choices = [alternative("$.n == 1"), alternative("$.n == 2")]
    definition = {
        "version": "v1",
        "type": "flow",
        "steps": [
            {
                "type": "choice",
                "name": "pick",
                "inputMappings": [{"target": "n", "source": "$input.n"}],
                "choices": choices,
            }
        ],
    }
    flows.create_flow("f", definition)
    flows.start("f", {"n": 2}, execution_name="one")
    flows.wait("f", "one")

    graph = shown(flows, definition)

    assert [node["state"] for node in graph["nodes"] if node["name"] == "same"] == ["not reached", "done"]
