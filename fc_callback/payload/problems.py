"""Turn what pydantic says about a value into an error that is safe to log.

A `pydantic.ValidationError` carries the values it complains about, a task token among them; a `PayloadInvalid` carries
paths and words only.
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
# The kinds of errors whose words are pydantic's own; a PydanticCustomError may be of any other.
_PYDANTICS = frozenset(get_args(ErrorType)) - {"value_error", "assertion_error"}
# Words of pydantic's that quote the input.
_QUOTING = {
    "union_tag_invalid": "The tag matches none of the expected ones",
    "uuid_parsing": "Input should be a valid UUID",
}


def payload_invalid(
    error: ValidationError, *, name: str | None = None, subject: str = "The payload", hint: str | None = None
) -> PayloadInvalid:
    """Make a `PayloadInvalid` of what pydantic found.

    Raise it outside the `except` block that caught `error`, or the values travel with it as its context.

    Args:
        error: What pydantic raised.
        name: The type's name; pydantic's own name for it where it is None.
        subject: What was validated, as the text begins.
        hint: What the person can do about it.
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
    # A model's own check: the words are its author's, and may quote what was checked.
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
