"""Finds executions of an account, the newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fc_callback.local.store import Row, ServiceStore

STATUSES = ("Starting", "Running", "Stopped", "Succeeded", "Failed", "TimedOut")


def find_executions(
    store: ServiceStore,
    account: str,
    *,
    flow: str = "",
    status: str = "",
    name_prefix: str = "",
    begin: float = 0.0,
    end: float = 1e12,
    before: int = 2**62,
    limit: int,
) -> list[Row]:
    """Return the rows of executions, the newest first.

    Args:
        store: The service's database.
        account: Their account.
        flow: The name of their flow, which exists now; empty for all flows.
        status: One of `STATUSES`; empty for all.
        name_prefix: How their names begin.
        begin: They started at this time or later, in seconds since the epoch.
        end: They started at this time or earlier.
        before: Their row ids are smaller: the id of the last row of the page before.
        limit: At most so many.
    """
    # With a status the index has the rows in their order. Without one, "+" keeps SQLite from it: it would sort all rows.
    of_account = "account = ?" if status else "+account = ?"
    conditions, values = [of_account, "id < ?", "started BETWEEN ? AND ?"], [account, before, begin, end]
    if flow:
        conditions.append("flow = (SELECT id FROM flows WHERE account = ? AND name = ?)")
        values += account, flow
    if status:
        conditions.append("status = ?")
        values.append(status)
    if name_prefix:
        conditions.append("substr(name, 1, length(?)) = ?")
        values += name_prefix, name_prefix
    where = " AND ".join(conditions)
    return store.all(f"SELECT * FROM executions WHERE {where} ORDER BY id DESC LIMIT ?", *values, limit)  # noqa: S608


def count_executions(store: ServiceStore, account: str, *, status: str = "") -> int:
    """Return how many executions an account has, in all or with a status."""
    row = store.one(
        "SELECT COUNT(*) AS count FROM executions WHERE account = ?1 AND (?2 = '' OR status = ?2)", account, status
    )
    return 0 if row is None else int(row["count"])
