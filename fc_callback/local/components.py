"""The parts of a running local CloudFlow, and how they are connected."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.flows.definition import compact
from fc_callback.local.api_errors import ApiError
from fc_callback.local.authentication import Authenticator
from fc_callback.local.clock import Clock
from fc_callback.local.engine import Engine
from fc_callback.local.faults import Faults
from fc_callback.local.invoker import Invoker
from fc_callback.local.messages import Messages
from fc_callback.local.operations import Operations
from fc_callback.local.quota import Quota
from fc_callback.local.store import ServiceStore
from fc_callback.local.task_calls import TaskCaller

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fc_callback.local.options import ServiceOptions
    from fc_callback.local.store import Row


@attrs.frozen(kw_only=True)
class Components:
    """Everything that a running service consists of, except its HTTP server.

    Attributes:
        calls: How often each operation ended in which outcome: `ok`, an error code, or `fault:` and its kind.
    """

    options: ServiceOptions
    store: ServiceStore
    clock: Clock
    authenticator: Authenticator
    invoker: Invoker
    messages: Messages
    engine: Engine
    operations: Operations
    quota: Quota
    faults: Faults
    calls: Counter[tuple[str, str]] = attrs.field(factory=Counter)

    def add_account(self, account_id: str) -> None:
        """Allow an account to call the service."""
        with self.store.transaction():
            self.store.run("INSERT OR IGNORE INTO accounts VALUES (?)", account_id)
        self.authenticator.add_account(account_id)

    def perform(self, action: str, **parameters: str) -> dict[str, Any]:
        """Perform an operation of the HTTP API for the default account.

        Raises:
            ApiError: The service refuses it.
        """
        return self.operations.perform(action, self.options.account_id, parameters)

    def create_flow(
        self, name: str, definition: str | Mapping[str, Any], *, replace: bool, express: bool = False
    ) -> None:
        """Create a flow of the default account, or update the one that has the name.

        Raises:
            ApiError: The definition is refused, or the flow exists and must not be replaced, or has the other mode.
        """
        text = definition if isinstance(definition, str) else json.dumps(definition)
        mode = "Express" if express else "Standard"
        try:
            self.perform("CreateFlow", Name=name, Definition=text, Description="", Type="FDL", ExecutionMode=mode)
        except ApiError as error:
            if error.code != "FlowAlreadyExists" or not replace:
                raise
            self.perform("UpdateFlow", Name=name, Definition=text, ExecutionMode=mode)

    def start_execution(self, flow: str, execution_input: Mapping[str, Any], *, execution_name: str = "") -> str:
        """Start an execution of the default account; return its name.

        Raises:
            ApiError: The service refuses it.
        """
        text = compact(dict(execution_input))
        name: str = self.perform("StartExecution", FlowName=flow, Input=text, ExecutionName=execution_name)["Name"]
        return name

    def execution_row(self, flow: str, execution: str) -> Row:
        """Return the row of an execution of the default account.

        Raises:
            ApiError: It does not exist.
        """
        return self.operations.execution_row(self.options.account_id, flow, execution)

    def close(self) -> None:
        """End the functions' processes, and close the database and what listens to changes."""
        for listener in self.engine.listeners:
            listener(None)
        self.invoker.close()  # the service has closed it before, if it was started
        self.store.close()


def build_components(options: ServiceOptions, *, endpoint: str) -> Components:
    """Open the database and connect the other parts to it; functions report their tasks to `endpoint`.

    Raises:
        SettingsError: The database cannot be used.
    """
    store = ServiceStore(options.database)
    clock = Clock(
        moved_seconds=float(store.setting("moved_seconds") or 0),
        skewed_seconds=float(store.setting("skewed_seconds") or 0),
    )
    invoker = Invoker(store, clock, options, endpoint=endpoint)
    messages = Messages(store, clock, invoker, region=options.region)
    calls = TaskCaller(store, clock, invoker, messages)
    engine = Engine(store, clock, invoker, calls, conflict=options.sync_report == "conflict")
    components = Components(
        options=options,
        store=store,
        clock=clock,
        authenticator=Authenticator(store.issuer, clock),
        invoker=invoker,
        messages=messages,
        engine=engine,
        operations=Operations(store, clock, engine),
        quota=Quota(clock.now, enabled=options.quota),
        faults=Faults(clock.now),
    )
    known = [row["account"] for row in store.all("SELECT account FROM accounts")]
    for account_id in (options.account_id, *options.accounts, *known):
        components.add_account(account_id)
    return components
