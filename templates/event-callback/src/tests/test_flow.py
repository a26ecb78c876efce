"""The function in its flows: a local CloudFlow calls it in its own process, as FC does."""

from __future__ import annotations

import pytest
from fc_callback.runtime import FunctionSpec
from fc_callback.testing import TaskCloudFlow

from conftest import flow


@pytest.mark.parametrize("language", ["legacy", "cloudflow"])
def test_the_flow_ends_with_what_the_function_returns(
    local_cloudflow: TaskCloudFlow, function: FunctionSpec, language: str
) -> None:
    local_cloudflow.add_function(function)
    local_cloudflow.create_flow("order", flow(language))

    started = local_cloudflow.start("order", {"order": {"id": "o-1", "amount": "12.50"}})

    ended = local_cloudflow.wait("order", started)
    assert ended.status == "Succeeded"
    assert ended.output == {"orderId": "o-1", "charged": "12.50", "status": "paid"}
