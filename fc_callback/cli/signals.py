"""The signals that end a command: Ctrl-C, SIGTERM, and SIGHUP, which comes when the terminal closes.

Python ends at SIGTERM and SIGHUP without leaving its `with` blocks: processes would be left running, and temporary folders
would stay. What is being ended needs a bounded time; a signal that comes meanwhile changes nothing.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

import typer

from fc_callback.errors import FcCallbackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    Handler = Callable[[int, FrameType | None], None]

T = TypeVar("T")

_LOOK_SECONDS = 0.05
_LEAVING_SECONDS = 10.0  # longer than functions that are deaf to SIGTERM take to end


class EndSignals:
    """Notes the signals that come inside a `with` block, and raises nothing: the command looks and ends what it started.

    Python may drop an exception that a signal's handler raises, in a weak reference's callback for one.

    Attributes:
        first: The number of the first signal; 0 while there was none.
    """

    def __init__(self) -> None:
        self.first = 0
        self._restore = contextlib.ExitStack()

    def __enter__(self) -> EndSignals:
        """Begin to note them; call it in the main thread."""
        self._restore.enter_context(_handled_by(self._note))
        return self

    def __exit__(self, *_error: object) -> None:
        """Give the signals back to those who had them."""
        self._restore.close()

    # No Event or other lock: a signal may come while the main thread holds it.
    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.first = self.first or number

    @property
    def exit_code(self) -> int:
        """What a shell gives for a process that was ended by this signal: 130, 143, 129."""
        return 128 + self.first

    def run(self, call: Callable[[], T], *, stop: Callable[[], object]) -> T:
        """Return what `call` returns; it runs in a thread, and when a signal comes, `stop` has to make it return.

        Raises:
            typer.Exit: A signal came before the call had really begun.
        """
        with ThreadPoolExecutor(1) as thread:
            running = thread.submit(call)
            while not self.first and not running.done():
                wait([running], _LOOK_SECONDS)
            if not self.first:
                return running.result()
            stop()
            try:
                return running.result()
            except FcCallbackError:  # it found closed what it was to use
                raise typer.Exit(self.exit_code) from None


@contextlib.contextmanager
def leaving_blocks() -> Iterator[None]:
    """Let a signal leave all `with` blocks, by KeyboardInterrupt or SystemExit, also while nothing looks for it.

    Further ones that come while the blocks are being left change nothing.
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
    if threading.current_thread() is not threading.main_thread():  # a command that is called by other code
        yield
        return
    before = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
            before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous or signal.SIG_DFL)
