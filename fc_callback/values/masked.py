"""`Masked`: the base class of values that contain a secret."""

from __future__ import annotations

from typing import Any, TypeVar

_S = TypeVar("_S", bound="Masked")


class Masked:
    """A value whose text forms, also in log records, are its `repr`. The subclass masks the secret in `repr`.

    Pickling gives this text instead of the value, so that a logging queue or a crash report contains no secret. Copying
    returns the value itself, which is immutable.
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
