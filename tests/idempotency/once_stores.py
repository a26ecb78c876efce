"""What the tests of this room share: a clock to move, and a real Redis server."""

from __future__ import annotations

import socket
import subprocess
import time

import attrs
import pytest
import redis

from tests.parts import need


@attrs.define
class Clock:
    """A clock that a test moves."""

    at: float = attrs.Factory(time.time)

    def __call__(self) -> float:
        return self.at


@attrs.define
class RedisServer:
    url: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(timeout=10)


def start_redis(port: int | None = None) -> RedisServer:
    need("redis-server")
    for _ in range(5):
        chosen = port or _free_port()
        process = subprocess.Popen(
            ["redis-server", "--port", str(chosen), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL,
            cwd="/",
        )
        server = RedisServer(url=f"redis://127.0.0.1:{chosen}/0", process=process)
        if _answers(server):
            return server
        server.stop()
    pytest.fail("redis-server does not start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(server: RedisServer) -> bool:
    limit = time.monotonic() + 10
    with redis.Redis.from_url(server.url) as client:
        while time.monotonic() < limit and server.process.poll() is None:
            try:
                # Another worker's server may have taken the port meanwhile.
                return bool(client.info("server")["process_id"] == server.process.pid)
            except redis.exceptions.RedisError:
                time.sleep(0.02)
    return False
