"""Conditions of both languages: what is true, and what is false without a word."""

from __future__ import annotations

from typing import Any

import pytest

from fc_callback.flows import DefinitionError, UnsupportedDefinition
from fc_callback.flows.expressions import parse_condition, parse_legacy_condition
from fc_callback.flows.paths import Values

INPUT = {
    "status": "ready",
    "empty": "",
    "n": 3,
    "f": 3.0,
    "neg": -1,
    "zero": 0,
    "one": 1,
    "yes": True,
    "no": False,
    "word": "true",
    "nothing": None,
    "list": [1, True],
    "map": {"a": {"b": 2}},
    "faceIndex": 1,
    "faceCount": 2,
}
CASES = [
    # documented
    ('$.status == "ready"', True),
    ("$.status == `ready`", True),
    ('$.status != "ready"', False),
    ("$.n > 2", True),
    ("$.n >= 3 && $.n <= 3", True),
    ("$.n < 3", False),
    ("$.n == 3.0", True),
    ("$.n > 2.5", True),
    ("$.neg == -1", True),
    ("$.faceIndex < $.faceCount", True),
    ("$.yes && ($.n >= 4000 || $.f >= $.n)", True),
    ("$.no || $.n >= 4000 || $.f > $.n", False),
    ("$.yes || $.no && $.no", True),
    ("($.yes || $.no) && $.no", False),
    ("true", True),
    ("false", False),
    ('$.status > "apple"', True),
    ('$.status < "Z"', False),
    ("3 < $.list[0]", False),
    ("$.list[0] == 1", True),
    ("$.map.a.b == 2", True),
    # a bare value is true only if it is the boolean true
    ("$.yes", True),
    ("$.no", False),
    ("$.one", False),
    ("$.status", False),
    ("$.word", False),
    ("$.nothing", False),
    ("$.map", False),
    ("$.list", False),
    ("1", False),
    ('"true"', False),
    ("$.yes == true", True),
    ("$.no == false", True),
    ("$.yes != true", False),
    ("($.n > 2) == true", True),
    # a missing path is false, also with !=
    ("$.nowhere", False),
    ("$.nowhere == 1", False),
    ("$.nowhere != 1", False),
    ("1 != $.nowhere", False),
    ("$.nowhere == $.nowhere", False),
    ("$.map.a.c < 1", False),
    ("$.list[2] != 1", False),
    ("$.nowhere == null", False),
    ("$.nowhere != null", False),
    ("$.nowhere != 1 || $.yes", True),
    ("($.nowhere != 1) == false", True),
    # types that differ are false
    ('$.n == "3"', False),
    ('$.n != "3"', False),
    ('$.n < "4"', False),
    ("$.yes == 1", False),
    ("$.one == true", False),
    ("$.one != true", False),
    ("$.zero == false", False),
    ('$.yes == "true"', False),
    ('$.nothing == "x"', False),
    ("$.yes > $.no", False),
    ("$.list < $.list", False),
    # null, arrays and maps
    ("$.nothing == null", True),
    ("$.nothing != null", False),
    ("$.status != null", True),
    ("$.status == null", False),
    ("$.nothing < null", False),
    ("$.list == $.list", True),
    ("$.list == [1, true]", True),
    ("$.list == [true, 1]", False),
    ("$.list != [1, 1]", True),
    ('$.map == {"a": {"b": 2.0}}', True),
    ("$.list[*] == $.list", True),
    ("$.nowhere[*] == []", True),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_a_condition_means_the_same_in_both_languages(text: str, expected: bool) -> None:
    assert parse_legacy_condition(text, label="the test")(INPUT) is expected
    cloudflow = parse_condition(text.replace("$.", "$Input."), roots=("$Input",), label="the test")
    assert cloudflow(Values({"$Input": INPUT}, pytest.fail)) is expected  # and no missing path is a warning


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("length($Input.list) == 2", True),
        ("length($Input.nowhere) == 2", False),
        ('arrayContains($Input.list, true) && $Input.status == "ready"', True),
        ("get($Input.map, `b`) != 2", False),
        ("$Context.Current.RetryCount < 3 && $Global.done != true", False),
        ("stringToJson('{\"ok\": true}').ok", True),
        ("stringToJson('{}').ok", False),
    ],
)
def test_a_condition_of_cloudflow_has_functions_and_all_its_roots(text: str, expected: bool) -> None:
    roots = ("$Input", "$Context", "$Global")
    values = Values({"$Input": INPUT, "$Context": {"Current": {"RetryCount": 0}}, "$Global": {}}, pytest.fail)
    assert parse_condition(text, roots=roots, label="the test")(values) is expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("$input.a == 1", "reads $input, which does not exist here; there is only the input of the step, like $.name"),
        ("$local.a == 1", "reads $local"),
        (
            "$.a = 1",
            "wrong at character 5: expected is a comparison (== != < <= > >=) or && or || or the end, not '= 1'",
        ),
        ("$.a & $.b", "wrong at character 5"),
        ("$.a == 1 &&", "ends too early: expected is a value"),
        ("($.a == 1", "ends too early"),
        ("$.a == 1 == 2", "wrong at character 10"),
        ("$.a == ready", "'ready', which is neither true, false, null nor the call of a function (character 8)"),
        ("", "ends too early"),
        (True, "a condition is text, not true"),
    ],
)
def test_a_malformed_condition_is_refused_with_the_place_and_what_is_expected(text: object, words: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        parse_legacy_condition(text, label="Step 'c': a condition")
    assert str(refused.value).startswith("Step 'c': a condition: ")
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("length($.list) == 1", "a condition of this language has no functions"),
        ("!$.yes", "the operator '!'"),
        ("$.n + 1 == 4", "the operator '+'"),
    ],
)
def test_a_legacy_condition_with_more_than_is_documented_is_unsupported(text: str, words: str) -> None:
    with pytest.raises(UnsupportedDefinition) as refused:
        parse_legacy_condition(text, label="Step 'c': a condition")
    assert words in str(refused.value)


def test_and_and_or_end_at_the_first_part_that_decides() -> None:
    values = Values({"$Input": INPUT})
    for text, expected in (("$Input.no && length(1) == 1", False), ("$Input.yes || length(1) == 1", True)):
        assert parse_condition(text, roots=("$Input",), label="the test")(values) is expected


def test_conditions_do_not_change_what_they_read() -> None:
    given: dict[str, Any] = {"a": [1, {"b": 2}]}
    parse_legacy_condition("$.a == [1] || $.a[*] == [2]", label="the test")(given)
    assert given == {"a": [1, {"b": 2}]}
