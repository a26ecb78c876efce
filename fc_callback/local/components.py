"""How the service is put together."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import attrs

from fc_callback.errors import SettingsError
from fc_callback.local.authentication import Authenticator
from fc_callback.local.clock import Clock
from fc_callback.local.engine import Engine
from fc_callback.local.faults import Faults
from fc_callback.local.invoker import Invoker, Retries
from fc_callback.local.operations import Operations
from fc_callback.local.quota import Quota
from fc_callback.local.server import HOST
from fc_callback.local.store import Store

MAX_ASYNC_RETRIES = 8


def _is_loopback(_options: Options, _field: attrs.Attribute[Any], host: str) -> None:
    if host != HOST:
        raise SettingsError(
            f"The local CloudFlow cannot listen on {host!r}.",
            hint=f"It takes anybody's word for the clock and the faults: it listens on {HOST} and nowhere else.",
        )


def _is_sync_report(_options: Options, _field: attrs.Attribute[Any], value: str) -> None:
    if value not in {"accept", "conflict"}:
        raise SettingsError(f"sync_report is {value!r}.", hint="Use 'accept' or 'conflict'.")


def _is_retry_count(_options: Options, _field: attrs.Attribute[Any], value: int) -> None:
    if not 0 <= value <= MAX_ASYNC_RETRIES:
        raise SettingsError(f"async_retries is {value}.", hint=f"FC repeats 0 to {MAX_ASYNC_RETRIES} times.")


def _is_account_id(_options: object, _field: object, value: str) -> None:
    if not value or "\0" in value:
        raise SettingsError(f"The account id {value!r} cannot be used.", hint="Take 16 digits.")


@attrs.frozen(kw_only=True)
class Options:
    """The arguments of `LocalCloudFlow`, checked; it says what they mean."""

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


@attrs.frozen(kw_only=True)
class Components:
    """What an open service consists of, beside its HTTP face."""

    store: Store
    clock: Clock
    authenticator: Authenticator
    invoker: Invoker
    engine: Engine
    operations: Operations
    quota: Quota
    faults: Faults
    directory: tempfile.TemporaryDirectory[str] | None

    def add_account(self, account_id: str) -> None:
        """Let an account in."""
        with self.store.transaction():
            self.store.run("INSERT OR IGNORE INTO accounts VALUES (?)", account_id)
        self.authenticator.add_account(account_id)

    def close(self) -> None:
        """End the functions' processes and close the database."""
        self.invoker.close()
        self.store.close()
        if self.directory is not None:
            self.directory.cleanup()


def build_components(options: Options, *, endpoint: str) -> Components:
    """Open the database and put the rest around it.

    Args:
        options: The service's.
        endpoint: Where functions report their tasks.

    Raises:
        SettingsError: The database cannot be used.
    """
    directory = None if options.database else tempfile.TemporaryDirectory(prefix="local-cloudflow-")
    store = Store(options.database or Path(directory.name if directory else "") / "cloudflow.db")
    clock = Clock(
        moved_seconds=float(store.setting("moved_seconds") or 0),
        skewed_seconds=float(store.setting("skewed_seconds") or 0),
    )
    retries = Retries(
        count=options.async_retries,
        delay_seconds=options.async_retry_delay_seconds,
        credentials_seconds=options.credentials_seconds,
    )
    invoker = Invoker(
        store, clock, retries=retries, endpoint=endpoint, instances=options.instances, region=options.region
    )
    engine = Engine(store, clock, invoker, conflict=options.sync_report == "conflict")
    components = Components(
        store=store,
        clock=clock,
        authenticator=Authenticator(store.issuer, clock),
        invoker=invoker,
        engine=engine,
        operations=Operations(store, clock, engine),
        quota=Quota(clock.now, enabled=options.quota),
        faults=Faults(clock.now),
        directory=directory,
    )
    known = [row["account"] for row in store.all("SELECT account FROM accounts")]
    for account_id in (options.account_id, *options.accounts, *known):
        components.add_account(account_id)
    return components
