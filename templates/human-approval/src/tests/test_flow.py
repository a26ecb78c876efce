"""Both functions in their flows: the function that asks runs in its own process, as in FC."""

from __future__ import annotations

import os
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import pytest
from fc_callback.testing import TaskCloudFlow, events

import decide
from conftest import flow, function, sealed_in


@pytest.mark.parametrize("language", ["legacy", "cloudflow"])
def test_the_flow_goes_on_with_the_decision(
    local_cloudflow: TaskCloudFlow, fc_context: Callable[..., Any], messages: SimpleQueue[str], language: str
) -> None:
    settings = {name: os.environ[name] for name in ("NOTIFY_URL", "DECIDE_URL", "CLOUDFLOW_SEAL_KEY")}
    local_cloudflow.add_function(function("ask", settings))
    local_cloudflow.create_flow("approval", flow(language))
    started = local_cloudflow.start("approval", {"subject": "Release 2.0?"})

    link = sealed_in(messages.get(timeout=30))
    decide.handler(events.http("decision=approve", query={"request": link}), fc_context())

    assert local_cloudflow.wait("approval", started).output == {"approved": True}
