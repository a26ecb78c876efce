"""Mappings of the legacy language: paths, constants, and what leads nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from fc_callback.flows import DefinitionError, EvaluationContext
from fc_callback.flows.fields import Fields
from fc_callback.flows.mappings import apply_mappings, parse_mappings
from fc_callback.flows.paths import parse_input_path

ROOTS = ("input", "local", "context")
VALUES: dict[str, Any] = {
    "input": {"a": {"b": [1, {"c": 2}]}, "events": [{"oss": {"key": "k"}}], "nothing": None},
    "local": [{"a": [1, 2], "n": 1}, {"a": [3]}, {"n": None}],
}


def parse(sources: dict[str, Any], roots: tuple[str, ...] = ROOTS, warnings: list[str] | None = None) -> Any:
    entries = [{"target": target, "source": source} for target, source in sources.items()]
    fields = Fields("Step 's'", {"inputMappings": entries})
    mappings = parse_mappings(fields, "inputMappings", roots=roots)
    assert warnings is not None or not fields.warnings
    if warnings is not None:
        warnings += [warning.message for warning in fields.warnings]
    return mappings


def read(source: Any, missing: list[str] | None = None, **context: Any) -> Any:
    missing = [] if missing is None else missing
    given = EvaluationContext(
        flow_name="f", execution_name="e", execution_input={}, event_id=7, missing=missing.append, **context
    )
    return apply_mappings(parse({"t": source}), VALUES, given)["t"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("$input", VALUES["input"]),
        ("$input.a.b", [1, {"c": 2}]),
        ("$input.a.b[1].c", 2),
        ("$input.events[0].oss.key", "k"),
        ("$input.nothing", None),
        ("$local", VALUES["local"]),
        ("$local[1].a", [3]),
        ("$local[*].a", [[1, 2], [3]]),
        ("$local[*].a[*]", [1, 2, 3]),
        ("$local[*].n", [1, None]),
        ("$local[*].nowhere", []),
        ("$context.execution.name", "e"),
        ("$context.flow.name", "f"),
        ("$context.step.eventId", 7),
        (50, 50),
        ("", ""),
        (None, None),
        ({}, {}),
        ([1, "$input.a", {"b": "$local"}], [1, "$input.a", {"b": "$local"}]),
        ("input.a", "input.a"),
    ],
)
def test_a_source_has_its_value_and_warns_of_nothing(source: Any, expected: Any) -> None:
    missing: list[str] = []
    value = read(source, missing)
    assert (value, type(value), missing) == (expected, type(expected), [])


def test_a_task_reads_its_token() -> None:
    assert read("$context.task.token", task_token="t") == "t"


@pytest.mark.parametrize(
    "source", ["$input.nowhere", "$input.a.b[2]", "$local.a", "$input.nothing.a", "$context.task.token"]
)
def test_a_source_that_leads_nowhere_is_null_and_says_so(source: str) -> None:
    missing: list[str] = []
    assert read(source, missing) is None
    assert missing == [source]


@pytest.mark.parametrize(
    ("source", "words", "value"),
    [
        ("$inputs.a", "'$inputs.a' is a constant text", "$inputs.a"),
        ("$.a", "'$.a' is a constant text", "$.a"),
        ("$Input.a", "begins with none of $input, $local, $context", "$Input.a"),
        ("$", "is a constant text", "$"),
        ("$context.task.tokn", "'$context.task.tokn' leads nowhere here", None),
        ("$context.flow", "there are $context.task.token, $context.execution.name", None),
    ],
)
def test_a_source_that_cannot_be_what_it_seems_is_a_warning(source: str, words: str, value: Any) -> None:
    warnings: list[str] = []
    mappings = parse({"t": source}, warnings=warnings)
    assert len(warnings) == 1
    assert warnings[0].startswith("an entry of Step 's': inputMappings: ")
    assert words in warnings[0]
    given = EvaluationContext(flow_name="f", execution_name="e", execution_input={})
    assert apply_mappings(mappings, VALUES, given) == {"t": value}


@pytest.mark.parametrize(
    ("source", "roots", "words"),
    [
        ("$input..b", ROOTS, "'$input..b' is not a path; a path has .name, [0] and [*]"),
        ("$input.list[?(@.x)]", ROOTS, "is not a path"),
        ("$local[1:2]", ROOTS, "is not a path"),
        ("$local['a']", ROOTS, "is not a path"),
        ("$input.a", ("local",), "cannot be read here, only $local"),
    ],
)
def test_a_source_that_is_no_path_is_refused(source: str, roots: tuple[str, ...], words: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        parse({"t": source}, roots)
    assert words in str(refused.value)


def test_no_mappings_differ_from_an_empty_list() -> None:
    assert parse_mappings(Fields("Step 's'", {}), "inputMappings", roots=ROOTS) is None
    assert parse({}) == ()


def test_an_input_path_reads_a_member_of_the_steps_input() -> None:
    missing: list[str] = []
    assert parse_input_path("$.a.b[0]", "Step 'w': 'duration'").read(VALUES["input"], missing.append) == 1
    assert parse_input_path("$.a.c", "Step 'w': 'duration'").read(VALUES["input"], missing.append) is None
    assert missing == ["$.a.c"]


@pytest.mark.parametrize("text", ["$", "$input.a", "a", "$.a..b", "$a", 5, None])
def test_what_is_no_input_path_is_refused(text: object) -> None:
    with pytest.raises(DefinitionError, match=r"Step 'w': 'duration': .* is not a path; .* is \$\.name"):
        parse_input_path(text, "Step 'w': 'duration'")
