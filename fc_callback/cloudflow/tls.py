"""The TLS context of connections: which certificates it trusts, and why it does not trust one."""

from __future__ import annotations

import os
import ssl

from certifi import where

from fc_callback.errors import SettingsError


def client_context() -> ssl.SSLContext:
    """Return a context for TLS 1.2 and later that checks certificates and host names.

    The CA bundle is certifi's, or the one that `REQUESTS_CA_BUNDLE` or `CURL_CA_BUNDLE` names, as in requests.

    Raises:
        SettingsError: The bundle cannot be read.
    """
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or where()
    try:
        if os.path.isdir(bundle):  # noqa: PTH112 - pathlib is not loaded in a cold start
            return ssl.create_default_context(capath=bundle)
        return ssl.create_default_context(cafile=bundle)
    except OSError as error:  # ssl.SSLError, for a file without certificates, is one
        raise SettingsError(
            f"The CA bundle {bundle} cannot be read: {error.strerror or type(error).__name__}.",
            hint="Check REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE: a PEM file or a directory of them, shipped with the function.",
        ) from None


# OpenSSL's X509_V_ERR_* (openssl-verify(1), "Diagnostics") as (what is wrong, what to do).
_WRONG_HOST = (
    "its certificate is for another host",
    "Check the endpoint's host name (CLOUDFLOW_ENDPOINT, CLOUDFLOW_REGION), and that no proxy answers instead of it.",
)
_UNKNOWN_ISSUER = (
    "its certificate is from an unknown issuer",
    "If a proxy or an endpoint of your own signs certificates, name its CA bundle in REQUESTS_CA_BUNDLE.",
)
_EXPIRED = (
    "its certificate has expired",
    "Renew the certificate of the endpoint or the proxy, and check this machine's clock.",
)
_NOT_YET_VALID = (
    "its certificate is not valid yet",
    "Set this machine's clock, or correct the dates in the certificate of the endpoint or the proxy.",
)
_VERIFY_ERRORS = {
    2: _UNKNOWN_ISSUER,
    9: _NOT_YET_VALID,
    10: _EXPIRED,
    18: _UNKNOWN_ISSUER,
    19: _UNKNOWN_ISSUER,
    20: _UNKNOWN_ISSUER,
    21: _UNKNOWN_ISSUER,
    62: _WRONG_HOST,
    64: _WRONG_HOST,
}


def certificate_problem(error: BaseException) -> tuple[str, str] | None:
    """Return why a certificate is not trusted and what to do; None for any other error.

    Args:
        error: The error of opening a connection, as ssl raised it or as urllib3 wrapped it.
    """
    cause: object = error
    for _ in range(4):  # urllib3 wraps twice: SSLError(ssl's), ProxyError(message, SSLError(ssl's))
        if isinstance(cause, ssl.SSLCertVerificationError):
            other = f"its certificate is not trusted ({cause.verify_message})", _UNKNOWN_ISSUER[1]
            return _VERIFY_ERRORS.get(cause.verify_code, other)
        arguments = getattr(cause, "args", ())
        cause = arguments[-1] if arguments else None
    return None
