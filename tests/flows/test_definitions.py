"""Definitions: what is read, what is refused, and with which words."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fc_callback.flows import DefinitionError, parse_flow
from fc_callback.flows.definition import MAX_LEVELS, compact, parse_json, parse_object
from fc_callback.local import ApiError, LocalCloudFlow
from tests.local.raw_client import DATA, RawClient
from tests.profiles import by_profile

if TYPE_CHECKING:
    from collections.abc import Iterator

LEGACY = """
version: v1
type: flow
steps:
  - type: task
    name: work
    resourceArn: acs:fc:::services/s/functions/work
    {more}
  - {{type: pass, name: last}}
"""
CLOUDFLOW = """
Type: StateMachine
SpecVersion: v1
StartAt: Work
States:
  - Type: Task
    Name: Work
    Action: FC:InvokeFunction
    Parameters: {{resourceArn: acs:fc:::functions/work}}
    {more}
    Next: Last
  - {{Type: Pass, Name: Last, End: true}}
"""


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("pattern: waitForever", ["'work'", "'pattern'", "waitForCallback"]),
        ("catch: [{errors: [FnF.ALL], goto: nowhere}]", ["'work'", "'nowhere'"]),
        ("catch: [{errors: [], goto: last}]", ["'work'", "'errors'"]),
        ("retry: [{errors: [A], intervalSeconds: 100000}]", ["'work'", "'intervalSeconds'", "86400"]),
        ("{pattern: sync, serviceParams: {InvocationType: Sync}}", ["'work'", "Async"]),
        ("inputMappings: [{target: a, source: $input..b}]", ["'work'", "'$input..b'"]),
        ("inputMappings: [{target: a, source: '$input.list[?(@.x)]'}]", ["'work'", "is not a path"]),
        ("inputMappings: [{source: $input.a}]", ["'work'", "'target'"]),
        ("errorMappings: [{target: a, source: $input.a}]", ["'work'", "$local"]),
        ("timeoutSeconds: soon", ["'work'", "'timeoutSeconds'"]),
        ("timeoutSeconds: 0", ["'timeoutSeconds' must be a number from 1 to 31536000."]),
        ("resourceArn: acs:mns:::/queues/q/messages", ["given twice"]),
    ],
)
def test_a_legacy_flow_is_refused_with_the_step_and_the_reason(more: str, words: Any) -> None:
    if more.startswith("{"):
        more = "pattern: sync\n    serviceParams: {InvocationType: Sync}"
    with pytest.raises(DefinitionError) as refused:
        parse_flow(LEGACY.format(more=more))
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("TaskMode: WaitForToken", ["'Work'", "WaitForCustomCallback"]),
        ("Catch: [{Errors: [A], Next: Nowhere}]", ["'Work'", "'Nowhere'"]),
        ("Retry: [{Errors: [A], MaxAttempts: 1}]", ["'Work'", "'IntervalSeconds'"]),
        ("OutputConstructor: {a.$: intSub($Output.x)}", ["'Work'", "'intSub'", "jsonMerge"]),
        ("OutputConstructor: {a.$: 'length(1, 2)'}", ["'Work'", "length", "2 arguments"]),
        ("OutputConstructor: {a.$: $Output.x + 1}", ["'Work'", "'+'", "character 11"]),
        ("OutputConstructor: {a.$: 5}", ["'Work'", "an expression is text"]),
        ("OutputConstructor: {a.$: 'format(\"x\"'}", ["'Work'", "ends too early"]),
        ("InputConstructor: {a.$: $Output.x}", ["'Work'", "$Output", "does not exist here"]),
        ("InputConstructor: {a: 1, a.$: $Input.a}", ["'Work'", "given twice"]),
        ("Timeout: 700000", ["'Work'", "'Timeout'", "604800"]),
        ("Timeout: 1\n    Timeout.$: $Input.t", ["'Work'", "both"]),
        ("InputConstructor: {a.$: '" + "length(" * 11 + "1" + ")" * 11 + "'}", ["'Work'", "10 levels"]),
    ],
)
def test_a_cloudflow_flow_is_refused_with_the_state_and_the_reason(more: str, words: Any) -> None:
    with pytest.raises(DefinitionError) as refused:
        parse_flow(CLOUDFLOW.format(more=more))
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        ("", "not a mapping"),
        ("[1]", "not a mapping"),
        ("a: [", "neither YAML nor JSON"),
        ("{}", "'type'"),
        ("{version: v2, type: flow, steps: []}", "'version'"),
        ("{version: v1, type: flow, steps: []}", "at least one step"),
        ("{version: v1, type: flow, steps: [{type: map, name: m}]}", "'map'"),
        ("{version: v1, type: flow, steps: [{type: pass}]}", "number 1"),
        ("{version: v1, type: flow, steps: [{type: pass, name: a b}]}", "letters"),
        ("{version: v1, type: flow, steps: [{type: pass, name: a}, {type: pass, name: a}]}", "two steps"),
        ("{version: v1, type: flow, steps: [{type: wait, name: a}]}", "duration or a timestamp"),
        ("{version: v1, type: flow, steps: [{type: wait, name: a, duration: 200000}]}", "172800"),
        ("{version: v1, type: flow, steps: [{type: wait, name: a, timestamp: tomorrow}]}", "2019-05-02T15:04:05Z"),
        (
            "{version: v1, type: flow, steps: [{type: task, name: a, action: 'ocr:Do', resourceArn: 'acs:fc:::x'}]}",
            "either a resourceArn or an action",
        ),
        ("{version: v1, type: flow, steps: [{type: task, name: a, resourceArn: work}]}", "is not an ARN"),
        (
            "{version: v1, type: flow, steps: [{type: task, name: a, resourceArn: {Ref: work}}]}",
            "replaces Ref before CreateFlow",
        ),
        (
            "{version: v1, type: flow, steps: [{type: task, name: a, resourceArn: '${w.Arn}'}]}",
            "replaces ${w.Arn} before",
        ),
        ("{version: v1, type: flow, steps: [{type: choice, name: a}]}", "'choices'"),
        (
            "{version: v1, type: flow, steps: [{type: parallel, name: a, branches: [{steps: [{type: task, name: b}]}]}]}",
            "Step 'b'",
        ),
        (
            "{version: v1, type: flow, steps: [{type: choice, name: a, choices: [{condition: $.a, goto: b}]}]}",
            "not a step beside it",
        ),
        ("{Type: StateMachine, SpecVersion: v1, StartAt: A, States: []}", "at least one state"),
        ("{Type: StateMachine, SpecVersion: v1, StartAt: B, States: [{Type: Pass, Name: A, End: true}]}", "'B'"),
        (
            "{Type: StateMachine, SpecVersion: v1, StartAt: A, States: [{Type: Pass, Name: A}]}",
            "'Next' nor 'End: true'",
        ),
        (
            "{Type: StateMachine, SpecVersion: v1, StartAt: A, States: [{Type: Wait, Name: A, Seconds: 301, End: true}]}",
            "300",
        ),
        (
            "{Type: StateMachine, SpecVersion: v1, StartAt: A, States: [{Type: Wait, Name: A, UntilDateTime: x, End: true}]}",
            "write 'Seconds'",
        ),
        (
            "{Type: StateMachine, SpecVersion: v1, StartAt: A, States: [{Type: Map, Name: A, ItemReader: {}, End: true}]}",
            "does not have the distributed Map ('ItemReader')",
        ),
        ("{Type: StateMachine, SpecVersion: v1, StartAt: A, States: [{Type: Choice, Name: A}]}", "'Branches'"),
        ("{Type: Machine, SpecVersion: v1, StartAt: A, States: [{Type: Pass, Name: A, End: true}]}", "'Machine'"),
        ("a: 1\na: 2", "given twice"),
        ("1: a", "put it in quotes"),
        ("a: &x [*x]", "neither YAML nor JSON"),
        ("a: !!python/object:os.system {}", "neither YAML nor JSON"),
    ],
)
def test_a_definition_that_cannot_be_run_is_refused_with_words(definition: str, words: Any) -> None:
    with pytest.raises(DefinitionError) as refused:
        parse_flow(definition)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("definition", "place", "words"),
    [
        (LEGACY.format(more="retries: []"), ("steps", 0, "retries"), "Step 'work': the field 'retries' is unknown"),
        (LEGACY.format(more="retry: [{errors: [A], backoff: 2}]"), ("steps", 0, "retry", 0, "backoff"), "'backoff'"),
        (
            CLOUDFLOW.format(more="ResultPath: $"),
            ("States", 0, "ResultPath"),
            "State 'Work': the field 'ResultPath' is unknown",
        ),
        (CLOUDFLOW.format(more="End: false") + "Comment: x", ("Comment",), "The flow: the field 'Comment' is unknown"),
    ],
)
def test_an_unknown_field_is_a_warning_that_names_its_place(definition: str, place: Any, words: str) -> None:
    (warning,) = parse_flow(definition).warnings
    assert words in warning.message
    assert warning.place == place


def test_yamls_traps_are_no_traps(service: LocalCloudFlow) -> None:
    service.create_flow(
        "f",
        """
version: v1
type: flow
steps:
  - type: pass
    name: yes
    outputMappings:
      - {target: date, source: 2019-05-02}
      - {target: moment, source: 2019-05-02T15:04:05Z}
      - {target: country, source: no}
      - {target: octal, source: 010}
      - {target: time, source: 12:30:00}
      - {target: number, source: 1.5e3}
      - {target: flag, source: true}
      - {target: nothing, source: ~}
      - {target: hex, source: 0x10}
      - {target: nan, source: .nan}
""",
    )
    service.start("f", execution_name="e")
    assert service.wait("f", "e").output == {
        "date": "2019-05-02",
        "moment": "2019-05-02T15:04:05Z",
        "country": "no",
        "octal": "010",
        "time": "12:30:00",
        "number": 1500.0,
        "flag": True,
        "nothing": None,
        "hex": "0x10",
        "nan": ".nan",
    }


def test_a_definition_may_be_json_text_or_a_mapping(service: LocalCloudFlow) -> None:
    document = {"version": "v1", "type": "flow", "steps": [{"type": "pass", "name": "p", "outputMappings": []}]}
    service.create_flow("text", json.dumps(document, indent="\t"))
    service.create_flow("mapping", document)
    for flow in ("text", "mapping"):
        service.start(flow, execution_name="e")
        assert service.wait(flow, "e").output == {}


def test_a_flow_is_created_once_unless_it_is_to_be_replaced(service: LocalCloudFlow) -> None:
    def flow(word: str) -> dict[str, object]:
        step = {"type": "pass", "name": "p", "outputMappings": [{"target": "word", "source": word}]}
        return {"version": "v1", "type": "flow", "steps": [step]}

    service.create_flow("f", flow("one"))
    with pytest.raises(ApiError, match="FlowAlreadyExists"):
        service.create_flow("f", flow("two"))
    service.create_flow("f", flow("two"), replace=True)
    service.start("f", execution_name="e")
    assert service.wait("f", "e").output == {"word": "two"}


@pytest.mark.parametrize(
    ("action", "given_parameters", "words"),
    [
        ("CreateFlow", {"ExecutionMode": "Fast"}, "Express"),
        ("StartSyncExecution", {"FlowName": "f", "Qualifier": "2"}, "Qualifier"),
        ("CreateFlow", {"Environment": "{}"}, "Environment"),
        ("CreateFlow", {"Name": "1 flow"}, "name"),
        ("CreateFlow", {"Type": "XML"}, "FDL"),
        ("StartExecution", {"FlowName": "f", "Qualifier": "2"}, "Qualifier"),
        ("StartExecution", {"FlowName": "f", "CallbackFnFTaskToken": "t"}, "TaskToken"),
        ("StartExecution", {"FlowName": "f", "Input": "[1]"}, "Input"),
        ("StartExecution", {"FlowName": "f", "ExecutionName": "a b"}, "name"),
        ("ListExecutions", {"FlowName": "f", "Status": "Done"}, "Status"),
        ("ListFlows", {"Limit": "0"}, "Limit"),
        ("DescribeExecution", {"FlowName": "f", "ExecutionName": "e", "WaitTimeSeconds": "61"}, "WaitTimeSeconds"),
    ],
)
def test_what_is_asked_for_in_vain_is_refused_by_name(
    service: LocalCloudFlow, raw: RawClient, action: str, given_parameters: dict[str, str], words: Any
) -> None:
    definition = '{"version": "v1", "type": "flow", "steps": [{"type": "pass", "name": "p"}]}'
    service.create_flow("f", definition)
    form = dict(given_parameters)
    if action == "CreateFlow":
        form = {"Name": "g", "Definition": definition, "Description": "", "Type": "FDL", **form}
    answer = raw.v1(action, form=form)
    assert (answer.status_code, answer.json()["Code"]) == (400, "InvalidArgument")
    assert words in answer.json()["Message"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=6,
)
EXAMPLES = [
    yaml.safe_load((DATA / "flows" / f"{name}.yaml").read_text().replace("Z\n", "x\n"))
    for name in ("L7", "C1", "C7", "C8")
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        yield from places(part, (*path, key))


@settings(max_examples=by_profile(100, 3000), suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_stands_in_a_definition_it_is_read_or_refused(data: st.DataObject) -> None:
    document = copy.deepcopy(data.draw(st.sampled_from(EXAMPLES)))
    path = data.draw(st.sampled_from(list(places(document))[1:]))
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = data.draw(JSON)
    try:
        parse_flow(json.dumps(document))
    except DefinitionError:
        return


@pytest.mark.parametrize("text", ["1e999", "[-1e999]", '{"a": {"b": 1e400}}', "NaN", "Infinity", '"\\ud800"'])
def test_a_number_without_end_or_half_a_character_is_no_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)
    assert parse_object(f'{{"it": {text}}}') is None


@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_json_nests_to_a_hundred_levels(begin: str, end: str) -> None:
    times = MAX_LEVELS // len(end)
    text = begin * times + "1" + end * times
    assert compact(parse_json(text)) == text
    for deeper in (f"[{text}]", begin * 900 + "1" + end * 900, begin * 100_000 + "1" + end * 100_000):
        with pytest.raises(ValueError, match=r"."):
            parse_json(deeper)


def test_json_with_many_brackets_beside_each_other_is_read() -> None:
    text = "[" + ",".join(["[]", "{}"] * 5_000) + "]"
    assert compact(parse_json(text)) == text
