"""Describe an exception as data: its type, its message, its stack, and what caused it."""

from __future__ import annotations

import traceback
from typing import Any

from fc_callback.values.record_text import PASSING_THROUGH, text_of

_FRAMES = 20
_LINKS = 8
_GROUPED = 5


def describe_exception(error: BaseException) -> dict[str, Any]:
    """Return an exception in the form that a log line has it, not yet masked.

    Args:
        error: The exception.

    Returns:
        `type` and `message`; `stack`, outermost first, the last 20 frames; `notes`; `exceptions` of a group; and `cause`
        (`raise ... from`) or `context` (raised while the other was handled), each of the same form. A part that raises
        when it is read is left out.
    """
    return _describe(error, {id(error)})


def _describe(error: BaseException, seen: set[int]) -> dict[str, Any]:
    described: dict[str, Any] = {"type": _type_name(error), "message": text_of(error)}
    for name, read in _PARTS.items():
        try:
            part = read(error, seen)
        except PASSING_THROUGH:
            raise
        except BaseException:  # noqa: BLE001, S112 - a person's exception may raise anything
            continue
        if part is not None:
            described[name] = part
    return described


def _linked(error: BaseException, seen: set[int]) -> dict[str, Any]:
    if id(error) in seen or len(seen) >= _LINKS:
        return {"type": _type_name(error), "message": "..."}
    seen.add(id(error))
    return _describe(error, seen)


def _type_name(error: BaseException) -> str:
    kind = type(error)
    name, module = text_of(kind.__qualname__), text_of(kind.__module__)
    return name if module in {"builtins", "__main__"} else f"{module}.{name}"


def _stack(error: BaseException, _seen: set[int]) -> list[str] | None:
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return [_frame(frame) for frame in frames] or None


def _frame(frame: traceback.FrameSummary) -> str:
    place = f"{frame.filename}:{frame.lineno} in {frame.name}"
    return f"{place}: {frame.line}" if frame.line else place


def _notes(error: BaseException, _seen: set[int]) -> list[str] | None:
    notes: Any = getattr(error, "__notes__", None)
    if not issubclass(type(notes), list):
        return None
    return [text_of(note) for note in notes[:_GROUPED]] or None


def _members(error: BaseException, seen: set[int]) -> list[dict[str, Any]] | None:
    members: Any = getattr(error, "exceptions", None)  # an ExceptionGroup, from Python 3.11 on
    if not issubclass(type(members), tuple):
        return None
    return [_linked(one, seen) for one in members[:_GROUPED] if issubclass(type(one), BaseException)]


def _cause(error: BaseException, seen: set[int]) -> dict[str, Any] | None:
    return None if error.__cause__ is None else _linked(error.__cause__, seen)


def _context(error: BaseException, seen: set[int]) -> dict[str, Any] | None:
    if error.__cause__ is not None or error.__suppress_context__ or error.__context__ is None:
        return None
    return _linked(error.__context__, seen)


_PARTS = {"stack": _stack, "notes": _notes, "exceptions": _members, "cause": _cause, "context": _context}
