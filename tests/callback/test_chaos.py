"""A small chaos run; `python -m benchmarks.chaos` is the large one."""

from __future__ import annotations

import random

import pytest

from benchmarks import chaos
from tests.profiles import by_profile


@pytest.mark.thorough
@pytest.mark.timeout(300)  # it starts some thirty processes, one after another
def test_nothing_is_lost_and_nothing_doubled_while_processes_are_killed_and_the_store_falls_silent() -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    outcome = chaos.run(invocations=by_profile(30, 200), seed=seed, kill_rate=0.4)  # a kill may come too late
    print(f"seed {seed}: {outcome}")
    assert outcome.wrong == []
    assert outcome.killed > 0
    assert outcome.faulted > 0
    assert outcome.stalls > 0
