"""Definitions as text: types, lines, and the part that an error is about."""

from __future__ import annotations

from typing import Any

import pytest

from fc_callback.flows import DefinitionError, UnsupportedDefinition, parse_flow, read_definition

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
    [("a: 1\nb: [1\n", 3), ("a: 1\nb:\n  c: 1\n  c: 2\n", 3), ("a: 1\n1: 2\n", 1)],
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
