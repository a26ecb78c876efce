"""A small chaos run; `python -m benchmarks.chaos` is the large one."""

from __future__ import annotations

import random

from benchmarks import chaos


def test_every_task_ends_once_with_the_output_of_work_that_ran_once() -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    outcome = chaos.run(invocations=60, seed=seed)
    print(f"seed {seed}: {outcome}")
    assert outcome.wrong == []
    assert outcome.killed > 0
    assert outcome.faulted > 0
