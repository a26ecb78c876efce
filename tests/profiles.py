"""How much the tests try.

The fast profile is every run's. `HYPOTHESIS_PROFILE=thorough pytest -m thorough` runs, with many more examples, larger values
and more rounds, the tests that have more to do in it: hypothesis's, and those that bear the mark.
"""

from __future__ import annotations

import os
from typing import TypeVar

from hypothesis import HealthCheck, settings

T = TypeVar("T")
THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"

settings.register_profile("fast", max_examples=50, deadline=None, derandomize=True, database=None, print_blob=True)
settings.register_profile(
    "thorough",
    max_examples=2000,
    deadline=None,
    derandomize=bool(os.environ.get("CI")),  # the gate gives one answer for one commit; elsewhere each run tries others
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("thorough" if THOROUGH else "fast")


def by_profile(fast: T, thorough: T) -> T:
    """Return how many, how long or how often, by the profile of this run."""
    return thorough if THOROUGH else fast
