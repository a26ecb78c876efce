"""Task tokens, access keys and STS credentials, all derived from the database's one secret.

The database holds none of them: each is rebuilt from the secret.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode, b64encode

from fc_callback.values.context import LOCAL_KEY_PREFIX, LOCAL_SESSION_PREFIX, Credentials

TOKEN_PREFIX = "djEj"  # noqa: S105 - base64 of "v1#", how every task token begins

# What a token holds; the last part is the base64 of 20 bytes.
_CONTENT = re.compile(rb"v1#[^#]+#[^#]+#[0-9]+#[A-Za-z0-9+/]{27}=")


class TokenIssuer:
    """Creates and verifies secrets."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def _code(self, purpose: str, *parts: object) -> bytes:
        text = "\0".join([purpose, *map(str, parts)])
        return hmac.new(self._secret, text.encode(), hashlib.sha256).digest()

    def task_token(self, *, flow: str, execution: str, event_id: int, execution_id: int) -> str:
        """Return a token in the layout of the real ones: `base64("v1#flow#execution#event#" + base64(20 bytes))`.

        Args:
            flow: The flow's name.
            execution: The execution's name.
            event_id: The history event that the task began with.
            execution_id: The row of the execution, which is never reused: executions may have the same names.
        """
        code = b64encode(self._code("task", execution_id, event_id)[:20]).decode()
        return b64encode(f"v1#{flow}#{execution}#{event_id}#{code}".encode()).decode()

    def account_key(self, account_id: str) -> Credentials:
        """Return the long-lived key of an account."""
        key_id = LOCAL_KEY_PREFIX + self._code("key id", account_id).hex()[:18].upper()
        return Credentials(access_key_id=key_id, access_key_secret=self._key_secret(key_id, 30))

    def session(self, account_id: str, *, expires_at: float, serial: str) -> Credentials:
        """Return STS credentials of an account.

        Args:
            account_id: The account.
            expires_at: Their end, in seconds since the epoch.
            serial: A text that no other session has, such as a random one.
        """
        key_id = LOCAL_SESSION_PREFIX + self._code("session", serial).hex()[:24].upper()
        content = f"{account_id}\0{expires_at:.3f}\0{key_id}".encode()
        token = "CAIS" + b64encode(content + self._code("sts", content.hex())).decode()
        return Credentials(access_key_id=key_id, access_key_secret=self._key_secret(key_id, 44), security_token=token)

    def read_session(self, access_key_id: str, security_token: str) -> tuple[str, float] | None:
        """Return the account and the end of an STS token; None if the token does not belong to this key."""
        try:
            content = b64decode(security_token[4:], validate=True)
        except ValueError:
            return None
        content, code = content[:-32], content[-32:]
        if not hmac.compare_digest(code, self._code("sts", content.hex())):
            return None
        account_id, expires_at, key_id = content.decode().split("\0")
        return (account_id, float(expires_at)) if key_id == access_key_id else None

    def session_secret(self, access_key_id: str) -> str:
        """Return the secret that belongs to an STS key."""
        return self._key_secret(access_key_id, 44)

    def marker(self) -> str:
        """Return the word of the marks that replace tokens in the database."""
        return self._code("marker").hex()[:16]

    def _key_secret(self, key_id: str, length: int) -> str:
        return b64encode(self._code("key secret", key_id), altchars=b"ab").decode()[:length].rstrip("=")


def token_digest(task_token: str) -> str:
    """Return the digest by which the database finds a token."""
    return hashlib.sha256(task_token.encode("utf-8", "surrogatepass")).hexdigest()


def token_in(text: str) -> str | None:
    """Return the task token that a text of base64 letters begins with, by its layout; None if it is the whole or none."""
    content = b64decode(text[: len(text) // 4 * 4].rstrip("=") + "==")
    match = _CONTENT.match(content)
    if match is None:
        return None
    token = b64encode(match[0]).decode()
    return token if text.startswith(token) and text != token else None
