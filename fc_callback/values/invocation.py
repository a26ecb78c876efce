"""The running invocation and the running task. All code below a handler can read them.

`task_callback` begins an invocation for every event. For a plain handler, the layer `fc_callback.middleware.invocation` does.
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
    """The data of one invocation.

    Attributes:
        context: FC's context.
        secrets: The texts that must be masked.
        event: The event that FC delivered.
        cold_start: Whether it is the first invocation of this process.
        began: Its start on the clock of `time.perf_counter()`.
        failed: Whether it raised an exception, or its task failed.
        sampled: Whether the logger writes all its records, because of `sample=`.
        ended: Whether it has ended. Then the keys that the log bound are removed.
        tasks: A `fc_callback.metrics.TaskRecord` for each of its tasks.
        notes: Data of helpers, each with its own key.
        at_end: Functions that are called in order when it ends.
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

# The last secrets of this process. A thread without the context, and FC's own line about a failed invocation, are outside of
# every invocation, but must be masked too.
_recent: deque[str] = deque(maxlen=8)

# The observers of invocations, by part. An observer of `invocation`, or of a step of a task, gets the `Invocation` or the
# `TaskRecord` at the start, and returns a context manager that ends with the part: a span of OpenTelemetry. An observer of
# `task` gets the `TaskRecord` at the end of the task: the logger, and listeners.
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


# Returns the current invocation, also after its end, or None. It is the method of the variable itself, without another
# function around it, because each log line calls it several times.
current_invocation: Callable[[], Invocation | None] = _current.get


def remember_secrets(*secrets: str) -> None:
    """Remember secrets that must also be masked outside of every invocation."""
    for secret in secrets:
        if secret not in _recent:
            _recent.append(secret)


def recent_secrets() -> tuple[str, ...]:
    """Return the last secrets of this process."""
    return tuple(_recent)


class invocation_scope:  # noqa: N801 - with invocation_scope(context, event) as invocation: ...
    """Begin an invocation for a `with` block. Inside an invocation with the same context, continue that one.

    Args:
        raw_context: FC's context, or an `FcContext`.
        event: The event that FC delivered.
    """

    # A class, because a generator would take several times as long in each invocation.
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
        """End the invocation: call the functions in `at_end`."""
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
    """Return whether an invocation belongs to this context, which is FC's object or an `FcContext`."""
    context = invocation.context
    if isinstance(raw_context, FcContext) and raw_context.raw is not None:
        raw_context = raw_context.raw
    return raw_context is not None and (context.raw is raw_context or context is raw_context)


def context_of(raw_context: object) -> FcContext:
    """Return the `FcContext` of the current invocation if it belongs to this context, else read the context.

    An `FcContext` is returned unchanged, because the handler that passes it on may have changed it. The deadline counts from
    the start of the invocation. A handler inside another handler that read the context again would get a deadline that is
    too late.
    """
    if isinstance(raw_context, FcContext):
        return raw_context
    invocation = _current.get()
    if invocation is not None and not invocation.ended and is_of(invocation, raw_context):
        return invocation.context
    return FcContext.read(raw_context)


class observed:  # noqa: N801 - called like a function
    """Enter the context managers of a part's observers. `__exit__` ends them.

    A failure of an observer is only logged. It must not change whether work is done.

    Args:
        part: `invocation`, or a step of a task.
        subject: The `Invocation`, or the `TaskRecord` of the step.
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
        """End the context managers, innermost first."""
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
    """Return the running task.

    It works in asyncio tasks, and in a thread that is started with a copy of the context
    (`contextvars.copy_context().run`).

    Raises:
        NoRunningTask: This code does not run inside a function decorated with `task_callback`.
    """
    task = _current_task.get()
    if task is None:
        raise NoRunningTask("current_task() was called, but no task is running.")
    return task


# Returns the running task, or None. For helpers that work with and without a task, and call it for each log line.
running_task: Callable[[], Task | None] = _current_task.get


class task_scope:  # noqa: N801 - with task_scope(task): ...
    """Make a task the running task for a `with` block."""

    # A class, for the same reason as `invocation_scope`.
    __slots__ = ("_mark", "_task")

    def __init__(self, task: Task | None) -> None:
        self._task = task

    def __enter__(self) -> None:
        """Begin."""
        self._mark: Token[Task | None] = _current_task.set(self._task)

    def __exit__(self, *_: object) -> None:
        """End, also after an exception."""
        _current_task.reset(self._mark)
