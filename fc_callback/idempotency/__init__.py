"""Work done once, whatever is delivered twice.

    once        the option of `task_callback`: names the key, the store, and what a duplicate does
    idempotent  the same for a handler that is no callback task
    Store       what a place for records must do; memory, SQLite and Redis stand beside it

A record goes RUNNING (with a lease that ends with the invocation), DONE (the Output stands), REPORTED (every task token
that came for it has its report). `options.py` tells what each delivery does with the state it finds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fc_callback.idempotency.options import Once, once
    from fc_callback.idempotency.plain import idempotent
    from fc_callback.idempotency.record import Record
    from fc_callback.idempotency.redelivery import Undelivered, undelivered
    from fc_callback.idempotency.store import Store, open_store
    from fc_callback.idempotency.work import Stored, Work

_ROOMS = {
    "Once": "options",
    "Record": "record",
    "Store": "store",
    "Stored": "work",
    "Undelivered": "redelivery",
    "Work": "work",
    "idempotent": "plain",
    "once": "options",
    "open_store": "store",
    "undelivered": "redelivery",
}

__all__ = [
    "Once",
    "Record",
    "Store",
    "Stored",
    "Undelivered",
    "Work",
    "idempotent",
    "once",
    "open_store",
    "undelivered",
]


def __getattr__(name: str) -> Any:
    room = _ROOMS.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{room}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
