"""Decides which requests the console answers: those of this machine, and those of its own pages in a browser.

A page of another site in the same browser can send requests to loopback. It cannot read an answer, because none allows
it to; and each request that would change something, or that is not the opening of a page, is refused by its headers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request

_HOSTS = frozenset({"127.0.0.1", "localhost"})
_MOST_DIGITS = 19  # of SQLite's integers
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def read_number(text: str) -> int | None:
    """Return the number that a part of an address says; None if it is none, or larger than what the store holds."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < _MOST_DIGITS else None


def why_refused(request: Request) -> str:
    """Return why a request is refused; empty if it is not.

    The Host header is checked because a site's own domain may resolve to 127.0.0.1 (DNS rebinding). Browsers send
    Sec-Fetch-Site with every request to loopback, and Origin with every POST.
    """
    host = request.headers.get("host", "")
    if request.client is None or request.client.host != "127.0.0.1" or host.partition(":")[0] not in _HOSTS:
        return "The console answers requests from this machine only. Open it as http://127.0.0.1 with its port."
    site = request.headers.get("sec-fetch-site", "same-origin")
    is_opening = (
        request.method == "GET"
        and request.headers.get("sec-fetch-mode") == "navigate"
        and request.headers.get("sec-fetch-dest") == "document"
    )
    origin = request.headers.get("origin", f"http://{host}")
    if (site not in {"same-origin", "none"} and not is_opening) or origin != f"http://{host}":
        return "This request comes from a page of another site. Open the console itself."
    return ""
