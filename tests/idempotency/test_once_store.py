"""What every store must do, seen through its protocol."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import attrs
import pytest
import redis

from fc_callback.errors import SettingsError, StoreUnavailable
from fc_callback.idempotency import Record, Store, once, open_store
from fc_callback.idempotency.record import Receiver, new_revision
from fc_callback.idempotency.redis import RedisStore
from fc_callback.idempotency.sqlite import SqliteStore
from fc_callback.values.context import Deadline
from tests.idempotency.once_stores import Clock, start_redis
from tests.idempotency.stalling import StoppedServer


def a_record(clock: Clock, key: str = "k" * 64, **changes: object) -> Record:
    base = Record(
        key=key,
        scope="shop.handler",
        state="RUNNING",
        revision=new_revision(),
        started_at=clock(),
        lease_until=clock() + 10,
        expires_at=clock() + 100,
        receivers=(Receiver(fingerprint="0123456789ab", sealed="gAAAA-sealed"),),
    )
    return attrs.evolve(base, **changes)  # type: ignore[arg-type]  # each test names the fields it means


def changed(record: Record, **changes: object) -> Record:
    return attrs.evolve(record, revision=new_revision(), **changes)  # type: ignore[arg-type]  # as above


def test_a_record_comes_back_as_it_was_written(store: Store, clock: Clock) -> None:
    results: list[dict[str, object]] = [
        {"output": '{"name":"Zoë 你好","n":0}'},
        {"failure": ("EmptyOrder", 'no "lines"\n')},
        {"failure": ("OutputTooLarge", "too much"), "refusal": '{"message":"too much"}'},
    ]
    for number, result in enumerate(results):
        record = a_record(clock, key=f"{number}" * 64, state="DONE", finished_at=1.5, **result)
        assert store.add(record)
        assert store.get(record.key) == record


def test_a_lone_surrogate_in_an_output_is_kept(store: Store, clock: Clock) -> None:
    record = a_record(clock, state="DONE", output='{"odd":"\ud800"}')
    store.add(record)
    assert store.get(record.key) == record


def test_only_the_first_of_two_adds_is_written(store: Store, clock: Clock) -> None:
    first = a_record(clock)
    assert store.add(first)
    assert not store.add(a_record(clock))
    assert store.get(first.key) == first


def test_a_replace_needs_the_revision_that_stands(store: Store, clock: Clock) -> None:
    first = a_record(clock)
    store.add(first)
    second, late = changed(first, state="DONE", output="{}"), changed(first, state="DONE", output="{}")
    assert store.replace(first, second)
    assert not store.replace(first, late)
    assert store.get(first.key) == second


def test_a_replace_of_nothing_writes_nothing(store: Store, clock: Clock) -> None:
    record = a_record(clock)
    assert not store.replace(record, changed(record))
    assert store.get(record.key) is None


def test_a_delete_needs_the_revision_that_stands(store: Store, clock: Clock) -> None:
    first = a_record(clock)
    store.add(first)
    second = changed(first)
    store.replace(first, second)
    assert not store.delete(first)
    assert store.delete(second)
    assert store.get(first.key) is None
    assert not store.delete(second)


def test_pending_lists_results_that_a_task_waits_for_and_nothing_else(store: Store, clock: Clock) -> None:
    reported = Receiver(fingerprint="0123456789ab", reported=True)
    waiting = a_record(clock, key="1" * 64, state="DONE", output="{}")
    store.add(waiting)
    store.add(a_record(clock, key="2" * 64, state="RUNNING"))
    store.add(a_record(clock, key="3" * 64, state="REPORTED", output="{}", receivers=(reported,)))
    store.add(a_record(clock, key="4" * 64, state="DEFERRED"))
    store.add(a_record(clock, key="5" * 64, state="DONE", output="{}", receivers=()))
    refused = {"failure": ("OutputTooLarge", "too much"), "refusal": "{}"}
    store.add(a_record(clock, key="6" * 64, state="DONE", **refused))
    assert list(store.pending()) == [waiting]


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_an_expired_record_is_gone_for_every_method(request: pytest.FixtureRequest, clock: Clock, kind: str) -> None:
    store: Store = request.getfixturevalue(f"{kind}_store")(clock=clock)
    old = a_record(clock, state="DONE", output="{}")
    store.add(old)
    clock.at += 101
    assert store.get(old.key) is None
    assert list(store.pending()) == []
    assert not store.replace(old, changed(old))
    assert not store.delete(old)
    fresh = a_record(clock)
    assert store.add(fresh)
    assert store.get(old.key) == fresh


def test_redis_itself_removes_a_record_that_expires(redis_url: str) -> None:
    store = RedisStore(redis_url, prefix="expiring:")
    now = store.now()
    record = a_record(Clock(now), expires_at=now + 0.2, state="DONE", output="{}")
    assert store.add(record)
    replaced = changed(record, expires_at=now + 0.3)
    assert store.replace(record, replaced)
    limit = time.monotonic() + 10
    while store.get(record.key) is not None and time.monotonic() < limit:
        time.sleep(0.02)
    assert store.get(record.key) is None
    with redis.Redis.from_url(redis_url) as client:
        assert client.keys("expiring:*") == []


def test_a_file_does_not_grow_with_what_has_expired(tmp_path: Path, clock: Clock) -> None:
    store = SqliteStore(tmp_path / "once.db", clock=clock)
    for number in range(5):
        store.add(a_record(clock, key=f"{number:064}"))
    clock.at += 101
    store.add(a_record(clock, key="f" * 64))
    connection = sqlite3.connect(store.path)
    assert connection.execute("SELECT count(*) FROM once_records").fetchone() == (1,)
    connection.close()


def test_one_of_many_threads_gets_the_record(store: Store, clock: Clock) -> None:
    base = a_record(clock)
    store.add(base)
    offers = [changed(base, state="DONE", output=str(number)) for number in range(8)]
    gate, won = threading.Barrier(len(offers)), []

    def offer(new: Record) -> None:
        gate.wait(10)
        if store.replace(base, new):
            won.append(new)

    threads = [threading.Thread(target=offer, args=(new,)) for new in offers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [store.get(base.key)] == won


def test_readers_are_not_held_up_by_a_writer(tmp_path: Path, clock: Clock) -> None:
    store = SqliteStore(tmp_path / "once.db", clock=clock, busy_timeout_seconds=0.1)
    record = a_record(clock)
    store.add(record)
    writer = sqlite3.connect(store.path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    assert store.get(record.key) == record
    with pytest.raises(StoreUnavailable, match="locked"):
        store.add(a_record(clock, key="2" * 64))
    writer.close()


def test_the_file_keeps_the_journal_that_works_between_hosts(tmp_path: Path, clock: Clock) -> None:
    store = SqliteStore(tmp_path / "once.db", clock=clock)
    store.add(a_record(clock))
    connection = sqlite3.connect(store.path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()


def test_a_file_in_a_missing_folder_is_named(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "missing" / "once.db")
    with pytest.raises(StoreUnavailable, match=r"missing/once\.db cannot be used.*folder must exist"):
        store.get("k")


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database, but long enough to look like something\n" * 20)
    with pytest.raises(StoreUnavailable, match=r"notes\.txt cannot be used"):
        SqliteStore(tmp_path / "notes.txt").get("k")


def test_a_record_of_a_stranger_is_an_error_and_not_a_result(tmp_path: Path, redis_url: str, clock: Clock) -> None:
    record = a_record(clock)
    file = SqliteStore(tmp_path / "once.db", clock=clock)
    file.add(record)
    connection = sqlite3.connect(file.path)
    connection.execute("UPDATE once_records SET record = '{}'")
    connection.commit()
    connection.close()
    with redis.Redis.from_url(redis_url) as client:
        client.set("strange:" + record.key, b"\xff\xfe")
    for store in (file, RedisStore(redis_url, prefix="strange:")):
        with pytest.raises(StoreUnavailable, match="cannot be read"):
            store.get(record.key)


def test_a_record_that_cannot_be_read_does_not_hide_those_that_wait(
    tmp_path: Path, redis_url: str, clock: Clock
) -> None:
    file, server = SqliteStore(tmp_path / "once.db", clock=clock), RedisStore(redis_url, prefix="beside:", clock=clock)
    waiting = a_record(clock, key="b", state="DONE", output="{}", receivers=(Receiver(fingerprint="f"),))
    with closing(sqlite3.connect(tmp_path / "once.db")) as connection, connection:
        file.add(a_record(clock, key="a", state="DONE", output="{}", receivers=(Receiver(fingerprint="f"),)))
        connection.execute("UPDATE once_records SET record = '{}'")
    with redis.Redis.from_url(redis_url) as client:
        client.set("beside:a", b"\xff\xfe")
    for store in (file, server):
        assert store.add(waiting)
        found = store.pending()
        assert next(found) == waiting
        with pytest.raises(StoreUnavailable, match="cannot be read"):
            next(found)


def test_members_that_a_later_version_adds_are_passed_over(clock: Clock) -> None:
    record = a_record(clock)
    assert Record.decode(record.encode().replace('{"format"', '{"colour":"red","format"')) == record


def test_a_redis_that_is_gone_is_an_error_without_the_password() -> None:
    server = start_redis()
    server.stop()
    store = RedisStore(server.url.replace("//", "//user:pa55word@"), timeout_seconds=0.2)
    with pytest.raises(StoreUnavailable) as caught:
        store.get("k")
    assert "127.0.0.1" in str(caught.value)
    assert "pa55word" not in f"{caught.value!s} {caught.value!r} {store!r} {caught.value.__cause__!r}"


def test_a_redis_that_comes_back_is_used_again(clock: Clock) -> None:
    server = start_redis()
    store = RedisStore(server.url)
    record = a_record(Clock(store.now()))
    assert store.add(record)
    server.stop()
    again = start_redis(port=int(server.url.split(":")[2].split("/")[0]))
    try:
        assert store.get(record.key) is None
        assert store.add(record)
    finally:
        again.stop()


@pytest.mark.parametrize(
    "url",
    [
        "once.db",
        "sqlite://",
        "sqlite:///",
        "sqlite://host/once.db",
        "mysql://root:pa55word@host/db",
        "redis:pa55word",
        "redis://:pa55#word@host",
        "",
    ],
)
def test_a_url_that_names_no_store_is_refused_without_showing_a_password(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        open_store(url)
    assert "pa55" not in str(caught.value)


def test_a_url_names_each_store(tmp_path: Path) -> None:
    file = open_store(f"sqlite:///{tmp_path}/once.db")
    assert isinstance(file, SqliteStore)
    assert file.path == f"{tmp_path}/once.db"
    beside = open_store("sqlite:///once.db")
    assert isinstance(beside, SqliteStore)
    assert beside.path == str(Path.cwd() / "once.db")
    assert repr(open_store("rediss://u:secret@tair.example:6380/2")) == "<RedisStore rediss://tair.example:6380/2>"
    assert "Memory" in repr(open_store("memory:"))


def test_a_write_that_is_given_up_keeps_no_reader_out_after_its_time(tmp_path: Path) -> None:
    clock = Clock()
    store = SqliteStore(tmp_path / "once.db", clock=clock)
    record = a_record(clock)
    store.add(record)

    def other() -> sqlite3.Connection:
        return sqlite3.connect(store.path, timeout=0.3, isolation_level=None, check_same_thread=False)

    with closing(other()) as reader, closing(other()) as writer, closing(other()) as late:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM once_records").fetchall()
        writer.execute("BEGIN IMMEDIATE")
        free = threading.Timer(0.7, writer.execute, ["ROLLBACK"])
        free.start()
        with pytest.raises(StoreUnavailable):  # it gets the write lock, and then waits for the reader
            store.replace(record, changed(record, state="DEFERRED"), timeout=1)
        free.join()
        assert late.execute("SELECT revision FROM once_records").fetchall() == [(record.revision,)]


@pytest.mark.parametrize("option", ["nosuch=1", "ssl=true", "single_connection_client=true"])
def test_an_option_of_a_redis_url_that_there_is_not_is_said_before_any_event(option: str) -> None:
    with pytest.raises(SettingsError, match="cannot be used: TypeError") as caught:
        open_store(f"redis://:hunter2@127.0.0.1:6379/0?{option}")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("option", ["decode_responses=True", "protocol=3", "socket_timeout=60"])
def test_an_option_of_a_redis_url_changes_no_record(option: str) -> None:
    server = start_redis()
    try:
        clock = Clock()
        store = RedisStore(f"{server.url}?{option}", clock=clock)
        record = a_record(clock)
        assert store.add(record)
        assert store.get(record.key) == record
    finally:
        server.stop()


def test_a_redis_host_that_can_be_no_name_is_a_store_that_is_not_there() -> None:
    with pytest.raises(StoreUnavailable):
        once("id", store="redis://a..b/0").enter({"id": 1}, scope="f", deadline=Deadline.after(5))


def test_the_late_answers_of_a_stalled_redis_are_given_to_no_other_call() -> None:
    server = start_redis()
    stalling = StoppedServer(server)
    try:
        clock = Clock()
        store = RedisStore(server.url, clock=clock, timeout_seconds=5)
        records = [a_record(clock, key=str(number) * 64) for number in range(6)]
        for record in records:
            store.add(record)
        stalling.stall()
        for record in records[:3]:
            with pytest.raises(StoreUnavailable, match="gave no answer within"):
                store.get(record.key, timeout=0.1)
        stalling.resume()
        for _ in range(5):
            assert [store.get(record.key) for record in reversed(records)] == records[::-1]
    finally:
        server.stop()


def test_idle_connections_that_the_server_has_closed_are_replaced(redis_url: str, clock: Clock) -> None:
    store = RedisStore(redis_url, prefix="closed:", clock=clock, timeout_seconds=1)
    record = a_record(clock)
    store.add(record)
    gate = threading.Barrier(8)
    threads = [threading.Thread(target=lambda: (gate.wait(10), store.get(record.key))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with redis.Redis.from_url(redis_url) as client:
        client.client_kill_filter(_type="normal", skipme=True)
    assert store.get(record.key, timeout=2) == record


FORKING = """
import os, sys
from fc_callback.idempotency import once
options = once("order", store=sys.argv[1])
options.enter({"order": 0}, scope="f").done("0")
child = os.fork()
mine = range(1, 40) if child else range(40, 80)
for order in mine:
    options.enter({"order": order}, scope="f").done(str(order))
    assert options.enter({"order": order}, scope="f").stored.output == str(order)
if child:
    assert os.waitpid(child, 0)[1] == 0
"""


def test_a_process_and_its_fork_share_a_store_and_no_connection(shared_url: str) -> None:
    # From Python 3.12 on, fork() warns of other threads, and the one of the last call may be about to end.
    command = [sys.executable, "-W", "ignore:This process:DeprecationWarning", "-c", FORKING, shared_url]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")
