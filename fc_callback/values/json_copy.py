"""Copy any value into JSON types, with a bound on the size, also if the value's own methods raise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fc_callback.values.base import Value
from fc_callback.values.masked import Masked
from fc_callback.values.record_text import MOST_BITS, PASSING_THROUGH, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MASK = "***"

_DEEPEST = 10
_MOST_CHARACTERS = 128 * 1024  # of one value; each of its parts counts `_PART` and the length of its text
_PART = 16
_LOWEST, _HIGHEST = -1.7e308, 1.7e308
PLAIN_NUMBER = 10**7  # a smaller number has fewer digits than a secret has characters


def json_copy(value: Any, mask: Callable[[str], str], is_secret: Callable[[str], bool]) -> Any:
    """Return a copy of a value in JSON types, with secrets masked. It never raises.

    Mappings, sequences, sets, and the fields of attrs, dataclass and pydantic objects are copied member by member. Any other
    object becomes its text. A field that raises becomes the name of the exception's class.

    Args:
        value: The value.
        mask: Masks a text. It is called for each text and for each name of a member.
        is_secret: Returns whether the value with this name must be masked.
    """
    kind = type(value)
    if kind is str:
        return mask(value)
    if (kind is int or kind is float) and -PLAIN_NUMBER < value < PLAIN_NUMBER:
        return value
    return _Copy(mask, is_secret).of(value, 0)


def is_maskable(value: object) -> bool:
    """Return whether a value must be masked if its name is that of a secret: not None, and not a `Masked` value."""
    return value is not None and not issubclass(type(value), Masked)


class _Copy:
    """Copies one value, and counts the characters that are left."""

    def __init__(self, mask: Callable[[str], str], is_secret: Callable[[str], bool]) -> None:
        self._mask = mask
        self._is_secret = is_secret
        self._left = _MOST_CHARACTERS

    def of(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is str:
            self._left -= len(value)
            return self._mask(value) if self._left >= 0 else f"... ({len(value)} characters)"
        if value is None or kind is bool:
            return value
        if kind is int or kind is float:
            return self._of_number(value)
        self._left -= _PART
        if depth > _DEEPEST or self._left < 0:
            return "..."
        try:
            return self._of_object(value, kind, depth)
        except PASSING_THROUGH:
            raise
        except BaseException:  # noqa: BLE001 - a user's object may raise anything
            return self.of(text_of(value), depth)

    def _of_object(self, value: Any, kind: type, depth: int) -> Any:
        # The type decides, because the `__class__` of an object may be anything.
        if issubclass(kind, dict):
            return self._of_members(value.items(), depth)
        if issubclass(kind, (list, tuple, set, frozenset)):
            return [self.of(item, depth + 1) for item in self._bounded_items(value)]
        if hasattr(kind, "__members__"):  # an enum
            return self.of(value.value, depth)
        names = None if issubclass(kind, Masked) else _field_names(kind)
        if names is not None:
            return self._of_members(((name, _field_value(value, name)) for name in names), depth)
        return self.of(text_of(value), depth)

    def _of_members(self, members: Iterable[tuple[Any, Any]], depth: int) -> dict[str, Any]:
        copy: dict[str, Any] = {}
        for key, member in self._bounded_items(members):
            name = key if type(key) is str else text_of(key)
            hidden = self._is_secret(name) and is_maskable(member)
            copy[self._mask(name)] = MASK if hidden else self.of(member, depth + 1)
        return copy

    def _of_number(self, value: float) -> Any:
        if -PLAIN_NUMBER < value < PLAIN_NUMBER:
            return value
        if type(value) is int and value.bit_length() > MOST_BITS:
            return text_of(value)
        text = str(value)
        masked = self._mask(text)  # a secret may consist of digits
        if masked != text:
            return masked
        return value if type(value) is int or _LOWEST < value < _HIGHEST else text  # JSON has no NaN and no infinity

    def _bounded_items(self, items: Iterable[Any]) -> Iterator[Any]:
        """Yield items up to the bound. If the iteration raises, because the items changed for example, yield those before."""
        iterator = iter(items)
        while self._left >= _PART:
            self._left -= _PART
            try:
                item = next(iterator)
            except StopIteration:
                return
            except PASSING_THROUGH:
                raise
            except BaseException:  # noqa: BLE001
                return
            yield item


def _field_names(kind: type) -> Iterable[str] | None:
    """Return the names of the fields that an object's `repr` shows. None for a class without fields."""
    if issubclass(kind, Value):
        return kind.shown_fields()
    fields = getattr(kind, "__attrs_attrs__", None)
    if fields is not None:
        return tuple(field.name for field in fields if field.repr)
    fields = getattr(kind, "__dataclass_fields__", None)
    if fields is None:
        fields = getattr(kind, "model_fields", None)  # pydantic
    return tuple(name for name, field in fields.items() if field.repr) if isinstance(fields, dict) else None


def _field_value(value: object, name: str) -> Any:
    try:
        return getattr(value, name, None)
    except PASSING_THROUGH:
        raise
    except BaseException as error:  # noqa: BLE001 - the other fields are still copied
        return f"<{type(error).__name__}>"
