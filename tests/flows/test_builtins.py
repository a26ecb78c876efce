"""CloudFlow's built-in functions: the documented examples, the arguments they take, and the bounds of their results."""

from __future__ import annotations

import contextlib
import json
import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fc_callback.flows import FlowError
from fc_callback.flows.builtins import BUILTINS, VALUE_LIMIT_BYTES
from fc_callback.flows.expressions import parse_expression
from fc_callback.flows.paths import Values
from fc_callback.flows.regexes import PatternError, matches
from fc_callback.local import LocalCloudFlow
from tests.profiles import by_profile


def evaluate(text: str, given_input: Any = None) -> Any:
    expression = parse_expression(text, roots=("$Input",), label="the test")
    return expression(Values({"$Input": {} if given_input is None else given_input}, pytest.fail))


DOCUMENTED = [
    ('format("hello {}","world")', "hello world"),
    ("length([1,2,3])", 3),
    ('length({"a": 1, "b": 2})', 2),
    ('length("name")', 4),
    ('arrayContains(["Tom",10],10)', True),
    ('arrayContains(["Tom",10],"Jack")', False),
    ("arrayUnique([1,2,3,1])", [1, 2, 3]),
    (
        'jsonMerge({"name":"Tom","age":10},{"name":"Tom","address":"beijing"})',
        {"name": "Tom", "age": 10, "address": "beijing"},
    ),
    ('stringToJson(\'{"name": "Tom", "age": 10}\')', {"name": "Tom", "age": 10}),
    ('fromBase64("Rm5G")', "FnF"),
    ('hash("abc","MD5")', "900150983cd24fb0d6963f7d28e17f72"),
]
OTHERS = [
    ("format('a{}', `b`)", "ab"),
    ('format("{}{}{}{}", 1, true, null, [1, {"ä": "ö"}])', '1truenull[1,{"ä":"ö"}]'),
    ('format("no place")', "no place"),
    ('length("日本")', 2),
    ("length([])", 0),
    ('split("a,b,,c", ",")', ["a", "b", "", "c"]),
    ('split("a--b", "--")[1]', "b"),
    ('split("", ",")', [""]),
    ('regexMatchString("^[a-z]+$", "abc")', True),
    ('regexMatchString("b", "abc")', True),
    ('regexMatchString("^b", "abc")', False),
    ("get([1, 2], 1)", 2),
    ('get({"a": null}, "a")', None),
    ('get({"a": {"b": 3}}, "a").b', 3),
    ("intAdd(2, -3)", -1),
    ("randomInt(7, 7)", 7),
    ('arrayContains(["Tom", 1], true)', False),
    ("arrayContains([1.0], 1)", True),
    ('arrayContains([[1, {"a": 2, "b": 3}]], [1, {"b": 3, "a": 2}])', True),
    ("arrayContains([[1]], [true])", False),
    ('arrayUnique([1, true, 1.0, "1", [1], [true], [1], null, null, {}, {}])', [1, True, "1", [1], [True], None, {}]),
    ("toArray()", []),
    ('toArray(1, "a", [2])', [1, "a", [2]]),
    ('mapKeys({"b": 1, "a": 2})', ["b", "a"]),
    ('mapValues({"b": 1, "a": [2]})', [1, [2]]),
    ('jsonMerge({"a": 1, "b": {"c": 1}}, {"b": {"d": 1}})', {"a": 1, "b": {"d": 1}}),
    ('fromJSON("[1]")', [1]),
    ("stringToJson('\"text\"')", "text"),
    ('jsonToString({"a": [1, "é"]})', '{"a":[1,"é"]}'),
    ('jsonToString("a")', '"a"'),
    ('stringToJson(jsonToString({"a": [null, "\\""]}))', {"a": [None, '"']}),
    ('toBase64("FnF")', "Rm5G"),
    ('fromBase64(toBase64("日本"))', "日本"),
    ('hash("abc", "SHA-1")', "a9993e364706816aba3e25717850c26c9cd0d89d"),
    ('hash("abc", "SHA-256")', "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ('length(hash("abc", "SHA-512"))', 128),
    ("length(uuid())", 36),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), DOCUMENTED)
def test_a_documented_example_has_its_documented_result(text: str, expected: Any) -> None:
    value = evaluate(text)
    assert (value, type(value)) == (expected, type(expected))


@pytest.mark.parametrize(("text", "expected"), OTHERS)
def test_a_function_has_its_result(text: str, expected: Any) -> None:
    assert json.dumps(evaluate(text)) == json.dumps(expected)


def test_every_function_has_an_example() -> None:
    called = {name for text, _expected in DOCUMENTED + OTHERS for name in re.findall(r"([A-Za-z0-9]+)\(", text)}
    assert called == set(BUILTINS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('format("{}")', "format takes one value for each {}: 1, not 0"),
        ("format(1)", "format takes a template that is text"),
        ("length(5)", "length takes an array, a map or a string"),
        ("length(null)", "length takes"),
        ('split("a", "")', "split takes text and a separator that is not empty"),
        ('split(1, ",")', "split takes"),
        ('regexMatchString("(", "a")', "regexMatchString takes a pattern and text, but it is not a pattern"),
        ('regexMatchString("a", 1)', "regexMatchString takes a pattern and text"),
        ('get([1], "a")', "get takes an array and an index, or a map and a key"),
        ("get([1], true)", "get takes"),
        ('get({"a": 1}, 0)', "get takes"),
        ('get("a", 0)', "get takes"),
        ("intAdd(1.5, 1)", "intAdd takes two integers"),
        ("intAdd(true, 1)", "intAdd takes two integers"),
        ("intAdd(9223372036854775807, 1)", "intAdd takes two integers whose sum has at most 64 bits"),
        ("randomInt(2, 1)", "randomInt takes two integers, the smaller one first"),
        ('randomInt("1", 2)', "randomInt takes"),
        ("arrayContains(1, 1)", "arrayContains takes an array and an element"),
        ('arrayUnique("a")', "arrayUnique takes an array"),
        ("mapKeys([])", "mapKeys takes a map"),
        ("mapValues(null)", "mapValues takes a map"),
        ('jsonMerge({"a": 1}, [])', "jsonMerge takes two maps"),
        ('stringToJson("{")', "stringToJson takes text that holds JSON"),
        ("stringToJson(1)", "stringToJson takes text that holds JSON"),
        ("stringToJson('NaN')", "stringToJson takes text that holds JSON"),
        ("stringToJson('1e999')", "stringToJson takes text that holds JSON"),
        ("stringToJson('\"\\\\ud800\"')", "stringToJson takes text that holds JSON"),
        ('fromBase64("?")', "fromBase64 takes text in base64"),
        ('fromBase64("/w==")', "fromBase64 takes text in base64"),
        ("fromBase64(1)", "fromBase64 takes"),
        ("toBase64({})", "toBase64 takes text"),
        ('hash("a", "CRC")', "hash takes text and one of MD5, SHA-1, SHA-256, SHA-512"),
        ('hash("a", [])', "hash takes"),
        ("hash(1, `MD5`)", "hash takes"),
    ],
)
def test_a_function_that_cannot_take_its_arguments_says_what_it_takes(text: str, words: str) -> None:
    with pytest.raises(FlowError) as failed:
        evaluate(text)
    assert failed.value.error == "FnF.RuntimeError"
    assert words in failed.value.cause


def test_a_function_that_cannot_take_its_arguments_fails_the_execution(service: LocalCloudFlow) -> None:
    state = {"Type": "Pass", "Name": "P", "End": True, "OutputConstructor": {"r.$": "length($Input.n)"}}
    service.create_flow("f", {"Type": "StateMachine", "SpecVersion": "v1", "StartAt": "P", "States": [state]})
    service.start("f", {"n": 5}, execution_name="e")
    execution = service.wait("f", "e")
    assert (execution.status, execution.error) == ("Failed", "FnF.RuntimeError")
    assert "length takes" in execution.cause


def test_random_integers_and_uuids_differ_from_evaluation_to_evaluation() -> None:
    expression = parse_expression("[randomInt(1, 3), uuid()]", roots=(), label="the test")
    values = [expression(Values({})) for _ in range(300)]
    assert {number for number, _uuid in values} == {1, 2, 3}
    assert len({text for _number, text in values}) == 300


def doubled(text: str, times: int) -> str:
    for _ in range(times):
        text = f'format("{{}}{{}}", {text}, {text})'
    return text


BIG = {
    "big": "x" * (200 * 1024),
    "part": "x" * 1024,
    "quotes": '"' * 1024,
    "map": {str(number): "x" * 1000 for number in range(200)},
}


@pytest.mark.parametrize(
    "text",
    [
        'format("{}{}", $Input.big, $Input.big)',
        doubled("$Input.part", 9),
        'format("{}{}{}{}{}{}{}{}", $Input.big, $Input.big, $Input.big, $Input.big, $Input.big, $Input.big, 1, 1)',
        "toArray($Input.big, $Input.big)",
        "[$Input.big, $Input.big]",
        '{"a": $Input.big, "b": [$Input.big]}',
        "[" + "$Input.big, " * 1_500 + "1]",
        "toArray(" + "$Input.big, " * 1_500 + "1)",
        'jsonMerge({"a": $Input.big}, $Input.map)',
        "toBase64($Input.big)",
        'split($Input.big, "x")',
        "jsonToString(" * 9 + "$Input.quotes" + ")" * 9,
    ],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_a_result_that_no_value_can_hold_is_an_error_in_time(text: str) -> None:
    begun = time.monotonic()
    with pytest.raises(FlowError) as failed:
        evaluate(text, BIG)
    assert time.monotonic() - begun < 5
    assert str(VALUE_LIMIT_BYTES) in failed.value.cause


def test_a_value_of_the_globals_can_be_read_whole() -> None:
    assert evaluate("length(toArray($Input.big)[0])", BIG) == 200 * 1024


@pytest.mark.parametrize(
    "text", ["arrayUnique($Input.many)", "arrayContains($Input.many, 1)", "split($Input.text, `,`)"]
)
def test_long_arrays_take_no_quadratic_time(text: str) -> None:
    begun = time.monotonic()
    evaluate(text, {"many": list(range(20_000)), "text": "," * 30_000})
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    "text", ["arrayUnique($Input.deep)", "jsonToString($Input.deep)", "$Input.deep == $Input.deep", "[$Input.deep]"]
)
def test_a_value_that_is_nested_too_deeply_is_an_error(text: str) -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(FlowError, match="nested"):
        evaluate(text, {"deep": deep})
    while deep:  # or Python's own end of such a list overflows
        deep = deep.pop()


def test_json_in_a_text_nests_to_a_hundred_levels() -> None:
    assert evaluate("stringToJson($Input.text)", {"text": "[" * 100 + "]" * 100})
    for levels in (101, 900, 100_000):
        with pytest.raises(FlowError, match="stringToJson takes"):
            evaluate("stringToJson($Input.text)", {"text": "[" * levels + "]" * levels})


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("", "", True),
        ("^$", "", True),
        ("a|b|", "c", True),
        (r"^\d{4}-\d{2}-\d{2}$", "2026-11-28", True),
        (r"^\d{4}-\d{2}-\d{2}$", "2026-11-28\n", False),
        (r"\bcat\b", "the cat sat", True),
        (r"\Bcat", "the cat sat", False),
        (r"^(?:https?|ftp)://[^/\s]+(/.*)?$", "https://example.com/a", True),
        (r"^(?P<name>[\w.+-]+)@[\w-]+(\.[\w-]+)+$", "a.b@example.co", True),
        (r"^[]a]+$", "]a", True),
        (r"^[^]]$", "]", False),
        (r"^a{2,3}$", "aaaa", False),
        (r"^a{2,}$", "aaaa", True),
        (r"^a+?b*?$", "aab", True),
        (r"^\.\*\\$", ".*\\", True),
        ("(?i)^ABC$", "abc", True),
        ("(?m)^b$", "a\nb\nc", True),
        ("(?s)a.b", "a\nb", True),
        ("a.b", "a\nb", False),
        ("日+", "日日", True),
        (r"^\d$", "٣", False),
        (r"^[[a&&b||~~\]\[\\-]+$", "[&|~]\\-", True),
        (r"^[[a]+$", "b\\", False),
    ],
)
def test_a_pattern_matches_as_written(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text) is expected


@pytest.mark.parametrize(
    "pattern",
    ["(", ")", "*", "a**", "a{2", "a{3,2}", "a{1001}", "[z-a]", "(?=a)", "(?<!a)", r"(a)\1", r"\p{L}", "[[:alpha:]]", "[a--b]", "\\"],
)  # fmt: skip
def test_a_pattern_that_cannot_be_read_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        matches(pattern, "a")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("^(a+)+$", "a" * 5_000 + "b"),
        ("^(a|aa)+$", "a" * 5_000 + "b"),
        ("(a|a)*b", "a" * 5_000),
        ("(.*a){20}", "b" * 20_000),
        ("a?" * 200 + "a" * 200, "a" * 199),
        ("^[a-z]+$", "a" * VALUE_LIMIT_BYTES),
        ("(((a{1000}){1000}){1000})", "a" * 100),
        ("((((){1000}){1000}){1000})", "a"),
        ("(a*b|a)*c", "a" * VALUE_LIMIT_BYTES),
        ("".join(f"[{chr(letter)}x]?" for letter in range(0x4E00, 0x4E00 + 200)), "a" * VALUE_LIMIT_BYTES),
        ("(" * 499 + ")" * 499, "a"),
        ("a" * 100_000, "a"),
    ],
    ids=lambda text: text[:12],
)
@pytest.mark.timeout(60)
def test_no_pattern_holds_up_the_service(pattern: str, text: str) -> None:
    begun = time.monotonic()
    with contextlib.suppress(FlowError):
        evaluate("regexMatchString($Input.pattern, $Input.text)", {"pattern": pattern, "text": text})
    assert time.monotonic() - begun < 5


def wrapped(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    counts = st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{2,}", "*?", "??"])
    return st.one_of(
        st.lists(children, max_size=3).map("".join),
        st.lists(children, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.tuples(children, counts).map(lambda pair: f"({pair[0]}){pair[1]}"),
    )


PATTERNS = st.recursive(
    st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", r"\w", r"\s", "^", "$", r"\b", r"\B", r"\-"]), wrapped, max_leaves=8
)  # fmt: skip


@settings(max_examples=by_profile(300, 20000))
@given(pattern=PATTERNS, text=st.text(alphabet="ab1- \n", max_size=10))
def test_a_pattern_matches_what_pythons_own_matches(pattern: str, text: str) -> None:
    expected = re.search(pattern.replace("$", r"\Z"), text, re.ASCII) is not None
    assert matches(pattern, text) is expected


@settings(max_examples=by_profile(500, 20000))
@given(pattern=st.text(max_size=20) | st.text(alphabet=r"ab()[]{}*+?|^$\\.,-:1!=<P", max_size=20))
def test_any_text_is_a_pattern_or_refused(pattern: str) -> None:
    with contextlib.suppress(PatternError):
        assert matches(pattern, "ab(1") in {True, False}
