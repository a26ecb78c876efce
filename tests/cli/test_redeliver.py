"""`fc-callback redeliver`: what is done and not reported, and the records that a person wants forgotten."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import redis

from fc_callback import ReportUndelivered, TaskFailed, TokenSeal, once, task_callback
from fc_callback.cloudflow.client import CloudFlowClient
from fc_callback.cloudflow.retry import RetryPolicy
from fc_callback.idempotency import open_store
from fc_callback.local import Fault
from tests.cli.commands import run_command, run_process
from tests.idempotency.once_stores import start_redis
from tests.waiting import WaitingTask, WaitingTasks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def _undelivered(
    task: WaitingTask, tasks: WaitingTasks, url: str, *, seal: TokenSeal | None, fail: bool = False
) -> None:
    """Leave a result in the store whose report did not get through."""
    client = CloudFlowClient(retry=RetryPolicy(total_seconds=0.01))

    @task_callback(once=once("order.id", store=url, seal=seal), client=client)
    def handler(order: dict[str, object]) -> dict[str, bool]:
        if fail:
            raise TaskFailed("TooDear", cause="of 7")
        return {"done": True}

    tasks.service.inject(Fault("close", times=None))
    with pytest.raises(ReportUndelivered):
        handler(task.event, None)
    tasks.service.clear_faults()


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store's."""
    return f"sqlite:///{tmp_path}/once.db"


@pytest.fixture
def seal(monkeypatch: pytest.MonkeyPatch) -> TokenSeal:
    """One whose key the command line has."""
    key = TokenSeal.generate_key()
    monkeypatch.setenv("CLOUDFLOW_SEAL_KEY", key)
    return TokenSeal(key)


def test_redeliver_reports_what_is_done_and_not_reported(tasks: WaitingTasks, url: str, seal: TokenSeal) -> None:
    good, bad = tasks.new(order={"id": 1}), tasks.new(order={"id": 2})
    _undelivered(good, tasks, url, seal=seal)
    _undelivered(bad, tasks, url, seal=seal, fail=True)
    dry = run_command("redeliver", url, "--dry-run")
    assert "would be reported" in dry.stdout
    assert good.status == "Running"
    ended = run_process("redeliver", url)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "[2/2]" in ended.stdout
    assert good.output == {"done": True}
    assert bad.failure == ("TooDear", "of 7")
    again = run_command("redeliver", url)
    assert (again.returncode, again.stdout) == (0, "0 waiting for a report.\n")
    assert good.token not in ended.stdout + ended.stderr + dry.stdout


def test_redeliver_says_what_it_must_leave_to_the_next_delivery(tasks: WaitingTasks, url: str) -> None:
    task = tasks.new(order={"id": 1})
    _undelivered(task, tasks, url, seal=None)
    ended = run_command("redeliver", url, "--json")
    assert ended.returncode == 1
    assert json.loads(ended.stdout)["result"] == "left"
    assert task.status == "Running"


def test_redeliver_finds_a_task_that_has_ended_meanwhile(tasks: WaitingTasks, url: str, seal: TokenSeal) -> None:
    task = tasks.new(order={"id": 1})
    _undelivered(task, tasks, url, seal=seal)
    CloudFlowClient().report_task_succeeded(task.token, {"by": "hand"})
    ended = run_command("redeliver", url)
    assert ended.returncode == 0
    assert "had already ended" in ended.stdout
    assert task.output == {"by": "hand"}


def test_redeliver_reports_the_others_beside_a_record_that_cannot_be_read(
    tasks: WaitingTasks, url: str, seal: TokenSeal, tmp_path: Path
) -> None:
    task, lost = tasks.new(order={"id": 1}), tasks.new(order={"id": 2})
    _undelivered(lost, tasks, url, seal=seal)
    with closing(sqlite3.connect(tmp_path / "once.db")) as connection, connection:
        connection.execute("UPDATE once_records SET record = '{}'")
    _undelivered(task, tasks, url, seal=seal)
    ended = run_command("redeliver", url)
    assert ended.returncode == 1
    assert task.output == {"done": True}
    assert "[1/1]" in ended.stdout
    assert "holds a record that cannot be read" in ended.stderr


def test_redeliver_without_a_store_says_what_to_set() -> None:
    ended = run_command("redeliver")
    assert ended.returncode == 2
    assert "CLOUDFLOW_ONCE_STORE" in ended.stderr


@pytest.mark.parametrize("key", [None, TokenSeal.generate_key()], ids=["no key", "another key"])
def test_redeliver_says_so_when_it_has_not_the_key_of_the_seal(
    key: str | None, tasks: WaitingTasks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/once.db"
    _undelivered(tasks.new(order={"id": 1}), tasks, url, seal=TokenSeal(TokenSeal.generate_key()))
    if key:
        monkeypatch.setenv("CLOUDFLOW_SEAL_KEY", key)
    ended = run_command("redeliver", url)
    assert ended.returncode == 1
    assert "CLOUDFLOW_SEAL_KEY does not open it" in ended.stdout


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    server = start_redis()
    yield server.url
    server.stop()


@pytest.fixture(params=["sqlite", "redis"])
def any_url(request: pytest.FixtureRequest, url: str) -> str:
    """A store's, of each kind; of Redis an empty database."""
    if request.param == "sqlite":
        return url
    redis_url: str = request.getfixturevalue("redis_url")
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    return redis_url


def keys(url: str) -> set[str]:
    """Return the key of each record in a store, readable or not."""
    if url.startswith("redis"):
        with redis.Redis.from_url(url) as client:
            return {name.decode().removeprefix("fc-callback:once:") for name in client.keys("fc-callback:once:*")}
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        return {key for (key,) in connection.execute("SELECT key FROM once_records")}


def damage(url: str, key: str, record: str = "{}") -> None:
    """Put something else in a record's place."""
    if url.startswith("redis"):
        with redis.Redis.from_url(url) as client:
            client.set(f"fc-callback:once:{key}", f"revision\n{record}")
        return
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute("UPDATE once_records SET record = ? WHERE key = ?", (record, key))


@pytest.mark.parametrize("more", [(), ("--dry-run",), ("--json",), ("--forget", "0" * 64)], ids=" ".join)
def test_a_database_that_is_not_there_is_an_error_and_is_not_made(more: tuple[str, ...], tmp_path: Path) -> None:
    ended = run_command("redeliver", f"sqlite:///{tmp_path}/onec.db", *more)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"There is no file {tmp_path}/onec.db." in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_database_of_another_program_is_an_error_and_is_left_as_it_is(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection, connection:
        connection.execute("CREATE TABLE guests (name TEXT)")
    before = (tmp_path / "other.db").read_bytes()

    ended = run_command("redeliver", f"sqlite:///{tmp_path}/other.db")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert "is not a store of `once`" in ended.stderr
    assert (tmp_path / "other.db").read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"this is no database, but it is long enough to be one" * 40], ids=len)
def test_a_file_that_is_no_database_is_an_error_and_is_left_as_it_is(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "once.db").write_bytes(content)

    ended = run_command("redeliver", f"sqlite:///{tmp_path}/once.db")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"{tmp_path}/once.db" in ended.stderr
    assert (tmp_path / "once.db").read_bytes() == content


def test_a_store_in_memory_is_an_error() -> None:
    ended = run_command("redeliver", "memory:")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "A memory: store ends with the process that made it" in ended.stderr


def test_a_database_with_nothing_to_report_is_no_error(tasks: WaitingTasks, url: str) -> None:
    assert list(open_store(url).pending()) == []  # as the function makes it

    ended = run_command("redeliver", url)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "0 waiting for a report.\n", "")


@pytest.mark.parametrize("record", ["", "no json", "null", "[1]", '{"format":2}'])
def test_one_unreadable_record_is_told_and_the_others_are_reported(
    record: str, tasks: WaitingTasks, any_url: str, seal: TokenSeal
) -> None:
    others = [tasks.new(order={"id": 1}), tasks.new(order={"id": 3})]
    _undelivered(others[0], tasks, any_url, seal=seal)
    known = keys(any_url)
    _undelivered(tasks.new(order={"id": 2}), tasks, any_url, seal=seal)
    (lost,) = keys(any_url) - known
    _undelivered(others[1], tasks, any_url, seal=seal)
    damage(any_url, lost, record)

    ended = run_command("redeliver", any_url)

    assert [task.output for task in others] == [{"done": True}] * 2
    assert ended.returncode == 1
    assert "2 waiting for a report: 2 reported." in ended.stdout
    assert "holds a record" in ended.stderr
    assert "cannot be read" in ended.stderr


def test_a_record_that_no_report_takes_does_not_keep_the_others_waiting(
    tasks: WaitingTasks, url: str, seal: TokenSeal
) -> None:
    odd, good = tasks.new(order={"id": 1}), tasks.new(order={"id": 2})
    _undelivered(odd, tasks, url, seal=seal, fail=True)
    (key,) = keys(url)
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute("UPDATE once_records SET record = replace(record, 'TooDear', ?)", ("E" * 200,))
    _undelivered(good, tasks, url, seal=seal)

    ended = run_command("redeliver", url)

    assert good.output == {"done": True}
    assert ended.returncode == 1
    assert "1 reported, 1 undelivered" in ended.stdout
    assert "error must have 1 to 128 characters" in ended.stdout
    assert key in ended.stdout


def test_a_report_that_cannot_be_recorded_is_told_and_the_others_are_reported(
    tasks: WaitingTasks, url: str, seal: TokenSeal
) -> None:
    all_tasks = [tasks.new(order={"id": number}) for number in range(3)]
    for task in all_tasks:
        _undelivered(task, tasks, url, seal=seal)
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute(
            f"CREATE TRIGGER full BEFORE UPDATE ON once_records WHEN OLD.key = '{min(keys(url))}' "
            "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )

    ended = run_command("redeliver", url)

    assert [task.output for task in all_tasks] == [{"done": True}] * 3
    assert ended.returncode == 1
    assert "2 reported, 1 unrecorded" in ended.stdout
    assert "the disk is full" in ended.stdout
    assert len(list(open_store(url).pending())) == 1


def test_a_forgotten_result_is_worked_out_again_by_the_next_delivery(tasks: WaitingTasks, any_url: str) -> None:
    runs = []

    @task_callback(once=once("order.id", store=any_url))
    def handler(payload: dict[str, Any]) -> dict[str, int]:
        runs.append(payload["order"]["id"])
        return {"run": len(runs)}

    handler(tasks.new(order={"id": 1}).event, None)
    (key,) = keys(any_url)
    handler(tasks.new(order={"id": 2}).event, None)

    ended = run_command("redeliver", any_url, "--forget", key)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert key in ended.stdout
    assert "which was REPORTED." in ended.stdout
    assert "handler" in ended.stdout
    for number in (1, 2):
        handler(tasks.new(order={"id": number}).event, None)
    assert runs == [1, 2, 1]


def test_a_record_that_cannot_be_read_is_forgotten_by_the_key_that_is_shown(
    tasks: WaitingTasks, any_url: str, seal: TokenSeal
) -> None:
    task = tasks.new(order={"id": 1})
    _undelivered(task, tasks, any_url, seal=seal)
    (key,) = keys(any_url)
    damage(any_url, key)

    ended = run_command("redeliver", any_url, "--forget", key)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"the record {key}, which could not be read" in ended.stdout
    assert keys(any_url) == set()
    assert run_command("redeliver", any_url).returncode == 0


def test_a_value_of_another_type_under_a_key_is_forgotten(redis_url: str) -> None:
    key = "0" * 64
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
        client.rpush(f"fc-callback:once:{key}", "a", "list")

    assert run_command("redeliver", redis_url, "--forget", key).returncode == 0

    assert keys(redis_url) == set()


def test_what_is_forgotten_with_a_task_that_waits_is_told(tasks: WaitingTasks, url: str, seal: TokenSeal) -> None:
    task = tasks.new(order={"id": 1})
    _undelivered(task, tasks, url, seal=seal)
    (key,) = keys(url)

    ended = run_command("redeliver", url, "--forget", key)

    assert "which was DONE. 1 of its tasks had no report yet." in ended.stdout
    assert (ended.returncode, task.status, keys(url)) == (0, "Running", set())


def test_forgetting_work_that_may_still_run_says_so(any_url: str) -> None:
    work = once("order", store=any_url).enter({"order": 1}, scope="shop.handler")

    ended = run_command("redeliver", any_url, "--forget", work.record.key)

    assert ended.returncode == 0
    assert "of shop.handler, which was RUNNING. A delivery may still be running its work." in ended.stdout


def test_what_was_forgotten_is_told_to_a_script(url: str) -> None:
    work = once("order", store=url).enter({"order": 1}, scope="shop.handler")

    ended = run_command("redeliver", url, "--json", "--forget", work.record.key)

    forgotten = {"key": work.record.key, "scope": "shop.handler", "state": "RUNNING", "result": "forgotten"}
    assert json.loads(ended.stdout) == forgotten


@pytest.mark.parametrize("given", ["f" * 64, "0", "", "a-task-token-given-in-its-place"])
def test_a_key_that_is_not_there_is_an_error_and_nothing_is_forgotten(given: str, any_url: str) -> None:
    work = once("order", store=any_url).enter({"order": 1}, scope="shop.handler")

    ended = run_command("redeliver", any_url, "--forget", given)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert "There is no record under this key." in ended.stderr
    assert "token-given" not in ended.stderr
    assert ("A key has 64 digits" in ended.stderr) is (len(given) != 64)
    assert keys(any_url) == {work.record.key}


def test_the_beginning_of_a_key_forgets_nothing_and_says_what_is_missing(url: str) -> None:
    work = once("order", store=url).enter({"order": 1}, scope="shop.handler")

    ended = run_command("redeliver", url, "--forget", work.record.key[:12])

    assert ended.returncode == 1
    assert "A key has 64 digits: give all of them." in ended.stderr
    assert keys(url) == {work.record.key}


def test_forget_and_dry_run_exclude_each_other(url: str) -> None:
    assert run_command("redeliver", url, "--dry-run", "--forget", "0" * 64).returncode == 2


def test_redeliver_shows_the_whole_key_that_forget_takes(tasks: WaitingTasks, url: str) -> None:
    _undelivered(tasks.new(order={"id": 1}), tasks, url, seal=None)
    (key,) = keys(url)

    assert key in run_command("redeliver", url, "--dry-run").stdout
