"""An instance's life: hooks, warm reuse, its end."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fc_callback.errors import FcCallbackError, SettingsError
from fc_callback.runtime import FunctionInstance, FunctionSpec, InvocationResult
from tests.runtime.runtime_support import CREDENTIALS, eventually, lives

if TYPE_CHECKING:
    from tests.runtime.runtime_support import MakeInstance, MakeSpec

PID = """
    import os
    def handler(event, context): return str(os.getpid())
"""


def test_nothing_starts_before_the_first_invocation(function: MakeInstance) -> None:
    assert function(PID).pid is None


def test_a_process_is_kept_warm(function: MakeInstance) -> None:
    instance = function("""
        seen = []
        def handler(event, context):
            seen.append(event.decode())
            return seen
    """)
    instance.invoke(b"a", credentials=None)
    assert instance.invoke(b"b", credentials=None).body.split() == [b"[", b'"a",', b'"b"', b"]"]


def test_a_request_id_is_made_up_in_fcs_form(function: MakeInstance) -> None:
    instance = function("def handler(event, context): return context.request_id")
    result = instance.invoke(b"", credentials=None)
    assert result.body.decode() == result.request_id
    assert [len(part) for part in result.request_id.split("-")] == [1, 8, 12, 12]


HOOKS = """
    calls = []
    def initialize(context):
        calls.append(context.function.handler)
        print("init", context.request_id)
    def pre_stop(context):
        open("stopped", "w").write(context.function.handler)
    def handler(event, context): return calls + [context.function.handler]
"""


def test_the_initializer_runs_once(function: MakeInstance) -> None:
    instance = function(HOOKS, initializer="index.initialize")
    first = instance.invoke(b"", credentials=None)
    second = instance.invoke(b"", credentials=None)
    assert first.body == second.body == b'[\n    "index.initialize",\n    "index.handler"\n]'


def test_the_log_of_the_first_invocation_begins_with_the_initializer(function: MakeInstance) -> None:
    instance = function(HOOKS, initializer="index.initialize")
    log = instance.invoke(b"", credentials=None, request_id="r").log
    assert log.splitlines() == [
        "FC Initialize Start RequestId: r",
        "init r",
        "FC Initialize End RequestId: r",
        "FC Invoke Start RequestId: r",
        "FC Invoke End RequestId: r",
    ]


@pytest.mark.parametrize("failure", ["raise ValueError('no database')", "import os; os._exit(4)", "return {1}"])
def test_a_failed_initializer_fails_the_request_and_the_next_gets_a_new_process(
    function: MakeInstance, failure: str
) -> None:
    instance = function(
        f"""
        import os, pathlib
        def initialize(context):
            if not pathlib.Path("ready").exists():
                {failure}
        def handler(event, context): return "ok"
        """,
        initializer="index.initialize",
    )
    result = instance.invoke(b"", credentials=None)
    assert (result.error_type, instance.pid) == ("InitializationError", None)
    (instance.spec.code_dir / "ready").touch()
    assert instance.invoke(b"", credentials=None).body == b"ok"


def test_an_initializer_over_its_time_is_an_initialization_error(function: MakeInstance) -> None:
    instance = function(
        "import time\ndef initialize(context): time.sleep(60)",
        initializer="index.initialize",
        initializer_timeout_seconds=0.5,
    )
    result = instance.invoke(b"", credentials=None)
    assert (result.error_type, result.error_message) == (
        "InitializationError",
        "Initializer timed out after 0.5 seconds",
    )


def test_the_pre_stop_hook_runs_when_the_instance_is_closed(function: MakeInstance) -> None:
    instance = function(HOOKS, pre_stop="index.pre_stop")
    instance.invoke(b"", credentials=CREDENTIALS)
    instance.close()
    assert (instance.spec.code_dir / "stopped").read_text() == "index.pre_stop"


def test_no_process_is_left_after_close(function: MakeInstance) -> None:
    instance = function(PID)
    pid = int(instance.invoke(b"", credentials=None).body)
    assert lives(pid)
    instance.close()
    assert not lives(pid)


def test_what_the_function_started_ends_with_it(function: MakeInstance) -> None:
    instance = function("""
        import subprocess
        def handler(event, context): return str(subprocess.Popen(["sleep", "60"]).pid)
    """)
    child = int(instance.invoke(b"", credentials=None).body)
    assert lives(child)
    instance.close()
    assert eventually(lambda: not lives(child))


def test_a_process_with_a_thread_that_never_ends_is_closed_all_the_same(function: MakeInstance) -> None:
    instance = function("""
        import os, threading
        def handler(event, context):
            threading.Thread(target=threading.Event().wait).start()
            return str(os.getpid())
    """)
    pid = int(instance.invoke(b"", credentials=None).body)
    instance.close()
    assert not lives(pid)


def test_closing_cuts_off_a_running_invocation(function: MakeInstance) -> None:
    instance = function("""
        import time
        def handler(event, context):
            open("running", "w").close()
            time.sleep(60)
    """)
    results: list[InvocationResult] = []
    thread = threading.Thread(target=lambda: results.append(instance.invoke(b"", credentials=None)))
    thread.start()
    assert eventually((instance.spec.code_dir / "running").exists)
    instance.close()
    thread.join(20)
    assert results[0].error_message.startswith("Process exited unexpectedly")


def test_a_closed_instance_says_so(function: MakeInstance) -> None:
    instance = function(PID)
    instance.close()
    instance.close()
    with pytest.raises(FcCallbackError, match=r"orders.*is closed"):
        instance.invoke(b"", credentials=None)


def test_threads_of_the_caller_wait_for_each_other(function: MakeInstance) -> None:
    instance = function("""
        running = []
        def handler(event, context):
            running.append(event)
            assert len(running) == 1
            running.clear()
            return event
    """)
    results: list[bytes] = []
    threads = [
        threading.Thread(target=lambda n=n: results.append(instance.invoke(b"%d" % n, credentials=None).body))
        for n in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(results) == [b"0", b"1", b"2", b"3", b"4"]


def test_a_worker_ends_when_its_parent_is_gone(spec: MakeSpec, tmp_path: Path) -> None:
    code_dir = spec(PID).code_dir
    parent = textwrap.dedent(f"""
        import os
        from fc_callback.runtime import FunctionInstance, FunctionSpec
        instance = FunctionInstance(FunctionSpec(name="f", code_dir={str(code_dir)!r}))
        print(instance.invoke(b"", credentials=None).body.decode(), flush=True)
        os._exit(0)
    """)
    done = subprocess.run([sys.executable, "-c", parent], capture_output=True, check=True, cwd=tmp_path)
    assert eventually(lambda: not lives(int(done.stdout)))


def test_a_missing_code_directory_is_named(tmp_path: Path) -> None:
    with (
        FunctionInstance(FunctionSpec(name="f", code_dir=tmp_path / "nowhere")) as instance,
        pytest.raises(SettingsError, match="nowhere"),
    ):
        instance.invoke(b"", credentials=None)


def test_a_missing_interpreter_is_named(spec: MakeSpec) -> None:
    with (
        FunctionInstance(spec(PID, python="/no/such/python")) as instance,
        pytest.raises(SettingsError, match="/no/such/python"),
    ):
        instance.invoke(b"", credentials=None)


def test_an_interpreter_that_does_not_start_the_worker_is_told_with_its_words(spec: MakeSpec, tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho wrong libc\nexit 9\n")
    broken.chmod(0o755)
    with (
        FunctionInstance(spec(PID, python=str(broken))) as instance,
        pytest.raises(FcCallbackError, match=r"exit code 9\): wrong libc"),
    ):
        instance.invoke(b"", credentials=None)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_pipes_are_given_back_when_a_process_ends(function: MakeInstance) -> None:
    instance = function("def handler(event, context): import os; os._exit(1)")
    instance.invoke(b"", credentials=None)
    before = open_descriptors()
    for _ in range(3):
        instance.invoke(b"", credentials=None)
    assert open_descriptors() == before


@pytest.mark.parametrize("option", [{"runtime": "python2.7"}, {"timeout_seconds": 0}, {"memory_mb": -1}])
def test_a_function_that_cannot_exist_is_refused(tmp_path: Path, option: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        FunctionSpec(name="f", code_dir=tmp_path, **option)  # type: ignore[arg-type]  # wrong on purpose


def test_a_thread_that_prints_without_end_holds_nothing_up(function: MakeInstance) -> None:
    instance = function("""
        import os, threading
        def noise():
            while True:
                os.write(1, b"x" * 4096)
        def handler(event, context):
            threading.Thread(target=noise, daemon=True).start()
            return str(os.getpid())
    """)
    pid = int(instance.invoke(b"", credentials=None).body)
    assert instance.invoke(b"", credentials=None).body == str(pid).encode()
    instance.close()
    assert not lives(pid)
