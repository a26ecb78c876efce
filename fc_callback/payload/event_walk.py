"""Visit every object in an event, also inside JSON in strings and base64."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from fc_callback.payload.json_layers import NotJson, NotUtf8, looks_wrapped, open_layers, unwrap
from fc_callback.payload.paths import show_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fc_callback.payload.paths import Trail

MAX_VALUES = 200_000  # objects, arrays and encoded texts that one walk visits
ARRAYS = (list, tuple)
CONTAINERS = (dict, list, tuple)


def walk(root: object, visit: Callable[[dict[str, Any], Trail], bool]) -> bool:
    """Visit every object, breadth first. If `visit` returns True, the objects inside that object are skipped.

    Returns:
        Whether the walk was complete. It ends after `MAX_VALUES` values, because an event may be hostile.
    """
    queue: deque[tuple[Any, Trail, int]] = deque([(root, None, 0)])
    taken = 1
    while queue:
        value, trail, layers = queue.popleft()
        value, layers = open_layers(value, layers)
        if isinstance(value, dict) and visit(value, trail):
            continue
        for step, child in _children(value):
            if isinstance(child, CONTAINERS) or (isinstance(child, str) and looks_wrapped(child)):
                taken += 1
                if taken > MAX_VALUES:
                    return False
                queue.append((child, (trail, step), layers))
    return True


def _children(value: object) -> Iterable[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, ARRAYS) else ()


def garbled_path(root: object) -> str | None:
    """Return the path of a text that is base64 of JSON in another encoding than UTF-8, or None."""
    queue: deque[tuple[Any, Trail, int]] = deque([(root, None, 0)])
    for _ in range(MAX_VALUES):
        if not queue:
            break
        value, trail, layers = queue.popleft()
        value, layers = open_layers(value, layers)
        if isinstance(value, str) and looks_wrapped(value):
            try:
                unwrap(value)
            except NotUtf8:
                return show_path(trail)
            except NotJson:
                pass
        for step, child in _children(value):
            if isinstance(child, CONTAINERS) or (isinstance(child, str) and looks_wrapped(child)):
                queue.append((child, (trail, step), layers))
    return None


def holder_of(token: str, decoded: object, *, like: dict[str, Any] | None = None) -> dict[str, Any] | None:
    """Return the object that contains a token: the one that equals `like`, else the outermost with the token as a value.

    Return None if there is no such object.
    """
    holders: list[dict[str, Any]] = []
    same: list[dict[str, Any]] = []

    def visit(holder: dict[str, Any], _: Trail) -> bool:
        if like is not None and holder == like:
            same.append(holder)
        if any(isinstance(value, str) and value == token for value in holder.values()):
            holders.append(holder)
        return bool(same if like is not None else holders)

    walk(decoded, visit)
    return next(iter(same or holders), None)
