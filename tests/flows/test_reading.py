"""Definitions as text: types, lines, and the part that an error is about."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import yaml

from fc_callback.flows import DefinitionError, UnsupportedDefinition, parse_flow, read_definition, yaml_values
from fc_callback.flows.targets import unreplaced_placeholder

STEPS = "version: v1\ntype: flow\nsteps:\n  - {type: pass, name: one}\n"
STATES = "Type: StateMachine\nSpecVersion: v1\nName: f\nStartAt: one\nStates:\n  - {Type: Pass, Name: one, End: true}\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("010", "010"),
        ("12:30:45", "12:30:45"),
        ("2020-01-01", "2020-01-01"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("true", True),
        ("~", None),
        ("10", 10),
        ("1e3", 1000.0),
    ],
)
def test_a_scalar_has_a_type_of_json_or_stays_text(text: str, value: Any) -> None:
    assert read_definition(f"a: {text}").data["a"] == value


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: 1\nb: [1\n", 3), ("a: 1\nb:\n  c: 1\n  c: 2\n", 4), ("a: 1\n1: 2\n", 2)],
    ids=["syntax", "twice", "number as key"],
)
def test_an_unreadable_text_names_the_line(text: str, line: int) -> None:
    with pytest.raises(DefinitionError, match=rf"line {line}") as caught:
        read_definition(text)

    assert caught.value.line == line


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (STEPS + "  - {type: pass}\n", ("steps", 1)),
        (STEPS + "  - {type: pass, name: one}\n", ("steps", 1)),
        (STEPS + "  - {type: task, name: t, resourceArn: 'acs:fc:::functions/f', catch: [{errors: [x], goto: y}]}\n", ("steps", 1)),
        (STATES + "  - {Type: Pass, Name: two}\n", ("States", 1)),
        (STATES + "  - {Type: Pass, Name: two, Next: three}\n", ("States", 1)),
        (STATES + "  - {Type: Pass, Name: two, End: true, OutputConstructor: {a.$: '$Nowhere'}}\n", ("States", 1, "OutputConstructor", "a.$")),
    ],
)  # fmt: skip
def test_an_error_about_a_step_names_its_place_even_where_it_has_no_name(
    text: str, place: tuple[str | int, ...]
) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse_flow(text)

    assert caught.value.place == place
    assert not isinstance(caught.value, UnsupportedDefinition)
    assert read_definition(text).line(*place) == len(text.splitlines())


@pytest.mark.parametrize(
    "text",
    [
        STATES + "  - {Type: Map, Name: two, ItemReader: {}}\n",
        STATES + "  - {Type: Pass, Name: two, End: true, OutputConstructor: {a.$: intSub(1)}}\n",
        STATES + "  - {Type: Pass, Name: two, End: true, OutputConstructor: {a.$: $Input.a + 1}}\n",
    ],
    ids=["distributed Map", "function", "operator"],
)
def test_what_only_the_real_service_runs_is_told_from_a_mistake(text: str) -> None:
    with pytest.raises(UnsupportedDefinition, match=r"not supported here|the local CloudFlow does not have") as caught:
        parse_flow(text)

    assert caught.value.place[1] == 1


def test_json_is_read_too_and_its_lines_are_known() -> None:
    definition = read_definition('{\n"States": [\n{"Name": "one"},\n{"Name": "two"}]}')

    assert definition.line("States", 1, "Name") == 4
    assert definition.line("States", 7) == 2
    assert definition.line("Nowhere") == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}", {"b": 1, "c": 3}),
        ("a: [&x {b: 1}, &y {b: 2, c: 3}]\nd: {<<: [*x, *y]}", {"b": 1, "c": 3}),
        ("a: &x [1]\nd: [*x, *x]", [[1], [1]]),
        ("a: &x 1\nb: &x 2\nd: *x", 2),
        ("d: !!str 1", "1"),
        ("d: !!float 1", 1.0),
        ("d: !!null ''", None),
        ("d: '1'", "1"),
        ("d: |\n  a\n  b\n", "a\nb\n"),
        ("d: +1", 1),
        ("d: .5", 0.5),
        ("d:", None),
    ],
)
def test_aliases_merge_keys_and_tags_mean_what_yaml_says(text: str, value: Any) -> None:
    read = read_definition(text).data["d"]

    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    "text",
    ["a: &x [*x]", "a: *x", "a: {<<: 1}", "a: {<<: [1]}", "a: !!int x", "a: !!int 010", "a: !!binary YQ==", "a: 1\n---\nb: 2",
     "a: !other 1", "a: !!set {b}", "a: \x07", 'a: "\\UFFFFFFFF"', "a: " + "1" * 5000, "a: 1e999", '{"a": NaN}', '{"a": "\\ud800"}'],
)  # fmt: skip
def test_what_json_cannot_hold_is_unreadable(text: str) -> None:
    with pytest.raises(DefinitionError, match="neither YAML nor JSON"):
        read_definition(text)


KEYS = 40_000  # one of 20,000 that takes the square of the time would still end within the deadline
MANY_KEYS = "".join(f"  key{i}: {i}\n" for i in range(KEYS))
MANY_MEMBERS = json.dumps({f"key{i}": i for i in range(KEYS)})


@pytest.mark.parametrize(
    "text",
    [
        f"{STEPS}  - data:\n" + MANY_KEYS.replace("  key", "      key"),
        f"steps: {MANY_MEMBERS}",
        f'{{"steps": {MANY_MEMBERS}}}',
        "steps:\n" + "- {}\n" * KEYS,
        "steps: " + '"' + "{[" * KEYS + '"',
    ],
    ids=["YAML", "JSON in YAML", "JSON", "list", "brackets in a text"],
)
def test_tens_of_thousands_of_keys_are_read_in_time(text: str) -> None:
    began = time.monotonic()

    assert read_definition(text).line("steps") in {1, 3}
    assert time.monotonic() - began < 20


def test_the_lines_of_many_places_are_read_once() -> None:
    definition = read_definition("States:\n" + "- {Name: one}\n" * KEYS)
    began = time.monotonic()

    assert [definition.line("States", index) for index in range(KEYS)] == list(range(2, KEYS + 2))
    assert time.monotonic() - began < 20


@pytest.fixture(params=["libyaml", "pure"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "pure":
        monkeypatch.setattr(yaml_values, "_LOADER", yaml.SafeLoader)


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("count", [151, 20_000, 300_000])
@pytest.mark.parametrize(
    ("opening", "closing"),
    [("[", "]"), ("{a: ", "}"), ('{"a":', "}"), ("[{a: ", "}]"), ("- ", ""), ("? ", "")],
)
def test_a_definition_of_only_brackets_is_refused_in_time(opening: str, closing: str, count: int) -> None:
    began = time.monotonic()
    for text in (
        opening * count + "1" + closing * count,
        opening * count,
        f'{{"a": {opening * count}1{closing * count}}}',
    ):
        with pytest.raises(DefinitionError):
            read_definition(text)
    assert time.monotonic() - began < 20


def test_json_is_refused_at_the_depth_at_which_yaml_is() -> None:
    for depth, is_read in ((yaml_values.MAX_DEPTH, True), (yaml_values.MAX_DEPTH + 1, False)):
        value: Any = 1
        for _ in range(depth - 1):
            value = {"a": value}
        for text in (json.dumps(value), f"# YAML\n{json.dumps(value)}"):
            if is_read:
                assert read_definition(text).data == value
            else:
                with pytest.raises(DefinitionError, match="nested deeper than 150 levels"):
                    read_definition(text)


def _bomb(first: str, entry: str, between: str = "") -> str:
    """Return anchors of which each names the one before it ten times: a hundred million values."""
    lines = [f"a0: &a0 {first}"]
    lines += [f"a{i}: &a{i} [" + ", ".join([entry.format(f"*a{i - 1}")] * 10) + f"]{between}" for i in range(1, 9)]
    return "\n".join(lines)


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    "text",
    [
        _bomb("x", "{}"),
        _bomb("{b: c}", "{{d: {} }}"),
        f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 50_000)}]",
        f"a: &a {{{'x' * 1000}: 1}}\nb: [{', '.join(['*a'] * 50_000)}]",
        "a0: &a0\n" + MANY_KEYS + "".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 50)}]}}\n" for i in range(1, 50)),
        "a0: &a0 1\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 20_000)),
        "[" + "1," * 500_000 + "1]",
        "a: " + "x" * 1_048_576,
    ],
    ids=["lists", "mappings", "a long text", "long keys", "merge keys", "a chain", "a list of 1 MiB", "over 1 MiB"],
)  # fmt: skip
def test_aliases_cannot_make_a_small_definition_large(text: str) -> None:
    began = time.monotonic()
    with pytest.raises(DefinitionError, match=r"more than|deeper than"):
        read_definition(text)
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    "value", ["!Ref fn", "!GetAtt fn.Arn", "!Sub '${fn.Arn}'", "!Join ['', [a]]", "!Select {a: 1}"]
)
def test_a_tag_of_a_template_is_named_for_what_it_is(value: str) -> None:
    tag = value.split(maxsplit=1)[0]
    with pytest.raises(
        DefinitionError, match=rf"^Fun or ROS replaces {tag} before CreateFlow: .* \(line 5\)"
    ) as caught:
        read_definition(f"{STEPS}  - resourceArn: {value}\n")

    assert caught.value.line == 5


@pytest.mark.parametrize(
    ("resource", "found"),
    [
        ("${fn.Arn}", "${fn.Arn}"),
        ("acs:fc:::services/${svc.ARN}/functions/f", "${svc.ARN}"),
        ({"Ref": "fn"}, "Ref"),
        ({"Fn::GetAtt": ["fn", "Arn"]}, "Fn::GetAtt"),
    ],
)
def test_a_placeholder_in_a_resource_is_named_for_what_it_is(resource: object, found: str) -> None:
    assert (unreplaced_placeholder(resource) or "").startswith(f"Fun or ROS replaces {found} before CreateFlow")


@pytest.mark.parametrize(
    "resource", ["acs:fc:::services/s/functions/f", "acs:fc:::functions/f$LATEST", "$.arn", {}, {"a": 1}, None, 7]
)
def test_an_arn_without_placeholders_has_none(resource: object) -> None:
    assert unreplaced_placeholder(resource) is None
