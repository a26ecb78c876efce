"""Authenticates calls: V1 and V3 signatures, clock skew, used nonces, and the accounts that own the keys."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING

import attrs

from fc_callback.cloudflow.signature import V3_ALGORITHM, canonical_query, canonical_request_v3, sign_v1, sign_v3
from fc_callback.local.api_errors import ApiError, invalid_argument
from fc_callback.local.clock import iso_seconds, parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fc_callback.local.clock import Clock
    from fc_callback.local.tokens import TokenIssuer

# Source: Alibaba Cloud documentation of signature V3, "within 15 minutes".
MAX_SKEW_SECONDS = 15 * 60
# The oldest nonces above this number are forgotten, so that the memory does not grow with the number of calls.
MAX_NONCES = 10_000
_V1_PARAMETERS = ("AccessKeyId", "Signature", "Timestamp", "SignatureNonce")
_V3_HEADERS = ("x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256")
_AUTHORIZATION = re.compile(rf"{V3_ALGORITHM}\s+Credential=([^,]*),\s*SignedHeaders=([^,]*),\s*Signature=([0-9a-f]*)")


@attrs.frozen(kw_only=True, repr=False)
class ApiRequest:
    """One call of the API.

    Attributes:
        method: In upper case.
        path: As sent.
        query: The URL's parameters, also blank ones.
        form: The body's parameters, also blank ones.
        headers: By lower-case name.
        body: As sent; empty if it is larger than a request may be, because it is not read then.
        is_too_large: Whether it is.
    """

    method: str
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    is_too_large: bool = False

    @property
    def parameters(self) -> dict[str, str]:
        """Query and form together: clients differ in where they send a parameter."""
        return {**self.query, **self.form}

    @property
    def action(self) -> str:
        """The operation, from the parameters or the header."""
        return self.parameters.get("Action") or self.headers.get("x-acs-action", "")

    @property
    def version(self) -> str:
        """The API version, from the parameters or the header."""
        return self.parameters.get("Version") or self.headers.get("x-acs-version", "")


class Authenticator:
    """Finds the account that signed a call."""

    def __init__(self, issuer: TokenIssuer, clock: Clock) -> None:
        self._issuer = issuer
        self._clock = clock
        self._keys: dict[str, tuple[str, str]] = {}
        self._nonces: dict[bytes, float] = {}

    def add_account(self, account_id: str) -> None:
        """Accept the long-lived key of an account."""
        key = self._issuer.account_key(account_id)
        self._keys[key.access_key_id] = (account_id, key.access_key_secret)

    def account_of(self, call: ApiRequest, *, skew_seconds: float = 0.0) -> str:
        """Return the account that signed the call.

        Args:
            call: The call.
            skew_seconds: How far this service's clock is ahead for this call.

        Raises:
            ApiError: The signature, its time or its key is not accepted.
        """
        now = self._clock.caller_time() + skew_seconds
        if V3_ALGORITHM in call.headers.get("authorization", ""):
            return self._account_v3(call, now)
        return self._account_v1(call, now)

    def _account_v1(self, call: ApiRequest, now: float) -> str:
        given = call.parameters
        for name in _V1_PARAMETERS:
            if not given.get(name):
                raise ApiError("MissingRequiredParams", name)
        if given.get("SignatureMethod", "HMAC-SHA1") != "HMAC-SHA1" or given.get("SignatureVersion", "1.0") != "1.0":
            raise invalid_argument("The signature is neither HMAC-SHA1 version 1.0 nor ACS3-HMAC-SHA256.")
        key_id = given["AccessKeyId"]
        account_id, secret = self._key(key_id, given.get("SecurityToken", ""))
        self._check_time(given["Timestamp"], now)
        self._check_signature(sign_v1(call.method, given, secret), given["Signature"])
        self._use_nonce(key_id, given["SignatureNonce"], now)
        return account_id

    def _account_v3(self, call: ApiRequest, now: float) -> str:
        headers = call.headers
        for name in _V3_HEADERS:
            if not headers.get(name):
                raise ApiError("MissingRequiredHeader", name)
        match = _AUTHORIZATION.fullmatch(headers["authorization"].strip())
        if match is None:
            raise invalid_argument("The Authorization header is not in the form of ACS3-HMAC-SHA256.")
        key_id, names, signature = match.groups()
        account_id, secret = self._key(key_id, headers.get("x-acs-security-token", ""))
        self._check_time(headers["x-acs-date"], now)
        signed = names.split(";")
        # An unsigned x-acs header could be changed on its way; date and nonce are such headers.
        unsigned = [name for name in headers if name.startswith("x-acs-") and name not in signed]
        hashed = hashlib.sha256(call.body).hexdigest()
        if unsigned or any(name not in headers for name in signed) or headers["x-acs-content-sha256"] != hashed:
            raise ApiError("SignatureNotMatch")
        canonical = canonical_request_v3(
            call.method,
            call.path,
            canonical_query(call.query),
            headers,
            signed_headers=signed,
            hashed_payload=hashed,
        )
        self._check_signature(sign_v3(canonical, secret), signature)
        self._use_nonce(key_id, headers["x-acs-signature-nonce"], now)
        return account_id

    def _key(self, key_id: str, security_token: str) -> tuple[str, str]:
        if not key_id.startswith("STS."):
            if key_id not in self._keys:
                raise ApiError("InvalidAccessKeyID", key_id)
            if security_token:
                raise ApiError("SignatureNotMatch")
            return self._keys[key_id]
        if not security_token:
            raise ApiError("InvalidAccessKeyID", key_id)
        session = self._issuer.read_session(key_id, security_token)
        if session is None:
            raise ApiError("SignatureNotMatch")
        account_id, expires_at = session
        if expires_at <= self._clock.now():
            raise ApiError("InvalidAccessKeyID", key_id)
        return account_id, self._issuer.session_secret(key_id)

    def _check_time(self, text: str, now: float) -> None:
        parsed = parse_time(text)
        if parsed is None:
            raise invalid_argument("The timestamp is not in the form of 2024-01-01T00:00:00Z.")
        if abs(parsed - now) > MAX_SKEW_SECONDS:
            raise ApiError("RequestTimeTooSkewed", text, iso_seconds(now))

    def _check_signature(self, calculated: str, given: str) -> None:
        if not hmac.compare_digest(calculated.encode(), given.encode()):
            raise ApiError("SignatureNotMatch")

    def _use_nonce(self, key_id: str, nonce: str, now: float) -> None:
        used = hashlib.sha256(f"{key_id}\0{nonce}".encode("utf-8", "surrogatepass")).digest()  # a nonce may be long
        if used in self._nonces:
            raise invalid_argument("The SignatureNonce was used before.")
        self._nonces[used] = now
        # In the order of use: the oldest come first, and are too old for the check of the time.
        while self._nonces:
            oldest, used_at = next(iter(self._nonces.items()))
            if used_at > now - 2 * MAX_SKEW_SECONDS and len(self._nonces) <= MAX_NONCES:
                return
            del self._nonces[oldest]
