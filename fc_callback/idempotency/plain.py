"""The same for a handler that is no callback task: it runs once, and every later delivery gets what it returned."""

from __future__ import annotations

import json
from functools import wraps
from typing import TYPE_CHECKING, Any

from fc_callback import validators
from fc_callback.context import FcContext
from fc_callback.coroutines import load_asyncio_for, run_to_end
from fc_callback.idempotency.options import Once
from fc_callback.recording import run_once

if TYPE_CHECKING:
    from collections.abc import Callable


def idempotent(once: Once) -> Callable[[Callable[[Any, Any], object]], Callable[[Any, Any], str]]:
    """Let a handler `(event, context)` run once for each key.

    The handler returns the JSON text that an Output would be (see `encode_output`): the first time, and every time after.
    An `async def` handler is run to its end. `TaskFailed` is remembered and raised again, and so is the error of a result
    that cannot be written; any other exception passes through, and the next delivery runs.

    Args:
        once: What `once()` returned. Its key is read from the event's JSON object; any other event, text or JSON, is
            the field `event`, so `once(key="event")` takes the whole of it.

    Raises:
        SettingsError: `once` is something else.
    """
    validators.instance_of("once", once, Once, validators.ONCE_EXAMPLE)

    def decorate(function: Callable[[Any, Any], object]) -> Callable[[Any, Any], str]:
        if not callable(function):
            raise TypeError(f"idempotent decorates functions, not {validators.kind_of(function)}.")
        load_asyncio_for(function)

        @wraps(function)
        def handler(event: Any, context: Any) -> str:
            known = FcContext.read(context)
            work = once.enter(_payload(event), scope=once.scope_of(function, known), deadline=known.deadline)
            return run_once(work, known.deadline, lambda: _called(function, event, context))

        return handler

    return decorate


def _called(function: Callable[[Any, Any], object], event: Any, context: Any) -> object:
    result = function(event, context)
    if hasattr(result, "__await__"):
        return run_to_end(result)
    return result


def _payload(event: Any) -> dict[str, Any]:
    value = event
    if isinstance(event, (bytes, bytearray, memoryview, str)):
        text = event if isinstance(event, str) else bytes(event).decode("utf-8", "replace")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
    return value if isinstance(value, dict) else {"event": value}
