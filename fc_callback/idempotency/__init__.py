"""Work that runs once, however often its event is delivered.

    once        the option of `task_callback`: names the key, the store, and what a duplicate does
    idempotent  the same for a handler that is not a callback task
    Store       what a store for records must do; there are stores in memory, SQLite and Redis

A record is RUNNING (with a lease that ends with the invocation), then DONE (the result is stored), then REPORTED (each task
token that came for the result has its report). `options.py` says what each delivery does with the state it finds.

Type checkers read the names in `__init__.pyi`.
"""

from __future__ import annotations

from fc_callback._lazy import attach

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
    "open_store": "fc_callback.idempotency.opening",
    "undelivered": "fc_callback.idempotency.redelivery",
}

__all__ = list(_MODULES)
__getattr__, __dir__ = attach(__name__, _MODULES)
