"""The event loops of `async def` functions: invocations that follow one another share one, whichever thread serves them.

A client that a module keeps (httpx, redis.asyncio, aiohttp) holds connections of the loop that opened them. With a loop
of its own for each invocation, as `asyncio.run` makes them, it would work once and fail on the second, warm invocation.

Idle loops are a stack. An invocation takes the loop that became idle last, or makes one, and puts it back. Invocations at
the same time have one each. A loop runs in the thread of its invocation, because there SIGTERM raises FC's SystemExit,
and there the context variables are set.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from threading import Thread
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

logger = logging.getLogger("fc_callback")

# Turns of the loop in which cancelled tasks and abandoned generators can end, before they count as left pending.
_LAST_TURNS = 3
# For the tasks of a loop that is closed: FC kills a process that does not end.
_CLOSING_SECONDS = 1.0
# A signal that arrives a moment before a wait begins is acted upon when the wait ends, so no wait is long.
_LOOK_SECONDS = 0.2

# Appending and popping are atomic: there is no lock that a fork could leave held.
_idle: list[asyncio.AbstractEventLoop] = []
_of_parent: list[asyncio.AbstractEventLoop] = []
_left_pending: WeakSet[asyncio.Task[Any]] = WeakSet()


def run(awaitable: Awaitable[Any]) -> Any:
    """Await something from synchronous code, with the caller's context variables, and return its result.

    Tasks that it leaves pending are not cancelled: they go on with the next invocation that uses this loop. Where an
    event loop runs already (a test of the person's own), this one runs in a thread beside it.
    """
    outcome = _run_in_thread(awaitable) if _is_inside_a_loop() else _run(awaitable)
    try:
        return outcome.result()
    finally:
        del outcome  # the traceback of its exception holds this frame


def _is_inside_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _run(awaitable: Awaitable[Any]) -> Future[Any]:
    """Return the outcome. SystemExit and KeyboardInterrupt leave at any point, with the coroutine suspended."""
    process, loop, is_sound = os.getpid(), _take(), False
    outcome: Future[Any] = Future()
    try:
        loop.run_until_complete(_resolve(outcome, awaitable, process))
        is_sound = True
    finally:
        if process != os.getpid():  # the awaited code has forked, and this is the child
            _disown(loop)
        elif is_sound:
            _idle.append(loop)
        else:
            _end(loop)
    return outcome


def _run_in_thread(awaitable: Awaitable[Any]) -> Future[Any]:
    ended: Future[Future[Any]] = Future()
    context = copy_context()

    def work() -> None:
        try:
            ended.set_result(context.run(_run, awaitable))
        except BaseException as error:  # noqa: BLE001 - the caller raises it
            ended.set_exception(error)

    # A daemon, because a SystemExit of the caller's must not wait for it.
    thread = Thread(target=work, name="fc_callback-event-loop", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_LOOK_SECONDS)
    return ended.result()


async def _resolve(outcome: Future[Any], awaitable: Awaitable[Any], process: int) -> None:
    try:
        outcome.set_result(await awaitable)
    except (SystemExit, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 - `run` raises it
        outcome.set_exception(error)
    if process == os.getpid():
        with suppress(asyncio.CancelledError):  # too late: there is a result
            _warn_of(await _still_pending())


async def _still_pending() -> set[asyncio.Task[Any]]:
    pending: set[asyncio.Task[Any]] = set()
    for _ in range(_LAST_TURNS):
        await asyncio.sleep(0)  # at least once: the close of an abandoned generator is no task before
        pending = {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}
        if not pending:
            break
    return pending


def _warn_of(pending: Iterable[asyncio.Task[Any]]) -> None:
    """Warn once of each task that an invocation leaves pending."""
    left = [task for task in pending if task not in _left_pending]
    if not left:
        return
    _left_pending.update(left)
    names = sorted({getattr(task.get_coro(), "__qualname__", "a task") for task in left})
    logger.warning(
        "The function returned and left %d asyncio task(s) pending: %s. They go on during the next async invocation, not "
        "before. Await in the function what an invocation needs.",
        len(left),
        ", ".join(names),
    )


def _take() -> asyncio.AbstractEventLoop:
    while _idle:
        try:
            loop = _idle.pop()
        except IndexError:  # another thread was faster
            break
        if not loop.is_closed():
            return loop
    return asyncio.new_event_loop()


def _end(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what is pending and close a loop, as `asyncio.run` does, but within a bounded time."""
    try:
        pending = asyncio.all_tasks(loop)
        for task in pending:
            task.cancel()
        for ending in (pending, {loop.create_task(loop.shutdown_asyncgens())}):
            if ending:
                waiting = loop.create_task(asyncio.wait(ending, timeout=_CLOSING_SECONDS))
                _left_pending.update({*ending, waiting})  # none of them goes on, so there is nothing to warn of
                loop.run_until_complete(waiting)
    finally:
        loop.close()  # the default executor with it, without waiting for its threads


def _end_all() -> None:
    while _idle:
        loop = _idle.pop()
        if not loop.is_closed():
            _end(loop)


def _disown(loop: asyncio.AbstractEventLoop) -> None:
    """Leave a loop to the parent process.

    The processes share its epoll instance. To close the loop, or one of its connections, would take the parent's file
    descriptors out of that, also when the loop is collected. What is closed already touches none.
    """
    setattr(loop, "is_closed", lambda: True)  # noqa: B010 - mypy refuses an assignment to a method
    _of_parent.append(loop)  # its tasks are not collected here either: that would run their cleanup twice


def _forget_all() -> None:
    for loop in _idle:
        _disown(loop)
    _idle.clear()


atexit.register(_end_all)
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget_all)
