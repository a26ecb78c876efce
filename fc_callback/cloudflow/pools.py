"""urllib3's connection pools for one endpoint: proxy, TLS context, and log lines without secrets."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from urllib3 import PoolManager, ProxyManager, make_headers
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from fc_callback.cloudflow.tls import client_context
from fc_callback.errors import SettingsError

# More threads than this open connections of their own, which are closed after one call.
_CONNECTIONS = 64
_SECRETS_IN_URL = re.compile(r"\b(TaskToken|SecurityToken|Signature|AccessKeyId)=[^&\s\"']+", re.ASCII)


class _ScrubUrls(logging.Filter):
    """Removes secrets from the URLs in urllib3's own debug lines: with signature V3 the task token is in the URL."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = _without_secrets(record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(_without_secrets(value) for value in record.args)
        return True


def _without_secrets(value: Any) -> Any:
    if isinstance(value, (int, float)):
        return value
    return _SECRETS_IN_URL.sub(r"\1=***", value if isinstance(value, str) else str(value))


for _name in ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(_ScrubUrls())


def pool_manager_for(endpoint: str) -> PoolManager:
    """Return the pools for an endpoint, behind the proxy that the environment names for it.

    All connections share one TLS context, which reads the CA bundle once: that takes tens of milliseconds.

    Raises:
        SettingsError: The proxy or the CA bundle cannot be used.
    """
    if not endpoint.startswith("https"):  # plain http is for loopback only, and no proxy may see it
        return PoolManager(num_pools=1, maxsize=_CONNECTIONS)
    manager = _secure_manager(endpoint, {"num_pools": 1, "maxsize": _CONNECTIONS, "ssl_context": client_context()})
    if manager is None:  # raised here, where no variable holds the proxy's password
        raise SettingsError(
            "The proxy for CloudFlow cannot be used.",
            hint="Check HTTPS_PROXY and ALL_PROXY (http://host:port; not SOCKS), or name the endpoint in NO_PROXY.",
        )
    return manager


def _secure_manager(endpoint: str, options: dict[str, Any]) -> PoolManager | None:
    """Return the pools, behind the proxy if there is one; None if the proxy cannot be used."""
    proxies = getproxies()
    proxy = proxies.get("https") or proxies.get("all")
    if not proxy or proxy_bypass(urlsplit(endpoint).netloc):
        return PoolManager(**options)
    with suppress(HTTPError, ValueError):  # these quote the URL, which may hold a password
        user, _, password = (parse_url(proxy).auth or "").partition(":")
        headers = make_headers(proxy_basic_auth=f"{unquote(user)}:{unquote(password)}") if user else None
        return ProxyManager(proxy, proxy_headers=headers, **options)
    return None
