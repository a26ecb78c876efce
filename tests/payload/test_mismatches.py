"""What a step sends is compared with the handler's type, as far as it is certain before an execution."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AliasChoices, AliasPath, BaseModel, BeforeValidator, ConfigDict, Field, RootModel, model_validator
from typing_extensions import NotRequired, TypedDict

from fc_callback import event_parser, layers, task_callback
from fc_callback.middleware import invocation
from fc_callback.payload.mismatches import mismatches_of, payload_type


class Line(BaseModel):
    sku: str
    count: int = 1


class Order(BaseModel):
    id: str = Field(alias="orderId")
    lines: list[Line] = []
    note: str | None = None


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    order: str
    retries: int = 0


class Chosen(BaseModel):
    id: str = Field(validation_alias=AliasChoices("id", "order_id", AliasPath("order", "id")))


class Named(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    order_id: str = Field(alias="orderId")


@dataclass
class Plain:
    id: str
    tags: list[str] = field(default_factory=list)


@attrs.frozen
class Attrs:
    id: str
    count: int = 1


class Typed(TypedDict):
    id: str
    count: NotRequired[int]


class Tuple(NamedTuple):
    id: str
    count: int = 1  # type: ignore[assignment]  # a tuple has a method of this name


class Card(BaseModel):
    kind: Literal["card"]
    number: str


class Bank(BaseModel):
    kind: Literal["bank"]
    iban: str


Payment = Annotated[Card | Bank, Field(discriminator="kind")]


class Paid(BaseModel):
    id: str
    by: Payment
    amounts: dict[str, int | list[int]] = {}


def found(kind: Any, payload: dict[str, Any], *unknown: tuple[str | int, ...]) -> list[tuple[str, str, str]]:
    payload = {**payload, "taskToken": None}
    mismatches = mismatches_of(kind, payload, unknown=unknown, token_keys=["taskToken"])
    return [
        (one.kind, ".".join(map(str, one.place)) if one.kind == "value" else one.key, one.near) for one in mismatches
    ]


@pytest.mark.parametrize(
    "kind",
    [Plain, Attrs, Typed, Tuple, Annotated[Plain, "text"], Plain | None, Plain | Strict],
    ids=["dataclass", "attrs", "typed-dict", "named-tuple", "annotated", "optional", "union"],
)
def test_a_required_field_that_is_not_sent_is_found_in_every_kind_of_type(kind: Any) -> None:
    missing = found(kind, {"note": "x"} if kind is not Tuple else {})

    assert missing[0] == ("value", "", "") if kind == Plain | Strict else missing == [("missing", "id", "")]


@pytest.mark.parametrize("kind", [Attrs, Typed, Tuple])
def test_a_literal_of_another_type_is_found_in_every_kind_of_type(kind: Any) -> None:
    assert found(kind, {"id": None, "count": "many"}, ("id",)) == [("value", "count", "")]


@pytest.mark.parametrize(
    ("kind", "payload", "expected"),
    [
        (Order, {"order_id": "o-1"}, [("missing", "orderId", "order_id")]),
        (Order, {"orderid": "o-1"}, [("missing", "orderId", "orderid")]),
        (Order, {"id": "o-1"}, [("missing", "orderId", "")]),
        (Order, {"orderId": "o-1", "line": []}, [("ignored", "line", "lines")]),
        (Order, {"orderId": "o-1", "customer": "c"}, []),
        (Strict, {"order": "o", "retrys": 1}, [("unknown", "retrys", "retries")]),
        (Strict, {"odrer": "o"}, [("missing", "order", "odrer")]),
        (Strict, {"order": "o", "retries": "1"}, [("value", "retries", "")]),
        (Order, {"orderId": "o", "lines": [{"sku": "a", "count": "2"}]}, []),
        (
            Order,
            {"orderId": 5, "lines": [{"sku": "a"}, {"sku": 1}]},
            [("value", "orderId", ""), ("value", "lines.1.sku", "")],
        ),
        (Paid, {"id": 5, "by": {"kind": "card", "number": "1"}}, [("value", "id", "")]),
        (Paid, {"id": "5", "by": {"kind": "cash"}}, [("value", "by", "")]),
        (Chosen, {"order_id": "o"}, []),
        (Chosen, {"order": {"id": "o"}}, []),
        (Chosen, {"order": {}}, []),
        (Named, {"order_id": "o"}, []),
        (Named, {"orderId": "o"}, []),
    ],
    ids=map(str, range(17)),
)
def test_what_is_sent_is_compared_as_pydantic_reads_it(
    kind: Any, payload: dict[str, Any], expected: list[tuple[str, str, str]]
) -> None:
    assert found(kind, payload) == expected


def test_an_inner_object_is_compared_where_its_keys_are_literal() -> None:
    class Sent(BaseModel):
        order: Line

    assert found(Sent, {"order": {"skuu": None}}, ("order", "skuu")) == [("missing", "sku", "skuu")]
    assert found(Sent, {"order": {"sku": 5, "count": None}}, ("order", "count")) == [("value", "order.sku", "")]
    assert found(Sent, {"order": None}, ("order",)) == []


def test_a_literal_tag_selects_the_member_of_a_union() -> None:
    assert found(Payment, {"kind": "card", "nmber": "1"}) == [("missing", "number", "nmber")]
    assert found(Payment, {"kind": None, "number": None}, ("kind",), ("number",)) == []
    assert found(Payment, {"kind": None}, ("kind",)) == [("value", "", "")]


def test_a_token_that_the_type_declares_is_sent() -> None:
    class WithToken(BaseModel):
        model_config = ConfigDict(extra="forbid")

        taskToken: str  # the flow's name

    assert found(WithToken, {}) == []


class Before(BaseModel):
    id: str

    @model_validator(mode="before")
    @classmethod
    def fill(cls, given: Any) -> Any:
        return {"id": "x", **given}


class Own(BaseModel):
    id: str

    def __init__(self, **given: Any) -> None:
        super().__init__(id="x", **given)


def _number(given: Any) -> Any:
    return 1 if given == "one" else given


class Words(BaseModel):
    count: Annotated[int, BeforeValidator(_number)]


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")

    lines: list[str] = []


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (Before, {}),
        (Annotated[Plain, BeforeValidator(lambda given: {"id": "x", **given})], {}),
        (Annotated[Plain | Strict, BeforeValidator(lambda given: {"id": "x", **given})], {}),
        (Own, {}),
        (Words, {"count": "two"}),
        (Open, {"line": []}),
        (Plain | dict[str, Any], {}),
        (RootModel[dict[str, int]], {"a": "x"}),
        (dict[str, int], {"a": "x"}),
    ],
    ids=["before", "annotated", "union", "own-init", "field", "open", "any-object", "root", "dict"],
)
def test_what_a_function_of_the_user_may_change_is_not_judged(kind: Any, payload: dict[str, Any]) -> None:
    assert found(kind, payload) == []


def test_a_type_is_certain_only_directly_below_task_callback_with_its_own_search_for_the_token() -> None:
    def plain(order: Plain, context: Any) -> None: ...

    def wrapped(handler: Any) -> Any:
        import functools

        return functools.wraps(handler)(lambda event, context: handler(event, context))  # noqa: PLW0108 - a decorator

    assert payload_type(task_callback(plain)) is Plain
    assert payload_type(task_callback(on_failure="report", missing_token="ignore")(plain)) is Plain
    for handler in (
        task_callback(token="data.ticket")(plain),
        task_callback(batch=2)(plain),
        wrapped(task_callback(plain)),
        layers(invocation)(task_callback(plain)),
        task_callback(event_parser(plain)),
        event_parser(plain),
        plain,
    ):
        assert payload_type(handler) is None


VALID: list[tuple[Any, dict[str, Any]]] = [
    (Order, {"orderId": "o-1", "lines": [{"sku": "a"}, {"sku": "b", "count": 2}], "note": None, "more": {"a": [1]}}),
    (Strict, {"order": "o", "retries": 2}),
    (Plain, {"id": "x", "tags": ["a", "b"]}),
    (Attrs, {"id": "x", "count": 2, "more": 1}),
    (Typed, {"id": "x", "count": 2}),
    (Tuple, {"id": "x", "count": 2}),
    (Paid, {"id": "x", "by": {"kind": "bank", "iban": "DE"}, "amounts": {"a": 1, "b": [1, 2]}}),
    (Payment, {"kind": "card", "number": "1"}),
    (Card | Plain, {"id": "x", "kind": "cash", "tags": []}),
    (Chosen, {"order": {"id": "x"}, "extra": 1}),
]


def places(value: Any, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([place] if place else []), *(each for key, below in inner for each in places(below, (*place, key)))]


@given(data=st.data())
def test_a_payload_that_the_type_accepts_is_never_refused_whatever_part_is_unknown(data: st.DataObject) -> None:
    kind, payload = data.draw(st.sampled_from(VALID))
    hidden = data.draw(st.sets(st.sampled_from(places(payload))))
    outer = [one for one in hidden if not any(one[:end] in hidden for end in range(1, len(one)))]
    shown = copy.deepcopy(payload)
    for place in outer:
        holder: Any = shown
        for step in place[:-1]:
            holder = holder[step]
        holder[place[-1]] = None

    assert [one for one in found(kind, shown, *outer) if one[0] != "ignored"] == []
