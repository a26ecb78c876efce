"""Tasks that finish at once, against the account's real quota of calls."""

from __future__ import annotations

from benchmarks import storm


def test_threads_of_one_instance_take_turns_and_waste_no_more_than_their_first_call() -> None:
    outcome = storm.run(tasks=20, instances=1)
    assert (outcome.delivered, outcome.ended_once) == (20, 20)
    assert outcome.throttled <= 20


def test_instances_that_know_nothing_of_each_other_all_deliver_once() -> None:
    outcome = storm.run(tasks=16, instances=8)
    assert (outcome.delivered, outcome.ended_once) == (16, 16)
