"""Where CloudFlow is.

The rule is `{region}.fnf.aliyuncs.com`, and `{region}-internal.fnf.aliyuncs.com` from inside the region's network
(CloudFlow documentation, "Call method"). The official SDKs fall back to `fnf.{region}`, which does not exist.
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

# A region becomes part of a host name: nothing but what a region's name is made of may get there.
_REGION = re.compile(r"[a-z]{2}(-[a-z0-9]+)+")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9a-f:.]+")  # the second: an IPv6 address
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def endpoint_of(region: str, *, network: str = "public") -> str:
    """Return the base URL of a region, as `https://host`.

    Args:
        region: One of `REGIONS`, or a newer one: the rule is used for it.
        network: `public`, or `internal` for the `-internal` host.

    Raises:
        SettingsError: The region is no region's name.
    """
    if not _REGION.fullmatch(region):
        raise SettingsError(
            f"{validators.shown(region)} is no region.",
            hint="A region is named like cn-hangzhou; see CLOUDFLOW_REGION.",
        )
    suffix = "-internal" if network == "internal" else ""
    return f"https://{region}{suffix}.fnf.aliyuncs.com"


def is_loopback(endpoint: str) -> bool:
    """Say whether a base URL, as the other functions here return it, leads to this machine."""
    return urlsplit(endpoint).hostname in _LOOPBACK


def checked_endpoint(given: str) -> str:
    """Return the base URL of an endpoint that a person gave: a host, `host:port` or a URL.

    Raises:
        SettingsError: It is no host, or plain http to something other than this machine.
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
        or not given.isprintable()  # urlsplit takes line breaks away in silence
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
            f"Plain http to {host} would send a task token and credentials in the clear.",
            hint="Use https://; plain http is for a local CloudFlow on 127.0.0.1 alone.",
        )
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port else "")
