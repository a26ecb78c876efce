"""Credentials for tests that call no CloudFlow."""

from __future__ import annotations

from fc_callback.values.context import LOCAL_KEY_PREFIX, Credentials


def make_credentials(
    access_key_id: str = LOCAL_KEY_PREFIX + "FORTESTS",
    access_key_secret: str = "secret-for-tests",
    security_token: str | None = None,
) -> Credentials:
    """Return credentials that belong to no account.

    `CloudFlowClient` refuses to send requests with such a key to another machine. A local CloudFlow does not know the key:
    `service.session()` returns credentials that it accepts.
    """
    return Credentials(access_key_id=access_key_id, access_key_secret=access_key_secret, security_token=security_token)
