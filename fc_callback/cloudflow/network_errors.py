"""What urllib3 raises when a call gets no answer, as a `ServiceUnreachable` that says what happened and what to do."""

from __future__ import annotations

import re
from typing import NamedTuple

from urllib3.exceptions import (
    ClosedPoolError,
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    SSLError,
)

from fc_callback.cloudflow.endpoints import is_loopback
from fc_callback.cloudflow.errors import FINAL_WITHOUT_DOCUMENT
from fc_callback.cloudflow.tls import certificate_problem
from fc_callback.errors import ServiceUnreachable


class _Failure(NamedTuple):
    """What happened to a call, whether the request may have been sent, what to do, and whether retrying is useless."""

    what: str
    sent: bool
    hint: str
    final: bool = False


_HINT_NETWORK = (
    "Check that the function may reach the endpoint: internet access or a NAT gateway for the public one. "
    "Inside the region's network, CLOUDFLOW_NETWORK=internal may reach it too."
)
_HINT_PROXY = "Check HTTPS_PROXY and NO_PROXY."
_HINT_TLS = "Check that the endpoint speaks TLS 1.2 or later at this port, and HTTPS_PROXY if it is set."
_HINT_PLAIN_HTTP = "A local CloudFlow speaks plain HTTP: write its address with http://, such as http://localhost:8089."
_HINT_NAME = "Check the region (CLOUDFLOW_REGION) and the function's DNS."
_NEVER_SENT: tuple[tuple[type[Exception], str, str], ...] = (
    (ClosedPoolError, "another thread closed the connection", _HINT_NETWORK),
    (NameResolutionError, "its name cannot be resolved", _HINT_NAME),
    (NewConnectionError, "the connection was refused", _HINT_NETWORK),
    (ConnectTimeoutError, "the connection was not accepted in time", _HINT_NETWORK),
)
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")  # http.client's words for the status of a proxy


def unreachable(error: Exception, *, endpoint: str, kept: bool, resent: bool) -> ServiceUnreachable:
    """Describe a call without an answer.

    Args:
        error: What urllib3 or the socket raised.
        endpoint: Scheme, host and port that were called.
        kept: Whether the call used a connection that was open before.
        resent: Whether an earlier sending of the same call may have reached the service.
    """
    failure = _describe(error, kept=kept)
    return ServiceUnreachable(
        f"No answer from {endpoint}: {failure.what}.",
        endpoint=endpoint,
        ambiguous=failure.sent or resent,
        retryable=not failure.final,
        hint=_HINT_PLAIN_HTTP if failure.hint is _HINT_TLS and is_loopback(endpoint) else failure.hint,
    )


def is_broken_connection(error: Exception) -> bool:
    """Say whether the connection ended, in contrast to a time that was up."""
    return isinstance(error, (ClosedPoolError, ProtocolError, SSLError, OSError)) and not _timed_out(error)


def _describe(error: Exception, *, kept: bool) -> _Failure:
    certificate = certificate_problem(error)
    if certificate is not None:
        return _Failure(certificate[0], sent=False, hint=certificate[1], final=True)
    for kind, what, hint in _NEVER_SENT:
        if isinstance(error, kind):
            return _Failure(what, sent=False, hint=hint)
    if isinstance(error, ProxyError):
        return _describe_proxy(error)
    if isinstance(error, SSLError) and not kept:
        return _Failure("TLS failed", sent=False, hint=_HINT_TLS)
    if isinstance(error, (ProtocolError, ConnectionError, SSLError)) and not _timed_out(error):
        return _Failure("the connection was broken off", sent=True, hint=_HINT_NETWORK)
    return _Failure("the answer did not come in time", sent=True, hint=_HINT_NETWORK)


def _describe_proxy(error: ProxyError) -> _Failure:
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
    """Say whether a time was up. urllib3 wraps the timeout of a request's sending as an aborted connection."""
    return isinstance(error, TimeoutError) or any(isinstance(cause, TimeoutError) for cause in error.args)
