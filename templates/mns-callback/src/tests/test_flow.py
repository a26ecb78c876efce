"""The function in its flows: a local CloudFlow sends the messages, and the test delivers them."""

from __future__ import annotations

import json
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import pytest
from fc_callback.testing import TaskCloudFlow, events

from conftest import flow
from index import handler


@pytest.mark.parametrize("language", ["legacy", "cloudflow"])
def test_the_flow_ends_with_what_the_function_returns(
    local_cloudflow: TaskCloudFlow, fc_context: Callable[..., Any], language: str
) -> None:
    messages: SimpleQueue[bytes] = SimpleQueue()
    local_cloudflow.add_function(messages.put, name="topic")
    local_cloudflow.create_flow("order", flow(language))
    started = local_cloudflow.start("order", {"order": {"id": "o-1", "amount": "12.50"}})

    message = json.loads(messages.get(timeout=30))
    handler(events.mns_topic(message, form="json"), fc_context())

    ended = local_cloudflow.wait("order", started)
    assert ended.status == "Succeeded"
    assert ended.output == {"orderId": "o-1", "charged": "12.50", "status": "paid"}
