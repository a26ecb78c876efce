"""What every room's tests share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.waiting import WaitingTasks

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("CLOUDFLOW_", "ALIBABA_CLOUD_", "FC_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def shared_tasks() -> Iterator[WaitingTasks]:
    """A local CloudFlow for the whole run: its tasks are told apart by their executions."""
    with WaitingTasks() as tasks:
        yield tasks


@pytest.fixture
def tasks(shared_tasks: WaitingTasks, monkeypatch: pytest.MonkeyPatch) -> WaitingTasks:
    """Waiting tasks, with the environment of a function that has a role."""
    for name, value in shared_tasks.service.environment.items():
        monkeypatch.setenv(name, value)
    return shared_tasks
