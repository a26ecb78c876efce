"""The event loops of `async def` functions: clients that a module keeps work again, and what is left pending goes on."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from functools import partial
from typing import Any

import aiohttp
import httpx
import pytest
import redis.asyncio

from fc_callback import CloudFlowClient, event_parser, once, task_callback
from fc_callback.callback.coroutines import awaited_frames
from fc_callback.callback.event_loops import _end_all, _idle
from fc_callback.idempotency import idempotent
from fc_callback.idempotency.memory import MemoryStore
from fc_callback.middleware import layers
from fc_callback.values.functions import is_async
from tests.cloudflow.quick import QUICK
from tests.cloudflow.scripted import ScriptedService
from tests.idempotency.once_stores import start_redis
from tests.invoking import fc_context
from tests.waiting import WaitingTasks

GUARD_SECONDS = 20
WAY = ContextVar("WAY", default="unset")


@pytest.fixture(autouse=True)
def _no_idle_loops() -> Iterator[None]:
    """Each test begins with an empty stack, and closes the loops that it made."""
    kept, _idle[:] = list(_idle), []
    yield
    _end_all()
    _idle[:] = kept
    gc.collect()  # what a test leaves open is that test's fault


def in_another_thread(call: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(call).result(GUARD_SECONDS)


def runs(code: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a module of a person's in a process of its own, where every warning is shown."""
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "always", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


@event_parser
async def current_loop(event: bytes) -> Any:
    return [id(asyncio.get_running_loop())]


# Clients that a module keeps


def test_an_httpx_client_of_the_module_works_on_the_warm_second_invocation() -> None:
    client = httpx.AsyncClient(trust_env=False)

    with ScriptedService() as service:

        @event_parser
        async def handler(event: bytes) -> Any:
            return (await client.get(service.endpoint)).status_code

        assert [handler(b"{}", None) for _ in range(3)] == [200, 200, 200]
        assert service.connections == 1
        event_parser(lambda event: client.aclose())(b"{}", None)


def test_it_works_when_another_thread_serves_the_second_invocation() -> None:
    client = httpx.AsyncClient(trust_env=False)

    with ScriptedService() as service:

        @event_parser
        async def handler(event: bytes) -> Any:
            return (await client.get(service.endpoint)).status_code

        for _ in range(3):
            assert in_another_thread(lambda: handler(b"{}", None)) == 200
        assert handler(b"{}", None) == 200
        assert service.connections == 1
        event_parser(lambda event: client.aclose())(b"{}", None)


def test_an_aiohttp_session_of_the_module_works_on_the_warm_second_invocation() -> None:
    kept: list[aiohttp.ClientSession] = []

    with ScriptedService() as service:

        @event_parser
        async def handler(event: bytes) -> Any:
            if not kept:
                kept.append(aiohttp.ClientSession())
            async with kept[0].get(service.endpoint) as answer:
                await answer.read()
                return answer.status

        assert [handler(b"{}", None), in_another_thread(lambda: handler(b"{}", None)), handler(b"{}", None)] == [
            200
        ] * 3
        assert service.connections == 1
        event_parser(lambda event: kept[0].close())(b"{}", None)


def test_a_redis_client_of_the_module_works_on_the_warm_second_invocation(tasks: WaitingTasks) -> None:
    server = start_redis()
    client = redis.asyncio.Redis.from_url(server.url)

    @task_callback
    async def handler(event: bytes, context: Any) -> Any:
        return {"n": await client.incr("n")}

    try:
        first, second = tasks.new(), tasks.new()
        handler(first.event, fc_context(tasks))
        in_another_thread(lambda: handler(second.event, fc_context(tasks)))
        assert (first.output, second.output) == ({"n": 1}, {"n": 2})
        event_parser(lambda event: client.aclose())(b"{}", None)
    finally:
        server.stop()


def test_every_decorator_runs_its_functions_on_the_same_loop(tasks: WaitingTasks) -> None:
    seen: list[int] = []

    async def look(event: bytes, context: Any) -> Any:
        seen.append(id(asyncio.get_running_loop()))
        return {}

    async def at_work(event: Any, context: Any) -> Any:
        return await look(event, context)

    task_callback(at_work)(tasks.new().event, fc_context(tasks))
    event_parser(at_work)(b"{}", None)
    idempotent(once(key="event", store=MemoryStore()))(at_work)(b"1", None)
    event_parser(layers()(at_work))(b"{}", None)
    assert len(seen) == 4
    assert len(set(seen)) == 1


# Which loop an invocation gets


def test_invocations_that_run_at_once_have_a_loop_each() -> None:
    together = threading.Barrier(3)

    @event_parser
    async def handler(event: bytes) -> Any:
        together.wait(GUARD_SECONDS)
        return [id(asyncio.get_running_loop())]

    with ThreadPoolExecutor(max_workers=3) as pool:
        loops = [pool.submit(handler, b"{}", None) for _ in range(3)]
        assert len({one.result(GUARD_SECONDS)[0] for one in loops}) == 3


def test_the_loop_that_became_idle_last_is_taken_first() -> None:
    begun, may_end = threading.Event(), threading.Event()

    @event_parser
    async def slow(event: bytes) -> Any:
        begun.set()
        assert may_end.wait(GUARD_SECONDS)
        return [id(asyncio.get_running_loop())]

    with ThreadPoolExecutor(max_workers=1) as pool:
        first = pool.submit(slow, b"{}", None)
        assert begun.wait(GUARD_SECONDS)
        beside = current_loop(b"{}", None)
        may_end.set()
        ended_last = first.result(GUARD_SECONDS)
    assert beside != ended_last
    assert [current_loop(b"{}", None), current_loop(b"{}", None)] == [ended_last, ended_last]


def test_many_threads_at_once_never_share_a_loop() -> None:
    running: set[int] = set()
    shared: list[int] = []

    @event_parser
    async def handler(event: bytes) -> Any:
        loop = id(asyncio.get_running_loop())
        if loop in running:
            shared.append(loop)
        running.add(loop)
        await asyncio.sleep(0)
        running.discard(loop)
        return {}

    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(lambda _: handler(b"{}", None), range(400)))
    assert shared == []
    assert len(_idle) <= 8


def test_a_loop_that_the_person_has_closed_is_not_used_again() -> None:
    first = current_loop(b"{}", None)
    _idle[-1].close()
    assert current_loop(b"{}", None) != first


# What a function leaves behind


def test_a_worker_that_is_left_pending_goes_on_with_the_next_invocation(caplog: pytest.LogCaptureFixture) -> None:
    jobs: list[asyncio.Queue[int]] = []
    done: list[int] = []

    async def worker() -> None:
        while True:
            done.append(await jobs[0].get())
            jobs[0].task_done()

    @event_parser
    async def handler(event: Any) -> Any:
        if not jobs:
            jobs.append(asyncio.Queue())
            kept.append(asyncio.create_task(worker()))
        jobs[0].put_nowait(int(event))
        await jobs[0].join()
        return {}

    kept: list[asyncio.Task[None]] = []
    for number in (b"1", b"2", b"3"):
        handler(number, None)
    assert done == [1, 2, 3]
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "while 1 asyncio task(s) were pending" in warnings[0]
    assert "worker" in warnings[0]
    kept[0].cancel()
    current_loop(b"{}", None)


def test_what_is_left_pending_after_an_exception_goes_on_too() -> None:
    ends: list[str] = []

    async def beside() -> None:
        await gate.wait()
        ends.append("ended")

    @event_parser
    async def fails(event: bytes) -> Any:
        kept.append(asyncio.create_task(beside()))
        raise LookupError

    @event_parser
    async def opens(event: bytes) -> Any:
        gate.set()
        await kept[0]

    gate = asyncio.Event()
    kept: list[asyncio.Task[None]] = []
    with pytest.raises(LookupError):
        fails(b"{}", None)
    assert ends == []
    opens(b"{}", None)
    assert ends == ["ended"]


def test_tasks_that_a_function_cancels_end_before_it_returns_and_are_no_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ends: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ends.append("cleaned up")

    @event_parser
    async def handler(event: bytes) -> Any:
        task = asyncio.create_task(forever())
        await asyncio.sleep(0)
        task.cancel()

    handler(b"{}", None)
    assert ends == ["cleaned up"]
    assert caplog.records == []


def test_a_generator_that_a_function_abandons_ends_before_it_returns(caplog: pytest.LogCaptureFixture) -> None:
    ends: list[str] = []

    async def rows() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            ends.append("closed")

    @event_parser
    async def handler(event: bytes) -> Any:
        async for row in rows():
            return row
        return None

    assert handler(b"{}", None) == 1
    assert ends == ["closed"]
    assert caplog.records == []


def test_a_generator_and_the_executor_live_from_one_invocation_to_the_next() -> None:
    async def numbers() -> AsyncIterator[int]:
        for number in range(10):
            yield number

    source = numbers()
    threads: list[int] = []

    @event_parser
    async def handler(event: bytes) -> Any:
        threads.append(await asyncio.to_thread(threading.get_ident))
        return await anext_of(source)

    assert [handler(b"{}", None), handler(b"{}", None)] == [0, 1]
    assert threads[0] == threads[1]


async def anext_of(source: AsyncIterator[int]) -> int:
    return await source.__anext__()


# Exceptions


class Unusual(BaseException):
    pass


@pytest.mark.parametrize("problem", [ValueError("x"), Unusual(), asyncio.CancelledError()])
def test_an_exception_passes_through_alone_and_the_loop_serves_again(problem: BaseException) -> None:
    @event_parser
    async def handler(event: bytes) -> Any:
        await asyncio.sleep(0)
        raise problem

    before = current_loop(b"{}", None)
    with pytest.raises(type(problem)) as caught:
        handler(b"{}", None)
    assert caught.value is problem
    assert problem.__context__ is None
    assert current_loop(b"{}", None) == before


@pytest.mark.parametrize("problem", [SystemExit(3), KeyboardInterrupt()])
def test_a_loop_that_ended_in_an_exit_is_dropped(problem: BaseException) -> None:
    kept: list[asyncio.AbstractEventLoop] = []

    @event_parser
    async def handler(event: bytes) -> Any:
        kept.append(asyncio.get_running_loop())
        raise problem

    with pytest.raises(type(problem)) as caught:
        handler(b"{}", None)
    assert caught.value is problem
    assert kept[0].is_closed()
    assert current_loop(b"{}", None) != [id(kept[0])]


def test_an_exit_in_a_task_beside_leaves_the_function_which_cleans_up(caplog: pytest.LogCaptureFixture) -> None:
    ends: list[str] = []

    async def leave() -> None:
        sys.exit(5)

    @event_parser
    async def handler(event: bytes) -> Any:
        kept = asyncio.create_task(leave())
        try:
            await asyncio.sleep(3600)
        finally:
            ends.append(repr(kept.done()))

    with pytest.raises(SystemExit, match="5"):
        handler(b"{}", None)
    assert ends == ["True"]
    assert _idle == []
    assert "pending" not in caplog.text  # what is cancelled does not go on with the next invocation


def test_a_cancellation_that_comes_after_the_result_changes_nothing() -> None:
    @event_parser
    async def handler(event: bytes) -> Any:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return [id(asyncio.get_running_loop())]

    assert handler(b"{}", None) == current_loop(b"{}", None)


def test_a_function_that_stops_its_loop_does_not_go_on_in_the_next_invocation() -> None:
    steps: list[str] = []

    @event_parser
    async def handler(event: bytes) -> Any:
        asyncio.get_running_loop().stop()
        await asyncio.sleep(0.01)
        steps.append("went on")

    with pytest.raises(RuntimeError, match="stopped"):
        handler(b"{}", None)
    current_loop(b"{}", None)
    assert steps == []


SIGTERM_MODULE = """
import asyncio, os, signal, sys, time
from fc_callback import event_parser

def terminate(number, frame):
    sys.exit(143)  # as FC's runtime does
signal.signal(signal.SIGTERM, terminate)

@event_parser
async def warm(event):
    return {{}}

@event_parser
async def handler(event):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        {waits}
    finally:
        print("cleaned up", flush=True)

def call():
    return handler(b"{{}}", None)

warm(b"{{}}", None)
try:
    {called}
except SystemExit as leaving:
    print("left with", leaving.code, flush=True)
    raise
"""


@pytest.mark.parametrize(
    "waits",
    ["await asyncio.sleep(3600)", "time.sleep(3600)", "while True: await asyncio.sleep(0)"],
    ids=["awaiting", "blocking", "spinning"],
)
def test_the_exit_of_fc_s_sigterm_leaves_an_async_function(waits: str) -> None:
    done = runs(SIGTERM_MODULE.format(waits=waits, called="call()"))
    assert done.stdout.splitlines() == ["cleaned up", "left with 143"]
    assert done.returncode == 143
    assert done.stderr == ""


def test_it_leaves_a_function_that_was_called_from_a_running_loop() -> None:
    called = """
    async def test():
        call()
    asyncio.run(test())"""
    done = runs(
        SIGTERM_MODULE.format(waits="await asyncio.sleep(3600)", called=textwrap.dedent(called).replace("\n", "\n    "))
    )
    assert "left with 143" in done.stdout
    assert done.returncode == 143


# From a running loop


def test_from_a_running_loop_a_function_runs_on_a_loop_of_the_stack() -> None:
    before = current_loop(b"{}", None)

    async def a_test_of_the_person_s() -> Any:
        return current_loop(b"{}", None)

    assert asyncio.run(a_test_of_the_person_s()) == before
    assert current_loop(b"{}", None) == before


def test_an_exception_from_there_passes_through_alone() -> None:
    problem = ValueError("x")

    @event_parser
    async def handler(event: bytes) -> Any:
        raise problem

    async def a_test_of_the_person_s() -> Any:
        handler(b"{}", None)

    with pytest.raises(ValueError) as caught:
        asyncio.run(a_test_of_the_person_s())
    assert caught.value is problem
    assert problem.__context__ is None


def test_an_async_handler_can_call_another() -> None:
    @event_parser
    async def outer(event: bytes) -> Any:
        return [*current_loop(event, None), id(asyncio.get_running_loop())]

    inner_loop, outer_loop = outer(b"{}", None)
    assert inner_loop != outer_loop
    assert outer(b"{}", None) == [inner_loop, outer_loop]


@pytest.mark.parametrize("inside", [False, True], ids=["plainly", "from a running loop"])
def test_a_function_sees_the_context_variables_of_its_caller(inside: bool) -> None:
    @event_parser
    async def handler(event: bytes) -> Any:
        await asyncio.sleep(0)
        return WAY.get()

    async def a_test_of_the_person_s() -> Any:
        return handler(b"{}", None)

    def call() -> Any:
        return asyncio.run(a_test_of_the_person_s()) if inside else handler(b"{}", None)

    seen = []
    for way in ("first", "second"):
        mark = WAY.set(way)
        seen.append(call())
        WAY.reset(mark)
    assert seen == ["first", "second"]


# Forks and the end of the process

FORKING_MODULE = """
import asyncio, os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forking where threads run
from fc_callback import event_parser
from fc_callback.callback.event_loops import _idle

@event_parser
async def handler(event):
    return await asyncio.to_thread(lambda: id(asyncio.get_event_loop_policy()) and 1)

@event_parser
async def forking(event):
    return os.fork()

assert handler(b"{}", None) == 1
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("ends", ["sys.exit(0)", "os._exit(0)"])
@pytest.mark.parametrize("forks", ["os.fork()", "forking(b'{}', None)"], ids=["beside", "inside"])
def test_a_forked_child_starts_empty_and_leaves_the_parent_s_loop_alone(forks: str, ends: str) -> None:
    code = FORKING_MODULE + textwrap.dedent(f"""
    child = {forks}
    if child == 0:
        assert _idle == []
        assert handler(b"{{}}", None) == 1
        {ends}
    assert os.waitpid(child, 0)[1] == 0
    assert len(_idle) == 1
    assert handler(b"{{}}", None) == 1  # a loop that the child has closed would not wake up any more
    print("served again")
    """)
    done = runs(code)
    assert done.stdout == "served again\n", done.stderr
    assert "Traceback" not in done.stderr


def test_a_child_that_exits_inside_the_function_leaves_the_parent_s_loop_alone() -> None:
    code = FORKING_MODULE + textwrap.dedent("""
    @event_parser
    async def exits(event):
        child = os.fork()
        if child == 0:
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        return await asyncio.to_thread(lambda: 2)

    assert exits(b"{}", None) == 2
    print("served again")
    """)
    done = runs(code)
    assert done.stdout == "served again\n", done.stderr


def test_loops_are_closed_at_exit_without_a_word() -> None:
    done = runs("""
    import asyncio, threading
    from concurrent.futures import ThreadPoolExecutor
    from fc_callback import event_parser

    together = threading.Barrier(3)

    @event_parser
    async def handler(event):
        await asyncio.to_thread(int)
        together.wait(20)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: handler(b"{}", None), range(3)))
    """)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_is_pending_at_exit_cleans_up_first() -> None:
    done = runs("""
    import asyncio, logging
    from fc_callback import event_parser
    logging.disable(logging.WARNING)

    async def worker():
        try:
            await asyncio.sleep(3600)
        finally:
            print("worker ended", flush=True)

    async def rows():
        try:
            while True:
                yield 1
        finally:
            await asyncio.sleep(0)
            print("generator ended", flush=True)

    kept = []

    @event_parser
    async def handler(event):
        kept.append(asyncio.create_task(worker()))
        kept.append(rows())
        await kept[-1].__anext__()

    handler(b"{}", None)
    """)
    assert done.stdout.splitlines() == ["worker ended", "generator ended"]
    assert (done.returncode, done.stderr) == (0, "")


def test_a_task_that_does_not_end_does_not_keep_the_process() -> None:
    done = runs("""
    import asyncio, logging
    from fc_callback import event_parser
    logging.disable(logging.CRITICAL)

    async def stubborn():
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                pass

    @event_parser
    async def handler(event):
        asyncio.create_task(stubborn())

    handler(b"{}", None)
    """)
    assert done.returncode == 0


# Where a function stands, for the soft deadline


def test_the_soft_deadline_names_the_line_that_a_coroutine_waits_at(tasks: WaitingTasks) -> None:
    @task_callback(on_failure="report", deadline_margin_seconds=0.9, client=CloudFlowClient(retry=QUICK))
    async def handler(event: bytes, context: Any) -> Any:
        await looks_up()
        return {}

    async def looks_up() -> None:
        await asyncio.to_thread(task.service.wait, task.flow, task.execution, timeout=10)

    task = tasks.new()
    handler(task.event, fc_context(tasks, timeout=1))
    error, cause = task.failure
    assert error == "DeadlineExceeded"
    assert "looks_up (test_event_loops.py:" in cause
    assert "< handler (test_event_loops.py:" in cause
    assert "base_events" not in cause


def test_it_names_the_line_that_a_coroutine_blocks_at(tasks: WaitingTasks) -> None:
    @task_callback(on_failure="report", deadline_margin_seconds=0.9, client=CloudFlowClient(retry=QUICK))
    async def handler(event: bytes, context: Any) -> Any:
        blocks()
        return {}

    def blocks() -> None:
        task.service.wait(task.flow, task.execution, timeout=10)

    task = tasks.new()
    handler(task.event, fc_context(tasks, timeout=1))
    assert "blocks (test_event_loops.py:" in task.failure[1]
    assert task.failure[1].rstrip(".").rpartition(" < ")[2].startswith("handler (test_event_loops.py:")


def test_it_names_the_function_below_many_frames_of_a_library(tasks: WaitingTasks) -> None:
    def deep(levels: int) -> None:
        if levels:
            deep(levels - 1)
        else:
            task.service.wait(task.flow, task.execution, timeout=10)

    @task_callback(on_failure="report", deadline_margin_seconds=0.9, client=CloudFlowClient(retry=QUICK))
    def handler(event: bytes, context: Any) -> Any:
        deep(20)
        return {}

    task = tasks.new()
    handler(task.event, fc_context(tasks, timeout=1))
    assert task.failure[1].rstrip(".").rpartition(" < ")[2].startswith("handler (test_event_loops.py:")


def test_it_names_the_layers_and_no_frame_of_a_decorator_below_task_callback(tasks: WaitingTasks) -> None:
    def timed(call: Any, call_next: Any) -> Any:
        return call_next(call)

    def handler(event: Any, context: Any) -> Any:
        task.service.wait(task.flow, task.execution, timeout=10)
        return {}

    once_only = idempotent(once(key=lambda payload: "work", store=MemoryStore()))
    for below in (handler, event_parser(handler), once_only(handler)):
        task = tasks.new()
        client = CloudFlowClient(retry=QUICK)
        decorate = task_callback(on_failure="report", deadline_margin_seconds=0.9, client=client)
        decorate(layers(timed)(below))(task.event, fc_context(tasks, timeout=1))
        functions = [step.partition(" (test_event_loops.py:")[0] for step in task.failure[1].split(" < ")]
        assert functions[-2:] == ["handler", "timed"], task.failure[1]


def test_it_names_the_layers_of_a_coroutine_and_no_frame_of_a_decorator(tasks: WaitingTasks) -> None:
    async def timed(call: Any, call_next: Any) -> Any:
        return await call_next(call)

    @task_callback(on_failure="report", deadline_margin_seconds=0.9, client=CloudFlowClient(retry=QUICK))
    @layers(timed)
    async def handler(event: bytes, context: Any) -> Any:
        await asyncio.to_thread(task.service.wait, task.flow, task.execution, timeout=10)
        return {}

    task = tasks.new()
    handler(task.event, fc_context(tasks, timeout=1))
    functions = [step.partition(" (test_event_loops.py:")[0] for step in task.failure[1].split(" < ")]
    assert functions[-2:] == ["handler", "timed"], task.failure[1]


def test_a_thread_that_runs_no_coroutine_awaits_nothing() -> None:
    current_loop(b"{}", None)
    assert awaited_frames(threading.get_ident()) == []


# When asyncio is loaded


async def plain(event: Any, context: Any) -> None: ...


def wrapped(event: Any, context: Any) -> Any:
    return plain(event, context)


class Callables:
    async def __call__(self, event: Any, context: Any) -> None: ...

    async def method(self, event: Any, context: Any) -> None: ...

    @staticmethod
    async def static(event: Any, context: Any) -> None: ...

    @classmethod
    async def of_the_class(cls, event: Any, context: Any) -> None: ...


class Synchronous:
    def __call__(self, event: Any, context: Any) -> None: ...


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (plain, True),
        (partial(plain, 1), True),
        (partial(partial(plain, 1), 2), True),
        (Callables(), True),
        (partial(Callables(), 1), True),
        (Callables().method, True),
        (partial(Callables().method, 1), True),
        (Callables.static, True),
        (Callables.of_the_class, True),
        (Callables.__dict__["static"], True),
        (wrapped, False),
        (Callables, False),
        (Synchronous(), False),
        (partial(Synchronous().__call__, 1), False),
        (print, False),
    ],
)
def test_what_returns_a_coroutine_is_known_without_calling_it(function: Any, expected: bool) -> None:
    assert is_async(function) is expected


LOADS = """
import functools, sys
from fc_callback import event_parser, once, task_callback
from fc_callback.idempotency import idempotent

async def plain(event, context): ...

class Handler:
    async def __call__(self, event, context): ...

@functools.wraps(plain)
def wrapped(event, context):
    return plain(event, context)

def synchronous(event, context): ...

before = "asyncio" in sys.modules
{decorating}
print(before, "asyncio" in sys.modules)
"""


@pytest.mark.parametrize(
    "decorating",
    [
        "task_callback(plain)",
        "task_callback(on_failure='report')(functools.partial(plain))",
        "task_callback(Handler())",
        "task_callback(wrapped)",
        "event_parser(plain)",
        "idempotent(once(key='event', store='memory:'))(plain)",
    ],
)
def test_asyncio_is_loaded_when_an_async_function_is_decorated(decorating: str) -> None:
    done = runs(LOADS.format(decorating=decorating))
    assert done.stdout == "False True\n", done.stderr


@pytest.mark.parametrize("decorating", ["task_callback(synchronous)", "event_parser(synchronous)"])
def test_a_plain_function_loads_no_asyncio(decorating: str) -> None:
    call = f"{decorating}\nevent_parser(synchronous)(b'{{}}', None)"
    done = runs(LOADS.format(decorating=call))
    assert done.stdout == "False False\n", done.stderr


def test_a_plain_function_that_returns_an_awaitable_is_run_to_its_end() -> None:
    done = runs(
        LOADS.format(decorating="print(event_parser(lambda event, context: plain(event, context))(b'{}', None))")
    )
    assert done.stdout == "None\nFalse True\n", done.stderr
