"""One invocation, while it runs: what the helpers know of it from anywhere below its handler.

`task_callback` begins one for every event it serves; a plain handler gets one from the layer
`fc_callback.middleware.invocation`.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from fc_callback.context import FcContext
    from fc_callback.metrics import TaskRecord

    Observer = Callable[[str, Any], AbstractContextManager[object]]


@attrs.define(kw_only=True, eq=False)
class Invocation:
    """What belongs to one invocation.

    Attributes:
        context: What FC says about it.
        event: What FC delivered.
        cold_start: Whether it is the first of this process.
        began: When, on the clock of `time.perf_counter()`.
        failed: Whether it ended in an exception, or its task in a failure.
        ended: Whether it is over: what was bound to it is gone then.
        seconds: How long its parts took that belong to no single task, by name.
        tasks: A record of each task in it.
        at_end: Called, in order, when it ends.
    """

    context: FcContext = attrs.field(repr=False)
    event: Any = attrs.field(default=None, repr=False)
    cold_start: bool = False
    began: float = attrs.field(factory=time.perf_counter)
    failed: bool = False
    ended: bool = False
    seconds: dict[str, float] = attrs.field(factory=dict)
    tasks: list[TaskRecord] = attrs.field(factory=list, repr=False)
    at_end: list[Callable[[Invocation], None]] = attrs.field(factory=list, repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What of it must not be seen."""
        credentials = self.context.credentials
        if credentials is None:
            return ()
        return (credentials.access_key_secret, *((credentials.security_token,) if credentials.security_token else ()))


_current: ContextVar[Invocation | None] = ContextVar("fc_callback_invocation", default=None)
_process = {"cold": True}

# Secrets this process has seen last. A thread started without the context, and FC's own line about a failed invocation,
# are outside of every invocation, and must be masked all the same.
_recent: deque[str] = deque(maxlen=8)

# Who looks on, and may wrap a part of an invocation in a context manager: OpenTelemetry's spans.
observers: list[Observer] = []


def current_invocation() -> Invocation | None:
    """Return the invocation that this code runs for, one that has ended included; None outside of any."""
    return _current.get()


def remember_secrets(*secrets: str) -> None:
    """Note what must be masked where no invocation is known."""
    for secret in secrets:
        if secret not in _recent:
            _recent.append(secret)


def recent_secrets() -> tuple[str, ...]:
    """Return the secrets seen last."""
    return tuple(_recent)


@contextmanager
def begin(context: FcContext, event: Any = None) -> Iterator[Invocation]:
    """Make an invocation the current one for a `with` block; inside of one with the same context, it is that one."""
    outer = _current.get()
    if outer is not None and not outer.ended and _same(outer.context, context):
        yield outer
        return
    invocation = Invocation(context=context, event=event, cold_start=_process["cold"])
    _process["cold"] = False
    remember_secrets(*invocation.secrets)
    mark = _current.set(invocation)
    try:
        with observed("invocation", invocation):
            yield invocation
    except BaseException:
        invocation.failed = True
        raise
    finally:
        for call in invocation.at_end:
            call(invocation)
        invocation.ended = True
        _current.reset(mark)


def _same(one: FcContext, other: FcContext) -> bool:
    return one is other or (one.raw is not None and one.raw is other.raw)


@contextmanager
def observed(part: str, subject: object) -> Iterator[None]:
    """Let those who look on wrap a part of an invocation.

    Args:
        part: `invocation`, or a step of a task: `run`, `encode`, `report`.
        subject: The `Invocation`, or the step's `TaskRecord`.
    """
    if not observers:
        yield
        return
    with ExitStack() as stack:
        for observer in observers:
            stack.enter_context(observer(part, subject))
        yield
