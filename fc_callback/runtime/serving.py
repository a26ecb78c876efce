"""Serving a function over HTTP, as FC's custom runtimes ask for it.

The server is waitress: pure Python, so that it runs in every image; a thread for each request, so that ordinary
handlers may block; idle connections are kept as long as one says.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

from fc_callback.errors import SettingsError
from fc_callback.runtime.headers import SharedLogHandler

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

# FC reuses connections and wants them kept for more than 15 minutes; a POST on one that was closed becomes a 502.
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
    """Give the root logger what a built-in runtime gives it: INFO, UTC, each record with its request's id."""
    logging.Formatter.converter = time.gmtime
    handler = SharedLogHandler()
    form = "%(asctime)s.%(msecs)03dZ %(request_id)s [%(levelname)s] %(message)s"
    handler.setFormatter(logging.Formatter(form, "%Y-%m-%dT%H:%M:%S"))
    root = logging.getLogger()
    root.addHandler(handler)
    if root.level == logging.WARNING:  # logging's default: no choice of the person's
        root.setLevel(logging.INFO)


def serve(application: WSGIApplication, listening: socket.socket, *, threads: int, drain_seconds: float) -> int:
    """Serve until SIGTERM, SIGHUP or Ctrl-C; then finish the requests that have arrived, and stop.

    Call it in the main thread.

    Args:
        application: What answers.
        listening: The socket; closed at the end.
        threads: How many requests run at once.
        drain_seconds: How long requests may take to finish after the signal.

    Returns:
        0, or 143 when a request was still running at the end of that time.
    """
    from waitress import create_server

    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a request that waits for a thread is no news
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

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, stop)
    while not stopping:
        _turn(server, seconds=60)
    server.del_channel()  # no new connections; those that are open go on
    listening.close()
    while _is_busy(server):
        if time.monotonic() - stopping[0] > drain_seconds:
            return TERMINATED
        _turn(server, seconds=0.1)
    return 0


def _turn(server: Any, *, seconds: float) -> None:
    server.asyncore.loop(timeout=seconds, map=server._map, use_poll=True, count=1)  # noqa: SLF001 - waitress's own loop, one turn


def _is_busy(server: Any) -> bool:
    return any(
        channel.requests or channel.request is not None or channel.total_outbufs_len
        for channel in list(server.active_channels.values())
    )


def default_host() -> str:
    """Return 0.0.0.0 on FC, which requires it of a custom runtime, and 127.0.0.1 everywhere else.

    `FC_FUNCTION_NAME` is set on FC and by nothing else (FC documentation, "Environment variables").
    """
    return "0.0.0.0" if os.environ.get("FC_FUNCTION_NAME") else "127.0.0.1"  # noqa: S104 - 127.0.0.1 fails on FC


def default_port() -> int:
    """Return FC's port: `FC_CUSTOM_LISTEN_PORT`, else 9000.

    Raises:
        SettingsError: The variable is not a port.
    """
    text = os.environ.get("FC_CUSTOM_LISTEN_PORT") or "9000"
    if not text.isdecimal():
        raise SettingsError(f"FC_CUSTOM_LISTEN_PORT is {text!r}.", hint="Set it to a port number, or pass --port.")
    return int(text)
