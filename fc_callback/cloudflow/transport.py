"""HTTP: the one module that talks to the network.

A transport belongs to an endpoint, not to an invocation: it holds connections, never credentials, and threads share it.
The task token travels in the URL, so this is also where URLs are kept out of logs and errors.
"""

from __future__ import annotations

import logging
import os
import re
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

import attrs
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies, select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    SSLError,
)
from urllib3.util import Retry, Timeout

from fc_callback.errors import ServiceUnreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

# An answer is a small JSON document; more than this is something else.
MAX_ANSWER_BYTES = 1 << 20
# FC freezes an instance between invocations. Whatever was open for longer than this is not worth trusting: a middle box
# may have forgotten the connection without telling either side.
IDLE_SECONDS = 30.0
_NO_RETRIES = Retry(total=False, redirect=0)  # repeating is the business of `delivery`

_SECRETS_IN_URL = re.compile(r"\b(TaskToken|SecurityToken|Signature|AccessKeyId)=[^&\s\"']+", re.ASCII)


@attrs.frozen(kw_only=True)
class Answer:
    """What the service sent back: status, headers by lower-case name, body."""

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)


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


class _HttpConnection(HTTPConnection):
    debuglevel = 0  # http.client would print request lines, whatever a person set on its own class


class _HttpsConnection(HTTPSConnection):
    debuglevel = 0


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection


class _Adapter(HTTPAdapter):
    """requests' adapter with one TLS context for all its connections.

    By default each new connection reads the CA bundle again, which costs tens of milliseconds; a context reads it once.
    """

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        super().__init__(pool_connections=1, pool_maxsize=64, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:  # noqa: FBT001, FBT002 - requests' signature
        if self._tls is not None:
            options["ssl_context"] = self._tls
        super().init_poolmanager(connections, maxsize, block, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        if self._tls is not None:
            options["ssl_context"] = self._tls
        return super().proxy_manager_for(proxy, **options)


@attrs.define(kw_only=True, eq=False)
class Transport:
    """The connections to one endpoint.

    Attributes:
        endpoint: Scheme, host and port.
        clock_offset_seconds: How far the service's clock is ahead of this machine's, once the service has complained.
    """

    endpoint: str
    clock_offset_seconds: float = 0.0
    _adapter: _Adapter = attrs.field(init=False, repr=False)
    _proxy: str | None = attrs.field(init=False)
    _last_used: float = attrs.field(init=False, factory=time.time)

    def __attrs_post_init__(self) -> None:
        # TLS 1.2 and later, certificate and host name checked, as Python's default context has it.
        tls = ssl.create_default_context(cafile=_ca_bundle()) if self.endpoint.startswith("https") else None
        self._adapter = _Adapter(tls)
        self._proxy = select_proxy(self.endpoint, get_environ_proxies(self.endpoint))

    def post(self, path: str, *, headers: Mapping[str, str], body: bytes, connect: float, read: float) -> Answer:
        """Send one POST and return the answer, whatever its status.

        A kept connection that turns out to be dead is replaced, and the request sent once more, at once.

        Args:
            path: Path and query as they go on the wire.
            headers: The request's headers.
            body: The form.
            connect: Seconds for opening a connection.
            read: Seconds for the whole answer.

        Raises:
            ServiceUnreachable: No answer came.
        """
        self._drop_idle_connections()
        problem = self._try(path, headers, body, connect, read)
        if isinstance(problem, _DeadConnection):
            self._adapter.poolmanager.clear()
            problem = self._try(path, headers, body, connect, read, ambiguous_before=True)
        if isinstance(problem, Answer):
            return problem
        # Raised outside of every handler: the errors of urllib3 hold the URL.
        raise problem.error

    def open(self, *, connect: float) -> None:
        """Open a connection ahead of the first call, and keep it; a failure is left for the call to find."""
        pool = self._pool()
        connection = pool._get_conn()  # noqa: SLF001 - urllib3 has no public way to open without a request
        try:
            connection.timeout = connect
            connection.connect()
        except (HTTPError, OSError):
            connection.close()
        pool._put_conn(connection)  # noqa: SLF001
        self._last_used = time.time()

    def close(self) -> None:
        """Close every connection."""
        self._adapter.close()

    def _pool(self) -> Any:
        if self._proxy:
            return self._adapter.proxy_manager_for(self._proxy).connection_from_url(self.endpoint)
        return self._adapter.poolmanager.connection_from_url(self.endpoint)

    def _drop_idle_connections(self) -> None:
        now = time.time()
        # Wall time on purpose: it also counts while the instance is frozen. A clock set back drops them as well.
        if not 0 <= now - self._last_used <= IDLE_SECONDS:
            self._adapter.poolmanager.clear()
        self._last_used = now

    def _try(
        self,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        connect: float,
        read: float,
        *,
        ambiguous_before: bool = False,
    ) -> Answer | _Problem:
        pool = self._pool()
        connections_before = pool.num_connections
        ends_at = time.monotonic() + read
        try:
            response = pool.urlopen(
                "POST",
                path,
                body=body,
                headers=headers,
                retries=_NO_RETRIES,
                redirect=False,
                preload_content=False,
                timeout=Timeout(connect=connect, read=read),
            )
        except (HTTPError, OSError) as error:
            reused = pool.num_connections == connections_before
            return self._problem(error, reused=reused, ambiguous_before=ambiguous_before)
        try:
            data = _read_bounded(response, ends_at)
        except (HTTPError, OSError) as error:
            response.close()
            return self._problem(error, reused=False, ambiguous_before=True)
        response.release_conn()
        return Answer(status=response.status, headers=response.headers, body=data)

    def _problem(self, error: Exception, *, reused: bool, ambiguous_before: bool) -> _Problem:
        what, sent, hint = _described(error)
        unreachable = ServiceUnreachable(
            f"No answer from {self.endpoint}: {what}.",
            endpoint=self.endpoint,
            ambiguous=sent or ambiguous_before,
            hint=hint,
        )
        dead = reused and not ambiguous_before and isinstance(error, (ProtocolError, OSError)) and sent
        return (_DeadConnection if dead else _Problem)(error=unreachable)


@attrs.frozen(kw_only=True)
class _Problem:
    error: ServiceUnreachable


class _DeadConnection(_Problem):
    """A kept connection that was closed by the other side."""


def _read_bounded(response: Any, ends_at: float) -> bytes:
    chunks: list[bytes] = []
    size = 0
    for chunk in response.stream(65536, decode_content=True):
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_ANSWER_BYTES or time.monotonic() > ends_at:
            raise ProtocolError("the answer does not end")
    return b"".join(chunks)


_HINT_NETWORK = (
    "Check that the function may reach the endpoint: internet access or a NAT gateway for the public one, "
    "CLOUDFLOW_NETWORK=internal inside the region's network."
)


def _described(error: Exception) -> tuple[str, bool, str]:
    """Say in our own words what happened, whether the request may have been sent, and what to do."""
    if isinstance(error, NameResolutionError):
        return "its name cannot be resolved", False, "Check the region (CLOUDFLOW_REGION) and the function's DNS."
    if isinstance(error, ConnectTimeoutError):
        return "the connection was not accepted in time", False, _HINT_NETWORK
    if isinstance(error, NewConnectionError):
        return "the connection was refused", False, _HINT_NETWORK
    if isinstance(error, ProxyError):
        return "the proxy did not pass the request on", False, "Check HTTPS_PROXY and NO_PROXY."
    if isinstance(error, SSLError):
        return "TLS failed", False, "Check the endpoint's certificate, and REQUESTS_CA_BUNDLE where one is set."
    if isinstance(error, (ProtocolError, ConnectionError)):
        return "the connection was broken off", True, _HINT_NETWORK
    return "the answer did not come in time", True, _HINT_NETWORK


def _ca_bundle() -> str:
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH


_transports: dict[tuple[int, str], Transport] = {}
_lock = threading.Lock()


def transport_for(endpoint: str) -> Transport:
    """Return this process's transport to an endpoint; a forked child gets its own."""
    key = os.getpid(), endpoint
    with _lock:
        if key not in _transports:
            _transports[key] = Transport(endpoint=endpoint)
        return _transports[key]
