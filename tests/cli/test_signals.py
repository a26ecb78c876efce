"""What is left when a command is ended by a signal: nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer

from fc_callback import CloudFlowClient, Credentials
from fc_callback.cli.signals import EndSignals, leaving_blocks
from fc_callback.runtime import FunctionInstance, FunctionSpec
from tests.runtime.runtime_support import eventually, lives

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENDING = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT]
# A test run may itself have been started with a signal ignored (nohup, a background job), which children inherit.
START = (
    "import os, signal, sys\n"
    "for name in sys.argv.pop(1).split(','): signal.signal(getattr(signal, name), signal.SIG_DFL)\n"
    "os.execv(sys.executable, [sys.executable, '-m', 'fc_callback', *sys.argv[1:]])"
)
SPINNING = """
    import os
    def handler(event, context):
        open(os.path.join(os.path.dirname(__file__), "pid"), "w").write(f"{os.getpid()} ")
        while True: pass
"""
DEAF = """
    import os, signal, subprocess, time
    def handler(event, context):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen(["sleep", "600"])
        open(os.path.join(os.path.dirname(__file__), "pid"), "w").write(f"{os.getpid()} {child.pid} ")
        time.sleep(600)
"""
FLOW = """
    version: v1
    type: flow
    steps:
      - {type: task, name: one, resourceArn: "acs:fc:::services/s/functions/one"}
"""


class Command:
    """A command whose function notes its process, and whose temporary files have a folder of their own."""

    def __init__(self, folder: Path, *arguments: str, reset: str = "SIGINT,SIGTERM,SIGHUP") -> None:
        self.folder = folder
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self.pids: list[int] = []
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, reset, *arguments],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "TMPDIR": str(self.temporary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for_function(self, processes: int = 1) -> None:
        file = self.folder / "pid"
        assert eventually(lambda: file.exists() and file.read_text().count(" ") == processes, seconds=60)
        self.pids = [int(word) for word in file.read_text().split()]

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def end(self, *numbers: signal.Signals) -> int:
        for number in numbers:
            self.process.send_signal(number)
        return self.process.wait(60)

    @property
    def left(self) -> list[int | str]:
        return [*(pid for pid in self.pids if lives(pid)), *(one.name for one in self.temporary.iterdir())]

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        for pid in self.pids:
            if lives(pid):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    commands: list[Command] = []

    def start(code: str, *arguments: str, **options: str) -> Command:
        (tmp_path / "index.py").write_text(textwrap.dedent(code), encoding="utf-8")
        commands.append(Command(tmp_path, *arguments, **options))
        return commands[-1]

    yield start
    for command in commands:
        command.close()


@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize("profile", ["python3.12", "custom"])
def test_invoke_ends_its_function_and_takes_its_cloudflow_along(
    start: Callable[..., Command], profile: str, number: signal.Signals
) -> None:
    command = start(SPINNING, "invoke", "--profile", profile)
    command.wait_for_function()
    assert command.end(number) == 128 + number
    assert command.left == []
    assert command.process.stderr is not None
    log = command.process.stderr.read()
    assert "in handler" in log
    assert log.endswith(f"{number.name} ended the command and the function.\n")


@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize("profile", ["python3.12", "custom"])
def test_local_ends_its_functions_and_takes_its_database_along(
    start: Callable[..., Command], tmp_path: Path, profile: str, number: signal.Signals
) -> None:
    command = start(SPINNING, *_local(tmp_path, profile))
    _start_execution(command.line())
    command.wait_for_function()
    assert command.end(number) == 0
    assert command.left == []


def _local(folder: Path, profile: str) -> list[str]:
    (folder / "flow.yaml").write_text(textwrap.dedent(FLOW), encoding="utf-8")
    command = ["local", "--port", "0", "--json", "--runtime", profile]
    return [*command, "-f", f"one={folder}:index.handler", "--flow", f"one={folder}/flow.yaml"]


def _start_execution(announced: str) -> None:
    environment: dict[str, Any] = json.loads(announced)
    key = Credentials(
        access_key_id=environment["ALIBABA_CLOUD_ACCESS_KEY_ID"],
        access_key_secret=environment["ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
    )
    client = CloudFlowClient(endpoint=environment["CLOUDFLOW_ENDPOINT"], credentials=key)
    client.call("StartExecution", form={"FlowName": "one", "Input": "{}"})


def test_a_function_that_ignores_sigterm_and_its_child_end_as_well(start: Callable[..., Command]) -> None:
    command = start(DEAF, "invoke")
    command.wait_for_function(2)
    assert command.end(signal.SIGTERM) == 143
    assert command.left == []


@pytest.mark.parametrize("second", ENDING)
def test_a_second_signal_while_it_ends_leaves_nothing_behind(
    start: Callable[..., Command], second: signal.Signals
) -> None:
    command = start(DEAF, "invoke")
    command.wait_for_function(2)
    command.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)  # a function that is deaf to SIGTERM takes longer to end
    assert command.process.poll() is None
    assert command.end(second, second) == 143
    assert command.left == []


def test_the_function_ends_where_the_command_is_killed(start: Callable[..., Command], tmp_path: Path) -> None:
    command = start(DEAF, *_local(tmp_path, "python3.10"))
    _start_execution(command.line())
    command.wait_for_function(2)
    assert command.end(signal.SIGKILL) == -signal.SIGKILL
    assert eventually(lambda: not [pid for pid in command.pids if lives(pid)])


@pytest.mark.parametrize("number", ENDING)
def test_watching_ends_with_0(start: Callable[..., Command], number: signal.Signals) -> None:
    command = start("def handler(event, context): return 1", "invoke", "--watch", "--json")
    assert json.loads(command.line())["body"] == "1"
    assert command.end(number) == 0
    assert command.left == []


@pytest.mark.parametrize("number", ENDING)
def test_the_demo_leaves_no_folder(start: Callable[..., Command], number: signal.Signals) -> None:
    command = start("", "demo")
    assert eventually(lambda: bool(list(command.temporary.glob("*/cloudflow.db"))), seconds=60)
    assert command.end(number) in {128 + number, 1}  # 1 is Click's, for Ctrl-C
    assert command.left == []


def test_under_nohup_a_closed_terminal_ends_nothing(start: Callable[..., Command], tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        command = start(SPINNING, *_local(tmp_path, "python3.12"), reset="SIGINT,SIGTERM")
    finally:
        signal.signal(signal.SIGHUP, before)
    announced = command.line()
    command.process.send_signal(signal.SIGHUP)
    _start_execution(announced)
    command.wait_for_function()
    assert command.process.poll() is None
    assert command.end(signal.SIGTERM) == 0


@pytest.fixture
def _listens_to_ctrl_c() -> Iterator[None]:
    """A shell's background jobs ignore it, and what they start inherits that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_listens_to_ctrl_c")
def test_a_signal_is_noted_even_where_python_drops_exceptions() -> None:
    class Tidied:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    with EndSignals() as signals:
        tidied = Tidied()
        del tidied
        assert (signals.first, signals.exit_code) == (signal.SIGINT, 130)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_first_signal_leaves_the_blocks_and_the_second_lets_them_end() -> None:
    left = []
    with pytest.raises(SystemExit, match="143"), leaving_blocks():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)
            left.append("whole")
    assert left == ["whole"]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_signal_before_the_function_has_begun_ends_the_command_without_an_error() -> None:
    with EndSignals() as signals:
        signal.raise_signal(signal.SIGTERM)
        instance = FunctionInstance(FunctionSpec(name="f", code_dir=Path()))
        instance.close()
        with pytest.raises(typer.Exit) as ended:
            signals.run(lambda: instance.invoke(b"", credentials=None), stop=instance.close)
    assert ended.value.exit_code == 143


@pytest.mark.parametrize("delay", [0.0, 0.0005, 0.3])
def test_waiting_ends_with_the_signal_whenever_it_comes(delay: float) -> None:
    for _ in range(1 if delay > 0.1 else 50):
        with EndSignals() as signals:
            if delay:
                sender = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGTERM))
                sender.start()
            else:
                signal.raise_signal(signal.SIGTERM)
            signals.wait()
            assert signals.exit_code == 143
            if delay:
                sender.join()
    assert signal.set_wakeup_fd(-1) == -1
