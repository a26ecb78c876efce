"""Handles the signals that end a command: Ctrl-C, SIGTERM, and SIGHUP, which comes when the terminal closes.

By default SIGTERM and SIGHUP end Python without leaving its `with` blocks, so processes and temporary folders would
remain. Ending takes a bounded time; further signals during it are ignored.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

import typer

from fc_callback.errors import FcCallbackError
from fc_callback.runtime.end_signals import end_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    Handler = Callable[[int, FrameType | None], None]

T = TypeVar("T")

_POLL_SECONDS = 0.05
_LEAVING_SECONDS = 10.0  # longer than it takes to end functions that ignore SIGTERM


class EndSignals:
    """Records the signals that arrive inside a `with` block.

    The command polls `first`, or calls `wait`, and then ends what it has started.

    No exception is raised: Python may drop one that a signal handler raises, for example in a weak reference's callback.

    Attributes:
        first: The number of the first signal; 0 before any.
    """

    def __init__(self) -> None:
        self.first = 0
        self._restore = contextlib.ExitStack()

    def __enter__(self) -> EndSignals:
        """Start to record signals; call it in the main thread."""
        self._arrived = self._restore.enter_context(_wakeup_socket())
        self._restore.enter_context(_handled_by(self._record))
        return self

    def __exit__(self, *_error: object) -> None:
        """Restore the former handlers."""
        self._restore.close()

    # Without an Event or another lock, because the main thread may hold it when the signal arrives.
    def _record(self, number: int, _frame: FrameType | None) -> None:
        self.first = self.first or number

    def wait(self) -> None:
        """Wait for the first signal. The process does not wake up before it."""
        while not self.first:
            self._arrived.recv(1)

    @property
    def exit_code(self) -> int:
        """The exit code that a shell reports for a process ended by this signal: 130, 143 or 129."""
        return 128 + self.first

    def run(self, call: Callable[[], T], *, stop: Callable[[], object]) -> T:
        """Run `call` in a thread and return its result. After a signal, `stop` must make it return.

        Raises:
            typer.Exit: The signal arrived so early that the call could not begin.
        """
        with ThreadPoolExecutor(1) as thread:
            running = thread.submit(call)
            while not self.first and not running.done():
                wait([running], _POLL_SECONDS)
            if not self.first:
                return running.result()
            stop()
            try:
                return running.result()
            except FcCallbackError:  # `stop` closed what it was about to use
                raise typer.Exit(self.exit_code) from None


@contextlib.contextmanager
def _wakeup_socket() -> Iterator[socket.socket]:
    """Return a socket that can be read as soon as a signal has arrived, also one that arrives just before the reading.

    Not a pipe: before Python 3.12, Windows has no pipes that do not block, which `signal.set_wakeup_fd` asks for.
    """
    reading, writing = socket.socketpair()
    with reading, writing:
        if threading.current_thread() is not threading.main_thread():  # it gets no signals, and may not set the socket
            yield reading
            return
        writing.setblocking(False)
        before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        try:
            yield reading
        finally:
            signal.set_wakeup_fd(before)


@contextlib.contextmanager
def leaving_blocks() -> Iterator[None]:
    """Make a signal leave all `with` blocks by KeyboardInterrupt or SystemExit, wherever the command does not poll.

    Further signals are ignored while the blocks are left.
    """
    again_at = 0.0

    def leave(number: int, _frame: FrameType | None) -> None:
        nonlocal again_at
        if time.monotonic() < again_at:
            return
        again_at = time.monotonic() + _LEAVING_SECONDS
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    with _handled_by(leave):
        yield


@contextlib.contextmanager
def _handled_by(handler: Handler) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # other code called the command
        yield
        return
    before = {number: signal.signal(number, handler) for number in end_signals()}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous or signal.SIG_DFL)
