"""Tasks that finish at once, against the account's real quota of calls."""

from __future__ import annotations

import pytest

from benchmarks import storm
from tests.profiles import by_profile


@pytest.mark.thorough
def test_threads_of_one_instance_take_turns_and_waste_no_more_than_their_first_call() -> None:
    tasks = by_profile(14, 40)
    outcome = storm.run(tasks=tasks, instances=1)
    assert (outcome.delivered, outcome.ended_once) == (tasks, tasks)
    assert outcome.throttled <= tasks


@pytest.mark.thorough
def test_instances_that_know_nothing_of_each_other_all_deliver_once() -> None:
    tasks = by_profile(13, 32)
    outcome = storm.run(tasks=tasks, instances=by_profile(6, 12))
    assert (outcome.delivered, outcome.ended_once) == (tasks, tasks)
