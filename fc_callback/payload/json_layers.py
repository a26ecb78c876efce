"""Read JSON from any source, also inside strings and base64.

A message may reach a function as JSON, as JSON in a JSON string, or as base64 of JSON: an MNS SDK encodes message bodies by
default, FC's HTTP trigger encodes binary bodies, and older EventBridge pushes deliver arrays of JSON strings.
For all bytes, these functions only raise `NotJson`, and no error text contains a part of the input.
"""

from __future__ import annotations

import binascii
import json
import re
from typing import Any

from fc_callback.errors import FcCallbackError

MAX_LAYERS = 10  # texts inside texts

_URLSAFE = str.maketrans("-_", "+/")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_HEAD_CHARACTERS = 32
_JSON_STARTS = ("{", "[", '"')
_JSON_START_BYTES = (b"{", b"[", b'"')
_BOM = "\ufeff"
_BOM_BYTES = b"\xef\xbb\xbf"


class NotJson(FcCallbackError, ValueError):
    """Raised when bytes or a text cannot be read as JSON. The message gives the reason and does not show the input."""


class NotUtf8(NotJson):
    """Raised when bytes begin like JSON but have an encoding that JSON must not have (RFC 8259, 8.1)."""


def json_type(value: object) -> str:
    """Name the JSON type of a decoded value: object, array, string, number, boolean or null."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    for kind, name in ((str, "string"), (int, "number"), (float, "number"), (dict, "object"), (list, "array")):
        if isinstance(value, kind):
            return name
    return type(value).__name__


def read_json(source: bytes | bytearray | str) -> Any:
    """Read one JSON text, with or without a byte order mark.

    Raises:
        NotJson: It is not JSON, or nested too deeply, or contains a number that is too long.
    """
    try:
        return json.loads(source.lstrip(_BOM) if isinstance(source, str) else source)
    except json.JSONDecodeError as error:
        reason = f"{error.msg} at character {error.pos}" if source.strip() else "it is empty"
    except UnicodeError:
        reason = "its bytes are not UTF-8"
        if isinstance(source, (bytes, bytearray)) and _begins_like_json(source.removeprefix(_BOM_BYTES).lstrip()):
            raise NotUtf8(reason) from None
    except RecursionError:
        reason = "it is nested too deeply"
    except ValueError:
        reason = "a number in it is too long"
    # Raised outside of the except block, because a JSONDecodeError contains the whole document with the token.
    raise NotJson(reason)


def looks_wrapped(text: str) -> bool:
    """Return whether `unwrap` may succeed. Only the first characters of the text are checked."""
    head = text[:_HEAD_CHARACTERS].lstrip(" \t\r\n" + _BOM)
    return head.startswith(_JSON_STARTS) or _is_base64_of_json(head)


def unwrap(text: str) -> Any:
    """Decode one layer: JSON in a string, or JSON in base64 in a string.

    The standard and the URL-safe alphabet are accepted, with or without padding and line breaks.

    Raises:
        NotJson: The text is an ordinary text.
    """
    head = text[:_HEAD_CHARACTERS].lstrip(" \t\r\n" + _BOM)
    if head.startswith(_JSON_STARTS):
        return read_json(text)
    return unwrap_base64(text)


def unwrap_base64(text: str) -> Any:
    """Read JSON in base64.

    Raises:
        NotJson: The text is an ordinary text, or other JSON.
    """
    if not _is_base64_of_json(text[:_HEAD_CHARACTERS].lstrip(" \t\r\n" + _BOM)):
        raise NotJson("it does not begin like a JSON object, array or string")
    decoded = decode_base64(text)
    if decoded is None:
        raise NotJson("it is neither JSON nor base64")
    return read_json(decoded)


def open_layers(value: Any, layers: int = 0) -> tuple[Any, int]:
    """Decode JSON in strings and in base64, until the value is not a text or is an ordinary text.

    Args:
        value: Any value. A value that is not a text is returned unchanged.
        layers: The number of layers that were decoded before.

    Returns:
        The value inside, and the number of decoded layers, at most `MAX_LAYERS`.
    """
    while isinstance(value, str) and layers < MAX_LAYERS and looks_wrapped(value):
        try:
            value = unwrap(value)
        except NotJson:
            break
        layers += 1
    return value, layers


def decode_base64(text: str) -> bytes | None:
    """Decode base64 strictly. Return None if the text is not base64."""
    compact = "".join(text.split()).translate(_URLSAFE)
    if not _BASE64.fullmatch(compact):
        return None
    bare = compact.rstrip("=")
    try:
        return binascii.a2b_base64(bare + "=" * (-len(bare) % 4))
    except binascii.Error:
        return None


def _is_base64_of_json(head: str) -> bool:
    words = head.split(maxsplit=1)
    usable = words[0].rstrip("=").translate(_URLSAFE) if words else ""
    if not usable.isascii() or len(usable) < 3:  # noqa: PLR2004 - "{}" is three characters of base64
        return False
    try:
        start = binascii.a2b_base64(usable[: len(usable) // 4 * 4] or usable + "=" * (-len(usable) % 4))
    except binascii.Error:
        return False
    return _begins_like_json(start)


def _begins_like_json(source: bytes | bytearray) -> bool:
    return source[:_HEAD_CHARACTERS].removeprefix(_BOM_BYTES).lstrip().startswith(_JSON_START_BYTES)
