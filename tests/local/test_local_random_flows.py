"""Random flows on the local CloudFlow end as the reference interpreter says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, given, settings

from tests.flows.flow_strategies import cloudflow_flows, legacy_flows
from tests.flows.reference_expressions import Unsettled
from tests.flows.running import RandomFlowService, interpret
from tests.profiles import by_profile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.flows.random_flows import RandomFlow

many = settings(max_examples=by_profile(100, 1000), suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def flows() -> Iterator[RandomFlowService]:
    service = RandomFlowService()
    yield service
    service.close()


def compare(flows: RandomFlowService, flow: RandomFlow) -> None:
    try:
        expected = interpret(flow)
    except Unsettled:
        assume(False)
    observed = flows.run(flow)
    execution = observed.execution
    assert (execution.status, execution.error, execution.output) == (expected.status, expected.error, expected.output)
    assert not expected.calls - observed.calls, "calls that were not made"
    assert not observed.calls - expected.calls - expected.possible_calls, "calls that nothing asks for"


@pytest.mark.parametrize("part", range(by_profile(1, 4)))
@pytest.mark.timeout(300)
@many
@given(flow=legacy_flows)
def test_a_random_legacy_flow_ends_as_the_reference_says(flows: RandomFlowService, part: int, flow: RandomFlow) -> None:
    compare(flows, flow)


@pytest.mark.parametrize("part", range(by_profile(1, 4)))
@pytest.mark.timeout(300)
@many
@given(flow=cloudflow_flows)
def test_a_random_cloudflow_flow_ends_as_the_reference_says(
    flows: RandomFlowService, part: int, flow: RandomFlow
) -> None:
    compare(flows, flow)
