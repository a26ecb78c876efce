"""Reads the body of a request up to the service's limit, whatever its headers say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fc_callback.local.api_errors import ApiError
from fc_callback.settings import KIB

if TYPE_CHECKING:
    from starlette.requests import Request

# Source: CloudFlow documentation, "Limits": the size of a request.
MAX_REQUEST_BYTES = 1024 * KIB


async def read_body(request: Request) -> bytes:
    """Return the body. One that is too large is not read to its end, and one that says so is not read at all.

    The server drops what the client still sends, so that the client can read the response.

    Raises:
        ApiError: EntityTooLarge.
        ClientDisconnect: The client has closed the connection.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and _is_over_limit(announced):
        raise ApiError("EntityTooLarge", MAX_REQUEST_BYTES)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_REQUEST_BYTES:
            raise ApiError("EntityTooLarge", MAX_REQUEST_BYTES)
    return bytes(body)


async def read_json(request: Request) -> Any:
    """Return the body as a JSON value.

    Raises:
        ValueError: The request does not say that its body is JSON, or it is not.
        ApiError: EntityTooLarge.
        ClientDisconnect: The client has closed the connection.
    """
    # A page in a browser can post a form to any port without a preflight request, but not JSON.
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise ValueError("Send application/json.")
    return json.loads(await read_body(request))


async def json_object(request: Request) -> dict[str, Any]:
    """Return the body as a JSON object.

    Raises:
        TypeError: It is another JSON value.
        ValueError, ApiError, ClientDisconnect: As for `read_json`.
    """
    content = await read_json(request)
    if not isinstance(content, dict):
        raise TypeError("Send a JSON object.")
    return content


def _is_over_limit(digits: str) -> bool:
    significant = digits.lstrip("0")  # int() refuses thousands of digits
    return len(significant) > len(str(MAX_REQUEST_BYTES)) or int(significant or "0") > MAX_REQUEST_BYTES
