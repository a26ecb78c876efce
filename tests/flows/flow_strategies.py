"""Hypothesis's strategies for the random flows of both languages."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.flows.random_cloudflow import cloudflow_flow
from tests.flows.random_legacy import legacy_flow

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.flows.random_flows import RandomFlow

# A seed for each flow costs less than a draw for each choice, and gives larger flows. `SHRINK_FLOWS=1 pytest ...` draws
# each choice, so that hypothesis finds the smallest flow that fails.
SHRINK = bool(os.environ.get("SHRINK_FLOWS"))


def _flows(make: Callable[..., RandomFlow], *, least: int = 2, **options: Any) -> st.SearchStrategy[RandomFlow]:
    return st.builds(
        lambda random, steps: make(random, steps=steps, **options),
        st.randoms(use_true_random=not SHRINK),
        st.integers(least, 20),
    )


legacy_flows = _flows(legacy_flow)
cloudflow_flows = _flows(cloudflow_flow)
waiting_flows = st.one_of(
    _flows(cloudflow_flow, least=8, only_waiting=True), _flows(legacy_flow, least=8, only_waiting=True)
)
