"""Signatures of Alibaba Cloud's RPC interface: pure functions, no clock, no I/O.

Two methods are in use:

- V1, "RPC signature 1.0", HMAC-SHA1 over the sorted query and form parameters. Every fnf SDK in use sends it.
- V3, "ACS3-HMAC-SHA256", over the method, the path, the query, chosen headers and the hash of the body.

Sources: help.aliyun.com "RPC mechanism" (V1) and "V3 request structure and signature" (V3).
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

V3_ALGORITHM = "ACS3-HMAC-SHA256"

_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"
# Two bytes that no text has in UTF-8. They stand for "=" and "&" while the names and the values are encoded.
_EQUALS, _AND = b"\xfe", b"\xff"


def percent_encode(text: str) -> str:
    """Encode a text as RFC 3986 asks: `A-Z a-z 0-9 - _ . ~` stay, every other byte of its UTF-8 becomes `%XX`.

    A lone surrogate, which has no form in UTF-8, becomes `?`.
    """
    return _escape(text.encode("utf-8", "replace")).decode()


def canonical_query(parameters: Mapping[str, str]) -> str:
    """Return the parameters sorted by name and percent-encoded; an empty value is written as `name=`.

    All of them are encoded in one pass.
    """
    pairs = [
        _EQUALS.join((name.encode("utf-8", "replace"), parameters[name].encode("utf-8", "replace")))
        for name in sorted(parameters)
    ]
    return _escape(_AND.join(pairs)).replace(_EQUALS, b"=").replace(_AND, b"&").decode()


def _escape(data: bytes) -> bytes:
    # Once for each kind of byte. `urllib.parse.quote` goes byte by byte and takes two to three times as long for an
    # Output of 64 KiB (benchmarks/output_sizes.py). "%" comes first: the others become texts with a "%" in them.
    reserved = set(data.translate(None, _UNRESERVED + _EQUALS + _AND))
    for byte in sorted(reserved, key=ord("%").__ne__):
        data = data.replace(bytes((byte,)), b"%%%02X" % byte)
    return data


def sign_v1(method: str, parameters: Mapping[str, str], access_key_secret: str) -> str:
    """Return the V1 `Signature` of a request.

    Args:
        method: The HTTP method, upper case.
        parameters: Every query and form parameter but `Signature` itself, blank values included, not encoded.
        access_key_secret: The secret of the key named by `AccessKeyId`.

    Returns:
        The signature in base64, not yet percent-encoded.
    """
    signed = {name: value for name, value in parameters.items() if name != "Signature"}
    return sign_canonical_v1(method, canonical_query(signed), access_key_secret)


def sign_canonical_v1(method: str, canonical: str, access_key_secret: str) -> str:
    """Return the V1 `Signature` over parameters that `canonical_query` has written."""
    # The text is percent-encoded a second time. It has three reserved characters left; "%" comes first.
    encoded = canonical.replace("%", "%25").replace("&", "%26").replace("=", "%3D")
    # The formula in the documentation leaves out the "&" after the secret; its own example values need it.
    key = f"{access_key_secret}&".encode()
    return b64encode(hmac.new(key, f"{method}&%2F&{encoded}".encode(), hashlib.sha1).digest()).decode()


def canonical_request_v3(
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    *,
    signed_headers: Iterable[str],
    hashed_payload: str,
) -> str:
    """Return the CanonicalRequest of V3.

    Args:
        method: The HTTP method, upper case.
        path: The path as sent; `/` for RPC interfaces.
        query: The query as `canonical_query` writes it.
        headers: The request's headers by lower-case name.
        signed_headers: The lower-case names of the headers that are signed, in any order.
        hashed_payload: The lower-case hex SHA-256 of the body as sent.
    """
    names = sorted(signed_headers)
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in names)
    return "\n".join([method, path, query, lines, ";".join(names), hashed_payload])


def sign_v3(canonical_request: str, access_key_secret: str) -> str:
    """Return the V3 signature, in lower-case hex, of a canonical request."""
    digest = hashlib.sha256(canonical_request.encode()).hexdigest()
    string_to_sign = f"{V3_ALGORITHM}\n{digest}"
    return hmac.new(access_key_secret.encode(), string_to_sign.encode(), hashlib.sha256).hexdigest()


def authorization_v3(access_key_id: str, signed_headers: Iterable[str], signature: str) -> str:
    """Return the value of the `Authorization` header of a V3 request."""
    names = ";".join(sorted(signed_headers))
    return f"{V3_ALGORITHM} Credential={access_key_id},SignedHeaders={names},Signature={signature}"
