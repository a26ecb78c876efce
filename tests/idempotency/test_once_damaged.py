"""Records that are damaged, or of a later version: work that may be done does not run again because of them."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import redis

from fc_callback.errors import IdempotencyKeyMissing, PayloadInvalid, StoreUnavailable
from fc_callback.idempotency import Once, Record, idempotent, once
from fc_callback.idempotency.memory import MemoryStore
from fc_callback.idempotency.redis import RedisStore
from fc_callback.idempotency.sqlite import SqliteStore
from fc_callback.values.context import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fc_callback.values.token import TaskToken

PAYLOAD = {"order": 7}


def a_done_record() -> tuple[Once, Record]:
    store = MemoryStore()
    options = once("order", store=store)
    work = options.enter(PAYLOAD, scope="shop.handler")
    work.done('{"paid":true}')
    return options, work.record


def without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda members: members.pop(name)


def changed(**members: Any) -> Callable[[dict[str, Any]], None]:
    return lambda own: own.update(members)


DAMAGES: list[Any] = [
    pytest.param(changed(format=2), id="a later format"),
    pytest.param(changed(format="1"), id="a format in text"),
    pytest.param(changed(format=True), id="a format that is a boolean"),
    pytest.param(without("format"), id="no format"),
    pytest.param(changed(state="FINISHED"), id="an unknown state"),
    pytest.param(changed(state=["DONE"]), id="a state in a list"),
    pytest.param(changed(output=None), id="done without a result"),
    pytest.param(changed(failure=["E", "c"]), id="two results"),
    pytest.param(changed(state="RUNNING"), id="running with a result"),
    pytest.param(changed(output=7), id="an Output that is a number"),
    pytest.param(changed(output=None, failure="E"), id="a failure in text"),
    pytest.param(changed(output=None, failure=["E", 1]), id="a cause that is a number"),
    pytest.param(changed(lease_until="never"), id="a lease in text"),
    pytest.param(changed(expires_at=None), id="no expiry"),
    pytest.param(changed(expires_at=10**400), id="an expiry beyond numbers"),
    pytest.param(changed(attempt=0), id="no attempt"),
    pytest.param(changed(receivers=None), id="no receivers"),
    pytest.param(changed(receivers=[1]), id="a receiver that is a number"),
    pytest.param(changed(receivers=[{"fingerprint": "0" * 12, "reported": "no"}]), id="a report in text"),
    pytest.param(changed(receivers=[{"reported": False}]), id="a receiver without a name"),
    pytest.param(changed(revision=""), id="no revision"),
    pytest.param(changed(key="0" * 64), id="the key of other work"),
    pytest.param(without("mark"), id="no mark"),
]


def stored_in_sqlite(folder: Path, record: Record, text: str) -> SqliteStore:
    store = SqliteStore(folder / "once.db")
    store.add(record)
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute("UPDATE once_records SET record = ?", (text,))
        connection.commit()
    return store


def stored_in_redis(url: str, record: Record, text: str) -> RedisStore:
    prefix = f"damaged-{time.time_ns()}:"
    with redis.Redis.from_url(url) as client:
        client.set(f"{prefix}{record.key}", f"{record.revision}\n{text}")
    return RedisStore(url, prefix=prefix)


def must_not_run(event: object, context: object) -> None:
    pytest.fail("the work ran again")


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_lets_nothing_run(tmp_path: Path, redis_url: str, damage: Callable[..., None]) -> None:
    _, record = a_done_record()
    members = json.loads(record.encode())
    damage(members)
    text = json.dumps(members)
    for store in (stored_in_sqlite(tmp_path, record, text), stored_in_redis(redis_url, record, text)):
        handler = idempotent(once("order", store=store, name="shop.handler"))(must_not_run)
        with pytest.raises(StoreUnavailable, match=r"cannot be read.*--forget"):
            handler(json.dumps(PAYLOAD), None)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "[" * 100_000, '{"format":1}', "NaN", '{"format":NaN}'])
def test_a_text_that_is_not_a_record_lets_nothing_run(tmp_path: Path, redis_url: str, text: str) -> None:
    _, record = a_done_record()
    for store in (stored_in_sqlite(tmp_path, record, text), stored_in_redis(redis_url, record, text)):
        with pytest.raises(StoreUnavailable, match="cannot be read"):
            once("order", store=store).enter(PAYLOAD, scope="shop.handler")


def test_a_record_under_another_revision_than_its_own_is_damaged_and_not_looked_at_for_ever(
    tmp_path: Path, redis_url: str
) -> None:
    _, record = a_done_record()
    file = stored_in_sqlite(tmp_path, record, record.encode())
    with closing(sqlite3.connect(file.path)) as connection:
        connection.execute("UPDATE once_records SET revision = 'another'")
        connection.commit()
    server = stored_in_redis(redis_url, record, record.encode().replace(record.revision, "0" * 32))
    for store in (file, server):
        with pytest.raises(StoreUnavailable, match="revision is damaged"):
            once("order", store=store).enter(PAYLOAD, scope="shop.handler")


class NeverReplaced(MemoryStore):
    """A store whose record can be read, and changes before each compare-and-set."""

    looks = 0

    def get(self, key: str, *, timeout: float = 10) -> Record | None:
        self.looks += 1
        return super().get(key)

    def replace(self, old: Record, new: Record, *, timeout: float = 10) -> bool:
        return False

    def add(self, record: Record, *, timeout: float = 10) -> bool:
        return False


@pytest.mark.parametrize("deadline", [None, Deadline(at=time.monotonic() + 3600)], ids=["no deadline", "an hour"])
def test_a_record_that_cannot_be_replaced_is_an_error_after_some_rounds(deadline: Deadline | None) -> None:
    store = NeverReplaced()
    pauses = once("order", store=store, duplicate="raise")
    with pytest.raises(StoreUnavailable, match="could not be replaced"):
        pauses.enter(PAYLOAD, scope="shop.handler", deadline=deadline)
    assert store.looks < 100


def test_a_record_that_cannot_be_replaced_does_not_outlive_the_deadline() -> None:
    deadline = Deadline.after(0.5)
    with pytest.raises(StoreUnavailable, match="could not be replaced"):
        once("order", store=NeverReplaced()).enter(PAYLOAD, scope="shop.handler", deadline=deadline)
    assert deadline.remaining_seconds() > -1


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("depth", [900, 5_000, 100_000])
@pytest.mark.parametrize(
    "payload", [lambda deep: {"order": 7, "lines": deep}, lambda deep: {"order": deep}], ids=["payload", "key"]
)
def test_a_payload_that_is_nested_too_deeply_is_an_error_before_the_work(depth: int, payload: Any) -> None:
    given = payload(nested(depth))
    token: TaskToken | None = None
    with pytest.raises((PayloadInvalid, IdempotencyKeyMissing)) as caught:
        for _ in range(3):  # a stack of FC's and the person's own is not empty either
            _below(400, lambda: once("order", store=MemoryStore()).enter(given, scope="shop.handler", token=token))
    assert "too deeply" in str(caught.value)


def _below(frames: int, call: Callable[[], object]) -> object:
    return call() if frames == 0 else _below(frames - 1, call)
