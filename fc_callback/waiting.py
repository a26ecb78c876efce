"""Run what an `async def` function returns to its end, before FC freezes the instance."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable


def run_to_end(awaitable: Awaitable[Any]) -> Any:
    """Await something from synchronous code; tasks that it leaves pending are cancelled before this returns.

    Where an event loop runs already (a test of the person's own), it runs in a thread beside it, with the same context.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(_awaited(awaitable))
    from concurrent.futures import ThreadPoolExecutor
    from contextvars import copy_context

    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(copy_context().run, asyncio.run, _awaited(awaitable)).result()


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
