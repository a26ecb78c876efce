"""Results that a task still waits for, with all that a late report takes."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import redis

from fc_callback.errors import StoreUnavailable
from fc_callback.idempotency import Once, Store, Work, once, undelivered
from fc_callback.idempotency.redis import RedisStore
from fc_callback.idempotency.sqlite import SqliteStore
from fc_callback.sealing import TokenSeal
from fc_callback.values.context import Deadline
from fc_callback.values.token import TaskToken
from tests.idempotency.once_stores import start_redis

if TYPE_CHECKING:
    from pathlib import Path

SEAL = TokenSeal(TokenSeal.generate_key())
FIRST = TaskToken("token-of-the-first-delivery")
SECOND = TaskToken("token-of-the-second-delivery")


@pytest.fixture
def options(store: Store) -> Once:
    return once("order", store=store, seal=SEAL)


def enter(options: Once, order: int, token: TaskToken) -> Work:
    return options.enter({"order": order, "taskToken": token.reveal()}, scope="shop.handler", token=token)


def test_each_waiting_task_is_listed_with_its_token_and_its_result(options: Once) -> None:
    enter(options, 1, FIRST).done(f'{{"by":"{FIRST.reveal()}"}}')
    enter(options, 1, SECOND)
    enter(options, 2, FIRST).failed("EmptyOrder", "no lines")
    reported = enter(options, 3, FIRST)
    reported.done("{}")
    reported.reported()
    enter(options, 4, FIRST)
    found = {(one.token and one.token.reveal(), one.output, one.failure) for one in undelivered(options.store, SEAL)}
    assert found == {
        (FIRST.reveal(), '{"by":"token-of-the-first-delivery"}', None),
        (SECOND.reveal(), '{"by":"token-of-the-second-delivery"}', None),
        (FIRST.reveal(), None, ("EmptyOrder", "no lines")),
    }


def test_a_late_report_is_recorded_for_its_own_task(options: Once) -> None:
    enter(options, 1, FIRST).done("{}")
    enter(options, 1, SECOND)
    listed = list(undelivered(options.store, SEAL))
    listed[0].reported()
    assert [one.fingerprint for one in undelivered(options.store, SEAL)] == [SECOND.fingerprint]
    listed[1].reported()
    assert list(undelivered(options.store, SEAL)) == []
    assert enter(options, 1, FIRST).record.state == "REPORTED"


def test_a_token_that_is_reported_is_no_longer_kept(options: Once) -> None:
    work = enter(options, 1, FIRST)
    work.done("{}")
    work.reported()
    assert [one.sealed for one in work.record.receivers] == [None]


@pytest.mark.parametrize("seal", [None, TokenSeal(TokenSeal.generate_key())], ids=["no key", "another key"])
def test_a_token_that_cannot_be_opened_is_listed_without_it(options: Once, seal: TokenSeal | None) -> None:
    enter(options, 1, FIRST).done("{}")
    (one,) = undelivered(options.store, seal)
    assert (one.token, one.fingerprint, one.output) == (None, FIRST.fingerprint, "{}")


def test_without_a_seal_no_token_is_kept(store: Store) -> None:
    enter(once("order", store=store), 1, FIRST).done("{}")
    (one,) = undelivered(store, SEAL)
    assert one.token is None


# Records that cannot be read


def a_store_with_damaged_records(kind: str, tmp_path: Path, redis_url: str, count: int) -> tuple[Store, list[str]]:
    """Return a store with one result that waits for its report, and the keys of so many results that cannot be read."""
    prefix = f"damaged-{os.urandom(6).hex()}:"
    store: Store = SqliteStore(tmp_path / "once.db") if kind == "sqlite" else RedisStore(redis_url, prefix=prefix)
    options = once("order", store=store, seal=SEAL)
    keys = []
    for order in range(count):
        work = enter(options, order, FIRST)
        work.done("{}")
        keys.append(work.record.key)
    if isinstance(store, SqliteStore):
        with closing(sqlite3.connect(store.path)) as connection, connection:
            connection.execute('UPDATE once_records SET record = \'{"by":"4111"}\'')
    else:
        with redis.Redis.from_url(redis_url) as client:
            for key in keys:
                client.set(f"{prefix}{key}", 'revision\n{"by":"4111"}')
    enter(options, count, FIRST).done('{"readable":true}')
    return store, keys


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_each_record_that_cannot_be_read_is_named_after_all_the_others(
    kind: str, tmp_path: Path, redis_url: str
) -> None:
    store, keys = a_store_with_damaged_records(kind, tmp_path, redis_url, 3)
    found = undelivered(store, SEAL)
    assert next(found).output == '{"readable":true}'
    with pytest.raises(StoreUnavailable, match=r"holds 3 records that cannot be read: .*--forget KEY") as caught:
        next(found)
    assert [key for key in keys if f"{key}: its format is not" not in str(caught.value)] == []
    assert "4111" not in str(caught.value)


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_one_record_that_cannot_be_read_is_named_with_the_command_that_forgets_it(
    kind: str, tmp_path: Path, redis_url: str
) -> None:
    store, (key,) = a_store_with_damaged_records(kind, tmp_path, redis_url, 1)
    with pytest.raises(StoreUnavailable, match=f"holds a record that cannot be read: {key}: .*--forget {key}"):
        list(undelivered(store, SEAL))


def test_of_many_records_that_cannot_be_read_the_first_are_named_and_the_others_counted(
    tmp_path: Path, redis_url: str
) -> None:
    store, keys = a_store_with_damaged_records("sqlite", tmp_path, redis_url, 23)
    with pytest.raises(StoreUnavailable, match=r"holds 23 records .*; and 3 more\.") as caught:
        list(undelivered(store, SEAL))
    assert sum(key in str(caught.value) for key in keys) == 20


def test_a_value_of_another_type_in_redis_is_named_and_does_not_hide_the_others(redis_url: str) -> None:
    prefix = f"typed-{os.urandom(6).hex()}:"
    options = once("order", store=RedisStore(redis_url, prefix=prefix))
    enter(options, 1, FIRST).done("{}")
    lost = enter(options, 2, FIRST).record.key
    with redis.Redis.from_url(redis_url) as client:
        client.delete(prefix + lost)
        client.rpush(prefix + lost, "a", "list")
    found = undelivered(options.store)
    assert next(found).output == "{}"
    with pytest.raises(StoreUnavailable, match=f"cannot be read: {lost}: it is not JSON"):
        next(found)
    with pytest.raises(StoreUnavailable, match=f"cannot be read.*--forget {lost}"):
        enter(options, 2, SECOND)


def test_a_server_that_goes_away_ends_the_search_at_once() -> None:
    server = start_redis()
    try:
        options = once("order", store=RedisStore(server.url, timeout_seconds=0.1))
        for order in range(40):
            enter(options, order, FIRST).done("{}")
        found = undelivered(options.store)
        next(found)
    finally:
        server.stop()
    deadline = Deadline.after(10)  # four tries for one record take a second, and for all of them half a minute
    with pytest.raises(StoreUnavailable, match="cannot be used"):
        list(found)
    assert deadline.remaining_seconds() > 0
