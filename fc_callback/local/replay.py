"""Delivers the event of an invocation again, as a second delivery by FC would."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fc_callback.errors import FcCallbackError

if TYPE_CHECKING:
    from fc_callback.local.invoker import Invoker
    from fc_callback.local.store import ServiceStore


def replay_invocation(store: ServiceStore, invoker: Invoker, number: int) -> None:
    """Invoke the function of invocation `number` with the same event once more. No step learns of its end.

    The event has its task token, so a function that reports its task reports it again.

    Raises:
        FcCallbackError: There is no such invocation, or it called an action.
    """
    with store.transaction():
        row = store.one("SELECT * FROM invocations WHERE id = ?", number)
        if row is None:
            raise FcCallbackError(f"There is no invocation {number}.")
        if row["kind"] == "action":
            raise FcCallbackError("An action cannot be called again: only functions can.")
        invoker.submit(
            kind=row["kind"],
            function=row["function"],
            event=store.restore_tokens(row["event"]),
            asynchronous=False,
            account=row["account"],
        )
