"""Encode a function's return value as the Output: the JSON text of ReportTaskSucceeded.

A flow's data is a JSON object (CloudFlow documentation, "Inputs and outputs"). So an object is not changed, None is `{}`, a text
that is a JSON object is not changed, and everything else becomes `{"result": ...}`.
"""

from __future__ import annotations

import builtins
import json
from collections import deque
from types import GeneratorType
from typing import TYPE_CHECKING, Any

from fc_callback.errors import OutputError, OutputTooLarge
from fc_callback.values.masked import Masked

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGEST_SHOWN = 3
_PATH_SHOWN = 120
_DEEPEST = 200  # deep enough for any flow's data, shallow enough for the stack


class OutputText(str):
    """The result of `encode_output`. It is already checked and is not encoded again.

    Its `repr` hides the text, because an Output may contain the task's token, and tools that record errors record variables.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<Output of {len(self)} characters>"


def encode_output(value: object, *, limit_bytes: int | None = None) -> OutputText:
    """Return the Output for a function's return value: compact JSON text of an object.

    Pydantic models, dataclasses, attrs classes, datetimes, Decimals, UUIDs, enums and bytes are written as pydantic
    writes them: a model by its aliases if its configuration says `serialize_by_alias`, and without excluded fields.

    Args:
        value: The return value of the function.
        limit_bytes: The largest size in bytes of UTF-8. None for no limit.

    Raises:
        OutputError: A value in it is not JSON. The error names the path.
        OutputTooLarge: The text is over the limit.
    """
    text = value if isinstance(value, OutputText) else OutputText(_object_text(value))
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        raise _output_error(value, "a lone surrogate is not a text") from None
    if limit_bytes is not None and size > limit_bytes:
        raise OutputTooLarge(size=size, limit=limit_bytes, largest=_largest_members(text))
    return text


def _object_text(value: object) -> str:
    if value is None:
        return "{}"
    if isinstance(value, (str, bytes)) and not _is_enum(value):
        text = _decoded_text(value)
        return text if _holds_object(text) else _json_text({"result": text})
    text = _json_text(value)
    return text if text.startswith("{") else f'{{"result":{text}}}'


def _is_enum(value: object) -> bool:
    # `class Color(str, Enum)` is a str whose JSON is its value; `enum` is loaded wherever one exists.
    return hasattr(type(value), "__members__")


def _decoded_text(value: str | bytes) -> str:
    if isinstance(value, str):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise OutputError(
            "The function returned bytes that are not UTF-8.", hint="Return a text, or encode the bytes as base64."
        ) from None


def _holds_object(text: str) -> bool:
    if not text.lstrip().startswith("{"):
        return False
    try:
        return isinstance(json.loads(text, parse_constant=_refuse_nan_or_infinity), dict)
    except (ValueError, RecursionError):
        return False


def _refuse_nan_or_infinity(name: str) -> None:
    raise OutputError(
        f"The returned JSON text contains {name}, which is not JSON.", hint="Return null or a string instead."
    )


def _json_text(value: object) -> str:
    try:
        try:
            text = _compact_json(value)
            if not _has_duplicate_keys(text):
                return text
        except TypeError as error:
            if not str(error).startswith("keys must be"):
                raise
        return _compact_json(_with_text_keys(value, "$"))
    except OutputError:
        raise
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
    # Outside of the except block, so that the encoder's error is not its context.
    raise _output_error(value, reason)


def _compact_json(value: object) -> str:
    return json.dumps(value, default=_to_json_type, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _has_duplicate_keys(text: str) -> bool:
    """Return whether an object has a key twice: `json` writes 1 and "1" as the same key, and a reader keeps one of them."""
    has_duplicate = False

    def check_keys(pairs: list[tuple[str, object]]) -> None:
        nonlocal has_duplicate
        has_duplicate = has_duplicate or len({key for key, _ in pairs}) < len(pairs)

    json.loads(text, object_pairs_hook=check_keys)
    return has_duplicate


def _to_json_type(value: Any) -> Any:
    """Convert a value that `json` does not know into one that it knows, one level at a time."""
    if isinstance(value, Masked):
        raise TypeError(f"a {type(value).__name__} contains a secret")
    if hasattr(type(value), "__attrs_attrs__"):
        return _attrs_members(value)
    if isinstance(value, (set, frozenset, deque, GeneratorType)):
        return list(value)  # each member is then converted by the rules of its own class
    from pydantic_core import PydanticSerializationError, to_jsonable_python

    serializer = getattr(value, "__pydantic_serializer__", None)
    try:
        if serializer is not None:  # a model or a pydantic dataclass, with its own configuration
            return serializer.to_python(value, mode="json", fallback=_to_json_type)
        if hasattr(type(value), "__dataclass_fields__"):
            return _dataclass_members(value)
        return to_jsonable_python(value, fallback=_refuse_value)
    except PydanticSerializationError as error:
        raise TypeError(str(error)) from None
    except (OutputError, TypeError, ValueError, RecursionError):
        raise
    except Exception as error:  # noqa: BLE001 - the user wrote the model's properties and serializers
        raise TypeError(f"{_type_name(value)} raises {type(error).__name__} while it is written") from None


def _attrs_members(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in type(value).__attrs_attrs__}


def _dataclass_members(value: Any) -> dict[str, Any]:
    from dataclasses import fields  # loaded wherever a dataclass exists

    return {field.name: getattr(value, field.name) for field in fields(value)}


def _refuse_value(value: Any) -> Any:
    if hasattr(type(value), "__attrs_attrs__") or hasattr(type(value), "__dataclass_fields__"):  # inside a set, say
        return json.loads(_json_text(value))
    raise TypeError(f"{type(value).__name__} is not JSON")


def _with_text_keys(value: object, path: str) -> object:
    """Convert keys that `json` refuses (enums, dates, UUIDs), as pydantic does."""
    if isinstance(value, (list, tuple)):
        return [_with_text_keys(item, f"{path}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value if _is_json_scalar(value) else _with_text_keys(_to_json_type(value), path)
    written: dict[str, object] = {}
    for key, item in value.items():
        name = _key_text(key, path)
        if name in written:
            raise OutputError(
                f"Two keys of the object at {path} are both written as {name!r}.",
                path=path,
                hint="Use keys that are different texts.",
            )
        written[name] = _with_text_keys(item, f"{path}.{name}")
    return written


def _key_text(key: object, path: str) -> str:
    if isinstance(key, str) and not _is_enum(key):
        return key
    if key is None or isinstance(key, (bool, int, float)):
        return json.dumps(key, allow_nan=False)
    from pydantic_core import PydanticSerializationError, to_jsonable_python

    try:
        return str(next(iter(to_jsonable_python({key: None}))))
    except (PydanticSerializationError, TypeError):
        raise OutputError(
            f"A key of type {_type_name(key)} at {path} cannot be a key in JSON.", path=path, hint="Use texts as keys."
        ) from None


def _is_json_scalar(value: object) -> bool:
    return value is None or isinstance(value, (str, int, float))


def _output_error(value: object, reason: str) -> OutputError:
    """Return the error for a value that cannot be written, with the path of the invalid part."""
    path, problem = next(_invalid_parts(value, "$", ()), ("$", reason))
    if len(path) > _PATH_SHOWN:
        path = f"{path[:_PATH_SHOWN]}..."
    return OutputError(
        f"The function's result cannot be written as JSON: at {path}, {problem}.",
        path=path,
        hint="Return JSON types, or pydantic models, dataclasses or attrs classes made of them.",
    )


def _invalid_parts(value: object, path: str, above: tuple[int, ...]) -> Iterator[tuple[str, str]]:
    if id(value) in above:
        yield path, "the value contains itself"
        return
    if len(above) > _DEEPEST:
        yield path, "it is nested too deeply"
        return
    inside = (*above, id(value))
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _invalid_key(key, path)
            yield from _invalid_parts(item, f"{path}.{key}" if isinstance(key, str) else f"{path}[{key!r}]", inside)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for index, item in enumerate(value):
            yield from _invalid_parts(item, f"{path}[{index}]", inside)
    elif _has_serializer(value):
        yield from _invalid_fields(value, path, inside)
    elif members := _fields_of(value):
        for name, item in members.items():
            yield from _invalid_parts(item, f"{path}.{name}", inside)
        yield from _invalid_value(value, path)
    else:
        yield from _invalid_value(value, path)


def _invalid_key(key: object, path: str) -> Iterator[tuple[str, str]]:
    try:
        _key_text(key, path).encode()
    except UnicodeEncodeError:
        yield path, "a key contains a lone surrogate"
    except (OutputError, ValueError):
        yield path, f"a key of type {_type_name(key)} cannot be written as JSON"


def _invalid_value(value: object, path: str) -> Iterator[tuple[str, str]]:
    try:
        text = json.dumps(value, default=_to_json_type, ensure_ascii=False, allow_nan=False)
        text.encode()
    except UnicodeEncodeError:
        yield path, "the text contains a lone surrogate"
    except OutputError as error:
        yield path, str(error)
    except (TypeError, ValueError, RecursionError, OverflowError):
        if isinstance(value, float):
            yield path, f"{value} is not JSON"
        elif isinstance(value, (bytes, bytearray)):
            yield path, "the bytes are not UTF-8"
        else:
            yield path, f"a value of type {_type_name(value)} cannot be written as JSON"


def _type_name(value: object) -> str:
    """Return the name of a class, with its module if a builtin has the same name: numpy has a `bool`."""
    kind = type(value)
    name = kind.__qualname__
    return f"{kind.__module__}.{name}" if name in vars(builtins) and kind.__module__ != "builtins" else name


def _has_serializer(value: object) -> bool:
    return not isinstance(value, type) and hasattr(value, "__pydantic_serializer__")


def _invalid_fields(value: Any, path: str, above: tuple[int, ...]) -> Iterator[tuple[str, str]]:
    """Find the invalid part of a model or a pydantic dataclass: write its fields one by one."""
    kind = type(value)
    if getattr(kind, "__pydantic_root_model__", False):
        yield from _invalid_parts(value.root, path, above)
        return
    extra = getattr(value, "__pydantic_extra__", None) or {}
    for name in [*kind.__pydantic_fields__, *kind.__pydantic_decorators__.computed_fields, *extra]:
        written = _written_alone(value, name)
        if written is None:
            yield from _invalid_field(value, name, path, above)
        elif isinstance(written, dict):
            for key, item in written.items():
                yield from _invalid_parts(item, f"{path}.{name if len(written) == 1 else key}", above)
        else:  # a model whose serializer returns another type
            yield from _invalid_parts(written, path, above)
    yield from _invalid_value(value, path)


def _invalid_field(value: Any, name: str, path: str, above: tuple[int, ...]) -> Iterator[tuple[str, str]]:
    """Find the invalid part of a field: its value, or its serializer."""
    try:
        item = getattr(value, name, None)
    except Exception as error:  # noqa: BLE001 - a user's property may raise anything
        yield f"{path}.{name}", f"reading it raises {type(error).__name__}"
        return
    yield from _invalid_parts(item, f"{path}.{name}", above)
    if not type(value).__pydantic_decorators__.model_serializers:  # it writes all fields, and fails for each
        yield f"{path}.{name}", f"a value of type {_type_name(item)} is not written by its serializer"


def _written_alone(value: Any, name: str) -> Any:
    """Return the serialized form of one field of a model, or None if that fails."""
    try:
        return value.__pydantic_serializer__.to_python(value, mode="json", include={name}, fallback=_to_json_type)
    except Exception:  # noqa: BLE001 - a user's serializer may raise anything
        return None


def _fields_of(value: Any) -> dict[str, Any]:
    if isinstance(value, (type, Masked)):
        return {}
    if hasattr(type(value), "__dataclass_fields__"):
        return _dataclass_members(value)
    return _attrs_members(value) if hasattr(type(value), "__attrs_attrs__") else {}


def _largest_members(text: str) -> tuple[tuple[str, int], ...]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    sizes = [(key, len(_json_text(item).encode())) for key, item in document.items()]
    return tuple(sorted(sizes, key=lambda pair: -pair[1])[:_LARGEST_SHOWN])
