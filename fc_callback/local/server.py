"""The HTTP server: uvicorn in a thread of its own, with a loop of its own, on loopback."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Any

import uvicorn

from fc_callback.errors import SettingsError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

HOST = "127.0.0.1"
_BACKLOG = 2048
_STOP_SECONDS = 10
_GRACE_SECONDS = 1.0
_LAST_TURNS = 5


def listen(port: int) -> socket.socket:
    """Return a socket that listens on loopback; port 0 lets the system choose.

    Raises:
        SettingsError: The port cannot be used.
    """
    # With the protocol left at 0, asyncio would not set TCP_NODELAY, and each answer would take 40 ms.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listening.close()
        raise SettingsError(f"Port {port} cannot be used: {error}.", hint="Choose another one, or 0.") from None
    return listening


class _Uvicorn(uvicorn.Server):
    """uvicorn, which looks every tenth of a second whether it is to end, told to end at once."""

    async def main_loop(self) -> None:
        """Serve until `end` is called."""
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        await self.on_tick(0)
        if not self.should_exit:
            await self._end.wait()

    def end(self) -> None:
        """Ask it to end; from any thread."""
        self.should_exit = True
        if hasattr(self, "_end"):
            self._loop.call_soon_threadsafe(self._end.set)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close every connection, after the answers that are under way."""
        for server in self.servers:
            server.close()
        for _ in range(
            _LAST_TURNS
        ):  # a connection that was accepted at the last moment is made some turns of the loop later
            for connection in list(self.server_state.connections):
                connection.shutdown()
            await asyncio.sleep(0)
        for listening in sockets or []:
            listening.close()
        tasks = set(self.server_state.tasks)
        if tasks:
            _done, late = await asyncio.wait(tasks, timeout=_GRACE_SECONDS)
            for task in late:
                task.cancel()
        for connection in list(self.server_state.connections):
            connection.transport.close()
        await asyncio.sleep(0)  # here it is closed


class Server:
    """Serves an application on a socket that listens already, so that callers need not wait for it to be ready.

    Args:
        application: What answers.
        listening: The socket; closed at the end.
        protocol: uvicorn's HTTP protocol, or one built on it.
    """

    def __init__(self, application: ASGIApp, listening: socket.socket, *, protocol: Any) -> None:
        self._server = _Uvicorn(
            uvicorn.Config(
                application,
                http=protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",  # below debug it would log each request whole: token, keys and all
                access_log=False,
                server_header=False,
                date_header=False,
                # Longer than clients keep an idle connection, so that it is not closed under them.
                timeout_keep_alive=75,
            )
        )
        self._socket = listening
        self._thread = threading.Thread(target=self._run, name="local-cloudflow", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))

    def stop(self) -> None:
        """End, at most a second after the answers that are under way."""
        self._server.end()
        self._thread.join(_STOP_SECONDS)
        self._socket.close()
