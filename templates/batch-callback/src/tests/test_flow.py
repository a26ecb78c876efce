"""The function in its flows: a local CloudFlow sends the messages, and the test delivers them together."""

from __future__ import annotations

import json
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import pytest
from fc_callback.testing import TaskCloudFlow, events

from conftest import flow, together
from index import handler


@pytest.mark.parametrize("language", ["legacy", "cloudflow"])
def test_two_flows_end_by_one_event(
    local_cloudflow: TaskCloudFlow, fc_context: Callable[..., Any], language: str
) -> None:
    messages: SimpleQueue[bytes] = SimpleQueue()
    local_cloudflow.add_function(messages.put, name="queue")
    local_cloudflow.create_flow("order", flow(language))
    started = [local_cloudflow.start("order", {"order": {"id": name, "amount": "3"}}) for name in ("o-1", "o-2")]

    handler(together(*(events.mns_queue(json.loads(messages.get(timeout=30))) for _ in started)), fc_context())

    outputs = [local_cloudflow.wait("order", execution).output for execution in started]
    assert outputs == [{"orderId": name, "charged": "3", "status": "paid"} for name in ("o-1", "o-2")]
