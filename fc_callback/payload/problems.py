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

_PROBLEMS_SHOWN = 5
_MOST_TEXTS = 1000
_MASKED_FROM_CHARACTERS = 4
# The types of the errors whose messages pydantic wrote. A PydanticCustomError may have any other type.
PYDANTIC_TYPES = frozenset(get_args(ErrorType)) - {"value_error", "assertion_error"}
# Replacements for messages of pydantic that quote the input.
_REPLACED_MESSAGES = {
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
    problems = tuple(
        (_path_of_location(detail["loc"]), message_without_values(detail)) for detail in error.errors(include_url=False)
    )
    listed = "; ".join(f"{path}: {message.rstrip('.')}" for path, message in problems[:_PROBLEMS_SHOWN])
    more = f"; and {len(problems) - _PROBLEMS_SHOWN} more" if len(problems) > _PROBLEMS_SHOWN else ""
    return PayloadInvalid(
        f"{subject} does not fit {name or error.title}: {listed}{more}.", problems=problems, hint=hint
    )


def _path_of_location(location: tuple[int | str, ...]) -> str:
    trail: Trail = None
    for step in location:
        trail = (trail, step)
    return show_path(trail)


def message_without_values(detail: ErrorDetails) -> str:
    """Return the message of one of pydantic's errors without the invalid value."""
    message = _REPLACED_MESSAGES.get(detail["type"]) or detail["msg"]
    if detail["type"] in PYDANTIC_TYPES:
        return message
    # A validator of the user's model wrote this message, and may have quoted the value.
    for text in sorted(_texts_in(detail["input"]), key=len, reverse=True):
        message = message.replace(text, "***")
    return message


def _texts_in(value: Any) -> Iterator[str]:
    waiting = [value]
    for _ in range(_MOST_TEXTS):
        if not waiting:
            return
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
        elif isinstance(value, str | bytes | int | float) and len(text := str(value)) >= _MASKED_FROM_CHARACTERS:
            yield text
