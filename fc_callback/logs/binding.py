"""Keys that every record of an invocation carries, and then none: kept in the context, not on a logger."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.invocation import Invocation, current_invocation
from fc_callback.task import running_task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@attrs.frozen
class _Keys:
    """Keys and the invocation they were bound in; a thread that outlives it finds them void."""

    owner: Invocation | None
    keys: Mapping[str, Any]


_bound: ContextVar[_Keys | None] = ContextVar("fc_callback_log_keys", default=None)


def _owner() -> Invocation | None:
    invocation = current_invocation()
    return None if invocation is None or invocation.ended else invocation


def bound_keys() -> Mapping[str, Any]:
    """Return the keys that are bound here."""
    bound = _bound.get()
    if bound is None or bound.owner is not current_invocation() or (bound.owner is not None and bound.owner.ended):
        return {}
    return bound.keys


def bind(**keys: Any) -> None:
    """Add keys until the invocation ends. Outside of one there is nothing to bind to, and nothing happens.

    An asyncio task, and a thread started with a copy of the context, have what was bound before they began, and add to
    it for themselves.
    """
    owner = _owner()
    if owner is not None:
        _bound.set(_Keys(owner, {**bound_keys(), **keys}))


def unbind(*names: str) -> None:
    """Take keys away again; names that are not bound do no harm."""
    owner = _owner()
    if owner is not None:
        _bound.set(_Keys(owner, {name: value for name, value in bound_keys().items() if name not in names}))


@contextmanager
def bound(**keys: Any) -> Iterator[None]:
    """Add keys for a `with` block, inside and outside of invocations."""
    mark = _bound.set(_Keys(_owner(), {**bound_keys(), **keys}))
    try:
        yield
    finally:
        _bound.reset(mark)


def place(invocation: Invocation) -> dict[str, Any]:
    """Return what names an invocation and its task: request id, function, region, cold start; flow, execution, task."""
    context, task = invocation.context, running_task()
    fields: dict[str, Any] = {"cold_start": invocation.cold_start}
    if context.request_id:
        fields["request_id"] = context.request_id
    if context.function_name:
        fields["function"] = context.function_name
    if context.region:
        fields["region"] = context.region
    if task is not None:
        token = task.token
        if token.flow is not None:
            fields["flow"], fields["execution"] = token.flow, token.execution
        fields["task"] = token.fingerprint
    return fields
