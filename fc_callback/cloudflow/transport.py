"""HTTP: the one module that talks to the network.

A transport belongs to an endpoint, not to an invocation: it holds connections, never credentials, and threads share it.
With signature V3 the task token travels in the URL, so this is also where URLs are kept out of logs and errors.
"""

from __future__ import annotations

import io
import logging
import os
import re
import socket
import ssl
import threading
import time
from contextlib import suppress
from contextvars import ContextVar
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any, NamedTuple

from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ClosedPoolError,
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    SSLError,
)
from urllib3.util import Retry, Timeout
from urllib3.util.connection import allowed_gai_family

from fc_callback.cloudflow.errors import FINAL_WITHOUT_DOCUMENT
from fc_callback.cloudflow.sockets import open_socket
from fc_callback.cloudflow.tls import certificate_problem, client_context
from fc_callback.errors import ServiceUnreachable, SettingsError
from fc_callback.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from urllib3 import PoolManager

    from fc_callback.cloudflow.request import SignedRequest
    from fc_callback.context import Deadline

# An answer is a small JSON document; more than this is something else.
MAX_ANSWER_BYTES = 1 << 20
# FC freezes an instance between invocations. Whatever was open for longer than this is not worth trusting: a middle box
# may have forgotten the connection without telling either side.
IDLE_SECONDS = 30.0
_CONNECTIONS = 64
_NO_TIMEOUT = Timeout(connect=None, read=None)  # `_Bounded` sets them
_NO_RETRIES = Retry(total=False, redirect=0)  # repeating is the business of `delivery`

_SECRETS_IN_URL = re.compile(r"\b(TaskToken|SecurityToken|Signature|AccessKeyId)=[^&\s\"']+", re.ASCII)


class Answer(Value, hidden=("headers", "body")):
    """What the service sent back: status, headers by lower-case name, body.

    `resent` says that the request was sent twice, and that the first of them may have reached the service.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    resent: bool = False


class _ScrubUrls(logging.Filter):
    """Take secrets out of the URLs in urllib3's own debug lines."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = _scrubbed(record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(_scrubbed(value) for value in record.args)
        return True


def _scrubbed(value: Any) -> Any:
    if isinstance(value, (int, float)):
        return value
    return _SECRETS_IN_URL.sub(r"\1=***", value if isinstance(value, str) else str(value))


for _name in ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry", "requests"):
    logging.getLogger(_name).addFilter(_ScrubUrls())


class _Bounds:
    """When the step of a call that is in progress must have ended, on the clock of `time.monotonic()`.

    A kept connection has one step: the request is sent, and its answer has come whole. A new one is opened before.

    Attributes:
        until: The end of the step.
        opened: Whether the call opened its connection, rather than taking one that was kept.
    """

    def __init__(self, *, total: float, connect: float, answer: float) -> None:
        self._ends_at = time.monotonic() + total
        self._connect_seconds, self._answer_seconds = connect, answer
        self.opened = False
        self.wait_for_answer()

    def open_connection(self) -> None:
        """Begin the step in which the connection is opened: name look-up, all addresses, proxy and TLS."""
        self.opened = True
        self.until = min(self._ends_at, time.monotonic() + self._connect_seconds)

    def wait_for_answer(self) -> None:
        """Begin the step in which the request is sent and answered."""
        self.until = min(self._ends_at, time.monotonic() + self._answer_seconds)

    def left(self) -> float:
        """Seconds until the end of the step; never zero, which would make a socket non-blocking."""
        return max(0.001, self.until - time.monotonic())


_bounds: ContextVar[_Bounds] = ContextVar("fc_callback_bounds")


class _Reader(io.RawIOBase):
    """What comes in from a socket, up to one moment.

    A socket's own timeout begins again with every byte: an answer that trickles in would outlive any deadline.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._incoming = sock.makefile("rb", buffering=0)
        self._until = _bounds.get().until

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


class _Readable:
    """As much of a socket as an answer asks for."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._socket))


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(_Readable(sock), *args, **options)  # type: ignore[arg-type]  # it calls makefile, nothing else


class _Bounded(HTTPConnection):
    """A connection of urllib3 that keeps to the bounds of the call in progress, and tells nobody what it sends."""

    debuglevel = 0  # http.client would print requests, whatever a person set on its own class
    response_class = _Response

    def connect(self) -> None:
        bounds = _bounds.get()
        bounds.open_connection()
        super().connect()
        bounds.wait_for_answer()
        self._keep_to_bounds()

    def request(self, *args: Any, **options: Any) -> None:
        self._keep_to_bounds()
        super().request(*args, **options)

    def _keep_to_bounds(self) -> None:
        """Let sending, too, end with the step: a connection that has gone silent may take no byte any more."""
        self.timeout = _bounds.get().left()  # what urllib3 sets for sending
        if self.sock is not None:
            self.sock.settimeout(self.timeout)

    def _new_conn(self) -> socket.socket:
        try:
            return open_socket(
                self._dns_host,
                self.port,
                until=_bounds.get().until,
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


class _HttpConnection(_Bounded):
    pass


class _HttpsConnection(_Bounded, HTTPSConnection):
    @property
    def is_connected(self) -> bool:
        """Whether a kept connection lives; urllib3 takes one that has something to read for one that has ended.

        After the handshake of TLS 1.3 that is a session ticket (RFC 8446, section 4.6.1), and a connection that was
        opened ahead of its first request would always be thrown away.
        """
        sock = self.sock
        if super().is_connected or not isinstance(sock, ssl.SSLSocket):
            return super().is_connected
        before = sock.gettimeout()
        try:
            sock.settimeout(0)
            sock.recv(1)  # the end, or an answer that nobody asked for
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


_POOLS = {"http": _HttpPool, "https": _HttpsPool}


class _Adapter(HTTPAdapter):
    """requests' adapter, with our connections and one TLS context for all of them.

    By default each new connection reads the CA bundle again, which costs tens of milliseconds; a context reads it once.
    What is called is the pool in the adapter: a session's cookies, redirects and character sets would cost more than the
    rest of a report, and it uses none of them.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        super().__init__(pool_connections=1, pool_maxsize=_CONNECTIONS, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:  # noqa: FBT001, FBT002 - requests' signature
        super().init_poolmanager(connections, maxsize, block, **options, **self._options)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        return super().proxy_manager_for(proxy, **options, **self._options)


def _manager_for(endpoint: str) -> PoolManager:
    """Return the pools for an endpoint."""
    # Plain http is for loopback alone: no proxy is to see it.
    secure = endpoint.startswith("https")
    adapter = _Adapter({"ssl_context": client_context()} if secure else {})
    proxy = select_proxy(endpoint, get_environ_proxies(endpoint)) if secure else None
    manager: PoolManager | None = adapter.poolmanager
    if proxy:
        manager = None
        if not proxy.lower().startswith("socks"):
            with suppress(HTTPError, ValueError):
                manager = adapter.proxy_manager_for(proxy)
    if manager is None:  # outside of the handler: those errors quote the URL, which may hold a password
        raise SettingsError(
            "The proxy for CloudFlow cannot be used.",
            hint="Check HTTPS_PROXY and ALL_PROXY (http://host:port; not SOCKS), or name the endpoint in NO_PROXY.",
        )
    manager.pool_classes_by_scheme = _POOLS
    return manager


class Transport:
    """The connections to one endpoint.

    Attributes:
        endpoint: Scheme, host and port.
        clock_offset_seconds: How far the service's clock is ahead of this machine's, once the service has complained.
    """

    def __init__(self, *, endpoint: str) -> None:
        self.endpoint = endpoint
        self.clock_offset_seconds = 0.0
        self._manager = _manager_for(endpoint)
        self._pool = self._new_pool()
        self._last_used = time.time()

    def post(
        self, request: Callable[[], SignedRequest], *, connect: float, read: float, deadline: Deadline | None = None
    ) -> Answer:
        """Send one POST and return the answer, whatever its status.

        A kept connection that turns out to be dead is replaced, and the request made and sent once more, at once.

        Args:
            request: Makes the request, with a nonce of its own each time.
            connect: Seconds for opening a connection.
            read: Seconds for the whole answer.
            deadline: All of it ends by then, whatever the other two say.

        Raises:
            ServiceUnreachable: No answer came.
        """
        self._drop_idle_connections()
        problem = self._try(request(), connect, read, deadline)
        if isinstance(problem, _DeadConnection):
            problem = self._try(request(), connect, read, deadline, resent=problem.error.ambiguous)
        if isinstance(problem, Answer):
            return problem
        # Raised outside of every handler: the errors of urllib3 hold the URL.
        raise problem.error

    def open(self, *, connect: float) -> None:
        """Open a connection ahead of the first call, and keep it; a failure is left for the call to find.

        Args:
            connect: Seconds that all of it may take.
        """
        pool = self._pool
        connection: Any = pool._get_conn()  # noqa: SLF001 - urllib3 has no public way to open without a request
        _bounds.set(_Bounds(total=connect, connect=connect, answer=connect))
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
        """Close every connection that is kept; those in use are closed when their call ends."""
        self._manager.clear()
        self._pool = self._new_pool()

    def _new_pool(self) -> HTTPConnectionPool:
        return self._manager.connection_from_url(self.endpoint)

    def _drop_idle_connections(self) -> None:
        now = time.time()
        # Wall time on purpose: it also counts while the instance is frozen. A clock set back drops them as well.
        if not 0 <= now - self._last_used <= IDLE_SECONDS:
            self.close()
        self._last_used = now

    def _try(
        self,
        request: SignedRequest,
        connect: float,
        read: float,
        deadline: Deadline | None,
        *,
        resent: bool | None = None,
    ) -> Answer | _Problem:
        total = min(connect + read, deadline.remaining_seconds() if deadline else connect + read)
        bounds = _Bounds(total=total, connect=connect, answer=read)
        _bounds.set(bounds)
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
            return self._problem(error, kept=not bounds.opened, resent=resent)
        try:
            data = _read_bounded(response)
        except (HTTPError, OSError) as error:
            response.close()
            return self._problem(error, kept=False, resent=True)
        response.release_conn()
        return Answer(status=response.status, headers=response.headers, body=data, resent=bool(resent))

    def _problem(self, error: Exception, *, kept: bool, resent: bool | None) -> _Problem:
        failure = _described(error, kept=kept)
        unreachable = ServiceUnreachable(
            f"No answer from {self.endpoint}: {failure.what}.",
            endpoint=self.endpoint,
            ambiguous=failure.sent or bool(resent),
            retryable=not failure.final,
            hint=failure.hint,
        )
        if kept:  # what was kept beside it is of the same age, and most likely as silent
            self.close()
        broken = isinstance(error, (ClosedPoolError, ProtocolError, SSLError, OSError)) and not _timed_out(error)
        return (_DeadConnection if kept and resent is None and broken else _Problem)(error=unreachable)


class _Problem(Value):
    error: ServiceUnreachable


class _DeadConnection(_Problem):
    """A kept connection that was closed by the other side."""


def _read_bounded(response: Any) -> bytes:
    data: bytes = response.read(MAX_ANSWER_BYTES + 1)
    if len(data) > MAX_ANSWER_BYTES:
        raise ProtocolError("the answer does not end")
    return data


class _Failure(NamedTuple):
    """What happened to a call, in our own words, whether the request may have been sent, and what to do."""

    what: str
    sent: bool
    hint: str
    final: bool = False


_HINT_NETWORK = (
    "Check that the function may reach the endpoint: internet access or a NAT gateway for the public one, "
    "CLOUDFLOW_NETWORK=internal inside the region's network."
)
_HINT_PROXY = "Check HTTPS_PROXY and NO_PROXY."
_HINT_TLS = (
    "Check that the endpoint speaks TLS 1.2 or later at this port, and the proxy in HTTPS_PROXY where one is set."
)
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")  # http.client's words for what a proxy answers


def _described(error: Exception, *, kept: bool) -> _Failure:  # noqa: PLR0911 - one return for each thing that happens
    if isinstance(error, ClosedPoolError):
        return _Failure("another thread closed the connection", sent=False, hint=_HINT_NETWORK)
    certificate = certificate_problem(error)
    if certificate is not None:
        return _Failure(certificate[0], sent=False, hint=certificate[1], final=True)
    if isinstance(error, NameResolutionError):
        hint = "Check the region (CLOUDFLOW_REGION) and the function's DNS."
        return _Failure("its name cannot be resolved", sent=False, hint=hint)
    if isinstance(error, NewConnectionError):
        return _Failure("the connection was refused", sent=False, hint=_HINT_NETWORK)
    if isinstance(error, ConnectTimeoutError):
        return _Failure("the connection was not accepted in time", sent=False, hint=_HINT_NETWORK)
    if isinstance(error, ProxyError):
        return _described_proxy(error)
    if isinstance(error, SSLError) and not kept:
        return _Failure("TLS failed", sent=False, hint=_HINT_TLS)
    if isinstance(error, (ProtocolError, ConnectionError, SSLError)) and not _timed_out(error):
        return _Failure("the connection was broken off", sent=True, hint=_HINT_NETWORK)
    return _Failure("the answer did not come in time", sent=True, hint=_HINT_NETWORK)


def _described_proxy(error: ProxyError) -> _Failure:
    tunnel = _TUNNEL.search(str(error.original_error))
    if tunnel is None:
        return _Failure("the proxy did not pass the request on", sent=False, hint=_HINT_PROXY)
    status = int(tunnel[1])
    return _Failure(
        f"the proxy answered with {status}",
        sent=False,
        hint=FINAL_WITHOUT_DOCUMENT.get(status, _HINT_PROXY),
        final=status in FINAL_WITHOUT_DOCUMENT,
    )


def _timed_out(error: Exception) -> bool:
    """Say whether an error is about time; sending that takes too long comes as a connection that was aborted."""
    return isinstance(error, TimeoutError) or any(isinstance(cause, TimeoutError) for cause in error.args)


_transports: dict[tuple[int, str], Transport] = {}
_lock = threading.Lock()


def transport_for(endpoint: str) -> Transport:
    """Return this process's transport to an endpoint; a forked child gets its own."""
    key = os.getpid(), endpoint
    with _lock:
        if key not in _transports:
            _transports[key] = Transport(endpoint=endpoint)
        return _transports[key]


def _renew_lock() -> None:
    """Give a forked child a lock that no thread of its parent holds."""
    global _lock  # noqa: PLW0603 - a held lock cannot be let go by anybody else
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)
