"""What every room's tests share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.waiting import WaitingTasks

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """Let a worker send what a test printed: xdist ends the run at a lone surrogate, which is no UTF-8."""
    return _sendable((yield))


def _sendable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {_sendable(key): _sendable(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_sendable(entry) for entry in value)
    return value


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
