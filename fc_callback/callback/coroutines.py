"""`async def` functions: run the coroutines that they return from synchronous code.

This module does not import asyncio, because plain functions never need it. `event_loops` imports it.
"""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING, Any

from fc_callback.values.functions import is_async

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from types import FrameType

# The awaitable that each thread waits for, by the thread's id. A suspended coroutine is not on the stack of a thread.
_awaited: dict[int, Any] = {}


def load_asyncio_for(function: object) -> None:
    """Import asyncio if a function is async or wraps an async function. Called when the function is decorated."""
    if not is_async(function):
        if not hasattr(function, "__wrapped__"):
            return
        from inspect import unwrap

        if not is_async(unwrap(function)):  # type: ignore[arg-type]  # what has __wrapped__ is a function
            return
    import fc_callback.callback.event_loops  # noqa: F401 - it stays loaded


def run_to_end(awaitable: Awaitable[Any]) -> Any:
    """Run an awaitable to its end from synchronous code: see `event_loops.run`."""
    # An `async def` function loaded it when it was decorated. A plain function that returns an awaitable loads it here.
    from fc_callback.callback.event_loops import run

    thread = get_ident()
    outer = _awaited.get(thread)
    _awaited[thread] = awaitable
    try:
        return run(awaitable)
    finally:
        if outer is None:
            del _awaited[thread]
        else:
            _awaited[thread] = outer


def awaited_frames(thread: int) -> list[FrameType]:
    """Return the frames of the coroutine that a thread runs, and of the coroutines that it awaits, innermost first.

    The list is empty for a thread that runs no coroutine.
    """
    frames: list[FrameType] = []
    awaitable = _awaited.get(thread)
    while awaitable is not None:
        frame = getattr(awaitable, "cr_frame", None) or getattr(awaitable, "gi_frame", None)
        if frame is None:
            break
        frames.append(frame)
        awaitable = getattr(awaitable, "cr_await", None) or getattr(awaitable, "gi_yieldfrom", None)
    frames.reverse()
    return frames
