"""Results that a task still waits for, with all that a late report takes."""

from __future__ import annotations

import pytest

from fc_callback.idempotency import Once, Store, Work, once, undelivered
from fc_callback.sealing import TokenSeal
from fc_callback.values.token import TaskToken

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
