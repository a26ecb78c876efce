"""Remove the frames of this package that called a user's function from the traceback of its exception.

FC records and shows the frames of an exception from the outermost one on. The frames of the decorators say nothing about the
error, and hide the user's own frames.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

# The modules that call a user's function.
_CALLERS = (
    "fc_callback.callback.",
    "fc_callback.middleware",
    "fc_callback.parser",
    "fc_callback.payload.arguments",
)
# They call it in an event loop if it is async.
_LOOPS = ("asyncio.", "concurrent.futures.")


def hide_callers(error: BaseException) -> None:
    """Remove our callers of a user's function from the traceback of an exception and of its causes. Call it in `except`.

    All other frames stay, and so does a traceback without any other frame. Up to Python 3.10 the frame of the caller of this
    function also stays, because a `raise` there restores the first frame.
    """
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        if each.__traceback__ is not None:
            # Unbound: a frozen dataclass, for example, refuses the assignment of attributes.
            BaseException.with_traceback(each, _without_callers(each.__traceback__))
        waiting += (each.__cause__, each.__context__)


def _without_callers(head: TracebackType) -> TracebackType:
    kept: list[TracebackType] = []
    callers: list[TracebackType] = []
    entry: TracebackType | None = head
    while entry is not None:
        module = str(entry.tb_frame.f_globals.get("__name__"))
        if module.startswith(_CALLERS) or (callers and module.startswith(_LOOPS)):
            callers.append(entry)
        else:
            kept.append(entry)
            callers = []
        entry = entry.tb_next
    if not kept:
        return head
    for one, following in pairwise((*kept, *callers)):
        if one.tb_next is not following:
            one.tb_next = following
    if head is not kept[0]:
        head.tb_next = kept[0]  # Python 3.10 restores this head
    return kept[0]
