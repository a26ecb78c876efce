"""An exception as data: its type, its words, where it came from, and what caused it."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fc_callback.redaction import Redactor

_FRAMES = 20
_LINKS = 8
_GROUPED = 5


def describe_exception(error: BaseException, redactor: Redactor) -> dict[str, Any]:
    """Return an exception as JSON can hold it; secrets under a telling name are masked.

    Args:
        error: The exception.
        redactor: What masks.

    Returns:
        `type` and `message`; `stack`, outermost first, the last 20 frames; `notes`; `exceptions` of a group; and `cause`
        (`raise ... from`) or `context` (raised while the other was handled), each of the same form.
    """
    return _describe(error, redactor, {id(error)})


def _describe(error: BaseException, redactor: Redactor, seen: set[int]) -> dict[str, Any]:
    described: dict[str, Any] = {"type": _type_name(error), "message": redactor.by_name(_words(error))}
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    if frames:
        described["stack"] = [redactor.by_name(_frame(frame)) for frame in frames]
    notes = getattr(error, "__notes__", None)
    if isinstance(notes, list) and notes:
        described["notes"] = [redactor.by_name(str(note)) for note in notes[:_GROUPED]]
    grouped = getattr(error, "exceptions", None)  # an ExceptionGroup, from Python 3.11 on
    if isinstance(grouped, tuple):
        members = [one for one in grouped[:_GROUPED] if isinstance(one, BaseException)]
        described["exceptions"] = [_linked(one, redactor, seen) for one in members]
    if error.__cause__ is not None:
        described["cause"] = _linked(error.__cause__, redactor, seen)
    elif error.__context__ is not None and not error.__suppress_context__:
        described["context"] = _linked(error.__context__, redactor, seen)
    return described


def _linked(error: BaseException, redactor: Redactor, seen: set[int]) -> dict[str, Any]:
    if id(error) in seen or len(seen) >= _LINKS:
        return {"type": _type_name(error), "message": "..."}
    seen.add(id(error))
    return _describe(error, redactor, seen)


def _type_name(error: BaseException) -> str:
    kind = type(error)
    return (
        kind.__qualname__ if kind.__module__ in {"builtins", "__main__"} else f"{kind.__module__}.{kind.__qualname__}"
    )


def _words(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a person's own __str__ may do anything; the log must still be written
        return f"<{type(error).__name__} without text>"


def _frame(frame: traceback.FrameSummary) -> str:
    place = f"{frame.filename}:{frame.lineno} in {frame.name}"
    return f"{place}: {frame.line}" if frame.line else place
