"""Credentials for tests that call no CloudFlow."""

from __future__ import annotations

from fc_callback.values.context import LOCAL_KEY_PREFIX, Credentials


def make_credentials(
    access_key_id: str = LOCAL_KEY_PREFIX + "FORTESTS",
    access_key_secret: str = "secret-for-tests",
    security_token: str | None = None,
) -> Credentials:
    """Return credentials of no account; a test gives what it is about.

    `CloudFlowClient` sends nothing that is signed with such a key to another machine. A local CloudFlow does not know it:
    `service.session()` makes credentials that it takes.
    """
    return Credentials(access_key_id=access_key_id, access_key_secret=access_key_secret, security_token=security_token)
