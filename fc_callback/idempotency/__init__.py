"""Work done once, whatever is delivered twice.

    once        the option of `task_callback`: names the key, the store, and what a duplicate does
    idempotent  the same for a handler that is no callback task
    Store       what a place for records must do; memory, SQLite and Redis stand beside it

A record goes RUNNING (with a lease that ends with the invocation), DONE (the Output stands), REPORTED (every task token
that came for it has its report). `options.py` tells what each delivery does with the state it finds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fc_callback._lazy import attach

if TYPE_CHECKING:
    from fc_callback.callback.idempotent import idempotent
    from fc_callback.idempotency.options import Once, once
    from fc_callback.idempotency.record import Record
    from fc_callback.idempotency.redelivery import Undelivered, undelivered
    from fc_callback.idempotency.store import Store, open_store
    from fc_callback.idempotency.unremembered import NO_WORK, Unremembered
    from fc_callback.idempotency.work import Stored, Work

_MODULES = {
    "NO_WORK": "fc_callback.idempotency.unremembered",
    "Once": "fc_callback.idempotency.options",
    "Record": "fc_callback.idempotency.record",
    "Store": "fc_callback.idempotency.store",
    "Stored": "fc_callback.idempotency.work",
    "Undelivered": "fc_callback.idempotency.redelivery",
    "Unremembered": "fc_callback.idempotency.unremembered",
    "Work": "fc_callback.idempotency.work",
    "idempotent": "fc_callback.callback.idempotent",
    "once": "fc_callback.idempotency.options",
    "open_store": "fc_callback.idempotency.store",
    "undelivered": "fc_callback.idempotency.redelivery",
}

__all__ = [
    "NO_WORK",
    "Once",
    "Record",
    "Store",
    "Stored",
    "Undelivered",
    "Unremembered",
    "Work",
    "idempotent",
    "once",
    "open_store",
    "undelivered",
]

__getattr__, __dir__ = attach(__name__, _MODULES)
