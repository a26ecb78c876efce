"""Flows as Mermaid text."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fc_callback.flows import parse_flow
from fc_callback.flows.graph import flow_graph
from fc_callback.flows.picture import draw_graph

LEGACY = """
version: v1
type: flow
steps:
  - type: task
    name: charge
    resourceArn: acs:fc:::services/s/functions/charge
    pattern: waitForCallback
    retry: [{errors: [FC.Unknown, Busy], maxAttempts: 2}]
    catch: [{errors: [FnF.ALL], goto: sorry}]
  - type: choice
    name: which
    choices:
      - condition: $.n > 3
        steps: [{type: pass, name: many}]
        goto: good
      - condition: $.n < 1
        steps: [{type: wait, name: nap, duration: 3}]
  - type: parallel
    name: both
    branches:
      - steps: [{type: pass, name: left}, {type: pass, name: then}]
      - steps:
          - type: foreach
            name: each
            iterationMapping: {collection: $.items, item: item}
            steps: [{type: pass, name: inner}]
  - {type: succeed, name: good}
  - {type: fail, name: sorry, error: Sorry}
"""
CLOUDFLOW = """
Type: StateMachine
SpecVersion: v1
Name: f
StartAt: Which
States:
  - Type: Choice
    Name: Which
    Branches: [{Condition: $Input.n > 3, Next: All}]
    Default: Sorry
  - Type: Map
    Name: All
    ItemsPath: $Input.items
    Processor: {StartAt: In, States: [{Type: Pass, Name: In, End: true}]}
    Retry: [{Errors: [Busy], MaxAttempts: 1, IntervalSeconds: 1}]
    Catch: [{Errors: [Bad], Next: Sorry}]
    End: true
  - {Type: Fail, Name: Sorry, Code: Sorry}
"""


def picture_of(definition: str | dict[str, Any], states: Any = None) -> str:
    text = definition if isinstance(definition, str) else json.dumps(definition)
    return draw_graph(flow_graph(parse_flow(text)), states)


def test_steps_of_serverless_workflow_are_drawn_with_their_edges() -> None:
    assert picture_of(LEGACY).splitlines() == [
        "flowchart TD",
        '  begin(["start"])',
        '  s1["charge<br/>waits for a report"]',
        '  s2{"which"}',
        '  s6["many"]',
        '  s7("nap<br/>wait")',
        '  subgraph s3["both (in parallel)"]',
        '    subgraph s3b1["branch 1"]',
        '      s8["left"]',
        '      s9["then"]',
        "    end",
        '    subgraph s3b2["branch 2"]',
        '      subgraph s10["each (for each element)"]',
        '        s11["inner"]',
        "      end",
        "    end",
        "  end",
        '  s4(["good"])',
        '  s5[["sorry<br/>fails with Sorry"]]',
        '  finish(["end"])',
        "  begin --> s1",
        '  s1 -.->|"retry FC.Unknown, Busy: 2 times"| s1',
        "  s1 --> s2",
        '  s1 -.->|"catch FnF.ALL"| s5',
        "  s6 --> s4",
        '  s2 -->|"$.n #62; 3"| s6',
        "  s7 --> s3",
        '  s2 -->|"$.n #60; 1"| s7',
        '  s2 -->|"otherwise"| s3',
        "  s8 --> s9",
        "  s3 --> s4",
        "  s4 --> finish",
    ]


def test_states_of_cloudflow_are_drawn_with_their_edges() -> None:
    assert picture_of(CLOUDFLOW).splitlines() == [
        "flowchart TD",
        '  begin(["start"])',
        '  s1{"Which"}',
        '  subgraph s2["All (for each element)<br/>retry Busy: once"]',
        '    s4["In"]',
        "  end",
        '  s3[["Sorry<br/>fails with Sorry"]]',
        '  finish(["end"])',
        "  begin --> s1",
        '  s1 -->|"$Input.n #62; 3"| s2',
        '  s1 -->|"default"| s3',
        "  s2 --> finish",
        '  s2 -.->|"catch Bad"| s3',
    ]


def test_an_execution_shows_its_states_and_what_it_has_not_reached() -> None:
    states = {"s1": "done", "s2": "running", "s4": "waiting"}
    lines = picture_of(CLOUDFLOW, states).splitlines()

    assert [line for line in lines if line.startswith("  class ")] == [
        "  class s1 done", "  class s2 running", "  class s4 waiting", "  class s3 unreached",
    ]  # fmt: skip
    defined = {line.split()[1] for line in lines if line.startswith("  classDef ")}
    assert defined == {"done", "running", "waiting", "failed", "caught", "stopped", "unreached"}


@given(st.text(min_size=1, max_size=128))
def test_a_name_cannot_change_the_picture_around_it(name: str) -> None:
    def states(of: str) -> dict[str, Any]:
        state = {"Type": "Pass", "Name": of, "End": True}
        return {"Type": "StateMachine", "SpecVersion": "v1", "Name": "f", "StartAt": of, "States": [state]}

    try:
        drawn = picture_of(states(name))
    except ValueError:
        return  # no flow may have this name
    plain = picture_of(states("x")).splitlines()
    lines = drawn.split("\n")[:-1]
    assert drawn.splitlines() == lines
    assert [line for line in lines if line not in plain] == [lines[2]] or name == "x"
    label = re.fullmatch(r'  s1\["(.*)"\]', lines[2])
    assert label is not None
    assert not set(label[1]) & set('"<>&%`\\')


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ('a "b" #1', "a #34;b#34; #35;1"),
        ("%%{init: {}}%%", "#37;#37;{init: {}}#37;#37;"),
        ("订单", "订单"),
        ("a\nend", "a end"),
        ("x" * 128, "x" * 79 + "…"),
    ],
)
def test_labels_are_escaped_and_cut(name: str, label: str) -> None:
    state = {"Type": "Pass", "Name": name, "End": True}
    flow = {"Type": "StateMachine", "SpecVersion": "v1", "Name": "f", "StartAt": name, "States": [state]}
    assert f'  s1["{label}"]' in picture_of(flow).splitlines()


def test_a_large_flow_is_drawn_the_same_each_time() -> None:
    steps = [{"type": "pass", "name": f"step{number}"} for number in range(3000)]
    flow = {"version": "v1", "type": "flow", "steps": steps}

    drawn = picture_of(flow)

    assert drawn == picture_of(flow)
    assert drawn.count(" --> ") == 3001


def test_a_deep_flow_is_drawn() -> None:
    step: dict[str, Any] = {"type": "pass", "name": "inside"}
    for number in range(20):
        step = {"type": "parallel", "name": f"around{number}", "branches": [{"steps": [step]}]}
    drawn = picture_of({"version": "v1", "type": "flow", "steps": [step]})
    assert drawn.count("subgraph") == 40
    assert drawn.count("\n" + " " * 82 + "s21") == 1
