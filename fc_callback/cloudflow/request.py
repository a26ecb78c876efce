"""Builds one signed request, as it goes on the wire, from values and without I/O."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fc_callback import __version__
from fc_callback.cloudflow.signature import (
    authorization_v3,
    canonical_query,
    canonical_request_v3,
    percent_encode,
    sign_canonical_v1,
    sign_v3,
)
from fc_callback.transport import SignedRequest
from fc_callback.values.masked import Masked
from fc_callback.values.token import TaskToken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fc_callback.values.context import Credentials

API_VERSION = "2019-03-15"
FORM = "application/x-www-form-urlencoded"
_HEADERS = {
    "accept": "application/json",
    "accept-encoding": "identity",
    "content-type": FORM,
    "user-agent": f"fc-callback/{__version__}",
}


class MaskedText(Masked, str):
    """A path or a header that its `repr` does not show: Sentry records the local variables of urllib3's frames."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} characters>"


class MaskedBytes(Masked, bytes):
    """A body that its `repr` does not show."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


def build_request(
    action: str,
    *,
    endpoint: str,
    query: Mapping[str, str | TaskToken],
    form: Mapping[str, str | TaskToken],
    credentials: Credentials,
    signature: str,
    now: float,
) -> SignedRequest:
    """Build the request for an operation, with a new nonce.

    Args:
        action: The operation, such as `ReportTaskSucceeded`.
        endpoint: Scheme, host and port; V3 signs the host.
        query: The parameters that the operation takes in the query. V1 puts them into the form with all others: tracers,
            proxies and access logs record URLs.
        form: The parameters that the operation takes in the form.
        credentials: The request is signed with these.
        signature: `v1` or `v3`.
        now: The service's time in seconds since 1970.
    """
    timestamp = datetime.fromtimestamp(now, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    if signature == "v3":
        return _build_v3(action, endpoint, _plain_texts(query), _plain_texts(form), credentials, timestamp)
    return _build_v1(action, _plain_texts({**query, **form}), credentials, timestamp)


def _plain_texts(parameters: Mapping[str, str | TaskToken]) -> dict[str, str]:
    """Return the parameters with each task token in plain text."""
    return {name: value.secret if isinstance(value, TaskToken) else value for name, value in parameters.items()}


def _build_v1(action: str, parameters: Mapping[str, str], credentials: Credentials, timestamp: str) -> SignedRequest:
    """Sign all parameters and send the signed text as the form, so that each parameter is encoded once.

    Source for the form: the official Node SDK, `@alicloud/fnf-2019-03-15` 1.2.0, sends all V1 parameters in it.
    """
    signed = {
        "Action": action,
        "Version": API_VERSION,
        "Format": "JSON",
        "AccessKeyId": credentials.access_key_id,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": secrets.token_hex(16),
        "Timestamp": timestamp,
        **parameters,
    }
    if credentials.security_token:
        signed["SecurityToken"] = credentials.security_token
    canonical = canonical_query(signed)
    signature = percent_encode(sign_canonical_v1("POST", canonical, credentials.access_key_secret))
    body = MaskedBytes(f"{canonical}&Signature={signature}".encode())
    return SignedRequest(path="/", headers=dict(_HEADERS), body=body)


def _build_v3(
    action: str,
    endpoint: str,
    query: Mapping[str, str],
    form: Mapping[str, str],
    credentials: Credentials,
    timestamp: str,
) -> SignedRequest:
    body = MaskedBytes(canonical_query(form).encode())
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
        signed["x-acs-accesskey-id"] = MaskedText(credentials.access_key_id)
        signed["x-acs-security-token"] = MaskedText(credentials.security_token)
    encoded = canonical_query(query)
    canonical = canonical_request_v3("POST", "/", encoded, signed, signed_headers=signed, hashed_payload=digest)
    authorization = authorization_v3(
        credentials.access_key_id, signed, sign_v3(canonical, credentials.access_key_secret)
    )
    headers = {**_HEADERS, **signed, "Authorization": MaskedText(authorization)}
    return SignedRequest(path=MaskedText(f"/?{encoded}" if encoded else "/"), headers=headers, body=body)
