"""A function does not outlive the process that runs it, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.runtime.runtime_support import eventually, lives

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.runtime.runtime_support import MakeInstance, MakeSpec

ROOT = Path(__file__).resolve().parents[2]
PARENT = """
    import sys, time
    from fc_callback.runtime import FunctionInstance, FunctionSpec
    instance = FunctionInstance(FunctionSpec(name="f", code_dir=sys.argv[1], runtime=sys.argv[2]))
    instance.invoke(b"", credentials=None)
    open("returned", "w").close()
    time.sleep(60)
"""
SPINNING = """
    import os
    def handler(event, context):
        open("pid", "w").write(f"{os.getpid()} ")
        while True: pass
"""


class Begin(Protocol):
    def __call__(self, code: str) -> Begun: ...


class Begun:
    """A process that runs a function, and the processes that the function wrote down."""

    def __init__(self, code_dir: Path, runtime: str) -> None:
        self.code_dir = code_dir
        command = [sys.executable, "-c", textwrap.dedent(PARENT), str(code_dir), runtime]
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(command, cwd=code_dir, env=environment)
        self.pids: list[int] = []

    def wait_for_pids(self, count: int = 1) -> None:
        """Wait until the function has written its process's number and those of what it started, each with a space."""
        file = self.code_dir / "pid"
        assert eventually(lambda: file.exists() and file.read_text().count(" ") == count, seconds=60)
        self.pids = [int(word) for word in file.read_text().split()]

    def wait_for_return(self) -> None:
        assert eventually((self.code_dir / "returned").exists, seconds=60)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    @property
    def left(self) -> list[int]:
        return [pid for pid in self.pids if lives(pid)]

    def close(self) -> None:
        self.kill()
        for pid in self.left:
            os.kill(pid, signal.SIGKILL)


@pytest.fixture(params=["python3.10", "custom"])
def runtime(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def begin(spec: MakeSpec, runtime: str) -> Iterator[Begin]:
    begun: list[Begun] = []

    def start(code: str) -> Begun:
        begun.append(Begun(spec(code).code_dir, runtime))
        return begun[-1]

    yield start
    for one in begun:
        one.close()


def test_a_running_function_ends_when_its_parent_is_killed(begin: Begin) -> None:
    parent = begin(SPINNING)
    parent.wait_for_pids()
    parent.kill()
    assert eventually(lambda: not parent.left)


def test_an_idle_function_and_what_it_left_running_end_when_the_parent_is_killed(begin: Begin) -> None:
    parent = begin("""
        import os, subprocess
        def handler(event, context):
            open("pid", "w").write(f"{os.getpid()} {subprocess.Popen(['sleep', '600']).pid} ")
    """)
    parent.wait_for_pids(2)
    parent.wait_for_return()
    parent.kill()
    assert eventually(lambda: not parent.left)


def test_what_a_running_function_started_ends_too_be_it_deaf_to_sigterm(begin: Begin) -> None:
    parent = begin("""
        import os, subprocess, time
        def handler(event, context):
            child = subprocess.Popen(["sh", "-c", "trap '' TERM HUP; sleep 600 & wait"])
            open("pid", "w").write(f"{os.getpid()} {child.pid} ")
            time.sleep(600)
    """)
    parent.wait_for_pids(2)
    parent.kill()
    assert eventually(lambda: not parent.left)


def test_a_module_that_is_being_imported_ends_with_the_parent(begin: Begin) -> None:
    parent = begin("""
        import os, time
        open("pid", "w").write(f"{os.getpid()} ")
        time.sleep(600)
    """)
    parent.wait_for_pids()
    parent.kill()
    assert eventually(lambda: not parent.left)


def test_a_parent_that_just_ends_without_closing_leaves_nothing_either(begin: Begin) -> None:
    parent = begin(SPINNING)
    parent.wait_for_pids()
    parent.process.terminate()  # Python's own way at SIGTERM: at once
    assert parent.process.wait(20) == -signal.SIGTERM
    assert eventually(lambda: not parent.left)


@pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere a thread of the process waits, which needs Python's lock"
)
def test_code_that_never_returns_to_python_ends_with_the_parent(begin: Begin) -> None:
    parent = begin("""
        import os, re
        def handler(event, context):
            open("pid", "w").write(f"{os.getpid()} ")
            re.match(r"(a+)+$", "a" * 60 + "b")
    """)
    parent.wait_for_pids()
    parent.kill()
    assert eventually(lambda: not parent.left)


@pytest.mark.parametrize("runtime", ["python3.10"])
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread of the process waits")
def test_the_function_finds_no_thread_in_its_process(function: MakeInstance, runtime: str) -> None:
    instance = function("import os\ndef handler(event, context): return os.listdir('/proc/self/task')")
    assert instance.invoke(b"", credentials=None).body.count(b'"') == 2


# What the process does where the kernel has no F_SETSIG, which is everywhere but on Linux.
WITHOUT_F_SETSIG = """
    import fcntl, os, sys
    del fcntl.F_SETSIG
    from fc_callback.runtime.worker import end_with_parent
    end_with_parent(int(sys.argv[1]))
    print("watched", flush=True)
    while True: pass
"""


def test_a_thread_waits_for_the_parents_end_where_the_kernel_cannot() -> None:
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WITHOUT_F_SETSIG), str(reading)],
        cwd=ROOT,
        pass_fds=[reading],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        os.close(reading)
        assert process.stdout is not None
        assert process.stdout.readline() == b"watched\n"
        assert process.poll() is None
        os.close(writing)
        assert process.wait(20) == -signal.SIGKILL
    finally:
        process.kill()
        process.communicate()
