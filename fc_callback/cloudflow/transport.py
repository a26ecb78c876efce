"""HTTP: one POST and its answer, within the bounds of the call, over connections that are kept.

A transport belongs to an endpoint, not to an invocation. It holds connections and no credentials, and threads share it.
"""

from __future__ import annotations

import io
import os
import socket
import ssl
import threading
import time
from contextvars import ContextVar
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any, NamedTuple

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError, ProtocolError
from urllib3.util import Retry, Timeout
from urllib3.util.connection import allowed_gai_family

from fc_callback.cloudflow.network_errors import is_broken_connection, unreachable
from fc_callback.cloudflow.pools import pool_manager_for
from fc_callback.cloudflow.sockets import open_socket
from fc_callback.transport import Answer
from fc_callback.values.forks import call_in_forked_child

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.errors import ServiceUnreachable
    from fc_callback.transport import SignedRequest
    from fc_callback.values.context import Deadline

# An answer of the service is a small JSON document. Anything larger comes from something else.
MAX_ANSWER_BYTES = 1 << 20
# FC freezes an instance between invocations. A middle box may forget an idle connection without telling either side.
IDLE_SECONDS = 30.0
_NO_TIMEOUT = Timeout(connect=None, read=None)  # the bounds of the call set them
_NO_RETRIES = Retry(total=False, redirect=0)  # `delivery` retries


class _Bounds:
    """The moment by which the current step of a call must have ended, on the clock of `time.monotonic()`.

    A call on a kept connection has one step: it sends the request and reads the whole answer. A call that opens a
    connection does that in a step of its own before.

    Attributes:
        until: The end of the step.
        opened: Whether the call opened its connection.
    """

    def __init__(self, *, total: float, connect: float, answer: float) -> None:
        now = time.monotonic()
        self._ends_at, self._connect_seconds, self._answer_seconds = now + total, connect, answer
        self.opened = False
        self.until = min(self._ends_at, now + answer)

    def open_connection(self) -> None:
        """Begin the step that opens the connection: name look-up, all addresses, proxy and TLS."""
        self.opened = True
        self.until = min(self._ends_at, time.monotonic() + self._connect_seconds)

    def wait_for_answer(self) -> None:
        """Begin the step that sends the request and reads the answer."""
        self.until = min(self._ends_at, time.monotonic() + self._answer_seconds)


_bounds_of_call: ContextVar[_Bounds] = ContextVar("fc_callback_bounds")


class _BoundedReader(io.RawIOBase):
    """Reads from a socket until one moment.

    A socket's own timeout begins again with every byte, so an answer that trickles in would outlive any deadline.
    """

    def __init__(self, sock: socket.socket, incoming: io.RawIOBase) -> None:
        self._socket, self._incoming = sock, incoming
        self._until = _bounds_of_call.get().until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._socket.settimeout(left)
        return self._incoming.readinto(buffer)

    def close(self) -> None:
        self._incoming.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_BoundedReader(sock, self.fp.detach()))


class _BoundedConnection(HTTPConnection):
    """A connection of urllib3 that keeps to the bounds of its call, and prints nothing of what it sends."""

    debuglevel = 0  # http.client would print requests if a person sets it on http.client's own class
    response_class = _Response

    def connect(self) -> None:
        bounds = _bounds_of_call.get()
        bounds.open_connection()
        super().connect()
        bounds.wait_for_answer()
        self._keep_to_bounds()

    def request(self, *args: Any, **options: Any) -> None:
        self._keep_to_bounds()
        super().request(*args, **options)

    def _keep_to_bounds(self) -> None:
        """End sending with the step as well: a silent connection may stop taking bytes."""
        # urllib3 sets `timeout` again before it sends. Zero would make the socket non-blocking.
        self.timeout = max(0.001, _bounds_of_call.get().until - time.monotonic())
        if self.sock is not None:
            self.sock.settimeout(self.timeout)

    def _new_conn(self) -> socket.socket:
        try:
            return open_socket(
                self._dns_host,
                self.port,
                until=_bounds_of_call.get().until,
                family=allowed_gai_family(),
                options=self.socket_options or (),
            )
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from None
        except TimeoutError:
            raise ConnectTimeoutError(self, "timed out") from None
        except OSError as error:
            raise NewConnectionError(self, f"refused: {error.strerror}") from None

    def _tunnel(self) -> None:
        super()._tunnel()
        self._keep_to_bounds()  # for the TLS handshake that follows


class _HttpConnection(_BoundedConnection):
    pass


class _HttpsConnection(_BoundedConnection, HTTPSConnection):
    @property
    def is_connected(self) -> bool:
        """Whether a kept connection is alive.

        urllib3 counts a connection that has something to read as dead. After the handshake of TLS 1.3 that is a session
        ticket (RFC 8446, section 4.6.1), and a connection that was opened ahead of its first request would be lost.
        """
        sock = self.sock
        is_connected = super().is_connected  # asked once: the ticket may arrive between two questions
        if is_connected or not isinstance(sock, ssl.SSLSocket):
            return is_connected
        before = sock.gettimeout()
        try:
            sock.settimeout(0)
            sock.recv(1)  # returns at the end of the connection, or with an answer to no request
        except ssl.SSLWantReadError:
            sock.settimeout(before)
            return True
        except OSError:
            pass
        return False


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection


class _NoAnswer(NamedTuple):
    """A call without an answer, and whether a kept connection broke, so that the call is sent again at once."""

    error: ServiceUnreachable
    send_again: bool


class HttpTransport:
    """The connections to one endpoint: a client uses them if it has no `transport=`.

    Attributes:
        endpoint: Scheme, host and port.
        clock_offset_seconds: How far the service's clock is ahead of this machine's. Set after the service complained.
    """

    def __init__(self, *, endpoint: str) -> None:
        self.endpoint = endpoint
        self.clock_offset_seconds = 0.0
        self._manager = pool_manager_for(endpoint)
        self._manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
        self._pool = self._new_pool()
        self._last_used = time.time()

    def post(
        self, request: Callable[[], SignedRequest], /, *, connect: float, read: float, deadline: Deadline | None = None
    ) -> Answer:
        """Send one POST and return the answer, as `fc_callback.transport.Transport` says.

        If a kept connection turns out to be dead, the request is built and sent once more, at once.

        Raises:
            ServiceUnreachable: No answer came.
        """
        now = time.time()
        # Wall time counts while the instance is frozen as well. A clock that was set back closes connections too.
        if not 0 <= now - self._last_used <= IDLE_SECONDS:
            self.close()
        self._last_used = now
        seconds = connect, read
        outcome = self._send(request(), seconds, deadline)
        if isinstance(outcome, _NoAnswer) and outcome.send_again:
            outcome = self._send(request(), seconds, deadline, resent=outcome.error.ambiguous)
        if isinstance(outcome, _NoAnswer):
            raise outcome.error  # outside of every handler: urllib3's errors hold the URL
        return outcome

    def open(self, *, connect: float) -> None:
        """Open a connection before the first call and keep it. A failure is ignored; the call will report it.

        Args:
            connect: Seconds for the whole of it.
        """
        pool = self._pool
        connection: Any = pool._get_conn()  # noqa: SLF001 - urllib3 has no public way to open without a request
        _bounds_of_call.set(_Bounds(total=connect, connect=connect, answer=connect))
        try:
            if pool.proxy is None:
                connection.connect()
            else:
                pool._prepare_proxy(connection)  # noqa: SLF001
        except (HTTPError, HTTPException, OSError):
            connection.close()
        pool._put_conn(connection)  # noqa: SLF001
        self._last_used = time.time()

    def close(self) -> None:
        """Close every kept connection; those in use are closed when their call ends."""
        self._manager.clear()
        self._pool = self._new_pool()

    def _new_pool(self) -> HTTPConnectionPool:
        return self._manager.connection_from_url(self.endpoint)

    def _send(
        self,
        request: SignedRequest,
        seconds: tuple[float, float],
        deadline: Deadline | None,
        *,
        resent: bool | None = None,
    ) -> Answer | _NoAnswer:
        connect, read = seconds
        total = connect + read if deadline is None else min(connect + read, deadline.at - time.monotonic())
        bounds = _Bounds(total=total, connect=connect, answer=read)
        _bounds_of_call.set(bounds)
        try:
            response = self._pool.urlopen(
                "POST",
                request.path,
                body=request.body,
                headers=request.headers,
                retries=_NO_RETRIES,
                redirect=False,
                preload_content=False,
                timeout=_NO_TIMEOUT,
            )
        except (HTTPError, OSError) as error:
            return self._no_answer(error, kept=not bounds.opened, resent=resent)
        try:
            data = response.read(MAX_ANSWER_BYTES + 1)
        except (HTTPError, OSError) as error:
            response.close()
            return self._no_answer(error, kept=False, resent=True)
        if len(data) > MAX_ANSWER_BYTES:
            response.close()
            return self._no_answer(ProtocolError("the answer does not end"), kept=False, resent=True)
        response.release_conn()
        return Answer(status=response.status, headers=response.headers, body=data, resent=bool(resent))

    def _no_answer(self, error: Exception, *, kept: bool, resent: bool | None) -> _NoAnswer:
        problem = unreachable(error, endpoint=self.endpoint, kept=kept, resent=bool(resent))
        if kept:  # other kept connections have the same age, and are most likely dead too
            self.close()
        return _NoAnswer(problem, send_again=kept and resent is None and is_broken_connection(error))


_transports: dict[tuple[int, str], HttpTransport] = {}
_lock = threading.Lock()


def transport_for(endpoint: str) -> HttpTransport:
    """Return this process's transport to an endpoint; a forked child gets its own."""
    key = os.getpid(), endpoint
    with _lock:
        if key not in _transports:
            _transports[key] = HttpTransport(endpoint=endpoint)
        return _transports[key]


def _renew_lock() -> None:
    """Give a forked child a lock that no thread of its parent holds."""
    global _lock  # noqa: PLW0603 - only the parent's thread can release a lock that it holds
    _lock = threading.Lock()


call_in_forked_child(_renew_lock)
