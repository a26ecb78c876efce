"""Expressions: what they read, what they cannot be, and with which words they are refused."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fc_callback.flows import DefinitionError, FlowError, UnsupportedDefinition
from fc_callback.flows.expressions import (
    parse_condition,
    parse_constructor,
    parse_expression,
    parse_legacy_condition,
)
from fc_callback.flows.paths import Values
from fc_callback.local import LocalCloudFlow
from tests.profiles import by_profile

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


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("$Input.missing.deeper", "$Input.missing.deeper"),
        ("$Input.list[9]", "$Input.list[9]"),
        ("$Input.nothing.a", "$Input.nothing.a"),
        ("$Input.name[0]", "$Input.name[0]"),
        ("$Input.list.x", "$Input.list.x"),
        ("$Output.a", "$Output.a"),
        ("stringToJson('{}').a.b", "stringToJson(...).a.b"),
        ("get($Input.list, 3)", "get(...)"),
    ],
)
def test_a_path_that_leads_nowhere_is_null_and_says_so(text: str, path: str) -> None:
    missing: list[str] = []
    assert evaluate(text, missing) is None
    assert missing == [path]
    assert evaluate(f"[{text}, 1]", missing) == [None, 1]
    assert missing == [path, path]


@pytest.mark.parametrize("text", ["$Context.Current.Foo", "$Context.Execution.Input2", "$Context[0]", "[$Context.A]"])
def test_a_path_that_cannot_exist_is_a_warning_when_the_definition_is_read(text: str) -> None:
    warnings: list[str] = []
    expression = parse_expression(text, roots=ROOTS, label="State 'P': Parameters.a.$", warn=warnings.append)
    assert len(warnings) == 1
    assert warnings[0].startswith("$Context")
    for word in ("leads nowhere", "Current.TaskToken"):
        assert word in warnings[0]
    missing: list[str] = []
    assert expression(Values({"$Context": {"Current": {}}}, missing.append)) in (None, [None])
    assert len(missing) == 1


@pytest.mark.parametrize(
    "text", ["$Context", "$Context.Current", "$Context.Current.Error", "$Context.Current.Output.a.b[0]", "$Global.x"]
)
def test_a_path_that_may_exist_is_no_warning(text: str) -> None:
    parse_expression(text, roots=ROOTS, label="the test", warn=pytest.fail)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "ends too early: expected is a value"),
        ("   ", "ends too early"),
        ('format("x"', "ends too early: expected is ',' or ')'"),
        ("[1, 2", "ends too early: expected is ',' or ']'"),
        ("[1, ]", "wrong at character 5: expected is a value, not ']'"),
        ("{a: 1}", "wrong at character 2: expected is a key in quotes or '}', not 'a: 1}'"),
        ('{"a" 1}', "wrong at character 6: expected is ':'"),
        ("$Input.a)", "wrong at character 9: expected is "),
        ("$Input..b", "wrong at character 7: expected is a comparison"),
        ("$Input.list[?(@.x)]", "wrong at character 12"),
        ("$Input.list[-1]", "wrong at character 12"),
        ("$Input.list[" + "9" * 10 + "]", "wrong at character 12"),
        ("$Input.a\n== 1 ==\n2", "wrong at character 15: expected is && or || or the end"),
        ("1 2", "wrong at character 3"),
        ("007", "wrong at character 2"),
        ("a.b", "wrong at character 2: expected is '('"),
        ("foo", "'foo', which is neither true, false, null nor the call of a function (character 1)"),
        ("[true, True]", "'True', which is neither true, false, null nor the call of a function (character 8)"),
        ('[1, "abc]', 'a text without its closing " from character 5 on'),
        ("'it's'", "character 5"),
        (r'"\d"', "a text that cannot be read"),
        (r'"\ud800"', "a text that cannot be read"),
        ("1e999", "a number that is too large (character 1)"),
        ("9" * 5000, "a number that is too large"),
        ("$input.a", "reads $input, which does not exist here; there is $Input, $Output, $Context, $Global"),
        ("$.a", "reads $, which does not exist here"),
        ("length(1, 2)", "gives length 2 arguments; it takes 1 (character 1)"),
        ("[uuid(1)]", "gives uuid 1 arguments; it takes 0 (character 2)"),
        ("format()", "gives format 0 arguments; it takes at least 1"),
        ("length(" * 11 + "1" + ")" * 11, "nests functions deeper than 10 levels at character 77"),
        ("(" * 51 + "1" + ")" * 51, "nests brackets deeper than 50 levels at character 51"),
    ],
)
def test_a_malformed_expression_is_refused_with_the_place_and_what_is_expected(text: str, words: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        parse_expression(text, roots=ROOTS, label="State 'P': Parameters.a.$")
    assert not isinstance(refused.value, UnsupportedDefinition)
    assert str(refused.value).startswith("State 'P': Parameters.a.$: the expression ")
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[intSub(1, 2)]", "the local CloudFlow does not have the function 'intSub'; it has format, length, split"),
        ("$Input.a + 1", "character 10 on: the local CloudFlow does not have the operator '+'"),
        ("!$Input.a", "character 1 on: the local CloudFlow does not have the operator '!'"),
    ],
)
def test_what_the_real_service_may_have_is_told_from_a_mistake(text: str, words: str) -> None:
    with pytest.raises(UnsupportedDefinition) as refused:
        parse_expression(text, roots=ROOTS, label="the test")
    assert words in str(refused.value)


def test_functions_nest_to_ten_levels_and_brackets_to_fifty() -> None:
    assert evaluate("length(toArray(" * 5 + "1" + "))" * 5) == 1
    assert evaluate("(" * 50 + "1" + ")" * 50) == 1
    assert evaluate("(true && " * 50 + "$Input.list[0].x == 1" + ")" * 50) is True
    assert evaluate("(false || (1 == 1 && " * 25 + "true" + "))" * 25) is True


@pytest.mark.parametrize(
    "text",
    [
        "[" * 20_000,
        "(" * 10_000 + "1" + ")" * 9_999,
        '{"a":' * 4_000,
        "length(" * 2_800,
        "$Input.a&&" * 1_999 + "true",
        "(true)||" * 2_499 + "true",
        "[" + "1," * 9_998 + "1]",
        "$Input" + ".a" * 9_000,
        "$Input" + "[0]" * 6_000,
        "uuid()" + ".a" * 9_000,
        '"' + "\\a" * 9_990,
        "`" * 20_000,
        "'\\" * 10_000,
        " " * 20_000,
        "-" * 20_000,
        "1" * 20_000,
        "$" * 20_000,
        "1 == " * 4_000,
        "a" * 20_000,
        "[" * 1_000_000,
        "$Input" + ".a" * 1_000_000,
    ],
    ids=lambda text: text[:10],
)  # fmt: skip
@pytest.mark.timeout(30)
def test_a_long_expression_is_refused_or_evaluated_in_time(text: str) -> None:
    begun, message = time.monotonic(), ""
    try:
        evaluate(text)
    except DefinitionError as refused:
        message = str(refused)
    assert time.monotonic() - begun < 5
    assert len(message) < 2_000


def constructor(value: object) -> Any:
    return parse_constructor(value, roots=ROOTS, label="State 'P': OutputConstructor")


def test_a_constructor_evaluates_the_keys_that_end_in_the_suffix_and_no_others() -> None:
    built = constructor({"a.$": "$Input.name", "b": "$Input.name", "c": [{"d.$": "$Input.list[0].x"}, 1], "e": {}})
    assert built(Values({"$Input": INPUT})) == {"a": "Tom", "b": "$Input.name", "c": [{"d": 1}, 1], "e": {}}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([], "OutputConstructor must be a mapping"),
        ({"a": 1, "a.$": "$Input.a"}, "'a' is given twice"),
        ({"a": {"b.$": 5}}, "OutputConstructor.a.b.$: an expression is text, not 5"),
        ({"a": [{"b.$": "$Input."}]}, "OutputConstructor.a.b.$: the expression '$Input.' is wrong at character 7"),
    ],
)
def test_a_constructor_that_cannot_be_used_is_refused_with_its_key(value: object, words: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        constructor(value)
    assert words in str(refused.value)


@pytest.mark.parametrize("make", [lambda inner: {"a": inner}, lambda inner: [inner]], ids=["maps", "lists"])
def test_a_constructor_may_not_nest_deeper_than_the_stack(make: Any) -> None:
    value: Any = 1
    for _ in range(90):
        value = make(value)
    assert constructor({"a": value})(Values({})) == {"a": value}
    for _ in range(5_000):
        value = make(value)
    with pytest.raises(DefinitionError, match="deeper than 100 levels"):
        constructor({"a": value})


def test_20000_keys_are_read_in_time() -> None:
    value = {f"key{index}.$": f"$Input.list[0].key{index}" for index in range(20_000)}
    begun = time.monotonic()
    constructor(value)
    assert time.monotonic() - begun < 5


def test_a_flow_of_paths_does_not_load_the_grammar() -> None:
    program = (
        "import sys, fc_callback.local, fc_callback.flows as flows\n"
        "flow = '{Type: StateMachine, SpecVersion: v1, StartAt: P, States: [{Type: Pass, Name: P, End: true,"
        " OutputConstructor: {a.$: %s}}]}'\n"
        "flows.parse_flow(flow % '$Input.a')\n"
        "assert 'lark' not in sys.modules\n"
        "flows.parse_flow(flow % 'uuid()')\n"
        "assert 'lark' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("$Context.Execution.Name", "e"),
        ("$Context.Execution.Input.name", "Tom"),
        ("$Context.Current.Name", "P"),
        ("$Context.Current.RetryCount", 0),
        ('format("{} is {}", $Input.name, stringToJson("[7]")[0])', "Tom is 7"),
    ],
)
def test_the_local_cloudflow_evaluates_an_expression(service: LocalCloudFlow, expression: str, expected: Any) -> None:
    state = {"Type": "Pass", "Name": "P", "End": True, "OutputConstructor": {"r.$": expression}}
    service.create_flow("f", {"Type": "StateMachine", "SpecVersion": "v1", "StartAt": "P", "States": [state]})
    service.start("f", {"name": "Tom"}, execution_name="e")
    assert service.wait("f", "e").output == {"r": expected}


# Trees of expressions: each is a text, and a value that the test computes without the package.
class Missing(Exception):
    pass


class Leaf:
    def __init__(self, text: str, value: Any) -> None:
        self.text, self.value = text, value

    def direct(self, strict: bool) -> Any:
        if self.value is Missing:
            if strict:
                raise Missing
            return None
        return self.value


class Node:
    def __init__(self, text: str, parts: list[Any], evaluate: Any, condition: bool = False) -> None:
        self.text, self.parts, self.evaluate, self.condition = text, parts, evaluate, condition

    def direct(self, strict: bool) -> Any:
        if self.condition:
            return self.evaluate(self.parts)
        return self.evaluate([part.direct(strict) for part in self.parts])


def is_true(part: Any) -> bool:
    try:
        return part.direct(True) is True
    except Missing:
        return False


def compared(sign: str) -> Any:
    def evaluate(parts: list[Any]) -> bool:
        try:
            left, right = (part.direct(True) for part in parts)
        except Missing:
            return False
        numbers = all(isinstance(side, int | float) and not isinstance(side, bool) for side in (left, right))
        if "null" in [part.text.strip("( )") for part in parts] and sign in {"==", "!="}:  # in brackets too
            return (left is None and right is None) is (sign == "==")
        if not numbers and type(left) is not type(right):
            return False
        if sign in {"==", "!="}:
            shown = [json.dumps(side, sort_keys=True).replace(".0", "") for side in (left, right)]
            return (shown[0] == shown[1]) is (sign == "==")
        if not numbers and not isinstance(left, str):
            return False
        return bool({"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[sign])

    return evaluate


def joined(parts: list[Any], sign: str) -> str:
    return sign.join(f"({part.text})" for part in parts)


SCALARS = st.sampled_from([None, True, False, 0, 1, -1, 2, 1.0, 1.5, "", "a", "b", 'q"\\', "日本"])
LEAVES = st.one_of(
    SCALARS.map(lambda value: Leaf(json.dumps(value), value)),
    st.sampled_from(
        [
            Leaf("$Input.name", "Tom"),
            Leaf("$Input.list[0].x", 1),
            Leaf("$Input.list[*].x", [1, 2]),
            Leaf("$Input.größe-1", INPUT["größe-1"]),
            Leaf("$Input.nothing", None),
            Leaf("$Input.nowhere", Missing),
            Leaf("$Input.list[9].x", Missing),
        ]
    ),
)  # fmt: skip


def branches(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(children, max_size=3)
    some = st.lists(children, min_size=2, max_size=3)
    return st.one_of(
        several.map(lambda parts: Node(f"[ {' , '.join(part.text for part in parts)} ]", parts, list)),
        several.map(lambda parts: Node(f"toArray({','.join(part.text for part in parts)})", parts, list)),
        several.map(
            lambda parts: Node(
                "{" + ",".join(f'"k{index}":{part.text}' for index, part in enumerate(parts)) + "}",
                parts,
                lambda values: {f"k{index}": value for index, value in enumerate(values)},
            )
        ),
        children.map(lambda part: Node(f"toArray({part.text})[0]", [part], lambda values: values[0])),
        children.map(lambda part: Node(f"( {part.text} )", [part], lambda values: values[0])),
        st.tuples(children, children, st.sampled_from(["==", "!=", "<", "<=", ">", ">="])).map(
            lambda given: Node(
                f"({given[0].text}) {given[2]} {given[1].text}"
                if not isinstance(given[1], Node)
                else f"{joined(list(given[:2]), given[2])}",
                list(given[:2]),
                compared(given[2]),
                condition=True,
            )
        ),
        some.map(lambda parts: Node(joined(parts, "&&"), parts, lambda parts: all(map(is_true, parts)), condition=True)),
        some.map(lambda parts: Node(joined(parts, "||"), parts, lambda parts: any(map(is_true, parts)), condition=True)),
    )  # fmt: skip


@settings(max_examples=by_profile(300, 5000), suppress_health_check=[HealthCheck.too_slow])
@given(tree=st.recursive(LEAVES, branches, max_leaves=12))
def test_any_expression_has_the_value_of_its_parts(tree: Any) -> None:
    if tree.text.count("toArray") > 8:
        return
    expected = tree.direct(False)
    value = evaluate(tree.text)
    assert json.dumps(value) == json.dumps(expected)
    assert parse_condition(tree.text, roots=ROOTS, label="c")(Values({"$Input": INPUT}, pytest.fail)) is is_true(tree)


SNIPPETS = st.sampled_from(
    [*"()[]{},:.$'\"`\\ \n<>=!&|-+*0129eE", "$Input", ".a", "[*]", "length(", "true", "null", "&&", "||", "==", '"a"', "٣"]
)  # fmt: skip


@settings(max_examples=by_profile(500, 20000))
@given(text=st.text(max_size=40) | st.lists(SNIPPETS, max_size=30).map("".join))
def test_any_text_is_an_expression_or_refused_with_words(text: str) -> None:
    for parse in (
        lambda: evaluate(text),
        lambda: parse_legacy_condition(text, label="c")({"a": 1}),
        lambda: parse_condition(text, roots=("$Input",), label="c")(Values({"$Input": {"a": 1}})),
    ):
        with contextlib.suppress(DefinitionError, FlowError):
            parse()
