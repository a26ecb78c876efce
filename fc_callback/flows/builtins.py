"""CloudFlow's built-in functions.

Source: CloudFlow documentation 2579872, "Built-in functions". It gives the arguments of `format`, `length`, `arrayContains`,
`arrayUnique`, `jsonMerge`, `stringToJson`, `fromBase64` and `hash`. Of the others it gives the name or the category only:
their arguments are inferred, and so are the names `jsonToString`, `toBase64` and `uuid`. `fromJSON` is an older name of
`stringToJson`. An expression is evaluated once for each run of its step, so `randomInt` and `uuid` need no record.
"""

from __future__ import annotations

import hashlib
import random
import uuid
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.errors import FcCallbackError
from fc_callback.flows.comparing import json_key
from fc_callback.flows.definition import RUNTIME_ERROR, FlowError, compact, parse_json, size_bytes
from fc_callback.settings import KIB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# The largest value that the language can hold: one of $Global. A longer chain of functions cannot build a larger one.
VALUE_LIMIT_BYTES = 256 * KIB
# The result of a function that finds nothing: null, and a warning, like a path that leads nowhere.
NOTHING = object()
_ALGORITHMS = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-512": "sha512"}
_MAX_INT = 2**63 - 1


class _WrongArguments(FcCallbackError):
    """The arguments are not what the function takes; the message says what it takes."""


class _TooLarge(FcCallbackError):
    """A result is larger than any value can be."""


@attrs.frozen
class Builtin:
    """A function and the number of arguments that it takes; `most` is None for any number."""

    name: str
    call: Callable[..., Any]
    least: int
    most: int | None

    def run(self, arguments: list[Any]) -> Any:
        """Return the function's result, or `NOTHING`.

        Raises:
            FlowError: The function does not take these arguments, or its result is too large.
        """
        try:
            result = self.call(*arguments)
            if result is not NOTHING:
                _require_size(size_bytes(result))
        except _WrongArguments as error:
            raise FlowError(RUNTIME_ERROR, f"{self.name} takes {error}.") from None
        except _TooLarge:
            raise FlowError(RUNTIME_ERROR, f"{self.name} makes more than {VALUE_LIMIT_BYTES} bytes.") from None
        except RecursionError:
            raise FlowError(RUNTIME_ERROR, f"{self.name} cannot take a value that is nested so deeply.") from None
        return result


def _require_size(size: int) -> None:
    if size > VALUE_LIMIT_BYTES:
        raise _TooLarge(f"More than {VALUE_LIMIT_BYTES} bytes.")


def bounded_items(values: Iterable[Any]) -> list[Any]:
    """Return a list of values, as long as it is not larger than a value can be.

    Raises:
        FlowError: It is, or a value is nested too deeply.
    """
    items: list[Any] = []
    size = 0
    for value in values:
        size += size_bytes(value)
        if size > VALUE_LIMIT_BYTES:
            raise FlowError(RUNTIME_ERROR, f"An array or a map has more than {VALUE_LIMIT_BYTES} bytes.")
        items.append(value)
    return items


def _require(condition: bool, wants: str) -> None:  # noqa: FBT001 - read like an assertion
    if not condition:
        raise _WrongArguments(wants)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _format(template: Any, *values: Any) -> str:
    _require(isinstance(template, str), "a template that is text")
    parts: list[str] = template.split("{}")
    wanted = len(parts) - 1
    _require(wanted == len(values), f"one value for each {{}}: {wanted}, not {len(values)}")
    texts = [value if isinstance(value, str) else compact(value) for value in values]
    _require_size(len(template) + sum(map(len, texts)))
    return parts[0] + "".join(text + part for text, part in zip(texts, parts[1:], strict=True))


def _length(value: Any) -> int:
    _require(isinstance(value, str | list | dict), "an array, a map or a string")
    return len(value)


def _split(text: Any, separator: Any) -> list[str]:
    wants = "text and a separator that is not empty"
    _require(isinstance(text, str) and isinstance(separator, str) and separator != "", wants)
    parts: list[str] = text.split(separator)
    return parts


def _regex_match_string(pattern: Any, text: Any) -> bool:
    from fc_callback.flows.regexes import PatternError, matches  # it imports lark

    _require(isinstance(pattern, str) and isinstance(text, str), "a pattern and text")
    try:
        return matches(pattern, text)
    except PatternError as error:
        raise _WrongArguments(f"a pattern and text, but {error}") from None


def _get(container: Any, place: Any) -> Any:
    if isinstance(container, dict):
        _require(isinstance(place, str), "a map and a key that is text")
        return container.get(place, NOTHING)
    _require(isinstance(container, list) and _is_int(place), "an array and an index, or a map and a key")
    return container[place] if 0 <= place < len(container) else NOTHING


def _int_add(one: Any, other: Any) -> int:
    _require(_is_int(one) and _is_int(other), "two integers")
    result: int = one + other
    _require(-_MAX_INT - 1 <= result <= _MAX_INT, "two integers whose sum has at most 64 bits")
    return result


def _random_int(low: Any, high: Any) -> int:
    _require(_is_int(low) and _is_int(high) and low <= high, "two integers, the smaller one first")
    _require(abs(low) <= _MAX_INT and abs(high) <= _MAX_INT, "two integers of at most 64 bits")
    return random.randint(low, high)  # noqa: S311 - not a secret


def _array_contains(array: Any, element: Any) -> bool:
    _require(isinstance(array, list), "an array and an element")
    wanted = json_key(element)
    return any(json_key(item) == wanted for item in array)


def _array_unique(array: Any) -> list[Any]:
    _require(isinstance(array, list), "an array")
    unique: dict[Any, Any] = {}
    for item in array:
        unique.setdefault(json_key(item), item)
    return list(unique.values())


def _map_keys(mapping: Any) -> list[str]:
    _require(isinstance(mapping, dict), "a map")
    return list(mapping)


def _map_values(mapping: Any) -> list[Any]:
    _require(isinstance(mapping, dict), "a map")
    return list(mapping.values())


def _json_merge(one: Any, other: Any) -> dict[str, Any]:
    _require(isinstance(one, dict) and isinstance(other, dict), "two maps")
    return {**one, **other}


def _string_to_json(text: Any) -> Any:
    _require(isinstance(text, str), "text that holds JSON")
    try:
        return parse_json(text)
    except ValueError as error:
        raise _WrongArguments(f"text that holds JSON, but {error}") from None


def _from_base64(text: Any) -> str:
    try:
        return b64decode(text, validate=True).decode()
    except (TypeError, ValueError):
        raise _WrongArguments("text in base64 that decodes to UTF-8 text") from None


def _to_base64(text: Any) -> str:
    _require(isinstance(text, str), "text")
    return b64encode(text.encode()).decode()


def _hash(text: Any, algorithm: Any) -> str:
    known = isinstance(algorithm, str) and algorithm in _ALGORITHMS
    _require(isinstance(text, str) and known, f"text and one of {', '.join(_ALGORITHMS)}")
    return hashlib.new(_ALGORITHMS[algorithm], text.encode(), usedforsecurity=False).hexdigest()


BUILTINS: dict[str, Builtin] = {
    function.name: function
    for function in (
        Builtin("format", _format, 1, None),
        Builtin("length", _length, 1, 1),
        Builtin("split", _split, 2, 2),  # inferred: (text, separator)
        Builtin("regexMatchString", _regex_match_string, 2, 2),  # inferred: (pattern, text), anywhere in it, as in Go
        Builtin("get", _get, 2, 2),  # inferred: (array, index) or (map, key)
        Builtin("intAdd", _int_add, 2, 2),
        Builtin("randomInt", _random_int, 2, 2),  # inferred: (from, to), and both can be the result
        Builtin("arrayContains", _array_contains, 2, 2),
        Builtin("arrayUnique", _array_unique, 1, 1),
        Builtin("toArray", lambda *values: bounded_items(values), 0, None),  # inferred: any values
        Builtin("mapKeys", _map_keys, 1, 1),
        Builtin("mapValues", _map_values, 1, 1),
        Builtin("jsonMerge", _json_merge, 2, 2),  # inferred: of equal keys the second map's value remains
        Builtin("stringToJson", _string_to_json, 1, 1),
        Builtin("fromJSON", _string_to_json, 1, 1),
        Builtin("jsonToString", compact, 1, 1),  # inferred: the name
        Builtin("fromBase64", _from_base64, 1, 1),
        Builtin("toBase64", _to_base64, 1, 1),  # inferred: the name
        Builtin("hash", _hash, 2, 2),
        Builtin("uuid", lambda: str(uuid.uuid4()), 0, 0),  # inferred: the name and no arguments
    )
}
