"""CloudFlow's built-in functions, as far as their arguments are documented.

Source: CloudFlow documentation 2579872, "Built-in functions".
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.flows.definition import RUNTIME_ERROR, FlowError, compact

if TYPE_CHECKING:
    from collections.abc import Callable

_ALGORITHMS = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-512": "sha512"}


def _wrong(function: str, wants: str) -> FlowError:
    return FlowError(RUNTIME_ERROR, f"{function} takes {wants}.")


def _format(template: Any, *values: Any) -> str:
    if not isinstance(template, str):
        raise _wrong("format", "a template that is text")
    parts = template.split("{}")
    if len(parts) != len(values) + 1:
        raise _wrong("format", f"one value for each {{}}: {len(parts) - 1}, not {len(values)}")
    texts = [value if isinstance(value, str) else compact(value) for value in values]
    return parts[0] + "".join(text + part for text, part in zip(texts, parts[1:], strict=True))


def _length(value: Any) -> int:
    if not isinstance(value, str | list | dict):
        raise _wrong("length", "an array, a map or a string")
    return len(value)


def _same(one: Any, other: Any) -> bool:
    # In JSON true is not 1, unlike in Python.
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _array_contains(array: Any, element: Any) -> bool:
    if not isinstance(array, list):
        raise _wrong("arrayContains", "an array and an element")
    return any(_same(item, element) for item in array)


def _array_unique(array: Any) -> list[Any]:
    if not isinstance(array, list):
        raise _wrong("arrayUnique", "an array")
    unique: list[Any] = []
    for item in array:
        if not any(_same(item, kept) for kept in unique):
            unique.append(item)
    return unique


def _json_merge(one: Any, other: Any) -> dict[str, Any]:
    if not isinstance(one, dict) or not isinstance(other, dict):
        raise _wrong("jsonMerge", "two maps")
    return {**one, **other}


def _string_to_json(text: Any) -> Any:
    try:
        value = json.loads(text)
        compact(value).encode()
    except (TypeError, ValueError, RecursionError):
        raise _wrong("stringToJson", "text that holds JSON") from None
    return value


def _from_base64(text: Any) -> str:
    try:
        return b64decode(text, validate=True).decode()
    except (TypeError, ValueError):
        raise _wrong("fromBase64", "text in base64 that decodes to UTF-8 text") from None


def _hash(text: Any, algorithm: Any) -> str:
    if not isinstance(text, str) or algorithm not in _ALGORITHMS:
        raise _wrong("hash", f"text and one of {', '.join(_ALGORITHMS)}")
    return hashlib.new(_ALGORITHMS[algorithm], text.encode(), usedforsecurity=False).hexdigest()


@attrs.frozen
class Builtin:
    """A function and the number of arguments that it takes; `most` is None for any number."""

    call: Callable[..., Any]
    least: int
    most: int | None


BUILTINS: dict[str, Builtin] = {
    "format": Builtin(_format, 1, None),
    "length": Builtin(_length, 1, 1),
    "arrayContains": Builtin(_array_contains, 2, 2),
    "arrayUnique": Builtin(_array_unique, 1, 1),
    "jsonMerge": Builtin(_json_merge, 2, 2),
    "stringToJson": Builtin(_string_to_json, 1, 1),
    "fromBase64": Builtin(_from_base64, 1, 1),
    "hash": Builtin(_hash, 2, 2),
}
