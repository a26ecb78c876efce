"""One invocation, while it runs: what the helpers know of it from anywhere below its handler.

`task_callback` begins one for every event it serves; a plain handler gets one from the layer
`fc_callback.middleware.invocation`.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from fc_callback.errors import NoRunningTask
from fc_callback.values.context import FcContext
from fc_callback.values.safe_log import log_safely

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from contextvars import Token
    from types import TracebackType

    from fc_callback.values.task import Task

    Observer = Callable[[Any], Any]


logger = logging.getLogger("fc_callback")


class Invocation:
    """What belongs to one invocation.

    Attributes:
        context: What FC says about it.
        secrets: The texts of it that must not be seen.
        event: What FC delivered.
        cold_start: Whether it is the first of this process.
        began: When, on the clock of `time.perf_counter()`.
        failed: Whether it ended in an exception, or its task in a failure.
        sampled: Whether the logger writes all its records, by `sample=`.
        ended: Whether it is over: what was bound to it is gone then.
        tasks: A `fc_callback.metrics.TaskRecord` of each task in it.
        notes: What a helper keeps with it, under a key of its own.
        at_end: Called, in order, when it ends.
    """

    def __init__(self, *, context: FcContext, event: Any = None, cold_start: bool = False) -> None:
        self.context = context
        self.secrets = context.secrets
        self.event = event
        self.cold_start = cold_start
        self.began = time.perf_counter()
        self.failed = False
        self.sampled = False
        self.ended = False
        self.tasks: list[Any] = []
        self.notes: dict[Any, Any] = {}
        self.at_end: list[Callable[[Invocation], None]] = []


_current: ContextVar[Invocation | None] = ContextVar("fc_callback_invocation", default=None)
_process = {"cold": True}

# Secrets this process has seen last. A thread started without the context, and FC's own line about a failed invocation,
# are outside of every invocation, and must be masked all the same.
_recent: deque[str] = deque(maxlen=8)

# What observes invocations, by part. An observer of `invocation`, or of a task's step, gets the `Invocation` or the task's
# `TaskRecord` when that begins, and returns a context manager around it: OpenTelemetry's spans. An observer of `task` gets
# the `TaskRecord` at the task's end: the logger, and listeners.
observers: dict[str, list[Observer]] = {part: [] for part in ("invocation", "find", "run", "encode", "report", "task")}


def observe(part: str, observer: Observer) -> Callable[[], None]:
    """Add an observer of a part, once, and return a function that removes it."""
    of_part = observers[part]
    if observer not in of_part:
        of_part.append(observer)

    def stop() -> None:
        if observer in of_part:
            of_part.remove(observer)

    return stop


# Returns the invocation that this code runs for, one that has ended included; None outside of any. Each log line asks
# several times, so it is the variable's own method and no function around it.
current_invocation: Callable[[], Invocation | None] = _current.get


def remember_secrets(*secrets: str) -> None:
    """Note what must be masked where no invocation is known."""
    for secret in secrets:
        if secret not in _recent:
            _recent.append(secret)


def recent_secrets() -> tuple[str, ...]:
    """Return the secrets seen last."""
    return tuple(_recent)


class invocation_scope:  # noqa: N801 - with invocation_scope(context, event) as invocation: ...
    """Make an invocation the current one for a `with` block; inside of one with the same context, it is that one.

    Args:
        raw_context: FC's context, or what was read from it.
        event: What FC delivered.
    """

    # A class: a generator would cost each invocation several times as much.
    __slots__ = ("_event", "_invocation", "_mark", "_observed", "_raw_context")

    def __init__(self, raw_context: object, event: Any = None) -> None:
        self._raw_context = raw_context
        self._event = event
        self._mark: Token[Invocation | None] | None = None

    def __enter__(self) -> Invocation:
        """Begin, and return the invocation."""
        outer = _current.get()
        if outer is not None and not outer.ended and is_of(outer, self._raw_context):
            return outer
        invocation = Invocation(
            context=FcContext.read(self._raw_context), event=self._event, cold_start=_process["cold"]
        )
        _process["cold"] = False
        remember_secrets(*invocation.secrets)
        self._observed = observed("invocation", invocation) if observers["invocation"] else None
        self._invocation, self._mark = invocation, _current.set(invocation)
        return invocation

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it: what was held for its end happens, and what was bound to it is gone."""
        if self._mark is None:
            return
        invocation = self._invocation
        invocation.failed = invocation.failed or error is not None
        try:
            if self._observed is not None:
                self._observed.__exit__(kind, error, trace)
            for call in invocation.at_end:
                call(invocation)
        finally:
            invocation.ended = True
            _current.reset(self._mark)


def is_of(invocation: Invocation, raw_context: object) -> bool:
    """Say whether an invocation is the one of this context, FC's own object or what was read from it."""
    context = invocation.context
    if isinstance(raw_context, FcContext) and raw_context.raw is not None:
        raw_context = raw_context.raw
    return raw_context is not None and (context.raw is raw_context or context is raw_context)


def context_of(raw_context: object) -> FcContext:
    """Return what FC says about an invocation: as it was read when the invocation began, where it is the current one.

    The deadline counts from there. A handler inside of another one that read the context again would take the time before
    it for time that is left.
    """
    invocation = _current.get()
    if invocation is not None and not invocation.ended and is_of(invocation, raw_context):
        return invocation.context
    return FcContext.read(raw_context)


class observed:  # noqa: N801 - it reads as what it is: a part, observed
    """Enter the context managers of a part's observers; `__exit__` ends them.

    An observer that fails is logged and costs nothing else: work must not be left undone, or done twice, because of it.

    Args:
        part: `invocation`, or a step of a task.
        subject: The `Invocation`, or the step's `TaskRecord`.
    """

    __slots__ = ("_entered", "_part")

    def __init__(self, part: str, subject: object) -> None:
        self._part = part
        self._entered: list[AbstractContextManager[object]] = []
        for observer in tuple(observers[part]):
            try:
                around = observer(subject)
                around.__enter__()
            except Exception as error:  # noqa: BLE001, PERF203
                self._failed(error)
            else:
                self._entered.append(around)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End them, innermost first."""
        for around in reversed(self._entered):
            try:
                around.__exit__(kind, error, trace)
            except Exception as raised:  # noqa: BLE001, PERF203
                if raised is not error:
                    self._failed(raised)

    def _failed(self, error: Exception) -> None:
        log_safely(logger, logging.WARNING, "An observer of the %s failed: %s", self._part, type(error).__name__)


_current_task: ContextVar[Task | None] = ContextVar("fc_callback_task", default=None)


def current_task() -> Task:
    """Return the task that this code runs for.

    asyncio tasks see it by themselves; a thread sees it when it is started with a copy of the context
    (`contextvars.copy_context().run`).

    Raises:
        NoRunningTask: This code does not run below a function made by `task_callback`.
    """
    task = _current_task.get()
    if task is None:
        raise NoRunningTask("No task is running here.")
    return task


# Returns the task that this code runs for, or None: for helpers that work with and without one, and ask at each log line.
running_task: Callable[[], Task | None] = _current_task.get


class task_scope:  # noqa: N801 - with task_scope(task): ...
    """Make a task the current one for the time of a `with` block."""

    # A class: a generator would take several times as long.
    __slots__ = ("_mark", "_task")

    def __init__(self, task: Task) -> None:
        self._task = task

    def __enter__(self) -> None:
        """Begin."""
        self._mark: Token[Task | None] = _current_task.set(self._task)

    def __exit__(self, *_: object) -> None:
        """End, whatever the block ended in."""
        _current_task.reset(self._mark)
