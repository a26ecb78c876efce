"""Which work a payload asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fc_callback.errors import IdempotencyKeyMissing, SettingsError
from fc_callback.idempotency import once
from fc_callback.idempotency.key import payload_digest, work_key
from fc_callback.values.token import TaskToken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TOKEN = TaskToken("djEjZmxvdyNydW4jMSMyMHNpbXBsZQ==")
OTHER = TaskToken("djEjZmxvdyNydW4jMiMyMGFub3RoZXI=")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def key_of(key: Any, payload: Mapping[str, Any], *, scope: str = "shop", token: TaskToken | None = TOKEN) -> str:
    return once(key, store="memory:").enter(payload, scope=scope, token=token).record.key


def test_the_same_values_are_the_same_work_whatever_else_the_payload_holds() -> None:
    one = key_of(("order.id", "line"), {"order": {"id": 7}, "line": 1, "taskToken": TOKEN.reveal()})
    other = key_of(
        ("order.id", "line"),
        {"line": 1, "more": [1], "order": {"n": 0, "id": 7}, "taskToken": OTHER.reveal()},
        token=OTHER,
    )
    assert one == other


@pytest.mark.parametrize(
    "payload",
    [{"a": "1", "b": "23"}, {"a": "12", "b": "3"}, {"a": 1, "b": 23}, {"a": "1", "b": 23}, {"a": True, "b": 0}],
)
def test_other_values_are_other_work(payload: dict[str, Any]) -> None:
    others: list[dict[str, Any]] = [
        {"a": "12", "b": "34"},
        {"a": "1", "b": "2"},
        {"a": [1], "b": 23},
        {"a": 1, "b": False},
        {"a": 1, "b": [0]},
    ]
    assert key_of(("a", "b"), payload) not in {key_of(("a", "b"), other) for other in others}


def test_a_path_steps_into_lists() -> None:
    assert key_of("lines[1].id", {"lines": [{"id": 1}, {"id": 2}]}) == key_of("lines.0.id", {"lines": [{"id": 2}]})


def test_a_path_and_a_callable_that_find_the_same_value_name_the_same_work() -> None:
    payload = {"order": {"id": 7}}
    assert key_of("order.id", payload) == key_of(lambda found: found["order"]["id"], payload)


def test_zero_and_false_are_keys() -> None:
    assert key_of("n", {"n": 0}) != key_of("n", {"n": False})


@pytest.mark.parametrize(
    "payload", [{}, {"order": None}, {"order": ""}, {"order": " \n"}, {"order": {}}, {"order": []}, {"order.id": 7}]
)
def test_a_key_that_is_missing_or_empty_is_an_error_and_not_a_key_shared_by_strangers(payload: dict[str, Any]) -> None:
    with pytest.raises(IdempotencyKeyMissing, match="holds nothing at 'order'"):
        key_of("order", payload)


def test_one_missing_field_of_several_is_an_error() -> None:
    with pytest.raises(IdempotencyKeyMissing, match=r"'order\.line'"):
        key_of(("order.id", "order.line"), {"order": {"id": 7}})


@pytest.mark.parametrize("key", [lambda _: None, lambda _: "", lambda _: []])
def test_a_callable_that_finds_nothing_is_an_error(key: Callable[[Any], object]) -> None:
    with pytest.raises(IdempotencyKeyMissing, match="callable given as key="):
        key_of(key, {"order": 7})


def test_a_callable_that_reads_a_missing_field_finds_nothing() -> None:
    with pytest.raises(IdempotencyKeyMissing, match="raised KeyError") as caught:
        key_of(lambda payload: payload["order"], {})
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_callables_own_error_passes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        key_of(lambda _: 1 // 0, {"order": 7})


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", float("nan"), object()])
def test_a_callable_that_returns_something_else_than_json_is_an_error(value: object) -> None:
    with pytest.raises(SettingsError, match=r"value of key= is not JSON"):
        key_of(lambda _: value, {"order": 7})


@pytest.mark.parametrize(
    "ticket",
    [TOKEN.reveal(), {"deep": [TOKEN.reveal()]}, f"prefix {TOKEN.reveal()}", "djEjZmxvdyNydW4jMSMyMHNpbXBsZQ%3D%3D"],
)
def test_a_field_that_holds_the_token_under_another_name_is_refused(ticket: object) -> None:
    with pytest.raises(SettingsError, match="holds the task token") as caught:
        key_of("ticket", {"ticket": ticket})
    assert TOKEN.reveal() not in str(caught.value)


def test_a_callable_may_take_the_whole_payload_for_it_comes_without_the_token() -> None:
    seen: list[Mapping[str, Any]] = []

    def whole(payload: Mapping[str, Any]) -> object:
        seen.append(payload)
        return payload

    one = key_of(whole, {"n": 1, "taskToken": TOKEN.reveal(), "ticket": TOKEN.reveal()})
    other = key_of(whole, {"n": 1, "taskToken": OTHER.reveal(), "ticket": OTHER.reveal()}, token=OTHER)
    assert one == other
    assert TOKEN.reveal() not in str(seen)


def test_a_handler_that_is_no_task_may_still_get_a_token_which_changes_nothing() -> None:
    payloads = [{"order": 7, "taskToken": token.reveal()} for token in (TOKEN, OTHER)]
    assert len({payload_digest(payload, None, None) for payload in payloads}) == 1


@given(payload=st.dictionaries(st.text(), JSON, max_size=4), value=JSON)
def test_the_digest_of_a_payload_has_nothing_to_do_with_the_order_or_the_token(
    payload: dict[str, Any], value: object
) -> None:
    one = {"v": value, **payload, "taskToken": TOKEN.reveal()}
    other = {"taskToken": OTHER.reveal(), **dict(reversed(list({"v": value, **payload}.items())))}
    assert payload_digest(one, None, TOKEN) == payload_digest(other, None, OTHER)


@given(one=JSON, other=JSON)
def test_two_keys_are_the_same_only_for_the_same_json(one: object, other: object) -> None:
    import json

    def empty(value: object) -> bool:
        return value is None or value in ("", [], {}) or (isinstance(value, str) and not value.strip())

    if empty(one) or empty(other):
        return
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    keys = [work_key("s", ("v",), {"v": value}, None) for value in (one, other)]
    assert (keys[0] == keys[1]) is same
