"""Several instances of one function."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from fc_callback.errors import FcCallbackError, SettingsError
from fc_callback.runtime import FunctionPool
from tests.runtime.runtime_support import eventually, lives

if TYPE_CHECKING:
    from tests.runtime.runtime_support import MakePool, MakeSpec

# Each waits until the other has begun: only two processes at once can finish.
MEETING = """
    import os, pathlib, time
    def handler(event, context):
        pathlib.Path("here-" + event.decode()).touch()
        deadline = time.monotonic() + 20
        while len(list(pathlib.Path().glob("here-*"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        return [len(list(pathlib.Path().glob("here-*"))), os.getpid()]
"""
PID = """
    import os
    def handler(event, context): return str(os.getpid())
"""


def test_two_invocations_of_one_function_run_at_once_in_two_processes(pool: MakePool) -> None:
    both = pool(MEETING, max_instances=2)
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(lambda event: both.invoke(event, credentials=None), [b"a", b"b"])
    assert (first.error_type, second.error_type, len(both.instances)) == (None, None, 2)
    assert first.body != second.body


def test_a_free_warm_instance_takes_the_next_request(pool: MakePool) -> None:
    several = pool(PID, max_instances=4)
    bodies = {several.invoke(b"", credentials=None).body for _ in range(3)}
    assert (len(bodies), len(several.instances)) == (1, 1)


def test_requests_beyond_the_maximum_wait_for_an_instance(pool: MakePool) -> None:
    one = pool(PID, max_instances=1)
    with ThreadPoolExecutor(4) as threads:
        bodies = {result.body for result in threads.map(lambda _: one.invoke(b"", credentials=None), range(8))}
    assert len(bodies) == 1


def test_closing_ends_every_process(pool: MakePool) -> None:
    both = pool(MEETING, max_instances=2)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda event: both.invoke(event, credentials=None), [b"a", b"b"]))
    pids = [instance.pid for instance in both.instances]
    assert all(pid is not None and lives(pid) for pid in pids)
    both.close()
    assert not [pid for pid in pids if pid is not None and lives(pid)]


def test_closing_frees_those_who_wait_and_those_who_run(pool: MakePool) -> None:
    one = pool(
        """
        import time
        def handler(event, context):
            open("running", "w").close()
            time.sleep(60)
        """,
        max_instances=1,
    )
    ends: list[str] = []

    def call() -> None:
        try:
            ends.append(one.invoke(b"", credentials=None).error_name)
        except FcCallbackError:
            ends.append("closed")

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert eventually((one.spec.code_dir / "running").exists)
    one.close()
    for thread in threads:
        thread.join(20)
    assert sorted(ends) == ["FC.Unknown", "closed"]


def test_a_cancelled_request_ends_its_own_process_or_its_wait(pool: MakePool) -> None:
    both = pool(
        """
        import os, pathlib, time
        def handler(event, context):
            pathlib.Path("here-" + event.decode()).touch()
            while event != b"next" and not os.path.exists("go"): time.sleep(0.01)
            return event.decode()
        """,
        max_instances=2,
    )
    cancelled = {name: threading.Event() for name in ("one", "waits")}

    def call(name: str) -> str:
        try:
            result = both.invoke(name.encode(), credentials=None, cancelled=cancelled.get(name))
        except FcCallbackError as error:
            return str(error)
        return result.error_name or result.body.decode()

    with ThreadPoolExecutor(3) as threads:
        one, two = threads.submit(call, "one"), threads.submit(call, "two")
        assert eventually(lambda: len(list(both.spec.code_dir.glob("here-*"))) == 2)
        waits = threads.submit(call, "waits")
        for event in cancelled.values():
            event.set()
        both.interrupt_cancelled()
        assert one.result(20) == "FC.Unknown"
        assert waits.result(20) == "The invocation of function 'orders' was cancelled."
        (both.spec.code_dir / "go").touch()
        assert two.result(20) == "two"
    assert [call("next"), call("next")] == ["next", "next"]
    assert not (both.spec.code_dir / "here-waits").exists()


def test_a_cancel_at_the_moment_of_the_response_does_not_reach_the_next_request(pool: MakePool) -> None:
    one = pool(PID, max_instances=1)
    for _ in range(40):
        cancelled = threading.Event()

        def cancel(event: threading.Event = cancelled) -> None:
            event.set()
            one.interrupt_cancelled()

        canceller = threading.Thread(target=cancel)
        with ThreadPoolExecutor(1) as threads:
            running = threads.submit(one.invoke, b"", credentials=None, cancelled=cancelled)
            canceller.start()
            if running.exception(20) is None:
                assert running.result().error_name in {"", "FC.Unknown"}
        canceller.join(20)
        assert one.invoke(b"", credentials=None).error_type is None


def test_a_process_that_dies_does_not_use_up_a_place(pool: MakePool) -> None:
    one = pool("def handler(event, context): import os; os._exit(1)", max_instances=1)
    assert [one.invoke(b"", credentials=None).error_name for _ in range(3)] == ["FC.Unknown"] * 3


def test_a_pool_without_room_is_refused(spec: MakeSpec) -> None:
    with pytest.raises(SettingsError, match="max_instances"):
        FunctionPool(spec(PID), max_instances=0)


def test_a_renewed_function_runs_its_new_code_and_the_old_process_ends(pool: MakePool) -> None:
    one = pool(PID, max_instances=1)
    one.invoke(b"", credentials=None)
    old = one.instances[0].pid
    (one.spec.code_dir / "index.py").write_text("def handler(event, context): return 'new'")

    one.renew(one.spec)

    assert old is not None
    assert not lives(old)
    assert one.invoke(b"", credentials=None).body == b"new"


def test_an_invocation_that_runs_while_its_function_is_renewed_ends_with_the_old_code(pool: MakePool) -> None:
    several = pool(
        """
        import pathlib, time
        def handler(event, context):
            pathlib.Path("running").touch()
            while not pathlib.Path("go-on").exists():
                time.sleep(0.01)
            return "old"
        """,
        max_instances=2,
    )
    folder = several.spec.code_dir
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(several.invoke, b"", credentials=None)
        assert eventually((folder / "running").exists)
        old = several.instances[0].pid
        (folder / "index.py").write_text("def handler(event, context): return 'new'")
        several.renew(several.spec)
        assert several.invoke(b"", credentials=None).body == b"new"
        (folder / "go-on").touch()
        assert running.result(20).body == b"old"

    assert old is not None
    assert not lives(old)
    assert len(several.instances) == 1


def test_a_pool_that_is_closed_while_an_old_invocation_runs_ends_that_process(pool: MakePool) -> None:
    one = pool(
        """
        import pathlib, time
        def handler(event, context):
            pathlib.Path("running").touch()
            time.sleep(60)
        """,
        max_instances=1,
    )
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(one.invoke, b"", credentials=None)
        assert eventually((one.spec.code_dir / "running").exists)
        old = one.instances[0].pid
        one.renew(one.spec)
        one.close()
        assert running.result(20).error_type == "UnhandledInvocationError"

    assert old is not None
    assert not lives(old)
