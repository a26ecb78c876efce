"""Stores to test with: each test that asks for `store` runs over all three, Redis as a real server."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis

from fc_callback.idempotency.memory import MemoryStore
from fc_callback.idempotency.redis import RedisStore
from fc_callback.idempotency.sqlite import SqliteStore
from tests.idempotency.once_stores import Clock, start_redis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fc_callback.idempotency import Store

IN_MEMORY = Path("/dev/shm")


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    server = start_redis()
    yield server.url
    server.stop()


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder in memory, where there is one: a disk takes twenty times as long to confirm a write."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite", "redis"])
def store(request: pytest.FixtureRequest, clock: Clock) -> Store:
    """A store on a clock that the test moves."""
    make: Callable[..., Store] = request.getfixturevalue(f"{request.param}_store")
    return make(clock=clock)


@pytest.fixture
def memory_store() -> Callable[..., Store]:
    return MemoryStore


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Callable[..., Store]:
    return lambda **options: SqliteStore(tmp_path / "once.db", **options)


@pytest.fixture
def redis_store(redis_url: str) -> Callable[..., Store]:
    prefix = f"test-{os.urandom(6).hex()}:"
    return lambda **options: RedisStore(redis_url, prefix=prefix, **options)


@pytest.fixture(params=["sqlite", "redis"])
def shared_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a store that several processes share; a Redis database of its own."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/once.db"
        return
    url = request.getfixturevalue("redis_url")
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        yield url
        client.flushdb()
