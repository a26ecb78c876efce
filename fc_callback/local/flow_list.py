"""Lists the flows of an account, with what their executions do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from fc_callback.local.clock import iso_milliseconds

if TYPE_CHECKING:
    from fc_callback.local.store import ServiceStore


@attrs.frozen(kw_only=True)
class ListedFlow:
    """A flow as the lists show it.

    Attributes:
        name: Its name.
        mode: `Standard` or `Express`.
        modified: When it was created or updated last, like `2020-09-22T23:43:40.073Z`.
        executions: How many executions it has.
        running: How many of them run.
        failed: How many of them failed or timed out.
    """

    name: str
    mode: str
    modified: str
    executions: int
    running: int
    failed: int


def list_flows(store: ServiceStore, account: str) -> list[ListedFlow]:
    """Return the flows of an account, by name."""
    rows = store.all(
        "SELECT f.name, f.mode, f.modified, COUNT(e.id) AS executions, TOTAL(e.status = 'Running') AS running,"
        " TOTAL(e.status IN ('Failed', 'TimedOut')) AS failed"
        " FROM flows f LEFT JOIN executions e ON e.flow = f.id WHERE f.account = ? GROUP BY f.id ORDER BY f.name",
        account,
    )
    return [
        ListedFlow(
            name=row["name"],
            mode=row["mode"],
            modified=iso_milliseconds(row["modified"]),
            executions=row["executions"],
            running=int(row["running"]),
            failed=int(row["failed"]),
        )
        for row in rows
    ]


def flow_names(store: ServiceStore, account: str) -> list[str]:
    """Return the names of the flows of an account."""
    return [row["name"] for row in store.all("SELECT name FROM flows WHERE account = ? ORDER BY name", account)]
