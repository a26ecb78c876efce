"""The event loops of `async def` functions: consecutive invocations share one loop, also in different threads.

An async client in a global variable (httpx, redis.asyncio, aiohttp) has connections of the loop that opened them. If each
invocation had a new loop, as with `asyncio.run`, the client would work once and fail in the second, warm invocation.

Idle loops are a stack. An invocation takes the loop that became idle last, or creates one, and returns it to the stack.
Concurrent invocations have one loop each. A loop runs in the thread of its invocation, because SIGTERM raises FC's SystemExit
in that thread, and because that thread has the context variables.
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

from fc_callback.values.forks import call_in_forked_child
from fc_callback.values.safe_log import log_safely

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

logger = logging.getLogger("fc_callback")

# Iterations of the loop in which cancelled tasks and abandoned generators can end, before they count as pending.
_LAST_TURNS = 3
# The time for the tasks of a loop that is closed. FC kills a process that does not end.
_CLOSING_SECONDS = 1.0
# A signal that arrives just before a wait is only handled after the wait, so each wait is short.
_LOOK_SECONDS = 0.2

# append and pop are atomic, so there is no lock that a fork could copy in its locked state.
_idle: list[asyncio.AbstractEventLoop] = []
_of_parent: list[asyncio.AbstractEventLoop] = []
_left_pending: WeakSet[asyncio.Task[Any]] = WeakSet()


def run(awaitable: Awaitable[Any]) -> Any:
    """Run an awaitable to its end from synchronous code, with the caller's context variables, and return its result.

    Tasks that are still pending are not cancelled. They continue in the next invocation that uses this loop. If an event
    loop runs already, as in a user's test, the awaitable runs in another thread.
    """
    outcome = _run_in_thread(awaitable) if _is_inside_a_loop() else _run(awaitable)
    try:
        return outcome.result()
    finally:
        del outcome  # its exception's traceback refers to this frame


def _is_inside_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _run(awaitable: Awaitable[Any]) -> Future[Any]:
    """Return the outcome. SystemExit and KeyboardInterrupt may leave at any point, with the coroutine suspended."""
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

    # A daemon thread, because a SystemExit of the caller must not wait for it.
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
        await asyncio.sleep(0)  # at least once: it makes the close of an abandoned generator a task
        pending = {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}
        if not pending:
            break
    return pending


def _warn_of(pending: Iterable[asyncio.Task[Any]]) -> None:
    """Warn once about each task that is still pending after an invocation."""
    left = [task for task in pending if task not in _left_pending]
    if not left:
        return
    _left_pending.update(left)
    names = sorted({getattr(task.get_coro(), "__qualname__", "a task") for task in left})
    log_safely(
        logger,
        logging.WARNING,
        "The function returned while %d asyncio task(s) were pending: %s. They only continue during the next async "
        "invocation. Await them in the function if the invocation needs them.",
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
    """Cancel the pending tasks and close a loop, as `asyncio.run` does, but within a bounded time."""
    try:
        pending = asyncio.all_tasks(loop)
        for task in pending:
            task.cancel()
        for ending in (pending, {loop.create_task(loop.shutdown_asyncgens())}):
            if ending:
                waiting = loop.create_task(asyncio.wait(ending, timeout=_CLOSING_SECONDS))
                _left_pending.update({*ending, waiting})  # they do not continue, so no warning is needed
                loop.run_until_complete(waiting)
    finally:
        loop.close()  # also closes the default executor, without waiting for its threads


def _end_all() -> None:
    while _idle:
        loop = _idle.pop()
        if not loop.is_closed():
            _end(loop)


def _disown(loop: asyncio.AbstractEventLoop) -> None:
    """Leave a loop to the parent process.

    Both processes share its epoll instance. If the child closed or collected the loop, or one of its connections, it would
    remove the parent's file descriptors from the epoll instance. A loop that counts as closed does not do this.
    """
    setattr(loop, "is_closed", lambda: True)  # noqa: B010 - mypy refuses an assignment to a method
    _of_parent.append(loop)  # keeps its tasks from being collected, which would run their cleanup twice


def _forget_all() -> None:
    for loop in _idle:
        _disown(loop)
    _idle.clear()


atexit.register(_end_all)
call_in_forked_child(_forget_all)
