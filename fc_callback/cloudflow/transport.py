"""HTTP: one POST and its answer, over connections that are kept.

A transport belongs to an endpoint, not to an invocation: it holds connections, never credentials, and threads share it.
With signature V3 the task token travels in the URL, so this is also where URLs are kept out of logs and errors.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, NamedTuple

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

from fc_callback.cloudflow.connections import Bounds, current_bounds, pool_manager_for
from fc_callback.cloudflow.errors import FINAL_WITHOUT_DOCUMENT
from fc_callback.cloudflow.tls import certificate_problem
from fc_callback.errors import ServiceUnreachable
from fc_callback.transport import Answer
from fc_callback.values.base import Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from urllib3 import HTTPConnectionPool

    from fc_callback.transport import SignedRequest
    from fc_callback.values.context import Deadline

# An answer is a small JSON document; more than this is something else.
MAX_ANSWER_BYTES = 1 << 20
# FC freezes an instance between invocations. Whatever was open for longer than this is not worth trusting: a middle box
# may have forgotten the connection without telling either side.
IDLE_SECONDS = 30.0
_NO_TIMEOUT = Timeout(connect=None, read=None)  # `connections` sets them
_NO_RETRIES = Retry(total=False, redirect=0)  # repeating is the business of `delivery`

_SECRETS_IN_URL = re.compile(r"\b(TaskToken|SecurityToken|Signature|AccessKeyId)=[^&\s\"']+", re.ASCII)


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


class HttpTransport:
    """The connections to one endpoint: what a client uses without `transport=`.

    Attributes:
        endpoint: Scheme, host and port.
        clock_offset_seconds: How far the service's clock is ahead of this machine's, once the service has complained.
    """

    def __init__(self, *, endpoint: str) -> None:
        self.endpoint = endpoint
        self.clock_offset_seconds = 0.0
        self._manager = pool_manager_for(endpoint)
        self._pool = self._new_pool()
        self._last_used = time.time()

    def post(
        self, request: Callable[[], SignedRequest], /, *, connect: float, read: float, deadline: Deadline | None = None
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
        current_bounds.set(Bounds(total=connect, connect=connect, answer=connect))
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
        bounds = Bounds(total=total, connect=connect, answer=read)
        current_bounds.set(bounds)
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
        hint=FINAL_WITHOUT_DOCUMENT[status] if status in {403, 407} else _HINT_PROXY,
        final=status in FINAL_WITHOUT_DOCUMENT,
    )


def _timed_out(error: Exception) -> bool:
    """Say whether an error is about time; sending that takes too long comes as a connection that was aborted."""
    return isinstance(error, TimeoutError) or any(isinstance(cause, TimeoutError) for cause in error.args)


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
    global _lock  # noqa: PLW0603 - a held lock cannot be let go by anybody else
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)
