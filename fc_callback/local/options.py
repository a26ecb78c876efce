"""The arguments of `LocalCloudFlow`, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.errors import SettingsError
from fc_callback.local.server import HOST

if TYPE_CHECKING:
    from pathlib import Path

MAX_ASYNC_RETRIES = 8


def _is_loopback(_options: ServiceOptions, _field: attrs.Attribute[Any], host: str) -> None:
    if host != HOST:
        raise SettingsError(
            f"The local CloudFlow cannot listen on {host!r}.",
            hint=f"The control API is unauthenticated, so only loopback is allowed: use {HOST}.",
        )


def _is_sync_report(_options: ServiceOptions, _field: attrs.Attribute[Any], value: str) -> None:
    if value not in {"accept", "conflict"}:
        raise SettingsError(f"sync_report is {value!r}.", hint="Use 'accept' or 'conflict'.")


def _is_retry_count(_options: ServiceOptions, _field: attrs.Attribute[Any], value: int) -> None:
    if not 0 <= value <= MAX_ASYNC_RETRIES:
        raise SettingsError(f"async_retries is {value}.", hint=f"FC retries 0 to {MAX_ASYNC_RETRIES} times.")


def _is_account_id(_options: object, _field: object, value: str) -> None:
    if not value or "\0" in value:
        raise SettingsError(f"The account id {value!r} cannot be used.", hint="Use 16 digits.")


@attrs.frozen(kw_only=True)
class ServiceOptions:
    """The arguments of `LocalCloudFlow`, whose docstring describes them."""

    database: Path | None
    host: str = attrs.field(validator=_is_loopback)
    port: int
    quota: bool
    sync_report: str = attrs.field(validator=_is_sync_report)
    async_retries: int = attrs.field(validator=_is_retry_count)
    async_retry_delay_seconds: float
    credentials_seconds: float
    instances: int
    account_id: str = attrs.field(validator=_is_account_id)
    accounts: tuple[str, ...] = attrs.field(validator=attrs.validators.deep_iterable(member_validator=_is_account_id))
    region: str
