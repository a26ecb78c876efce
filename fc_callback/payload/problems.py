"""Turn a `pydantic.ValidationError` into an error that is safe to log.

A `ValidationError` contains the invalid values, which may include a task token. A `PayloadInvalid` contains only paths and
descriptions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from pydantic_core.core_schema import ErrorType

from fc_callback.errors import PayloadInvalid
from fc_callback.payload.paths import show_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from fc_callback.payload.paths import Trail

_SHOWN = 5
_LEAVES = 1000
_MASKED_FROM_CHARACTERS = 4
# The types of errors with pydantic's own messages. A PydanticCustomError may have any other type.
_PYDANTICS = frozenset(get_args(ErrorType)) - {"value_error", "assertion_error"}
# Replacements for messages of pydantic that quote the input.
_QUOTING = {
    "union_tag_invalid": "The tag matches none of the expected ones",
    "uuid_parsing": "Input should be a valid UUID",
}


def payload_invalid(
    error: ValidationError, *, name: str | None = None, subject: str = "The payload", hint: str | None = None
) -> PayloadInvalid:
    """Return a `PayloadInvalid` for pydantic's error.

    Raise it outside the `except` block that caught `error`. Otherwise `error` would be its `__context__`, with the values.

    Args:
        error: The error of pydantic.
        name: The name of the type. None uses pydantic's own name.
        subject: The validated data, as the beginning of the text.
        hint: What to do next.
    """
    problems = tuple((_path(detail["loc"]), _words(detail)) for detail in error.errors(include_url=False))
    listed = "; ".join(f"{path}: {words}" for path, words in problems[:_SHOWN])
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return PayloadInvalid(
        f"{subject} does not fit {name or error.title}: {listed}{more}.", problems=problems, hint=hint
    )


def _path(location: tuple[int | str, ...]) -> str:
    trail: Trail = None
    for step in location:
        trail = (trail, step)
    return show_path(trail)


def _words(detail: ErrorDetails) -> str:
    words = _QUOTING.get(detail["type"]) or detail["msg"]
    if detail["type"] in _PYDANTICS:
        return words
    # A validator of the user's model wrote this message, and may have quoted the value.
    for leaf in sorted(_leaves(detail["input"]), key=len, reverse=True):
        words = words.replace(leaf, "***")
    return words


def _leaves(value: Any) -> Iterator[str]:
    waiting = [value]
    for _ in range(_LEAVES):
        if not waiting:
            return
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
        elif isinstance(value, str | bytes | int | float) and len(text := str(value)) >= _MASKED_FROM_CHARACTERS:
            yield text
