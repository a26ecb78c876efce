"""The arguments of `LocalCloudFlow`, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from fc_callback.errors import SettingsError
from fc_callback.local.server import HOST

if TYPE_CHECKING:
    from pathlib import Path

MAX_ASYNC_RETRIES = 8


@attrs.frozen(kw_only=True)
class ServiceOptions:
    """The arguments of `LocalCloudFlow`, whose docstring describes them.

    Raises:
        SettingsError: A value cannot be used.
    """

    database: Path | None
    host: str
    port: int
    quota: bool
    sync_report: str
    async_retries: int
    async_retry_delay_seconds: float
    credentials_seconds: float
    instances: int
    account_id: str
    accounts: tuple[str, ...]
    region: str
    skip_time: bool

    def __attrs_post_init__(self) -> None:
        if self.host != HOST:
            raise SettingsError(
                f"The local CloudFlow cannot listen on {self.host!r}.",
                hint=f"The control API is unauthenticated, so only loopback is allowed: use {HOST}.",
            )
        if self.sync_report not in {"accept", "conflict"}:
            raise SettingsError(f"sync_report is {self.sync_report!r}.", hint="Use 'accept' or 'conflict'.")
        if not 0 <= self.async_retries <= MAX_ASYNC_RETRIES:
            raise SettingsError(
                f"async_retries is {self.async_retries}.", hint=f"FC retries 0 to {MAX_ASYNC_RETRIES} times."
            )
        for account_id in (self.account_id, *self.accounts):
            if not account_id or "\0" in account_id:
                raise SettingsError(f"The account id {account_id!r} cannot be used.", hint="Use 16 digits.")
