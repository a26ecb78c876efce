"""`Value`: the base class of the values that every invocation uses.

It does the same as `attrs.frozen(kw_only=True)`. Loading attrs and `inspect`, and generating the code of each class, would be a
seventh of the time in which a new instance delivers its first report. Helpers that are not always loaded use attrs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

if TYPE_CHECKING:
    from inspect import Signature

    from typing_extensions import Self, dataclass_transform
else:

    def dataclass_transform(**_options: object) -> Any:
        """Do nothing at run time: only type checkers use it."""
        return lambda cls: cls


_set_attribute = object.__setattr__


class _FieldsSignature:
    """The signature of a class of values for `inspect.signature`, `help` and editors: its fields as keyword arguments.

    It is built on demand, because a cold start does not load `inspect`.
    """

    def __get__(self, instance: Value | None, owner: type[Value]) -> Signature:
        if instance is not None or owner.__init__ is not Value.__init__:
            raise AttributeError("__signature__")  # an instance, or a class with its own __init__
        from inspect import Parameter, Signature

        annotations = {name: kind for base in reversed(owner.__mro__) for name, kind in _annotations_of(base).items()}
        return Signature(
            [
                Parameter(
                    name,
                    Parameter.KEYWORD_ONLY,
                    default=owner._defaults.get(name, Parameter.empty),  # noqa: SLF001 - a part of Value
                    annotation=kind,
                )
                for name, kind in annotations.items()
                if name in owner._fields
            ]
        )


def _annotations_of(cls: type) -> dict[str, Any]:
    return getattr(cls, "__annotations__", {}) if issubclass(cls, Value) else {}


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Value:
    """An immutable value. Its annotations are its fields, which are given by name, compared, and shown in `repr`.

    Args:
        hidden: A class argument: the fields that `repr` does not show.
    """

    _fields: ClassVar[frozenset[str]] = frozenset()
    _defaults: ClassVar[dict[str, Any]] = {}
    _shown: ClassVar[tuple[str, ...]] = ()
    _is_checked: ClassVar[bool] = False

    __signature__ = _FieldsSignature()

    @classmethod
    def shown_fields(cls) -> tuple[str, ...]:
        """Return the names of the fields that `repr` shows."""
        return cls._shown

    def __init_subclass__(cls, *, hidden: tuple[str, ...] = ()) -> None:
        own = [name for name in cls.__annotations__ if not name.startswith("_")]
        cls._fields = cls._fields.union(own)
        cls._defaults = {**cls._defaults, **{name: cls.__dict__[name] for name in own if name in cls.__dict__}}
        cls._is_checked = cls.__post_init__ is not Value.__post_init__
        cls._shown = (*cls._shown, *(name for name in own if name not in hidden))

    def __init__(self, **given: Any) -> None:
        names = self._fields
        if len(given) != len(names):
            given = {**self._defaults, **given}
        if len(given) != len(names) or not names.issuperset(given):
            self._refuse_fields(given)
        _set_attribute(self, "__dict__", given)  # the dict of the keyword arguments belongs to this call alone
        if self._is_checked:
            self.__post_init__()

    def __post_init__(self) -> None:
        """Check the fields, or set fields that were not given, through `vars(self)`."""

    @classmethod
    def _refuse_fields(cls, fields: dict[str, Any]) -> NoReturn:
        unknown, missing = fields.keys() - cls._fields, cls._fields - fields.keys() - cls._defaults.keys()
        words = [f"does not know {', '.join(sorted(unknown))}"] if unknown else []
        words += [f"needs {', '.join(sorted(missing))}"] if missing else []
        raise TypeError(f"{cls.__name__} {' and '.join(words)}.")

    def evolve(self, **changes: Any) -> Self:
        """Return the value with some of its fields changed."""
        fields = vars(self)
        return type(self)(**{**{name: fields[name] for name in self._fields}, **changes})

    __replace__ = evolve  # copy.replace calls it, from Python 3.13 on

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"A {type(self).__name__} is immutable. Use evolve({name}=...), which returns a changed copy."
        )

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"A {type(self).__name__} is immutable: {name} cannot be deleted.")

    def _compared(self) -> tuple[object, ...]:
        fields = vars(self)
        return tuple(fields[name] for name in sorted(self._fields))

    def __eq__(self, other: object) -> bool:
        return self._compared() == other._compared() if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), self._compared()))

    def __repr__(self) -> str:
        fields = vars(self)
        return f"{type(self).__name__}({', '.join(f'{name}={fields[name]!r}' for name in self._shown)})"
