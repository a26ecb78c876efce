"""What a delivery of the same work finds, and what it may do."""

from __future__ import annotations

import json
import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest

from fc_callback.errors import (
    IdempotencyError,
    LeaseLost,
    PayloadChanged,
    SettingsError,
    StoreUnavailable,
    WorkInProgress,
)
from fc_callback.idempotency import Once, Record, Store, Work, once
from fc_callback.idempotency.key import work_key
from fc_callback.idempotency.memory import MemoryStore
from fc_callback.idempotency.redis import RedisStore
from fc_callback.idempotency.sqlite import SqliteStore
from fc_callback.idempotency.work import _entered
from fc_callback.values.context import Deadline
from fc_callback.values.token import TaskToken
from tests.idempotency.once_stores import Clock, start_redis

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FIRST = TaskToken("token-of-the-first-delivery")
SECOND = TaskToken("token-of-the-second-delivery")
DAY = 24 * 3600


def enter(options: Once, token: TaskToken | None = FIRST, seconds: float = 60, **payload: object) -> Work:
    payload = {"order": 7, **payload}
    if token is not None:
        payload["taskToken"] = token.reveal()
    return options.enter(payload, scope="shop.handler", deadline=Deadline.after(seconds), token=token)


def test_the_first_delivery_runs(store: Store) -> None:
    assert enter(once("order", store=store)).stored is None


@pytest.mark.parametrize(
    "output", ["{}", '{"result":0}', '{"result":null}', '{"result":false}', '{"result":""}', '{ "a" : 1 }']
)
def test_every_output_comes_back_to_the_letter(store: Store, output: str) -> None:
    options = once("order", store=store)
    enter(options).done(output)
    stored = enter(options, SECOND).stored
    assert stored is not None
    assert (stored.output, stored.failure) == (output, None)


def test_a_replay_knows_whether_every_task_has_its_report(store: Store) -> None:
    options = once("order", store=store)
    work = enter(options)
    work.done("{}")
    again = enter(options)
    assert again.stored is not None
    assert again.stored.state == "DONE"
    work.reported()
    assert enter(options).record.state == "REPORTED"


def test_a_second_task_that_comes_for_a_reported_result_waits_for_its_own_report(store: Store) -> None:
    options = once("order", store=store)
    work = enter(options)
    work.done("{}")
    work.reported()
    second = enter(options, SECOND)
    assert [record.key for record in store.pending()] == [work.record.key]
    second.reported()
    assert list(store.pending()) == []


def test_one_tasks_report_does_not_count_for_another_that_waits(store: Store) -> None:
    options = once("order", store=store)
    work = enter(options)
    work.done("{}")
    second = enter(options, SECOND)
    second.reported()
    (record,) = store.pending()
    assert [one.fingerprint for one in record.receivers if not one.reported] == [FIRST.fingerprint]
    work.reported()
    assert list(store.pending()) == []


def test_a_report_recorded_twice_counts_once(store: Store) -> None:
    options = once("order", store=store)
    work = enter(options)
    work.done("{}")
    work.reported()
    work.reported()
    assert work.record.state == "REPORTED"


def test_work_without_a_task_is_never_pending(store: Store) -> None:
    options = once("order", store=store)
    work = enter(options, None)
    work.done("{}")
    assert list(store.pending()) == []
    work.reported()
    assert work.record.state == "REPORTED"


def test_a_business_failure_is_remembered_by_name(store: Store) -> None:
    options = once("order", store=store)
    enter(options).failed("EmptyOrder", "order has no lines")
    stored = enter(options, SECOND).stored
    assert stored is not None
    assert (stored.output, stored.failure) == (None, ("EmptyOrder", "order has no lines"))


def test_a_technical_failure_is_forgotten(store: Store) -> None:
    options = once("order", store=store)
    enter(options).abandon()
    work = enter(options)
    assert work.stored is None
    assert work.record.attempt == 1


def test_giving_up_after_the_result_was_recorded_does_not_forget_it(store: Store) -> None:
    options = once("order", store=store)
    work = enter(options)
    work.done("{}")
    work.abandon()
    assert enter(options).stored is not None


def test_a_replay_that_gives_up_does_not_forget_the_result(store: Store) -> None:
    options = once("order", store=store)
    enter(options).done("{}")
    enter(options, SECOND).abandon()
    assert enter(options).stored is not None


def test_a_replay_cannot_overwrite_the_result() -> None:
    options = once("order", store="memory:")
    enter(options).done('{"a":1}')
    with pytest.raises(RuntimeError, match="there is a result already"):
        enter(options, SECOND).done('{"a":2}')


def test_a_changed_payload_under_the_same_key_is_refused(store: Store, clock: Clock) -> None:
    options = once("order", store=store)
    enter(options, amount=1).done("{}")
    clock.at += 5
    with pytest.raises(PayloadChanged, match=r"shop\.handler .* with another payload, 5 s ago\..*check="):
        enter(options, amount=2)


def test_a_changed_payload_is_refused_while_the_first_runs(store: Store) -> None:
    options = once("order", store=store)
    enter(options, amount=1)
    with pytest.raises(PayloadChanged):
        enter(options, amount=2)


def test_a_changed_payload_may_take_over_what_a_killed_process_left(store: Store, clock: Clock) -> None:
    options = once("order", store=store)
    enter(options, amount=1)
    clock.at += 100
    assert enter(options, amount=2).stored is None


def test_only_the_fields_of_check_must_agree() -> None:
    options = once("order", store="memory:", check=("amount",))
    enter(options, amount=1, seen_at="today").done("{}")
    assert enter(options, amount=1, seen_at="tomorrow").stored is not None
    with pytest.raises(PayloadChanged):
        enter(options, amount=2)


def test_nothing_need_agree_without_a_check() -> None:
    options = once("order", store="memory:", check=None)
    enter(options, amount=1).done("{}")
    assert enter(options, amount=2).stored is not None


def test_a_new_token_anywhere_in_the_payload_does_not_change_it() -> None:
    options = once("order", store="memory:")
    enter(options, FIRST, link=f"https://x/?t={FIRST.reveal()}", inner=[{"ticket": FIRST.reveal()}]).done("{}")
    again = enter(options, SECOND, link=f"https://x/?t={SECOND.reveal()}", inner=[{"ticket": SECOND.reveal()}])
    assert again.stored is not None


def test_a_result_is_forgotten_when_it_expires(memory_store: Callable[..., Store], clock: Clock) -> None:
    options = once("order", store=memory_store(clock=clock), expires_after_seconds=DAY)
    enter(options).done("{}")
    clock.at += DAY - 1
    assert enter(options).stored is not None
    clock.at += 2
    assert enter(options, amount="another payload, too").stored is None


def test_a_result_is_remembered_from_its_end_on_and_not_from_its_start(
    memory_store: Callable[..., Store], clock: Clock
) -> None:
    options = once("order", store=memory_store(clock=clock), expires_after_seconds=10)
    work = enter(options, seconds=600)
    clock.at += 500
    work.done("{}")
    clock.at += 9
    assert enter(options).stored is not None


# Two at a time


def test_a_duplicate_that_does_not_wait_is_told_when_to_come_back(store: Store) -> None:
    options = once("order", store=store, duplicate="raise")
    enter(options, seconds=60)
    with pytest.raises(WorkInProgress) as caught:
        threaded(lambda: enter(options))
    assert 50 < caught.value.retry_after_seconds < 63
    assert caught.value.retryable


def test_a_duplicate_waits_and_gets_the_result(store: Store) -> None:
    options = once("order", store=store)
    work = enter(options)
    waiting = InThread(lambda: enter(options, SECOND))
    waiting.is_held_up()
    work.done('{"n":0}')
    stored = waiting.result().stored
    assert stored is not None
    assert stored.output == '{"n":0}'


def test_a_duplicate_waits_and_runs_when_the_first_fails_technically(store: Store) -> None:
    options = once("order", store=store)
    work = enter(options)
    waiting = InThread(lambda: enter(options, SECOND))
    waiting.is_held_up()
    work.abandon()
    assert waiting.result().stored is None


def test_a_duplicate_waits_and_runs_when_the_lease_ends(store: Store, clock: Clock) -> None:
    options = once("order", store=store)
    enter(options)
    waiting = InThread(lambda: enter(options, SECOND))
    waiting.is_held_up()
    clock.at += 63
    work = waiting.result()
    assert work.stored is None
    assert work.record.attempt == 2


def test_a_duplicate_does_not_wait_past_its_own_deadline() -> None:
    options = once("order", store="memory:")
    enter(options)
    with pytest.raises(WorkInProgress, match="Another delivery runs the work"):
        threaded(lambda: enter(options, SECOND, seconds=1.1))


def test_of_many_threads_one_runs(store: Store) -> None:
    options = once("order", store=store)
    gate, ran, outputs = threading.Barrier(6), [], []

    def deliver(number: int) -> None:
        gate.wait(10)
        work = enter(options, TaskToken(f"token-of-delivery-{number}"))
        if work.stored is None:
            ran.append(number)
            work.done(json.dumps({"by": number}))
            outputs.append(json.dumps({"by": number}))
        else:
            outputs.append(str(work.stored.output))
        work.reported()

    threads = [threading.Thread(target=deliver, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(ran) == 1
    assert outputs == [json.dumps({"by": ran[0]})] * 6
    assert list(store.pending()) == []


# Leases


def test_the_lease_ends_with_the_invocation(store: Store, clock: Clock) -> None:
    work = enter(once("order", store=store), seconds=60)
    assert 60 < work.record.lease_until - clock() < 63


def test_without_a_deadline_the_lease_is_a_quarter_of_an_hour(clock: Clock) -> None:
    options = once("order", store=MemoryStore(clock=clock))
    work = options.enter({"order": 7}, scope="shop.handler")
    assert 900 <= work.record.lease_until - clock() <= 905


def test_a_delivery_that_lost_its_lease_does_not_overwrite_the_one_that_took_over(store: Store, clock: Clock) -> None:
    options = once("order", store=store)
    slow = enter(options)
    clock.at += 100
    fast = enter(options, SECOND)
    with pytest.raises(LeaseLost, match="another delivery took it over"):
        slow.done('{"by":"slow"}')
    fast.done('{"by":"fast"}')
    with pytest.raises(LeaseLost):
        slow.done('{"by":"slow"}')
    slow.abandon()
    slow.reported()
    stored = enter(options).stored
    assert stored is not None
    assert stored.output == '{"by":"fast"}'


def test_a_slow_delivery_whose_work_was_not_taken_over_still_records_it(store: Store, clock: Clock) -> None:
    options = once("order", store=store)
    slow = enter(options)
    clock.at += 100
    slow.done("{}")
    assert enter(options).stored is not None


def test_a_slow_delivery_records_its_result_when_the_one_that_took_over_failed(store: Store, clock: Clock) -> None:
    options = once("order", store=store)
    slow = enter(options)
    clock.at += 100
    enter(options, SECOND).abandon()
    slow.done('{"by":"slow"}')
    stored = enter(options).stored
    assert stored is not None
    assert stored.output == '{"by":"slow"}'


def test_abandoning_late_does_not_end_the_work_of_the_delivery_that_took_over(store: Store, clock: Clock) -> None:
    options = once("order", store=store, duplicate="raise")
    slow = enter(options)
    clock.at += 100
    enter(options, SECOND)
    slow.abandon()
    with pytest.raises(WorkInProgress):
        enter(options)


# Nested


def test_work_inside_other_work_has_its_own_record(store: Store) -> None:
    outer, inner = once("order", store=store, name="outer"), once("order", store=store, name="inner")
    first = enter(outer)
    second = enter(inner)
    second.done('{"by":"inner"}')
    first.done('{"by":"outer"}')
    found = [enter(options).stored for options in (outer, inner)]
    assert [stored and stored.output for stored in found] == ['{"by":"outer"}', '{"by":"inner"}']


def test_work_that_meets_itself_inside_is_told_so_and_does_not_wait_for_ever(store: Store) -> None:
    options = once("order", store=store)
    enter(options)
    with pytest.raises(WorkInProgress, match="inside itself"):
        enter(options)


def test_a_warm_instance_does_not_gather_what_it_has_done() -> None:
    options = once("order", store="memory:", duplicate="raise")
    before = runs_here_count()
    for end in (lambda work: work.done("{}"), lambda work: work.failed("E", ""), Work.deferred, Work.abandon):
        end(options.enter({"order": str(end)}, scope="shop.handler"))
    assert runs_here_count() == before


def runs_here_count() -> int:
    return len(_entered.get())


def test_late_calls_on_a_forgotten_result_do_not_touch_the_work_of_the_next(
    memory_store: Callable[..., Store], clock: Clock
) -> None:
    options = once("order", store=memory_store(clock=clock), expires_after_seconds=10, duplicate="raise")
    old = enter(options)
    old.done("{}")
    clock.at += 11
    new = enter(options)
    old.reported()
    old.abandon()
    with pytest.raises(RuntimeError):
        old.done("{}")
    new.done('{"by":"new"}')


def test_a_function_of_another_name_has_its_own_records() -> None:
    options = once("order", store="memory:")
    options.enter({"order": 7}, scope="one").done("{}")
    assert options.enter({"order": 7}, scope="two").stored is None


def test_a_name_is_shared_by_functions() -> None:
    options = once("order", store="memory:", name="orders")
    options.enter({"order": 7}, scope="one").done("{}")
    assert options.enter({"order": 7}, scope="two").stored is not None


# Deferred


def test_a_deferred_task_is_not_deferred_again(store: Store) -> None:
    options = once("order", store=store)
    enter(options).deferred()
    stored = enter(options).stored
    assert stored is not None
    assert (stored.state, stored.output) == ("DEFERRED", None)
    assert list(store.pending()) == []


def test_a_new_task_for_deferred_work_runs_because_its_old_token_is_the_wrong_one(store: Store) -> None:
    options = once("order", store=store)
    enter(options).deferred()
    work = enter(options, SECOND)
    assert work.stored is None
    work.deferred()
    assert enter(options, SECOND).stored is not None


def test_a_changed_payload_is_refused_for_deferred_work() -> None:
    options = once("order", store="memory:")
    enter(options, amount=1).deferred()
    with pytest.raises(PayloadChanged):
        enter(options, SECOND, amount=2)


# A store that is down


def test_nothing_runs_when_the_store_is_down() -> None:
    server = start_redis()
    server.stop()
    with pytest.raises(StoreUnavailable, match="whitelist"):
        enter(once("order", store=RedisStore(server.url, timeout_seconds=0.2)))


def test_a_result_that_could_not_be_recorded_is_recorded_with_its_report_when_the_store_is_back() -> None:
    server = start_redis()
    options = once("order", store=RedisStore(server.url, timeout_seconds=0.2))
    work = enter(options)
    server.stop()
    with pytest.raises(StoreUnavailable):
        work.done('{"n":1}')
    work.abandon()
    with pytest.raises(StoreUnavailable):
        work.reported()
    again = start_redis(port=int(server.url.split(":")[2].split("/")[0]))
    try:
        work.reported()
        stored = enter(options).stored
        assert stored is not None
        assert (stored.state, stored.output) == ("REPORTED", '{"n":1}')
    finally:
        again.stop()


def test_giving_up_does_not_throw_away_a_result_that_could_not_be_recorded(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "once.db", busy_timeout_seconds=0.05)
    options = once("order", store=store, duplicate="raise")
    work = enter(options)
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnavailable, match="locked"):
        work.done("{}")
    other.close()
    work.abandon()
    with pytest.raises(WorkInProgress):
        enter(options)
    work.done("{}")
    assert enter(options).stored is not None


def test_giving_up_while_the_store_is_down_does_not_hide_the_real_error() -> None:
    server = start_redis()
    work = enter(once("order", store=RedisStore(server.url, timeout_seconds=0.2)))
    server.stop()
    work.abandon()


# Answers lost on the way


class LosesAnswers:
    """A store whose client repeats every change, as after a lost answer: the caller learns only of the second try."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now, self.get, self.pending = store.now, store.get, store.pending

    def add(self, record: Record, *, timeout: float = 10) -> bool:
        return self.store.add(record) and self.store.add(record)

    def replace(self, old: Record, new: Record, *, timeout: float = 10) -> bool:
        return self.store.replace(old, new) and self.store.replace(old, new)

    def delete(self, old: Record, *, timeout: float = 10) -> bool:
        return self.store.delete(old) and self.store.delete(old)


def test_a_change_that_was_made_and_whose_answer_was_lost_counts(store: Store, clock: Clock) -> None:
    options = once("order", store=LosesAnswers(store), duplicate="raise")
    enter(options).abandon()
    enter(options)
    clock.at += 100
    work = enter(options)
    assert work.record.attempt == 2
    work.done("{}")
    enter(options, SECOND).reported()
    work.reported()
    assert work.record.state == "REPORTED"


# Errors


def changed_payload() -> Work:
    options = once("order", store="memory:")
    enter(options, order="order-4111")
    return enter(options, order="order-4111", amount=2)


def run_by_another() -> Work:
    options = once("order", store="memory:", duplicate="raise")
    enter(options, order="order-4111")
    return threaded(lambda: enter(options, order="order-4111"))


def inside_itself() -> Work:
    options = once("order", store="memory:")
    enter(options, order="order-4111")
    return enter(options, order="order-4111")


def taken_over() -> None:
    clock = Clock()
    options = once("order", store=MemoryStore(clock=clock))
    slow = enter(options, order="order-4111")
    clock.at += 100
    enter(options, order="order-4111")
    slow.done("{}")


@pytest.mark.parametrize("fail", [changed_payload, run_by_another, inside_itself, taken_over])
def test_an_error_shows_the_key_that_forget_takes_and_no_value_of_the_event(fail: Callable[[], object]) -> None:
    with pytest.raises(IdempotencyError) as caught:
        fail()
    key = work_key("shop.handler", ("order",), {"order": "order-4111"}, None)
    assert f"shop.handler ({key})" in str(caught.value)
    assert "4111" not in str(caught.value).replace(key, "")


# Options


def test_the_store_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    options = once("order")
    with pytest.raises(SettingsError, match="CLOUDFLOW_ONCE_STORE"):
        enter(options)
    monkeypatch.setenv("CLOUDFLOW_ONCE_STORE", "memory:")
    enter(options).done("{}")
    assert enter(options).stored is not None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"store": 7}, "Give a Store"),
        ({"store": "nowhere"}, "no scheme"),
        ({"duplicate": "skip"}, "duplicate="),
        ({"expires_after_seconds": 0}, "expires_after_seconds="),
        ({"expires_after_seconds": float("inf")}, "expires_after_seconds="),
        ({"lease_seconds": -1}, "lease_seconds="),
        ({"key": ()}, "key="),
        ({"key": 7}, "key="),
        ({"key": "a..b"}, "key="),
        ({"key": ("order", "taskToken")}, "names the task token"),
        ({"key": "body.task_token"}, "names the task token"),
        ({"check": ("TaskToken",)}, "names the task token"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused_when_the_function_is_decorated(
    wrong: dict[str, object], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        once(**{"key": "order", "store": "memory:", **wrong})  # type: ignore[arg-type]  # wrong on purpose


def test_the_options_do_not_show_a_password() -> None:
    assert "pa55" not in repr(once("order", store="redis://user:pa55word@host:6379/0"))


def test_every_error_of_this_room_has_one_root() -> None:
    assert issubclass(WorkInProgress, IdempotencyError)
    assert issubclass(StoreUnavailable, ConnectionError)


class InThread:
    """A call in a thread of its own: a delivery of its own, as far as nesting goes."""

    def __init__(self, call: Callable[[], Work]) -> None:
        self.outcome: list[Work | BaseException] = []
        self.thread = threading.Thread(target=self._run, args=(call,))
        self.thread.start()

    def _run(self, call: Callable[[], Work]) -> None:
        try:
            self.outcome.append(call())
        except BaseException as error:
            self.outcome.append(error)

    def is_held_up(self) -> None:
        self.thread.join(0.15)
        assert self.outcome == []

    def result(self) -> Work:
        self.thread.join(30)
        (outcome,) = self.outcome
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


def threaded(call: Callable[[], Work]) -> Work:
    return InThread(call).result()
