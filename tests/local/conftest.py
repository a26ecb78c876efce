"""What the tests of the local CloudFlow start from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from raw_client import CALLBACK_FLOW, Inbox, RawClient

from fc_callback.local import LocalCloudFlow


@pytest.fixture
def service():
    with LocalCloudFlow(async_retry_delay_seconds=0.01) as service:
        yield service


@pytest.fixture
def raw(service):
    client = RawClient(service.endpoint, service.credentials)
    yield client
    client.session.close()


@pytest.fixture
def inbox(service):
    inbox = Inbox()
    service.add_function(inbox, name="notify")
    return inbox


@pytest.fixture
def waiting(service, inbox):
    """A waiting task's token; its execution is `ask` of the flow `approve`."""
    service.create_flow("approve", CALLBACK_FLOW)
    service.start("approve", {"order": 7}, execution_name="ask")
    return inbox.token()

