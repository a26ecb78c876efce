"""urllib3's connection pools for one endpoint: proxy, TLS context, and log lines without secrets."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, select_proxy
from urllib3.exceptions import HTTPError

from fc_callback.cloudflow.tls import client_context
from fc_callback.errors import SettingsError

if TYPE_CHECKING:
    from urllib3 import PoolManager

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


for _name in ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry", "requests"):
    logging.getLogger(_name).addFilter(_ScrubUrls())


class _Adapter(HTTPAdapter):
    """requests' adapter with one TLS context for all connections.

    By default each new connection reads the CA bundle again, which takes tens of milliseconds. The adapter's pools are
    called directly: a report uses no cookies, redirects or character sets of a session.
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
    # Plain http is for loopback only, and no proxy may see it.
    manager = _manager_behind_proxy(adapter, endpoint) if secure else adapter.poolmanager
    if manager is None:  # raised here, where no variable holds the proxy's password
        raise SettingsError(
            "The proxy for CloudFlow cannot be used.",
            hint="Check HTTPS_PROXY and ALL_PROXY (http://host:port; not SOCKS), or name the endpoint in NO_PROXY.",
        )
    return manager


def _manager_behind_proxy(adapter: _Adapter, endpoint: str) -> PoolManager | None:
    """Return the pools, behind the proxy if there is one; None if the proxy cannot be used."""
    proxy = select_proxy(endpoint, get_environ_proxies(endpoint))
    manager: PoolManager | None = None
    with suppress(HTTPError, ValueError):  # these quote the URL, which may hold a password
        if not proxy:
            manager = adapter.poolmanager
        elif not proxy.lower().startswith("socks"):
            manager = adapter.proxy_manager_for(proxy)
    return manager
