"""The HTTP server of `fc-callback serve`, as FC's custom runtimes require it.

The server is waitress. It is pure Python and so runs in every image; each request has a thread, so handlers may block;
and the time that idle connections are kept can be set.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

from fc_callback.errors import SettingsError
from fc_callback.runtime.end_signals import end_signals
from fc_callback.runtime.headers import SharedLogHandler

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

# FC reuses connections and requires that they are kept for more than 15 minutes. A POST on a closed one becomes a 502.
KEEP_ALIVE_SECONDS = 20 * 60
REQUEST_MAX_BYTES = 33 * 1024 * 1024  # FC's limit is 32 MB
CONNECTIONS = 1000
TERMINATED = 143


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        SettingsError: The address cannot be used.
    """
    try:
        return socket.create_server((host, port), backlog=1024)
    except (OSError, OverflowError) as error:
        raise SettingsError(f"Cannot listen on {host}:{port}: {error}.", hint="Choose another --port.") from None


def set_up_logging() -> None:
    """Set up the root logger as in a built-in runtime: INFO, UTC, each record with its request id."""
    logging.Formatter.converter = time.gmtime
    handler = SharedLogHandler()
    form = "%(asctime)s.%(msecs)03dZ %(request_id)s [%(levelname)s] %(message)s"
    handler.setFormatter(logging.Formatter(form, "%Y-%m-%dT%H:%M:%S"))
    root = logging.getLogger()
    root.addHandler(handler)
    if root.level == logging.WARNING:  # the default of logging, so the user has not chosen a level
        root.setLevel(logging.INFO)


def serve(application: WSGIApplication, listening: socket.socket, *, threads: int, drain_seconds: float) -> int:
    """Serve until SIGTERM, SIGHUP or Ctrl-C; then finish the requests that have arrived, and stop.

    Call it in the main thread.

    Args:
        application: The WSGI application.
        listening: The socket; closed at the end.
        threads: The number of concurrent requests.
        drain_seconds: How long requests may run after the signal.

    Returns:
        0, or 143 if a request was still running after that time.
    """
    from waitress import create_server

    logging.getLogger("waitress.queue").setLevel(
        logging.ERROR
    )  # waitress warns about each request that waits for a thread
    server: Any = create_server(
        application,
        sockets=[listening],
        threads=threads,
        channel_timeout=KEEP_ALIVE_SECONDS,
        connection_limit=CONNECTIONS,
        max_request_body_size=REQUEST_MAX_BYTES,
        inbuf_overflow=REQUEST_MAX_BYTES,  # events stay in memory
        recv_bytes=65536,
        ident=None,
        clear_untrusted_proxy_headers=False,
    )
    stopping: list[float] = []

    def stop(_number: int, _frame: object) -> None:
        if not stopping:
            stopping.append(time.monotonic())
            server.pull_trigger()

    for number in end_signals():
        signal.signal(number, stop)
    while not stopping:
        _run_once(server, seconds=60)
    server.del_channel()  # no new connections; open ones continue
    listening.close()
    while _is_busy(server):
        if time.monotonic() - stopping[0] > drain_seconds:
            return TERMINATED
        _run_once(server, seconds=0.1)
    return 0


def _run_once(server: Any, *, seconds: float) -> None:
    server.asyncore.loop(timeout=seconds, map=server._map, use_poll=True, count=1)  # noqa: SLF001 - one iteration of waitress's own loop


def _is_busy(server: Any) -> bool:
    return any(
        channel.requests or channel.request is not None or channel.total_outbufs_len
        for channel in list(server.active_channels.values())
    )


def default_host() -> str:
    """Return 0.0.0.0 on FC, which requires it of a custom runtime, and 127.0.0.1 elsewhere.

    Only FC sets `FC_FUNCTION_NAME` (FC documentation, "Environment variables").
    """
    return "0.0.0.0" if os.environ.get("FC_FUNCTION_NAME") else "127.0.0.1"  # noqa: S104 - 127.0.0.1 fails on FC


def default_port() -> int:
    """Return FC's port: `FC_CUSTOM_LISTEN_PORT`, or 9000.

    Raises:
        SettingsError: The variable is not a port number.
    """
    text = os.environ.get("FC_CUSTOM_LISTEN_PORT") or "9000"
    if not text.isdecimal():
        raise SettingsError(f"FC_CUSTOM_LISTEN_PORT is {text!r}.", hint="Set it to a port number, or pass --port.")
    return int(text)
