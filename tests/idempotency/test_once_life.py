"""The life of records, with deliveries, kills and time in any order, against a model; the same rules for every store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import attrs
import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from fc_callback.errors import LeaseLost, PayloadChanged, WorkInProgress
from fc_callback.idempotency import Store, Work, once
from fc_callback.idempotency.memory import MemoryStore
from fc_callback.idempotency.redis import RedisStore
from fc_callback.idempotency.sqlite import SqliteStore
from fc_callback.values.context import Deadline
from fc_callback.values.token import TaskToken
from tests.idempotency.once_stores import Clock
from tests.profiles import by_profile

EXPIRES, LEASE = 1000.0, 100.0
ORDERS = st.sampled_from([1, 2])
TOKENS = st.sampled_from([None, *(TaskToken(f"the-token-of-task-{number}") for number in range(3))])
OUTPUTS = st.sampled_from(["{}", '{"result":0}', '{"result":null}', '{"result":""}'])


@attrs.define
class Expected:
    """What should stand in the store for one order."""

    owner: int
    state: str
    amount: int
    lease_until: float
    expires_at: float
    result: tuple[str | None, tuple[str, str] | None] = (None, None)
    waits: dict[str, bool] = attrs.Factory(dict)

    @property
    def is_pending(self) -> bool:
        return self.state == "DONE" and any(self.waits.values())


@attrs.define(eq=False)
class Delivery:
    """A process that holds a piece of work; one that is never heard of again was killed."""

    number: int
    order: int
    amount: int
    token: TaskToken | None
    work: Work
    is_over: bool
    nothing_to_report: bool = False


class Life(RuleBasedStateMachine):
    deliveries = Bundle("deliveries")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.store = self.open()
        self.options = once("order", store=self.store, duplicate="raise", expires_after_seconds=EXPIRES)
        self.expected: dict[int, Expected] = {}
        self.count = 0

    def open(self) -> Store:
        raise NotImplementedError

    def forget(self, key: str) -> None:
        """Do what the database does by itself when a record expires."""

    @rule(target=deliveries, order=ORDERS, token=TOKENS, amount=st.sampled_from([1, 1, 1, 2]))
    def deliver(self, order: int, token: TaskToken | None, amount: int) -> Any:
        self.count += 1
        standing = self.expected.get(order)
        left_behind = standing is not None and standing.state == "RUNNING" and standing.lease_until <= self.clock()
        if standing is not None and not left_behind:
            if standing.amount != amount:
                with pytest.raises(PayloadChanged):
                    self.enter(order, token, amount)
                return multiple()
            if standing.state == "RUNNING":
                with pytest.raises(WorkInProgress):
                    self.enter(order, token, amount)
                return multiple()
        work = self.enter(order, token, amount)
        mine = None if token is None else token.fingerprint
        runs = standing is None or left_behind or (standing.state == "DEFERRED" and mine not in {None, *standing.waits})
        assert (work.stored is None) is runs
        if runs:
            self.expected[order] = Expected(
                owner=self.count,
                state="RUNNING",
                amount=amount,
                lease_until=self.clock() + LEASE,
                expires_at=self.clock() + LEASE + EXPIRES,
                waits={} if mine is None else {mine: True},
            )
        else:
            assert standing is not None
            assert work.stored is not None
            if standing.state != "DEFERRED" and mine is not None and mine not in standing.waits:
                standing.waits[mine] = True
                standing.state = "DONE"
            assert (work.stored.state, (work.stored.output, work.stored.failure)) == (standing.state, standing.result)
        nothing = not runs and (standing is None or standing.state != "DONE" or standing.waits.get(mine or "") is False)
        return Delivery(self.count, order, amount, token, work, is_over=not runs, nothing_to_report=nothing)

    @rule(delivery=deliveries, output=OUTPUTS)
    def done(self, delivery: Delivery, output: str) -> None:
        self.finish(delivery, "DONE", (output, None), lambda: delivery.work.done(output))

    @rule(delivery=deliveries)
    def failed(self, delivery: Delivery) -> None:
        self.finish(delivery, "DONE", (None, ("E", "why")), lambda: delivery.work.failed("E", "why"))

    @rule(delivery=deliveries)
    def deferred(self, delivery: Delivery) -> None:
        self.finish(delivery, "DEFERRED", (None, None), delivery.work.deferred)

    @rule(delivery=deliveries)
    def abandon(self, delivery: Delivery) -> None:
        delivery.work.abandon()
        standing = self.expected.get(delivery.order)
        if not delivery.is_over and standing is not None and self.owns(delivery, standing):
            del self.expected[delivery.order]
        if not delivery.is_over:
            delivery.is_over = delivery.nothing_to_report = True

    @rule(delivery=deliveries)
    def reported(self, delivery: Delivery) -> None:
        delivery.work.reported()
        standing = self.expected.get(delivery.order)
        if not delivery.is_over or delivery.nothing_to_report or standing is None:
            return
        if standing.state != "DONE":  # its record has expired: this delivery has seen the next one, and reports no more
            delivery.nothing_to_report = True
            return
        if delivery.token is not None and delivery.token.fingerprint not in standing.waits:
            return
        if delivery.token is not None:
            standing.waits[delivery.token.fingerprint] = False
        delivery.nothing_to_report = True  # a delivery reports once: the record may expire, and another take its place
        if not any(standing.waits.values()):
            standing.state = "REPORTED"

    @rule(delivery=consumes(deliveries))
    def kill(self, delivery: Delivery) -> None:
        pass

    @rule(seconds=st.sampled_from([1.0, 50.0, 101.0, 600.0, 1001.0, 1200.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.at += seconds
        for order, standing in list(self.expected.items()):
            if standing.expires_at <= self.clock():
                del self.expected[order]
                self.forget(self.key(order))

    @invariant()
    def the_store_holds_what_it_should(self) -> None:
        for order in (1, 2):
            record, standing = self.store.get(self.key(order)), self.expected.get(order)
            assert (record is None) is (standing is None)
            if record is not None and standing is not None:
                assert record.state == standing.state
                assert (record.output, record.failure) == standing.result
                assert {one.fingerprint: not one.reported for one in record.receivers} == standing.waits

    @invariant()
    def pending_is_what_a_task_waits_for(self) -> None:
        pending = sorted(record.key for record in self.store.pending())
        assert pending == sorted(self.key(order) for order, one in self.expected.items() if one.is_pending)

    def enter(self, order: int, token: TaskToken | None, amount: int) -> Work:
        # The grace that a lease has for clocks that disagree is 2 s.
        deadline = Deadline.after(LEASE - 2)
        return self.options.enter({"order": order, "amount": amount}, scope="life", deadline=deadline, token=token)

    def key(self, order: int) -> str:
        from fc_callback.idempotency.key import work_key

        return work_key("life", ("order",), {"order": order}, None)

    def owns(self, delivery: Delivery, standing: Expected) -> bool:
        return standing.state == "RUNNING" and standing.owner == delivery.number

    def finish(self, delivery: Delivery, state: str, result: Any, call: Any) -> None:
        if delivery.is_over:
            with pytest.raises(RuntimeError):
                call()
            return
        standing = self.expected.get(delivery.order)
        if standing is not None and not self.owns(delivery, standing):
            with pytest.raises(LeaseLost):
                call()
            return
        call()
        delivery.is_over = True
        delivery.nothing_to_report = state == "DEFERRED"
        mine = {} if delivery.token is None else {delivery.token.fingerprint: True}
        self.expected[delivery.order] = Expected(
            owner=delivery.number,
            state=state,
            amount=delivery.amount,
            lease_until=0,
            expires_at=self.clock() + EXPIRES,
            result=result,
            waits=mine,
        )


class LifeInMemory(Life):
    def open(self) -> Store:
        return MemoryStore(clock=self.clock)


class LifeInSqlite(Life):
    folder = Path()

    def open(self) -> Store:
        return SqliteStore(self.folder / f"{os.urandom(6).hex()}.db", clock=self.clock)


class LifeInRedis(Life):
    url = ""

    def open(self) -> Store:
        self.prefix = f"life-{os.urandom(6).hex()}:"
        self.client = redis.Redis.from_url(self.url)
        return RedisStore(self.url, prefix=self.prefix, clock=self.clock)

    def forget(self, key: str) -> None:
        self.client.delete(self.prefix + key)

    def teardown(self) -> None:
        self.client.close()


def live(machine: type[Life], examples: int) -> None:
    case = machine.TestCase
    case.settings = settings(
        max_examples=examples, stateful_step_count=30, suppress_health_check=[HealthCheck.too_slow]
    )
    case().runTest()


@pytest.mark.thorough
def test_records_live_as_they_should_in_memory() -> None:
    live(LifeInMemory, by_profile(60, 2000))


@pytest.mark.thorough
def test_records_live_as_they_should_in_sqlite(tmp_path: Path) -> None:
    LifeInSqlite.folder = tmp_path
    live(LifeInSqlite, by_profile(10, 200))


@pytest.mark.thorough
def test_records_live_as_they_should_in_redis(redis_url: str) -> None:
    LifeInRedis.url = redis_url
    live(LifeInRedis, by_profile(10, 200))
