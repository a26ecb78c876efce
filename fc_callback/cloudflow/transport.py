"""HTTP: the one module that talks to the network.

A transport belongs to an endpoint, not to an invocation: it holds connections, never credentials, and threads share it.
The task token travels in the URL, so this is also where URLs are kept out of logs and errors.
"""

from __future__ import annotations

import io
import logging
import os
import re
import ssl
import threading
import time
from contextlib import suppress
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

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

from fc_callback.cloudflow import trust
from fc_callback.errors import ServiceUnreachable, SettingsError
from fc_callback.value import Value

if TYPE_CHECKING:
    import socket
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


# Whether the call in progress opened its connection, rather than taking one that was kept.
_opened: ContextVar[bool] = ContextVar("fc_callback_connection_opened", default=False)
# When it must have ended, on the clock of `time.monotonic()`.
_ends_at: ContextVar[float] = ContextVar("fc_callback_call_ends_at", default=float("inf"))


class _Reader(io.RawIOBase):
    """What comes in from a socket, up to one moment.

    A socket's own timeout begins again with every byte: an answer that trickles in would outlive any deadline.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._incoming = sock.makefile("rb", buffering=0)
        self._ends_at = _ends_at.get()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        before = self._socket.gettimeout()
        self._socket.settimeout(left if before is None else min(left, before))
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


class _HttpConnection(HTTPConnection):
    debuglevel = 0  # http.client would print request lines, whatever a person set on its own class
    response_class = _Response

    def connect(self) -> None:
        _opened.set(True)
        super().connect()


class _HttpsConnection(HTTPSConnection):
    debuglevel = 0
    response_class = _Response

    def connect(self) -> None:
        _opened.set(True)
        super().connect()

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
    adapter = _Adapter({"ssl_context": trust.context()} if secure else {})
    proxy = select_proxy(endpoint, get_environ_proxies(endpoint)) if secure else None
    manager: PoolManager | None = adapter.poolmanager
    if proxy:
        manager = None
        with suppress(HTTPError, ValueError):
            manager = adapter.proxy_manager_for(proxy)
    if manager is None:  # outside of the handler: those errors quote the URL, which may hold a password
        raise SettingsError(
            "The proxy for CloudFlow cannot be used.",
            hint="Check HTTPS_PROXY (http://host:port; a SOCKS proxy takes the package PySocks), or name the endpoint in NO_PROXY.",
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
            self.close()
            problem = self._try(request(), connect, read, deadline, resent=problem.error.ambiguous)
        if isinstance(problem, Answer):
            return problem
        # Raised outside of every handler: the errors of urllib3 hold the URL.
        raise problem.error

    def open(self, *, connect: float) -> None:
        """Open a connection ahead of the first call, and keep it; a failure is left for the call to find."""
        pool = self._pool()
        connection = pool._get_conn()  # noqa: SLF001 - urllib3 has no public way to open without a request
        _ends_at.set(time.monotonic() + connect)
        try:
            connection.timeout = connect
            connection.connect()
        except (HTTPError, OSError):
            connection.close()
        pool._put_conn(connection)  # noqa: SLF001
        self._last_used = time.time()

    def close(self) -> None:
        """Close every connection."""
        self._manager.clear()

    def _pool(self) -> HTTPConnectionPool:
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
        left = max(0.001, min(connect + read, deadline.remaining_seconds() if deadline else connect + read))
        _ends_at.set(time.monotonic() + left)
        _opened.set(False)
        try:
            response = self._pool().urlopen(
                "POST",
                request.path,
                body=request.body,
                headers=request.headers,
                retries=_NO_RETRIES,
                redirect=False,
                preload_content=False,
                timeout=Timeout(connect=min(connect, left), read=min(read, left), total=left),
            )
        except (HTTPError, OSError) as error:
            return self._problem(error, kept=not _opened.get(), resent=resent)
        try:
            data = _read_bounded(response)
        except (HTTPError, OSError) as error:
            response.close()
            return self._problem(error, kept=False, resent=True)
        response.release_conn()
        return Answer(status=response.status, headers=response.headers, body=data, resent=bool(resent))

    def _problem(self, error: Exception, *, kept: bool, resent: bool | None) -> _Problem:
        what, sent, hint = _described(error, kept=kept)
        unreachable = ServiceUnreachable(
            f"No answer from {self.endpoint}: {what}.",
            endpoint=self.endpoint,
            ambiguous=sent or bool(resent),
            hint=hint,
        )
        dead = kept and resent is None and isinstance(error, (ClosedPoolError, ProtocolError, SSLError, OSError))
        return (_DeadConnection if dead else _Problem)(error=unreachable)


class _Problem(Value):
    error: ServiceUnreachable


class _DeadConnection(_Problem):
    """A kept connection that was closed by the other side."""


def _read_bounded(response: Any) -> bytes:
    data: bytes = response.read(MAX_ANSWER_BYTES + 1)
    if len(data) > MAX_ANSWER_BYTES:
        raise ProtocolError("the answer does not end")
    return data


_HINT_NETWORK = (
    "Check that the function may reach the endpoint: internet access or a NAT gateway for the public one, "
    "CLOUDFLOW_NETWORK=internal inside the region's network."
)


def _described(error: Exception, *, kept: bool) -> tuple[str, bool, str]:
    """Say in our own words what happened, whether the request may have been sent, and what to do."""
    if isinstance(error, ClosedPoolError):
        return "another thread closed the connection", False, _HINT_NETWORK
    if isinstance(error, NameResolutionError):
        return "its name cannot be resolved", False, "Check the region (CLOUDFLOW_REGION) and the function's DNS."
    if isinstance(error, NewConnectionError):
        return "the connection was refused", False, _HINT_NETWORK
    if isinstance(error, ConnectTimeoutError):
        return "the connection was not accepted in time", False, _HINT_NETWORK
    if isinstance(error, ProxyError):
        return "the proxy did not pass the request on", False, "Check HTTPS_PROXY and NO_PROXY."
    if isinstance(error, SSLError) and not kept:
        return "TLS failed", False, "Check the endpoint's certificate, and REQUESTS_CA_BUNDLE where one is set."
    if isinstance(error, (ProtocolError, ConnectionError, SSLError)):
        return "the connection was broken off", True, _HINT_NETWORK
    return "the answer did not come in time", True, _HINT_NETWORK


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
