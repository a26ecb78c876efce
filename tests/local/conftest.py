"""What the tests of the local CloudFlow start from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fc_callback.local import LocalCloudFlow
from tests.local.browser import chromium, window  # noqa: F401 - fixtures
from tests.local.processes import Process
from tests.local.raw_client import CALLBACK_FLOW, Inbox, RawClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def service() -> Iterator[LocalCloudFlow]:
    with LocalCloudFlow(async_retry_delay_seconds=0.01) as service:
        yield service


@pytest.fixture
def raw(service: LocalCloudFlow) -> Iterator[RawClient]:
    client = RawClient(service.endpoint, service.credentials)
    yield client
    client.session.close()


@pytest.fixture
def inbox(service: LocalCloudFlow) -> Inbox:
    inbox = Inbox()
    service.add_function(inbox, name="notify")
    return inbox


@pytest.fixture
def waiting(service: LocalCloudFlow, inbox: Inbox) -> str:
    """A waiting task's token; its execution is `ask` of the flow `approve`."""
    service.create_flow("approve", CALLBACK_FLOW)
    service.start("approve", {"order": 7}, execution_name="ask")
    inbox.wait()  # the function has been called
    return service.waiting_token("approve", "ask").reveal()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def start(**options: Any) -> Process:
        process = Process(tmp_path, **options)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.process.poll() is None:
            process.kill()
