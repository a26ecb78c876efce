"""The function in its flows, on a local CloudFlow: the same code, events and reports as in the cloud."""

from __future__ import annotations

import pytest
from conftest import flow

from fc_callback.local import LocalCloudFlow
from fc_callback.runtime import FunctionSpec

pytestmark = pytest.mark.parametrize("language", ["legacy", "cloudflow"])


@pytest.fixture(autouse=True)
def _deployed(local_cloudflow: LocalCloudFlow, function: FunctionSpec, language: str) -> None:
    local_cloudflow.add_function(function)
    local_cloudflow.create_flow("order", flow(language))


def test_the_flow_ends_with_what_the_function_returns(local_cloudflow: LocalCloudFlow) -> None:
    started = local_cloudflow.start("order", {"order": {"id": "o-1", "amount": 12.5}})

    ended = local_cloudflow.wait("order", started)

    assert ended.status == "Succeeded"
    assert ended.output == {"orderId": "o-1", "charged": "12.5", "status": "paid"}


def test_the_flow_fails_by_name_when_the_function_does_not_report(local_cloudflow: LocalCloudFlow) -> None:
    started = local_cloudflow.start("order", {"order": {"id": "o-2", "amount": 0}})

    local_cloudflow.advance(900, skew=False)  # the step's time-out, on the local clock

    ended = local_cloudflow.wait("order", started)
    assert (ended.status, ended.error) == ("Failed", "OrderNotCharged")
