"""The endpoint of a region, and checks of endpoints that people give.

The rule is `{region}.fnf.aliyuncs.com`, and `{region}-internal.fnf.aliyuncs.com` inside the region's network (CloudFlow
documentation, "Call method"). The official SDKs fall back to `fnf.{region}`, which does not exist.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from fc_callback.errors import SettingsError
from fc_callback.values import validators

REGIONS = (
    "cn-hangzhou",
    "cn-shanghai",
    "cn-beijing",
    "cn-qingdao",
    "cn-shenzhen",
    "ap-southeast-1",
    "us-west-1",
)
NETWORKS = ("public", "internal")

# A region becomes a part of a host name, so only the characters of a region's name are allowed.
_REGION = re.compile(r"[a-z]{2}(-[a-z0-9]+)+")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9a-f:.]+")  # the second form is an IPv6 address
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def endpoint_of(region: str, *, network: str = "public") -> str:
    """Return the base URL of a region, as `https://host`.

    Args:
        region: One of `REGIONS`, or a newer one, which follows the same rule.
        network: `public`, or `internal` for the `-internal` host.

    Raises:
        SettingsError: The text has not the form of a region's name.
    """
    if not _REGION.fullmatch(region):
        raise SettingsError(
            f"{validators.shown(region)} is no region.",
            hint="Use a name like cn-hangzhou; see CLOUDFLOW_REGION.",
        )
    suffix = "-internal" if network == "internal" else ""
    return f"https://{region}{suffix}.fnf.aliyuncs.com"


def is_loopback(endpoint: str) -> bool:
    """Return whether a base URL, in the form that this module returns, leads to this machine."""
    return urlsplit(endpoint).hostname in _LOOPBACK


def checked_endpoint(given: str) -> str:
    """Return the base URL of an endpoint that a person gave: a host, `host:port` or a URL.

    Raises:
        SettingsError: The text is no endpoint, or it is plain http to another machine.
    """
    url = given if "://" in given else f"https://{given}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if (
        not host
        or not _HOST.fullmatch(host)
        or not given.isprintable()  # urlsplit drops line breaks silently
        or parts.scheme not in {"http", "https"}
        or parts.path.strip("/")
        or parts.query
        or parts.fragment
        or "@" in parts.netloc
    ):
        raise SettingsError(
            f"The endpoint must be a host or a URL without a path, such as https://{REGIONS[0]}.fnf.aliyuncs.com.",
            hint="Check the argument endpoint= or the variable CLOUDFLOW_ENDPOINT.",
        )
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise SettingsError(
            f"Plain http to {host} would send a task token and credentials unencrypted.",
            hint="Use https://; plain http is only for a local CloudFlow on 127.0.0.1.",
        )
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port else "")
