"""Read and show paths into JSON, like `$[0].data["order id"]`, in options, events and errors.

An error can show such a path safely: a long or unusual key is replaced by its length, because the key may be a secret value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fc_callback.errors import SettingsError
from fc_callback.payload.json_layers import json_type

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    # The path to a value: (the path to its container, the key or index there). None is the event itself.
    Trail: TypeAlias = tuple["Trail", str | int] | None

_STEP = re.compile(r"""\.(?P<name>[^.\[\]"]+)|\[(?P<index>[0-9]{1,9})\]|\["(?P<quoted>[^"]+)"\]""")
_INDEX_DIGITS = 9
_SHOWN_KEYS = 8
_SHOWN_KEY_CHARACTERS = 32
_SHOWN_STEPS = 16


def parse_path(path: str, *, option: str = "token") -> tuple[str, ...]:
    """Read `a.b.0`, `a[0].b`, `a["b.c"]`, with or without a leading `$`, as steps.

    Args:
        path: The text.
        option: The name of the option, for the error.

    Raises:
        SettingsError: The text is not a path.
    """
    rooted = path.startswith(("$.", "$["))
    text = path[1:] if rooted else path if path.startswith("[") else f".{path}"
    steps: list[str] = []
    position = 0
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            break
        steps.append(match["name"] or match["index"] or match["quoted"])
        position = match.end()
    if not steps or position < len(text):
        raise SettingsError(
            f"{option}= is not a path: the step at character {max(position - (not rooted), 0)} cannot be read.",
            hint="""Separate keys by dots, `a.b`, write an index as `a.0`, and a key with a dot as `a["b.c"]`.""",
        )
    return tuple(steps)


def key_of_step(value: object, step: str) -> str | int | None:
    """Return the key or the index that a step means in a value; None if the value has no such key or index."""
    if isinstance(value, Mapping):
        return step if step in value else None
    if isinstance(value, (list, tuple)) and step.isascii() and step.isdecimal() and len(step) <= _INDEX_DIGITS:
        return int(step) if int(step) < len(value) else None
    return None


def show_path(trail: Trail) -> str:
    """Return a path as a text that `parse_path` can read, unless a key must not be shown."""
    steps: list[str] = []
    while trail is not None:
        trail, step = trail
        steps.append(_show_step(step))
    if len(steps) > _SHOWN_STEPS:
        half = _SHOWN_STEPS // 2
        steps[half:-half] = ["[...]"]
    return "$" + "".join(reversed(steps))


def show_steps(steps: Iterable[str]) -> str:
    """Return the steps of an option as a path."""
    trail: Trail = None
    for step in steps:
        trail = (trail, int(step) if step.isascii() and step.isdigit() else step)
    return show_path(trail)


def describe(value: object) -> str:
    """Describe a JSON value without showing it: its type, and the first few keys of an object."""
    if not isinstance(value, dict):
        kind = json_type(value)
        article = "" if kind == "null" else "an " if kind[0] in "aeiou" else "a "
        return article + kind
    if not value:
        return "an empty object"
    keys = [show_key(key) for _, key in zip(range(_SHOWN_KEYS), value, strict=False)]
    more = f" and {len(value) - _SHOWN_KEYS} more" if len(value) > _SHOWN_KEYS else ""
    return f"an object with {'key' if len(value) == 1 else 'keys'} {', '.join(keys)}{more}"


def show_key(key: Any) -> str:
    """Return a key for a message, or only its length if it is long or not plain text."""
    text = str(key)
    if len(text) <= _SHOWN_KEY_CHARACTERS and text.isprintable() and '"' not in text:
        return text if text.isidentifier() else f'"{text}"'
    return f"<{len(text)} characters>"


def _show_step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    shown = show_key(step)
    return f".{shown}" if shown == step else f"[{shown}]"
