"""Bind keys to the running invocation, so that each of its records carries them: kept in the context, not on a logger."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from fc_callback.values.invocation import current_invocation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fc_callback.values.invocation import Invocation


# The keys and the invocation in which they were bound: they are not valid in a thread that outlives it.
_bound: ContextVar[tuple[Invocation | None, Mapping[str, Any]] | None] = ContextVar(
    "fc_callback_log_keys", default=None
)

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
    """Put keys on every record of this invocation from here on; outside of an invocation, do nothing.

    They end with the invocation, in threads and asyncio tasks too. An asyncio task, and a thread started with a copy of the
    context, have the keys that were bound before they began; the keys that they bind are their own.
    """
    owner = _owner()
    if owner is not None:
        _bound.set((owner, {**bound_keys(), **keys}))


def unbind(*names: str) -> None:
    """Remove keys; names that are not bound are ignored."""
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
