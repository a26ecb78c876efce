"""How long a report waits between attempts: values, without a clock."""

from __future__ import annotations

import pytest

from fc_callback.cloudflow import throttle
from fc_callback.cloudflow.retry import RetryPolicy
from fc_callback.cloudflow.throttle import SECONDS_PER_CALL, ThrottleQueue, throttle_queue_for


def longest() -> RetryPolicy:
    return RetryPolicy(draw=lambda: 1.0)


def waits(policy: RetryPolicy, *, throttled: bool = False, retry_after: float | None = None) -> list[float]:
    return [policy.wait_seconds(n, throttled=throttled, retry_after_seconds=retry_after) for n in range(1, 9)]


def test_bounds_grow_up_to_the_cap() -> None:
    assert waits(longest()) == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10])


def test_full_jitter_reaches_down_to_nothing() -> None:
    assert waits(RetryPolicy(draw=lambda: 0.0)) == [0] * 8


def test_after_a_429_half_of_each_bound_is_kept() -> None:
    assert waits(longest(), throttled=True) == pytest.approx([4, 8, 14, 14, 14, 14, 14, 14])
    assert waits(RetryPolicy(draw=lambda: 0.0), throttled=True) == pytest.approx([2, 4, 7, 7, 7, 7, 7, 7])


@pytest.mark.parametrize("throttled", [True, False])
def test_the_wait_is_never_shorter_than_the_service_asked_for(throttled: bool) -> None:
    assert min(waits(RetryPolicy(), throttled=throttled, retry_after=5)) >= 5


def test_a_thousand_repeats_are_still_a_number() -> None:
    assert longest().wait_seconds(100_000, throttled=False, retry_after_seconds=None) == 10


@pytest.mark.parametrize("option", ["total_seconds", "base_seconds", "growth", "cap_seconds", "reserve_seconds"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_policy_that_makes_no_sense_is_refused(option: str, value: float) -> None:
    with pytest.raises(ValueError, match=option):
        RetryPolicy(**{option: value})  # type: ignore[arg-type]  # one of those that are numbers


def test_one_throttled_thread_waits_by_itself() -> None:
    assert ThrottleQueue().wait_seconds(3.5) == 3.5


def test_several_throttled_threads_are_told_moments_at_the_pace_of_the_quota() -> None:
    queue = ThrottleQueue()
    queue.wait_seconds(3.5)
    turns = [queue.wait_seconds(3.5) for _ in range(5)]
    steps = [turns[n + 1] - turns[n] for n in range(4)]
    assert steps == pytest.approx([SECONDS_PER_CALL] * 4, abs=0.1)


def test_when_all_have_left_the_next_one_is_alone_again() -> None:
    queue = ThrottleQueue()
    for _ in range(3):
        queue.wait_seconds(1.0)
    for _ in range(3):
        queue.leave()
    assert queue.wait_seconds(9.0) == 9.0


def test_each_endpoint_has_a_queue_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "_queues", {})
    assert throttle_queue_for("https://a") is throttle_queue_for("https://a")
    assert throttle_queue_for("https://a") is not throttle_queue_for("https://b")


def test_a_growth_beyond_all_numbers_ends_at_the_cap() -> None:
    policy = RetryPolicy(growth=1e6, cap_seconds=3.0, draw=lambda: 1.0)
    assert policy.wait_seconds(500, throttled=False, retry_after_seconds=None) == 3.0
