"""A handler that is not a callback task, run once."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pydantic
import pytest

from fc_callback.errors import IdempotencyKeyMissing, OutputError, StoreUnavailable, TaskFailed
from fc_callback.idempotency import idempotent, once
from fc_callback.idempotency.redis import RedisStore
from fc_callback.values.context import Deadline, FcContext
from tests.idempotency.once_stores import start_redis

CONTEXT = FcContext(request_id="r-1")


class Shop:
    """A handler whose runs are counted, and which does what it is told."""

    def __init__(self, *outcomes: object, **options: Any) -> None:
        self.outcomes = list(outcomes)
        self.events: list[object] = []
        self.handler = idempotent(once("order", **{"store": "memory:", **options}))(self._handle)

    def _handle(self, event: object, context: object) -> object:
        self.events.append(event)
        outcome = self.outcomes[len(self.events) - 1]
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


@pytest.mark.parametrize(
    ("returned", "text"),
    [
        ({"paid": True}, '{"paid":true}'),
        (None, "{}"),
        ({}, "{}"),
        (0, '{"result":0}'),
        (False, '{"result":false}'),
        ("", '{"result":""}'),
        ([], '{"result":[]}'),
    ],
)
def test_every_delivery_gets_what_the_first_returned(returned: object, text: str) -> None:
    shop = Shop(returned)
    assert [shop.handler(b'{"order": 7}', CONTEXT) for _ in range(3)] == [text] * 3
    assert shop.events == [b'{"order": 7}']


def test_other_work_runs() -> None:
    shop = Shop({"n": 1}, {"n": 2})
    assert [shop.handler(json.dumps({"order": order}).encode(), CONTEXT) for order in (7, 8)] == ['{"n":1}', '{"n":2}']


def test_a_named_failure_is_raised_again_without_running() -> None:
    shop = Shop(TaskFailed("EmptyOrder", cause="no lines"))
    for _ in range(2):
        with pytest.raises(TaskFailed) as caught:
            shop.handler(b'{"order": 7}', CONTEXT)
        assert (caught.value.error, caught.value.cause) == ("EmptyOrder", "no lines")
    assert len(shop.events) == 1


@pytest.mark.parametrize("error", [OSError("disk"), SystemExit(1), KeyboardInterrupt()])
def test_any_other_error_passes_through_and_the_next_delivery_runs(error: BaseException) -> None:
    shop = Shop(error, "fine")
    with pytest.raises(type(error)):
        shop.handler(b'{"order": 7}', CONTEXT)
    assert shop.handler(b'{"order": 7}', CONTEXT) == '{"result":"fine"}'


class Priced(pydantic.BaseModel):
    prices: dict[str, float] = {}

    @pydantic.computed_field  # type: ignore[prop-decorator]  # as pydantic's documentation writes it
    @property
    def when(self) -> float:
        return self.prices["when"]


@pytest.mark.parametrize("result", [{"when": object()}, Priced()], ids=["object", "property"])
def test_a_handler_whose_result_cannot_be_written_does_not_run_again(result: object) -> None:
    shop = Shop(result, "fine")
    said = []
    for _ in range(2):
        with pytest.raises(OutputError, match=r"\$\.when.*--forget") as caught:
            shop.handler(b'{"order": 7}', CONTEXT)
        said.append(str(caught.value))
    assert len(shop.events) == 1
    assert said[0] == said[1]


@pytest.mark.parametrize("event", [b"plain text", b'"json text"', b"[1, 2]", "7", b"\xff\xfe"])
def test_an_event_that_is_no_object_is_the_field_event(event: Any) -> None:
    calls = []
    handler = idempotent(once("event", store="memory:"))(lambda event, context: calls.append(event))
    assert [handler(event, CONTEXT), handler(event, CONTEXT)] == ["{}", "{}"]
    assert calls == [event]


def test_an_event_without_the_key_does_not_run() -> None:
    shop = Shop("never")
    with pytest.raises(IdempotencyKeyMissing):
        shop.handler(b"{}", CONTEXT)
    assert shop.events == []


def test_the_lease_ends_with_fcs_own_timeout() -> None:
    options = once("order", store="memory:")
    leases = []

    class Raw:
        request_id = "r-1"
        function = type("Function", (), {"name": "f", "timeout": 30})()

    def handle(event: object, context: object) -> None:
        (record,) = options.store._records.values()  # type: ignore[attr-defined]  # the memory store's own
        leases.append(record.lease_until - record.started_at)

    idempotent(options)(handle)(b'{"order": 7}', Raw())
    assert 29 < leases[0] < 33


def test_the_decorated_handler_keeps_its_name_and_two_handlers_their_records() -> None:
    options = once("order", store="memory:")

    @idempotent(options)
    def pay(event: bytes, context: object) -> str:
        return "paid"

    @idempotent(options)
    def ship(event: bytes, context: object) -> str:
        return "shipped"

    assert pay.__name__ == "pay"
    assert pay(b'{"order": 7}', None) == '{"result":"paid"}'
    assert ship(b'{"order": 7}', None) == '{"result":"shipped"}'


def test_functions_in_fc_whose_handlers_have_the_same_name_have_their_own_records() -> None:
    shop = Shop("paid", "shipped")
    for function, result in (("pay", "paid"), ("ship", "shipped"), ("pay", "paid")):
        context = FcContext(function_name=function)
        assert shop.handler(b'{"order": 7}', context) == f'{{"result":"{result}"}}'


def test_handlers_nest() -> None:
    options = once("order", store="memory:")

    @idempotent(options)
    def inner(event: bytes, context: object) -> int:
        return 0

    @idempotent(options)
    def outer(event: bytes, context: object) -> dict[str, object]:
        return {"inner": json.loads(inner(event, context))["result"]}

    assert [outer(b'{"order": 7}', None) for _ in range(2)] == ['{"inner":0}'] * 2
    assert inner(b'{"order": 7}', None) == '{"result":0}'


def test_a_store_that_goes_down_during_the_work_does_not_undo_it(caplog: pytest.LogCaptureFixture) -> None:
    server = start_redis()
    handler = idempotent(once("order", store=RedisStore(server.url, timeout_seconds=0.2)))(
        lambda event, context: server.stop()
    )
    with caplog.at_level(logging.WARNING):
        assert handler(b'{"order": 7}', FcContext(deadline=Deadline.after(1))) == "{}"
    assert "is not recorded, so a second delivery" in caplog.text
    with pytest.raises(StoreUnavailable):
        handler(b'{"order": 7}', CONTEXT)


def test_an_async_handler_runs_once_too() -> None:
    runs: list[object] = []

    @idempotent(once("order", store="memory:"))
    async def handler(event: bytes, context: object) -> object:
        await asyncio.sleep(0)
        runs.append(event)
        return {"runs": len(runs)}

    assert [handler(b'{"order": 7}', CONTEXT) for _ in range(3)] == ['{"runs":1}'] * 3


def test_an_async_handler_that_fails_runs_again() -> None:
    outcomes: list[object] = [OSError("down"), TaskFailed("NoStock"), "never reached"]

    @idempotent(once("order", store="memory:"))
    async def handler(event: bytes, context: object) -> object:
        outcome = outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    with pytest.raises(OSError, match="down"):
        handler(b'{"order": 7}', CONTEXT)
    for _ in range(2):
        with pytest.raises(TaskFailed, match="NoStock"):
            handler(b'{"order": 7}', CONTEXT)
    assert outcomes == ["never reached"]
