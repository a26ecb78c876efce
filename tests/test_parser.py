"""Typed events for plain handlers."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from pydantic import BaseModel, ValidationError, field_validator
from typing_extensions import TypedDict

from fc_callback import FcContext, Task
from fc_callback.errors import PayloadInvalid
from fc_callback.events import HttpEvent, TimerEvent
from fc_callback.parser import event_parser, parse
from fc_callback.testing import events
from fc_callback.values.invocation import current_invocation

if TYPE_CHECKING:
    from collections.abc import Callable


class ModelOrder(BaseModel):
    id: int


@dataclasses.dataclass
class DataOrder:
    id: int


@attrs.frozen
class AttrsOrder:
    id: int


class DictOrder(TypedDict):
    id: int


KINDS = [ModelOrder, DataOrder, AttrsOrder]


@pytest.mark.parametrize("kind", KINDS)
def test_the_event_becomes_what_the_annotation_says(kind: Any) -> None:
    def plain(order: Any, context: Any) -> Any:
        assert type(order) is kind
        return [order.id, context.region]

    plain.__annotations__ = {"order": kind, "context": FcContext}
    handler = event_parser(plain)

    assert handler(b'{"id": 7}', FcContext(region="cn-beijing")) == [7, "cn-beijing"]


def test_bytes_and_dict_and_an_event_class_are_taken_too() -> None:
    @event_parser
    def raw(event: bytes, context: object) -> Any:
        return event

    @event_parser
    def payload(event: dict[str, Any], context: object) -> Any:
        return event

    @event_parser
    def http(event: HttpEvent) -> Any:
        return {"statusCode": 200, "body": event.text}

    assert raw(b"\xff", None) == b"\xff"
    assert payload(b'{"a": 1}', None) == {"a": 1}
    assert http(events.http({"a": 1}), None) == {"statusCode": 200, "body": '{"a": 1}'}


@pytest.mark.parametrize("event", [b'{"id": "x"}', b"[1]", b"no json", b"\xff"])
def test_an_event_that_does_not_fit_says_so_without_its_values(event: bytes) -> None:
    @event_parser
    def handler(order: ModelOrder) -> None: ...

    with pytest.raises(PayloadInvalid) as raised:
        handler(event, None)
    assert raised.value.problems


@pytest.mark.parametrize("result", [None, 0, "", b"", {}, [], "text", {"statusCode": 204}])
def test_plain_results_go_to_fc_as_they_are(result: Any) -> None:
    @event_parser
    def handler(event: bytes) -> Any:
        return result

    assert handler(b"{}", None) is result


@pytest.mark.parametrize("kind", KINDS)
def test_objects_go_as_their_json(kind: Any) -> None:
    @event_parser
    def handler(event: bytes) -> Any:
        return kind(id=1)

    assert handler(b"{}", None) == '{"id":1}'


def test_async_handlers_are_run_to_their_end() -> None:
    @event_parser
    async def handler(order: ModelOrder) -> int:
        await asyncio.sleep(0)
        return order.id

    assert handler(b'{"id": 7}', None) == 7


def test_a_plain_handler_has_an_invocation_of_its_own(fc_context: Callable[..., Any]) -> None:
    @event_parser
    def handler(event: bytes) -> Any:
        invocation = current_invocation()
        return invocation and invocation.context.request_id

    assert handler(b"{}", fc_context(request_id="r-1")) == "r-1"
    assert current_invocation() is None


def test_a_task_cannot_be_asked_for() -> None:
    with pytest.raises(TypeError, match="only task_callback"):

        @event_parser
        def handler(event: bytes, task: Task) -> None: ...


@pytest.mark.parametrize("kind", KINDS)
def test_parse_reads_an_event_as_a_type(kind: Any) -> None:
    assert parse(b'{"id": 7}', kind).id == 7
    assert parse({"id": 7}, kind).id == 7


def test_parse_reads_typed_dicts_and_triggers() -> None:
    assert parse('{"id": 7}', DictOrder) == {"id": 7}
    assert parse(events.timer("wake up"), TimerEvent).payload == "wake up"


@pytest.mark.parametrize("event", [b"[]", b'{"id": "secret-value"}', b"no"])
def test_parse_refuses_without_quoting_values(event: bytes) -> None:
    with pytest.raises(PayloadInvalid) as raised:
        parse(event, ModelOrder)
    assert "secret-value" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


def test_an_exception_of_the_person_s_own_model_is_not_taken_for_bad_input() -> None:
    class Lookup(BaseModel):
        id: int

        @field_validator("id")
        @classmethod
        def known(cls, value: int) -> int:
            return {1: 1}[value]  # a defect of the model's: no ValueError

    with pytest.raises(KeyError):
        parse(b'{"id": 2}', Lookup)

    @event_parser
    def handler(event: bytes) -> Any:
        return ModelOrder.model_validate(json.loads('{"id": "x"}'))

    with pytest.raises(ValidationError):
        handler(b"{}", None)
