"""One signed request, as it goes on the wire: built from values, without I/O."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from fc_callback import __version__
from fc_callback.cloudflow.signature import authorization_v3, canonical_query, canonical_request_v3, sign_v1, sign_v3
from fc_callback.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fc_callback.context import Credentials

API_VERSION = "2019-03-15"
FORM = "application/x-www-form-urlencoded"


class SignedRequest(Value, hidden=("path", "headers", "body")):
    """A POST to `/`: path with query, headers, body."""

    path: str
    headers: dict[str, str]
    body: bytes


def build_request(  # noqa: D417 - query and form speak for themselves
    action: str,
    *,
    endpoint: str,
    query: Mapping[str, str],
    form: Mapping[str, str],
    credentials: Credentials,
    signature: str,
    now: float,
) -> SignedRequest:
    """Return the request for an operation, with a nonce of its own.

    Args:
        action: The operation, such as `ReportTaskSucceeded`.
        endpoint: Scheme, host and port; the host is signed by V3.
        credentials: What to sign with.
        signature: `v1` or `v3`.
        now: The service's time in seconds since 1970.
    """
    timestamp = datetime.fromtimestamp(now, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    build = _build_v3 if signature == "v3" else _build_v1
    return build(action, endpoint, query, urlencode(form).encode(), form, credentials, timestamp)


def _build_v1(
    action: str,
    _endpoint: str,
    query: Mapping[str, str],
    body: bytes,
    form: Mapping[str, str],
    credentials: Credentials,
    timestamp: str,
) -> SignedRequest:
    signed = {
        "Action": action,
        "Version": API_VERSION,
        "Format": "JSON",
        "AccessKeyId": credentials.access_key_id,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": secrets.token_hex(16),
        "Timestamp": timestamp,
        **query,
    }
    if credentials.security_token:
        signed["SecurityToken"] = credentials.security_token
    signed["Signature"] = sign_v1("POST", {**signed, **form}, credentials.access_key_secret)
    return SignedRequest(path=f"/?{canonical_query(signed)}", headers=_common_headers(), body=body)


def _build_v3(
    action: str,
    endpoint: str,
    query: Mapping[str, str],
    body: bytes,
    _form: Mapping[str, str],
    credentials: Credentials,
    timestamp: str,
) -> SignedRequest:
    digest = hashlib.sha256(body).hexdigest()
    signed = {
        "host": urlsplit(endpoint).netloc,
        "content-type": FORM,
        "x-acs-action": action,
        "x-acs-version": API_VERSION,
        "x-acs-date": timestamp,
        "x-acs-signature-nonce": secrets.token_hex(16),
        "x-acs-content-sha256": digest,
    }
    if credentials.security_token:
        signed["x-acs-accesskey-id"] = credentials.access_key_id
        signed["x-acs-security-token"] = credentials.security_token
    canonical = canonical_request_v3("POST", "/", query, signed, signed_headers=signed, hashed_payload=digest)
    authorization = authorization_v3(
        credentials.access_key_id, signed, sign_v3(canonical, credentials.access_key_secret)
    )
    headers = {**_common_headers(), **signed, "Authorization": authorization}
    return SignedRequest(path=f"/?{canonical_query(query)}" if query else "/", headers=headers, body=body)


def _common_headers() -> dict[str, str]:
    return {
        "accept": "application/json",
        "accept-encoding": "identity",
        "content-type": FORM,
        "user-agent": f"fc-callback/{__version__}",
    }
