"""The JSON schemas of both languages: an editor accepts each flow that CloudFlow accepts, and marks mistakes of form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft7Validator

from fc_callback.flows import DefinitionError, language_of, parse_flow, read_definition
from fc_callback.flows.json_schema import flow_schema
from fc_callback.flows.layout import CLOUDFLOW, LEGACY
from tests.flows.examples import FLOWS
from tests.flows.flow_strategies import cloudflow_flows, legacy_flows

if TYPE_CHECKING:
    from fc_callback.flows.layout import Layout
    from tests.flows.random_flows import RandomFlow

CHECKED = Path(__file__).parents[1] / "checking" / "flows"
VALIDATORS = {language: Draft7Validator(flow_schema(language)) for language in ("legacy", "cloudflow")}


def problems(document: dict[str, Any]) -> list[str]:
    language = language_of(document)
    assert language is not None
    return [error.message for error in VALIDATORS[language].iter_errors(document)]


@pytest.mark.parametrize("language", VALIDATORS)
def test_a_schema_is_a_schema(language: str) -> None:
    Draft7Validator.check_schema(VALIDATORS[language].schema)


@pytest.mark.parametrize("path", sorted(FLOWS.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_example_flow_is_valid(path: Path) -> None:
    assert problems(read_definition(path.read_text(encoding="utf-8")).data) == []


@pytest.mark.parametrize("path", sorted(CHECKED.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_flow_after_a_published_pattern_is_valid_unless_it_has_an_unknown_field(path: Path) -> None:
    found = problems(read_definition(path.read_text(encoding="utf-8")).data)

    assert all("Additional properties" in one for one in found), found
    assert bool(found) is ("mistakes" in path.stem)


@pytest.mark.parametrize("language", ["legacy", "cloudflow"])
def test_every_random_flow_is_valid(language: str) -> None:
    @settings(suppress_health_check=[HealthCheck.too_slow])
    @given(flow=legacy_flows if language == "legacy" else cloudflow_flows)
    def check(flow: RandomFlow) -> None:
        assert problems(flow.definition) == []

    check()


LEGACY_STEP = {"type": "task", "name": "work", "resourceArn": "acs:fc:::functions/work"}
STATE = {
    "Type": "Task",
    "Name": "Work",
    "Action": "FC:InvokeFunction",
    "Parameters": {"resourceArn": "acs:fc:::functions/work"},
    "End": True,
}


def legacy(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"version": "v1", "type": "flow", "steps": list(steps), **more}


def cloudflow(*states: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"Type": "StateMachine", "SpecVersion": "v1", "StartAt": "Work", "States": list(states), **more}


INNER = {"StartAt": "Work", "States": [STATE]}
BROKEN: list[tuple[str, dict[str, Any]]] = [
    ("no-steps", legacy()),
    ("version", legacy(LEGACY_STEP, version="v2")),
    ("kind", legacy({"type": "map", "name": "a"})),
    ("no-name", legacy({"type": "pass"})),
    ("name", legacy({"type": "pass", "name": "a b"})),
    ("pattern", legacy({**LEGACY_STEP, "pattern": "waitForever"})),
    ("timeout-word", legacy({**LEGACY_STEP, "timeoutSeconds": "soon"})),
    ("timeout-zero", legacy({**LEGACY_STEP, "timeoutSeconds": 0})),
    ("arn", legacy({**LEGACY_STEP, "resourceArn": "work"})),
    ("arn-and-action", legacy({**LEGACY_STEP, "action": "ocr:Do"})),
    ("no-arn", legacy({"type": "task", "name": "a"})),
    ("no-target", legacy({**LEGACY_STEP, "inputMappings": [{"source": "$input.a"}]})),
    ("no-source", legacy({**LEGACY_STEP, "inputMappings": [{"target": "a"}]})),
    ("no-errors", legacy({**LEGACY_STEP, "catch": [{"errors": [], "goto": "work"}]})),
    ("interval", legacy({**LEGACY_STEP, "retry": [{"errors": ["A"], "intervalSeconds": 100_000}]})),
    ("wait-both", legacy({"type": "wait", "name": "a", "duration": 1, "timestamp": "2020-01-01T00:00:00Z"})),
    ("wait-none", legacy({"type": "wait", "name": "a"})),
    ("wait-long", legacy({"type": "wait", "name": "a", "duration": 200_000})),
    ("end", legacy({**LEGACY_STEP, "end": "yes"})),
    ("no-choices", legacy({"type": "choice", "name": "a"})),
    ("no-condition", legacy({"type": "choice", "name": "a", "choices": [{"goto": "a"}]})),
    ("deep", legacy({"type": "parallel", "name": "a", "branches": [{"steps": [{"type": "task", "name": "b"}]}]})),
    (
        "no-item",
        legacy({"type": "foreach", "name": "a", "iterationMapping": {"collection": "$.a"}, "steps": [LEGACY_STEP]}),
    ),
    ("no-states", cloudflow()),
    ("no-start", {key: value for key, value in cloudflow(STATE).items() if key != "StartAt"}),
    ("mode", cloudflow({**STATE, "TaskMode": "WaitForToken"})),
    ("no-next", cloudflow({"Type": "Pass", "Name": "Work"})),
    ("end-false", cloudflow({"Type": "Pass", "Name": "Work", "End": False})),
    ("seconds", cloudflow({"Type": "Wait", "Name": "Work", "Seconds": 301, "End": True})),
    ("until", cloudflow({"Type": "Wait", "Name": "Work", "Seconds": 1, "UntilDateTime": "x", "End": True})),
    ("seconds-both", cloudflow({"Type": "Wait", "Name": "Work", "Seconds": 1, "Seconds.$": "$Input.s", "End": True})),
    ("timeout", cloudflow({**STATE, "Timeout": 700_000})),
    ("timeout-both", cloudflow({**STATE, "Timeout": 1, "Timeout.$": "$Input.t"})),
    ("retry", cloudflow({**STATE, "Retry": [{"Errors": ["A"], "MaxAttempts": 1}]})),
    ("catch", cloudflow({**STATE, "Catch": [{"Errors": ["A"]}]})),
    ("constructor", cloudflow({**STATE, "OutputConstructor": "$Output"})),
    ("invocation", cloudflow({**STATE, "Parameters": {**STATE["Parameters"], "invocationType": "async"}})),  # type: ignore[dict-item]
    ("no-arn-of-fc", cloudflow({**STATE, "Action": "FC::InvokeFunction", "Parameters": {"body": {}}})),
    ("no-parameters", cloudflow({key: value for key, value in STATE.items() if key != "Parameters"})),
    ("branch", cloudflow({"Type": "Choice", "Name": "Work", "Branches": [{"Next": "Work"}]})),
    ("no-branches", cloudflow({"Type": "Parallel", "Name": "Work", "Branches": [], "End": True})),
    ("no-processor", cloudflow({"Type": "Map", "Name": "Work", "ItemsPath": "$Input.a", "End": True})),
    (
        "deep-state",
        cloudflow(
            {
                "Type": "Map",
                "Name": "Work",
                "ItemsPath": "$Input.a",
                "End": True,
                "Processor": {"StartAt": "W", "States": [{"Type": "Task", "Name": "W", "End": True}]},
            }
        ),
    ),
]


@pytest.mark.parametrize("document", [one for _, one in BROKEN], ids=[name for name, _ in BROKEN])
def test_a_broken_flow_is_not_valid_and_cloudflow_refuses_it_too(document: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError):
        parse_flow(json.dumps(document))

    assert problems(document) != []


@pytest.mark.parametrize("kind", [*LEGACY.kinds, *CLOUDFLOW.kinds])
def test_a_misspelt_field_is_marked_in_every_kind_of_step(kind: str) -> None:
    layout, make = (LEGACY, legacy) if kind in LEGACY.kinds else (CLOUDFLOW, cloudflow)
    step = {"Type" if layout is CLOUDFLOW else "type": kind, "Name" if layout is CLOUDFLOW else "name": "Work"}

    assert any("'Nmae' was unexpected" in one for one in problems(make({**step, "Nmae": 1})))


@pytest.mark.parametrize("layout", [LEGACY, CLOUDFLOW], ids=["legacy", "cloudflow"])
def test_a_schema_knows_each_field_of_the_layout(layout: Layout) -> None:
    text = json.dumps(flow_schema("cloudflow" if layout is CLOUDFLOW else "legacy"))

    names = {*layout.flow, *(name for group in (layout.kinds, layout.parts) for one in group.values() for name in one)}
    assert {name for name in names if f'"{name}"' not in text} == set()


@pytest.mark.parametrize("language", VALIDATORS)
def test_a_schema_has_no_text_that_a_template_would_replace(language: str) -> None:
    text = json.dumps(flow_schema(language), indent=2)  # type: ignore[arg-type]  # one of the two

    assert not {"{{", "}}", "{%", "<%"} & {text[index : index + 2] for index in range(len(text))}
