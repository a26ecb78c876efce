"""Text that must not be seen: a base for values that hold a secret."""

from __future__ import annotations

from typing import Any, TypeVar

_S = TypeVar("_S", bound="Masked")


class Masked:
    """A value whose text forms, copies in log records included, are its `repr`, and whose `repr` is masked.

    Pickling gives that text and not the value: what a logging queue or a crash report serialises holds no secret.
    Copying gives the value itself, which is immutable.
    """

    __slots__ = ()

    def __str__(self) -> str:
        return repr(self)

    def __format__(self, format_spec: str) -> str:
        return format(repr(self), format_spec)

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (repr(self),)

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        return self.__reduce__()

    def __copy__(self: _S) -> _S:
        return self

    def __deepcopy__(self: _S, memo: dict[int, Any]) -> _S:
        return self
