"""Keys that every record of an invocation carries, and then none: kept in the context, not on a logger."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from fc_callback.values.invocation import current_invocation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fc_callback.values.invocation import Invocation


# Keys and the invocation they were bound in; a thread that outlives it finds them void.
_bound: ContextVar[tuple[Invocation | None, Mapping[str, Any]] | None] = ContextVar(
    "fc_callback_log_keys", default=None
)
# What `bound_keys` goes by, as it is: as long as this gives the same for an invocation, so does that.
current_binding = _bound.get

_NOTHING: Mapping[str, Any] = {}


def _owner() -> Invocation | None:
    invocation = current_invocation()
    return None if invocation is None or invocation.ended else invocation


def bound_keys() -> Mapping[str, Any]:
    """Return the keys that are bound here."""
    bound = _bound.get()
    if bound is None:
        return _NOTHING
    owner, keys = bound
    if owner is not current_invocation() or (owner is not None and owner.ended):
        return _NOTHING
    return keys


def bind(**keys: Any) -> None:
    """Put keys on every record of this invocation, from here on; outside of an invocation nothing happens.

    They are gone when it ends, in threads and asyncio tasks as well. An asyncio task, and a thread started with a copy of
    the context, have what was bound before they began, and add to it for themselves.
    """
    owner = _owner()
    if owner is not None:
        _bound.set((owner, {**bound_keys(), **keys}))


def unbind(*names: str) -> None:
    """Take keys away again; names that are not bound do no harm."""
    owner = _owner()
    if owner is not None:
        _bound.set((owner, {name: value for name, value in bound_keys().items() if name not in names}))


@contextmanager
def bound(**keys: Any) -> Iterator[None]:
    """Put keys on every record of a `with` block, inside and outside of invocations."""
    mark = _bound.set((_owner(), {**bound_keys(), **keys}))
    try:
        yield
    finally:
        _bound.reset(mark)
