"""Random flows on the local CloudFlow end as the reference interpreter says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from tests.flows.flow_strategies import cloudflow_flows, legacy_flows
from tests.flows.reference_expressions import Unsettled
from tests.flows.running import Observed, RandomFlowService, interpret
from tests.profiles import by_profile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.flows.random_flows import RandomFlow
    from tests.flows.reference import End

many = settings(max_examples=by_profile(100, 1000), suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def flows() -> Iterator[RandomFlowService]:
    service = RandomFlowService()
    yield service
    service.close()


@pytest.fixture(scope="module")
def durable_flows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RandomFlowService]:
    service = RandomFlowService(tmp_path_factory.mktemp("flows"))
    yield service
    service.close()


def reference_end(flow: RandomFlow) -> End:
    try:
        return interpret(flow)
    except Unsettled:
        reject()


def assert_same_end(observed: Observed, expected: End) -> None:
    end = observed.execution
    assert (end.status, end.error, end.output) == (expected.status, expected.error, expected.output)


def compare(flows: RandomFlowService, flow: RandomFlow) -> None:
    expected = reference_end(flow)
    observed = flows.run(flow)
    assert_same_end(observed, expected)
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


@pytest.mark.parametrize("part", range(by_profile(1, 2)))
@pytest.mark.timeout(300)
@settings(max_examples=by_profile(15, 300), suppress_health_check=[HealthCheck.too_slow])
@given(
    flow=st.one_of(cloudflow_flows, legacy_flows),
    restart_after=st.lists(st.sampled_from([0, 0.001, 0.003, 0.01]), min_size=1, max_size=3),
)
def test_a_random_flow_ends_as_the_reference_says_although_the_service_is_closed_while_functions_run(
    durable_flows: RandomFlowService, part: int, flow: RandomFlow, restart_after: list[float]
) -> None:
    flow = flow.steady()
    expected = reference_end(flow)
    observed = durable_flows.run(flow, restart_after=restart_after)
    assert_same_end(observed, expected)
    assert not expected.calls - observed.calls, "calls that were not made"
    assert not observed.calls.keys() - (expected.calls | expected.possible_calls).keys(), "calls that nothing asks for"
