"""The connections of urllib3, held to the bounds of the call in progress."""

from __future__ import annotations

import io
import socket
import ssl
import time
from contextlib import suppress
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family

from fc_callback.cloudflow.sockets import open_socket
from fc_callback.cloudflow.tls import client_context
from fc_callback.errors import SettingsError

if TYPE_CHECKING:
    from urllib3 import PoolManager

# Threads beyond this many open connections of their own, which are not kept.
_CONNECTIONS = 64


class Bounds:
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


current_bounds: ContextVar[Bounds] = ContextVar("fc_callback_bounds")


class _Reader(io.RawIOBase):
    """What comes in from a socket, up to one moment.

    A socket's own timeout begins again with every byte: an answer that trickles in would outlive any deadline.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._incoming = sock.makefile("rb", buffering=0)
        self._until = current_bounds.get().until

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
    """A connection of urllib3 that keeps to the bounds of the call in progress, and prints nothing of what it sends."""

    debuglevel = 0  # http.client would print requests, whatever a person set on its own class
    response_class = _Response

    def connect(self) -> None:
        bounds = current_bounds.get()
        bounds.open_connection()
        super().connect()
        bounds.wait_for_answer()
        self._keep_to_bounds()

    def request(self, *args: Any, **options: Any) -> None:
        self._keep_to_bounds()
        super().request(*args, **options)

    def _keep_to_bounds(self) -> None:
        """Let sending, too, end with the step: a connection that has gone silent may take no byte any more."""
        self.timeout = current_bounds.get().left()  # what urllib3 sets for sending
        if self.sock is not None:
            self.sock.settimeout(self.timeout)

    def _new_conn(self) -> socket.socket:
        try:
            return open_socket(
                self._dns_host,
                self.port,
                until=current_bounds.get().until,
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
            sock.recv(1)  # the end, or an answer to no request
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


def pool_manager_for(endpoint: str) -> PoolManager:
    """Return the pools for an endpoint, behind the proxy that the environment names for it.

    Raises:
        SettingsError: The proxy or the CA bundle cannot be used.
    """
    secure = endpoint.startswith("https")
    adapter = _Adapter({"ssl_context": client_context()} if secure else {})
    # Plain http is for loopback alone: no proxy is to see it.
    manager = _manager_behind_proxy(adapter, endpoint) if secure else adapter.poolmanager
    if manager is None:  # the error comes from here, where no variable holds the proxy's password
        raise SettingsError(
            "The proxy for CloudFlow cannot be used.",
            hint="Check HTTPS_PROXY and ALL_PROXY (http://host:port; not SOCKS), or name the endpoint in NO_PROXY.",
        )
    manager.pool_classes_by_scheme = _POOLS
    return manager


def _manager_behind_proxy(adapter: _Adapter, endpoint: str) -> PoolManager | None:
    """Return the pools behind the proxy, where there is one; None where it cannot be used."""
    proxy = select_proxy(endpoint, get_environ_proxies(endpoint))
    manager: PoolManager | None = None
    with suppress(HTTPError, ValueError):  # which quote the URL, and that may hold a password
        if not proxy:
            manager = adapter.poolmanager
        elif not proxy.lower().startswith("socks"):
            manager = adapter.proxy_manager_for(proxy)
    return manager
