"""What every room's tests share."""

from __future__ import annotations

import gc
import logging
import os
import tempfile
import weakref
from typing import TYPE_CHECKING, Any

import pytest
import redis

from fc_callback.cloudflow import transport
from fc_callback.values.invocation import observers
from tests import profiles  # noqa: F401 - it loads the profile
from tests.framed_log import FramedLog
from tests.parts import missing_parts
from tests.site_build import site  # noqa: F401 - a fixture
from tests.waiting import WaitingTasks
from tests.wheel import shared_wheel

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path


def pytest_report_header() -> list[str]:
    """Say at once what this machine lacks, and what will be skipped for it."""
    return missing_parts()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what has more to do in the thorough profile; hypothesis's tests need not say so themselves."""
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.thorough)


def pytest_collection_finish() -> None:
    """Leave the tests themselves out of each later look for garbage: there are thousands, and some tests ask for that look."""
    gc.collect()
    gc.freeze()


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


@pytest.fixture(scope="session", autouse=True)
def _own_temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let temporary folders, also those of processes that are killed, stand in a folder that pytest removes."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TMPDIR", str(tmp_path_factory.mktemp("temporary")))
        patched.setattr(tempfile, "tempdir", None)  # it keeps what it found first
        yield


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("CLOUDFLOW_", "ALIBABA_CLOUD_", "FC_")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _own_connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test opens connections of its own, because a port may come again, and they are closed at its end.

    What is left to the garbage collector is closed in any order: a socket before the connection whose end would close it
    is a warning, and the test that runs at that moment fails.
    """
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    kept: dict[tuple[int, str], transport.HttpTransport] = {}
    monkeypatch.setattr(transport, "_transports", kept)
    pools: weakref.WeakSet[redis.ConnectionPool] = weakref.WeakSet()
    make = redis.ConnectionPool.__init__

    def make_noted(pool: redis.ConnectionPool, *arguments: Any, **options: Any) -> None:
        make(pool, *arguments, **options)
        pools.add(pool)

    monkeypatch.setattr(redis.ConnectionPool, "__init__", make_noted)
    yield
    for opened in kept.values():
        opened.close()
    for pool in pools:
        pool.disconnect()


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Take back what a test did to the process: handlers, formatters, levels, listeners."""
    root = logging.getLogger()
    before = [(handler, handler.formatter, list(handler.filters)) for handler in root.handlers]
    level, observing = root.level, {part: list(of_part) for part, of_part in observers.items()}
    yield
    root.handlers[:] = [handler for handler, _, _ in before]
    for handler, formatter, filters in before:
        handler.formatter = formatter
        handler.filters[:] = filters
    root.setLevel(level)
    for part, of_part in observing.items():
        observers[part][:] = of_part


@pytest.fixture(scope="session")
def wheel() -> Path:
    """This checkout as a wheel."""
    return shared_wheel()


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


@pytest.fixture
def fc_log() -> FramedLog:
    """FC's handler on the root logger, at INFO, as a function finds it."""
    handler = FramedLog()
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.INFO)
    return handler
