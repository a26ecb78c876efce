"""Calls the control API of a local CloudFlow in another process."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

_SECONDS = 10.0


def control_request(endpoint: str, method: str, path: str, content: Any = None) -> tuple[int, Any]:
    """Make one call; return its status and its document.

    Args:
        endpoint: The service's URL.
        method: `GET` or `POST`.
        path: Like `/_local/health`.
        content: The JSON value that is sent; None for none.

    Raises:
        OSError, HTTPException, ValueError: No local CloudFlow answers there.
    """
    url = urlsplit(endpoint)
    connection = HTTPConnection(url.hostname or "", url.port, timeout=_SECONDS)
    try:
        body = None if content is None else json.dumps(content)
        connection.request(method, path, body=body, headers={"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    try:
        return answer.status, json.loads(text)
    except ValueError:
        raise ValueError(f"it answers {answer.status}") from None
