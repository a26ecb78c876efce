"""The reference interpreter itself: it knows the documented examples, and says where it cannot know."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.flows.examples import FUNCTIONS, Example, examples
from tests.flows.reference import Answer, AnswersBySite, End
from tests.flows.reference_cloudflow import interpret_cloudflow
from tests.flows.reference_expressions import MISSING, Unsettled, evaluate, select
from tests.flows.reference_legacy import interpret_legacy

STUBS: dict[str, Any] = {function.__name__: function for function in FUNCTIONS}


class ExampleAnswers:
    """The functions of the examples, their third party, and the child flow `c`."""

    def __init__(self, reported_error: str) -> None:
        self.reported_error = reported_error

    def at(self, function: str, event: Any, earlier: int) -> Answer:
        error = {"boom": "Temporary", "c": "ChildBad", "notify": self.reported_error}.get(function)
        if error:
            return Answer("error", error)
        if function == "notify":
            return Answer("result", {"decision": "approved"})
        return Answer("result", STUBS[function](json.dumps(event).encode()))

    def vary(self, function: str, event: Any) -> bool:
        return False


def interpret(example: Example) -> End:
    run = interpret_legacy if example.name.startswith("L") else interpret_cloudflow
    return run(yaml.safe_load(example.definition), example.given, ExampleAnswers(example.reported_error))


@pytest.mark.parametrize("example", [each for each in examples() if each.values[0].status != "TimedOut"])
def test_the_reference_knows_how_the_examples_end(example: Example) -> None:
    end = interpret(example)
    assert (end.status, end.output) == (example.status, example.output)
    if example.status == "Failed":
        assert end.error == example.error


def test_a_retry_makes_the_call_again() -> None:
    assert interpret(examples("L7")[0].values[0]).calls == {"{}": 3}


def task(name: str, site: str, **more: Any) -> dict[str, Any]:
    parameters = {"resourceArn": "acs:fc:::services/s/functions/f", "body": {"site": site}}
    return {"Type": "Task", "Name": name, "Action": "FC:InvokeFunction", "Parameters": parameters, "End": True, **more}


def parallel(*states: dict[str, Any]) -> dict[str, Any]:
    branches = [{"StartAt": state["Name"], "States": [state]} for state in states]
    return {"StartAt": "P", "States": [{"Type": "Parallel", "Name": "P", "Branches": branches, "End": True}]}


def run_parallel(answers: dict[str, list[Answer]], *states: dict[str, Any]) -> End:
    return interpret_cloudflow(parallel(*states), {}, AnswersBySite(answers))


def test_the_call_of_a_branch_beside_a_failed_one_may_not_be_made() -> None:
    end = run_parallel({"a": [Answer("result", {})], "b": [Answer("error", "E")]}, task("A", "a"), task("B", "b"))
    assert (end.error, dict(end.calls), dict(end.possible_calls)) == ("E", {'{"site": "b"}': 1}, {'{"site": "a"}': 1})


@pytest.mark.parametrize(
    ("answers", "states"),
    [
        ({"a": [Answer("error", "A")], "b": [Answer("error", "B")]}, (task("A", "a"), task("B", "b"))),
        ({"a": [Answer("error", "A"), Answer("result", {})]}, (task("A", "a"), task("B", "a"))),
        (
            {"a": [Answer("result", {})]},
            (task("A", "a", GlobalConstructor={"g": 1}), task("B", "a", GlobalConstructor={"g": 2})),
        ),
    ],
    ids=["which-error", "which-answer", "which-writer"],
)
def test_what_time_decides_is_left_open(answers: dict[str, list[Answer]], states: tuple[dict[str, Any], ...]) -> None:
    with pytest.raises(Unsettled):
        run_parallel(answers, *states)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$.a.b[1] == 3 && ($.flag || $.no)", True),
        ("$.missing != 1", False),
        ("$.a.b[0] == `2`", False),
        ("$.a.b[0] < $.a.b[1]", True),
        ("$.flag", True),
        ('length(["x", {"y": 1}])', 2),
        ("intAdd($.a.b[0], -5)", -3),
        ("$.missing", MISSING),
        ('stringToJson(\'{"a": [1, {"b": 2}]}\').a[1].b', 2),
    ],
)
def test_an_expression_has_the_value_that_the_documentation_says(text: str, value: Any) -> None:
    known = {"a": {"b": [2, 3]}, "flag": True}
    assert evaluate(text, lambda root, parts: select(known, parts)) == value
