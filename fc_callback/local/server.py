"""The HTTP server: uvicorn in its own thread, with its own event loop, on loopback."""

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
    """Return a socket that listens on loopback; port 0 takes a free one.

    Raises:
        SettingsError: The port cannot be used.
    """
    # With the protocol left at 0, asyncio would not set TCP_NODELAY, and each response would take 40 ms.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # On Windows SO_REUSEADDR would let two programs listen at the same port.
    option = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
    listening.setsockopt(socket.SOL_SOCKET, option, 1)
    try:
        listening.bind((HOST, port))
        listening.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listening.close()
        raise SettingsError(
            f"Port {port} cannot be used: {error}.", hint="Choose another port, or 0 for a free one."
        ) from None
    return listening


class _Uvicorn(uvicorn.Server):
    """uvicorn, which polls for its end every tenth of a second. This one ends at once."""

    async def main_loop(self) -> None:
        """Serve until `end` is called."""
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        await self.on_tick(0)
        if not self.should_exit:
            await self._end.wait()

    def end(self) -> None:
        """Ask the server to end; from any thread."""
        self.should_exit = True
        if hasattr(self, "_end"):
            self._loop.call_soon_threadsafe(self._end.set)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close every connection after the responses that have begun."""
        for server in self.servers:
            server.close()
        # A connection that was accepted just before the end exists some iterations of the event loop later.
        for _ in range(_LAST_TURNS):
            for connection in list(self.server_state.connections):
                connection.shutdown()
            await asyncio.sleep(0)
        for listening in sockets or []:
            listening.close()
        tasks = set(self.server_state.tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=_GRACE_SECONDS)
        for connection in list(self.server_state.connections):
            connection.transport.close()
        for _ in range(_LAST_TURNS):  # closes them, which ends the requests that have not arrived completely
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()


class Server:
    """Serves an application on a socket that listens already, so callers need not wait for the server."""

    def __init__(self, application: ASGIApp, listening: socket.socket, *, protocol: Any) -> None:
        self._server = _Uvicorn(
            uvicorn.Config(
                application,
                http=protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",  # at debug it would log whole requests, with the token and the keys
                access_log=False,
                server_header=False,
                date_header=False,
                # Longer than clients keep an idle connection, so the client closes it first.
                timeout_keep_alive=75,
            )
        )
        self._socket = listening
        self._thread = threading.Thread(target=self._run, name="local-cloudflow", daemon=True)

    def start(self) -> None:
        """Start to serve."""
        self._thread.start()

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))

    def stop(self) -> None:
        """End the server, at most a second after the responses that have begun."""
        self._server.end()
        self._thread.join(_STOP_SECONDS)
        self._socket.close()
