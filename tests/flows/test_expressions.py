"""Expressions: what they read, what they cannot be, and with which words they are refused."""

from __future__ import annotations

from typing import Any

import pytest

from fc_callback.flows.expressions import parse_expression
from fc_callback.flows.paths import Values

ROOTS = ("$Input", "$Output", "$Context", "$Global")
INPUT = {
    "name": "Tom",
    "list": [{"x": 1, "tags": ["a", "b"]}, {"x": 2}, {"tags": ["c"]}],
    "größe-1": {"日本": [None, False]},
    "nothing": None,
}


def evaluate(text: str, missing: list[str] | None = None, **roots: Any) -> Any:
    seen: list[str] = [] if missing is None else missing
    values = Values({"$Input": INPUT, **{f"${name}": value for name, value in roots.items()}}, seen.append)
    return parse_expression(text, roots=ROOTS, label="the test")(values)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$Input.name", "Tom"),
        (" $Input.name\n", "Tom"),
        ("$Input.list[1].x", 2),
        ("$Input.list[ 1 ].x", 2),
        ("$Input.list[*].x", [1, 2]),
        ("$Input.list[*].tags[*]", ["a", "b", "c"]),
        ("$Input.list[*].nowhere", []),
        ("$Input.größe-1.日本[1]", False),
        ("$Input.nothing", None),
        ("-1.5", -1.5),
        ("-0", 0),
        ("1e3", 1000.0),
        ("null", None),
        ("true", True),
        ('"a\\u00e9\\n"', "aé\n"),
        ("'it\\'s'", "it's"),
        ("`a\\b`", "a\\b"),
        ('["Tom", 10, [], {}]', ["Tom", 10, [], {}]),
        ('{"a": {"b": $Input.name}, `c`: [$Input.list[0].x]}', {"a": {"b": "Tom"}, "c": [1]}),
        ("(($Input.name))", "Tom"),
        ("stringToJson('{\"a\": [1, {\"b\": 2}]}').a[1].b", 2),
        ("stringToJson('[{\"b\": 1}, {\"b\": 2}]')[*].b", [1, 2]),
        ("$Input.list[0].x < 2", True),
        ('{"same": $Input.name == "Tom" && length($Input.list) == 3}', {"same": True}),
    ],
)  # fmt: skip
def test_an_expression_has_its_value_and_warns_of_nothing(text: str, expected: Any) -> None:
    missing: list[str] = []
    value = evaluate(text, missing)
    assert (value, type(value), missing) == (expected, type(expected), [])
