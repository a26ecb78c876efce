"""Payloads are validated as JSON, whatever they came as."""

from __future__ import annotations

import json
import uuid
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import attrs
import pytest
from pydantic import BaseModel, ConfigDict, TypeAdapter

from fc_callback import PayloadInvalid, event_parser, task_callback
from fc_callback.events import CloudEvent
from fc_callback.parser import parse
from tests.invoking import fc_context
from tests.payload import kinds as k
from tests.payload.test_annotations import STRICT
from tests.waiting import WaitingTasks


def seen_by(decorator: Any, kind: Any, event: Any, context: Any = None) -> Any:
    seen: list[Any] = []

    def handler(event, context):  # type: ignore[no-untyped-def]  # annotated below
        seen.append(event)

    handler.__annotations__["event"] = kind
    decorator(handler)(event, context)
    return seen[0]


def test_a_strict_model_takes_json_s_texts_from_each_door(tasks: WaitingTasks) -> None:
    task = tasks.service.new_task(STRICT)
    expected = TypeAdapter(k.Strict).validate_json(json.dumps(STRICT))
    assert seen_by(task_callback, k.Strict, task.event, fc_context(tasks)) == expected
    assert seen_by(event_parser, k.Strict, json.dumps(STRICT)) == expected
    assert parse(json.dumps(STRICT), k.Strict) == expected
    event = {"id": "1", "source": "s", "type": "t", "data": STRICT}
    assert CloudEvent[k.Strict].parse(json.dumps(event)).data == expected
    assert CloudEvent[k.Strict].parse(json.dumps({**event, "data": json.dumps(STRICT)})).data == expected


@attrs.define
class AttrsOrder:
    strict: k.Strict
    day: date
    price: Decimal


def test_models_and_dates_in_attrs_classes_are_validated_as_json() -> None:
    seen = parse(json.dumps({"strict": STRICT, "day": "2026-01-02", "price": "1.10"}), AttrsOrder)
    assert (seen.strict.day, seen.day, seen.price) == (date(2026, 1, 2), date(2026, 1, 2), Decimal("1.10"))


def test_an_event_given_as_a_dict_is_validated_as_the_json_it_would_be() -> None:
    event = {
        **STRICT,
        "ref": uuid.UUID(STRICT["ref"]),
        "at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
        "day": date(2026, 1, 2),
        "pair": (1, 2),
        "color": k.Color.RED,
        "price": Decimal("12.50"),
    }
    assert parse(event, k.Strict) == parse(json.dumps(STRICT), k.Strict)


def test_what_json_has_no_form_for_is_payload_invalid() -> None:
    with pytest.raises(PayloadInvalid, match="not JSON"):
        parse({"id": object()}, k.Model)


@pytest.mark.parametrize("text", [r"\ud800", r"a\udfffb", r"\ud83d"])
@pytest.mark.parametrize("kind", [k.Model, k.Data, k.Attrs, k.Texts, CloudEvent[k.Model]])
def test_a_lone_surrogate_is_payload_invalid(text: str, kind: Any) -> None:
    event = f'{{"id": 7, "note": "{text}", "source": "s", "type": "t", "data": {{"id": 7}}}}'
    with pytest.raises(PayloadInvalid, match="lone surrogate"):
        parse(event.encode(), kind)


def test_a_lone_surrogate_under_task_callback_is_payload_invalid_and_nothing_is_reported(tasks: WaitingTasks) -> None:
    task = tasks.service.new_task({"id": 7})
    event = task.event.replace(b'"id": 7', b'"id": 7, "note": "\\ud800"')
    assert event != task.event
    with pytest.raises(PayloadInvalid, match="lone surrogate"):
        seen_by(task_callback, k.Model, event, fc_context(tasks))
    assert task.status == "Running"


def test_a_dict_and_bytes_take_it_as_before(tasks: WaitingTasks) -> None:
    task = tasks.service.new_task({"id": 7})
    event = task.event.replace(b'"id": 7', b'"id": 7, "note": "\\ud800"')
    assert seen_by(task_callback, dict, event, fc_context(tasks)) == {"id": 7, "note": "\ud800"}


def test_nesting_too_deep_for_the_gate_is_payload_invalid() -> None:
    event = b'{"id": 7, "extra": ' + b"[" * 400 + b"]" * 400 + b"}"
    with pytest.raises(PayloadInvalid):
        parse(event, k.Allowing)


def test_numbers_keep_their_digits() -> None:
    class Numbers(BaseModel):
        model_config = ConfigDict(strict=True)
        large: int
        small: float
        price: Decimal

    seen = parse(b'{"large": 123456789012345678901234567890, "small": 1e-7, "price": "0.1000"}', Numbers)
    assert (seen.large, seen.small, str(seen.price)) == (123456789012345678901234567890, 1e-7, "0.1000")
