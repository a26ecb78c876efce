"""From what a function returns to the Output's text."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import json
import math
import uuid
from collections import OrderedDict, namedtuple
from pathlib import Path
from typing import Any, ClassVar, TypedDict

import attrs
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fc_callback import OutputError, OutputTooLarge, TaskToken
from fc_callback.payload.output import encode_output
from fc_callback.testing import make_credentials


class Colour(enum.Enum):
    RED = "red"


class Word(str, enum.Enum):
    YES = "yes"


class Level(enum.IntEnum):
    HIGH = 3


class Model(pydantic.BaseModel):
    id: int = 1
    when: dt.date = dt.date(2024, 1, 2)


class Aliased(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(serialize_by_alias=True)
    order_id: int = pydantic.Field(default=1, alias="orderId")


@dataclasses.dataclass
class Data:
    kind: ClassVar[str] = "not a field"
    seed: dataclasses.InitVar[int] = 0
    price: decimal.Decimal = decimal.Decimal("1.10")
    inner: Any = None


@attrs.define
class Thing:
    name: str = "n"
    inner: Any = None


Point = namedtuple("Point", "x y")  # noqa: PYI024


class Typed(TypedDict):
    a: int


TABLE: list[tuple[Any, Any]] = [
    (None, {}),
    ({}, {}),
    ({"a": [1, 2.5, None, True, "x"]}, {"a": [1, 2.5, None, True, "x"]}),
    (OrderedDict(a=1), {"a": 1}),
    (Typed(a=1), {"a": 1}),
    ("", {"result": ""}),
    ("plain words", {"result": "plain words"}),
    ('{"a": 1}', {"a": 1}),
    (' \n{"a": 1} ', {"a": 1}),
    (b'{"a": 1}', {"a": 1}),
    (b"bytes", {"result": "bytes"}),
    ("[1, 2]", {"result": "[1, 2]"}),
    ("{not json", {"result": "{not json"}),
    ("null", {"result": "null"}),
    (0, {"result": 0}),
    (False, {"result": False}),
    (1.5, {"result": 1.5}),
    ([], {"result": []}),
    ((1, 2), {"result": [1, 2]}),
    (Point(1, 2), {"result": [1, 2]}),
    ({1}, {"result": [1]}),
    (frozenset({1}), {"result": [1]}),
    (bytearray(b"x"), {"result": "x"}),
    ({"b": b"x"}, {"b": "x"}),
    (Model(), {"id": 1, "when": "2024-01-02"}),
    (Aliased(orderId=2), {"orderId": 2}),
    ({"m": [Model()]}, {"m": [{"id": 1, "when": "2024-01-02"}]}),
    (Data(), {"price": "1.10", "inner": None}),
    (Data(inner=Thing(inner=Model())), {"price": "1.10", "inner": {"name": "n", "inner": {"id": 1, "when": "2024-01-02"}}}),
    (Thing(), {"name": "n", "inner": None}),
    (Thing(inner=[Data()]), {"name": "n", "inner": [{"price": "1.10", "inner": None}]}),
    (dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.timezone.utc), {"result": "2024-01-02T03:04:05Z"}),
    ({"d": dt.date(2024, 1, 2), "t": dt.time(1, 2)}, {"d": "2024-01-02", "t": "01:02:00"}),
    ({"d": dt.timedelta(seconds=90)}, {"d": "PT1M30S"}),
    (decimal.Decimal("0.10"), {"result": "0.10"}),
    (uuid.UUID(int=1), {"result": "00000000-0000-0000-0000-000000000001"}),
    (Path("/a/b"), {"result": "/a/b"}),
    (Colour.RED, {"result": "red"}),
    (Word.YES, {"result": "yes"}),
    (Level.HIGH, {"result": 3}),
    ({"c": Colour.RED, "w": Word.YES, "l": Level.HIGH}, {"c": "red", "w": "yes", "l": 3}),
    ({2: "a", None: "b", True: "c", 1.5: "d"}, {"2": "a", "null": "b", "true": "c", "1.5": "d"}),
    ({Colour.RED: 1, dt.date(2024, 1, 2): 2, uuid.UUID(int=1): {Word.YES: 3}},
     {"red": 1, "2024-01-02": 2, "00000000-0000-0000-0000-000000000001": {"yes": 3}}),
    ({"中": "文 😀"}, {"中": "文 😀"}),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), TABLE, ids=lambda one: repr(one)[:40])
def test_every_kind_of_result_has_its_output(value: Any, expected: Any) -> None:
    assert json.loads(encode_output(value)) == expected


def test_the_output_is_compact_and_not_escaped() -> None:
    assert encode_output({"a": [1, "中"]}) == '{"a":[1,"中"]}'


def test_json_text_goes_out_to_the_letter() -> None:
    assert encode_output('{ "a" : 1.0 }') == '{ "a" : 1.0 }'


TEXTS = st.text(st.characters(codec="utf-8"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=25,
)  # fmt: skip


@given(JSON.filter(lambda value: value is not None and not isinstance(value, str)))
def test_any_json_value_comes_back_as_it_was(value: Any) -> None:
    expected = value if isinstance(value, dict) else {"result": value}
    assert json.loads(encode_output(value)) == expected


@given(TEXTS | st.binary())
def test_any_text_is_an_output_or_an_error_that_is_typed(value: str | bytes) -> None:
    try:
        output = json.loads(encode_output(value))
    except OutputError:
        assert isinstance(value, bytes)
    else:
        assert isinstance(output, dict)


@given(st.text())
def test_any_text_at_all_inside_an_object_is_encoded_or_explained(value: str) -> None:
    try:
        assert json.loads(encode_output({"a": value})) == {"a": value}
    except OutputError as error:
        assert error.path == "$.a"  # noqa: PT017 - either is right


# What is no JSON


class Broken(pydantic.BaseModel):
    a: int = 1

    @pydantic.field_serializer("a")
    def _write(self, value: int) -> str:
        raise ValueError("no")


class Odd(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    inside: Any = None


class Measured(pydantic.BaseModel):
    values: list[float]


def cycle() -> Any:
    value: dict[str, Any] = {"a": []}
    value["a"].append(value)
    return value


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


NAN = math.nan
REFUSED: list[tuple[Any, str, str]] = [
    (NAN, "$", "nan is not JSON"),
    ({"a": [1, math.inf]}, "$.a[1]", "inf is not JSON"),
    ({"lines": [{"price": NAN}]}, "$.lines[0].price", "nan"),
    ({"a": object()}, "$.a", "type object"),
    ({"a": {"b": [print]}}, "$.a.b[0]", "type builtin_function_or_method"),
    (Thing(inner={"x": object()}), "$.inner.x", "type object"),
    (Data(inner=[NAN]), "$.inner[0]", "nan"),
    (Odd(inside=object()), "$.inside", "type object"),
    (Measured(values=[1.0, NAN]), "$.values[1]", "nan"),
    ({"m": Broken()}, "$.m.a", "not written by its serializer"),
    ({"b": b"\xff"}, "$.b", "not UTF-8"),
    ({"s": "\ud800"}, "$.s", "surrogate"),
    ("\ud800", "$", "surrogate"),
    ({"a": {object(): 1}}, "$.a", "A key of type object"),
    ({"a": {(1, 2): 1, object(): 1}}, "$.a", "A key of type object"),
    ({"a": {1: "x", "1": "y"}}, "$.a", "both written as '1'"),
    ({"a": [{Colour.RED: "x", "red": "y"}]}, "$.a[0]", "both written as 'red'"),
    ({None: 1, "null": 2}, "$", "both written as 'null'"),
    (cycle(), "$.a[0]", "contains itself"),
    ({"t": TaskToken("the-token-itself")}, "$.t", "type TaskToken"),
    ([make_credentials()], "$[0]", "type Credentials"),
    ({"t": {TaskToken("x"): 1}}, "$.t", "A key of type TaskToken"),
]


@pytest.mark.parametrize(
    ("value", "path", "words"), REFUSED, ids=lambda one: str(one)[:30] if isinstance(one, str) else ""
)
def test_what_is_no_json_is_refused_with_its_path(value: Any, path: str, words: str) -> None:
    with pytest.raises(OutputError) as caught:
        encode_output(value)
    assert caught.value.path == path
    assert words in str(caught.value)


class Excluding(pydantic.BaseModel):
    raw: bytes = pydantic.Field(default=b"\xff", exclude=True)
    second: float = NAN


class Computing(pydantic.BaseModel):
    first: int = 1

    @pydantic.computed_field  # type: ignore[prop-decorator]  # as pydantic's documentation writes it
    @property
    def ratio(self) -> float:
        return NAN


class Base64(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(ser_json_bytes="base64", arbitrary_types_allowed=True)
    raw: list[bytes] = [b"\xff"]
    thing: Any = None


class Root(pydantic.RootModel[list[float]]):
    """A model that is an array."""


@pydantic.dataclasses.dataclass
class ExcludingData:
    raw: bytes = pydantic.Field(default=b"\xff", exclude=True)
    lines: list[Excluding] = pydantic.Field(default_factory=lambda: [Excluding(second=1.5), Excluding()])


class Allowing(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    first: int = 1


class Raising(pydantic.BaseModel):
    problem: str

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def ratio(self) -> float:
        raise {"value": ValueError, "key": KeyError, "division": ZeroDivisionError}[self.problem](self.problem)


class Whole(pydantic.BaseModel):
    first: int = 1

    @pydantic.model_serializer
    def _write(self) -> Any:
        return {"other": object()}


class WrittenAround(pydantic.BaseModel):
    first: int = 1
    second: Any = None

    @pydantic.model_serializer(mode="wrap")
    def _write(self, write: Any) -> Any:
        return write(self)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (Excluding(), "$.second"),
        (Allowing.model_validate({"more": {"a": object()}}), "$.more.a"),
        (Raising(problem="value"), "$.ratio"),
        (Raising(problem="key"), "$.ratio"),
        ({"in": [Raising(problem="division")]}, "$.in[0].ratio"),
        ({"in": Whole()}, "$.in"),
        (WrittenAround(second=[object()]), "$.second[0]"),
        (Odd(inside={"a": {object(): 1}}), "$.inside.a"),
        ({"in": [{NAN: 1}]}, "$.in[0]"),
        (ExcludingData(), "$.lines[1].second"),
        ({"order": [Excluding(second=1.0), Excluding()]}, "$.order[1].second"),
        (Computing(), "$.ratio"),
        (Base64(thing=object()), "$.thing"),
        (Root([1.0, NAN]), "$[1]"),
        (Odd(inside={"a": [b"fine", b"\xff"]}), "$.inside.a[1]"),
    ],
    ids=[
        "excluded",
        "extra",
        "raising a ValueError",
        "raising a KeyError",
        "raising inside",
        "written whole",
        "written around",
        "key",
        "number as a key",
        "dataclass",
        "inside",
        "computed",
        "written as base64",
        "root",
        "any",
    ],
)
def test_the_error_names_the_field_at_fault_and_no_field_that_is_not_written(value: Any, path: str) -> None:
    with pytest.raises(OutputError) as caught:
        encode_output(value)
    assert caught.value.path == path


def numpys(name: str) -> Any:
    return type(name, (), {"__module__": "numpy"})()


@pytest.mark.parametrize(
    ("name", "words"),
    [("bool", "type numpy.bool cannot"), ("bool_", "type bool_ cannot"), ("str", "type numpy.str cannot")],
)
def test_a_class_that_is_called_like_a_builtin_is_told_with_its_module(name: str, words: str) -> None:
    with pytest.raises(OutputError, match=words):
        encode_output({"ok": numpys(name)})
    with pytest.raises(OutputError, match=words.replace("cannot", "at")):
        encode_output({numpys(name): 1})


@pytest.mark.parametrize("around", [lambda one: one, lambda one: {"in": [one]}, lambda one: {"in": {one}}])
def test_aliases_are_used_where_the_model_says_so_wherever_it_stands(around: Any) -> None:
    class Says(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(serialize_by_alias=True, frozen=True)
        order_id: int = pydantic.Field(default=1, alias="orderId")

    class SaysNothing(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(frozen=True)
        order_id: int = pydantic.Field(default=1, alias="orderId")

    assert "orderId" in encode_output(around(Says()))
    assert "order_id" in encode_output(around(SaysNothing()))


def test_an_output_that_is_made_already_is_taken_as_it_is() -> None:
    text = encode_output({"a": 1})
    assert encode_output(text) is text


def test_a_secret_in_a_result_is_not_shown_by_the_error() -> None:
    with pytest.raises(OutputError) as caught:
        encode_output({"t": TaskToken("the-token-itself"), "c": make_credentials(access_key_secret="hidden-secret")})
    assert "the-token-itself" not in str(caught.value)


def test_nesting_too_deep_for_the_encoder_is_explained() -> None:
    with pytest.raises(OutputError, match="nested too deeply"):
        encode_output(deep(100_000))


def test_bytes_that_are_not_text_say_what_to_do() -> None:
    with pytest.raises(OutputError, match="base64"):
        encode_output(b"\xff\xfe")


def test_json_text_with_nan_in_it_is_refused() -> None:
    with pytest.raises(OutputError, match="NaN, which is not JSON"):
        encode_output('{"a": NaN}')


def test_a_long_path_is_cut() -> None:
    with pytest.raises(OutputError) as caught:
        encode_output({"k" * 500: object()})
    assert len(caught.value.path) < 130


def test_a_function_s_own_class_in_a_set_is_written() -> None:
    @attrs.frozen
    class Member:
        a: int

    assert json.loads(encode_output({"s": {Member(1)}})) == {"s": [{"a": 1}]}


# Sizes


def test_an_output_of_exactly_the_limit_passes() -> None:
    text = encode_output({"a": "x" * 92}, limit_bytes=100)
    assert len(text.encode()) == 100


def test_one_byte_more_is_too_large() -> None:
    with pytest.raises(OutputTooLarge) as caught:
        encode_output({"a": "x" * 93}, limit_bytes=100)
    assert (caught.value.size, caught.value.limit) == (101, 100)


def test_size_is_counted_in_bytes_of_utf_8() -> None:
    with pytest.raises(OutputTooLarge):
        encode_output({"a": "中" * 31}, limit_bytes=100)


def test_the_largest_members_are_named() -> None:
    with pytest.raises(OutputTooLarge) as caught:
        encode_output({"small": 1, "rows": [0] * 500, "note": "n" * 300, "mid": "m" * 20}, limit_bytes=500)
    assert caught.value.largest == (("rows", 1001), ("note", 302), ("mid", 22))
    assert "rows: 1001 bytes" in str(caught.value)
    assert "large_output=" in str(caught.value)
