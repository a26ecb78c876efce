"""Reads the body of a request up to the service's limit, whatever its headers say."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


def _is_over_limit(digits: str) -> bool:
    significant = digits.lstrip("0")  # int() refuses thousands of digits
    return len(significant) > len(str(MAX_REQUEST_BYTES)) or int(significant or "0") > MAX_REQUEST_BYTES
