"""Types that people annotate a handler's event with."""

from __future__ import annotations

import dataclasses
import enum
import typing
import uuid
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, NamedTuple, NewType, TypeVar

import attrs
import pydantic
from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
)
from typing_extensions import NotRequired, Required, TypeAliasType, TypedDict

T = TypeVar("T")


class Color(enum.Enum):
    RED = "red"


class Model(BaseModel):
    id: int
    note: str = ""


class Forbidding(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: int


class Allowing(BaseModel):
    model_config = ConfigDict(extra="allow")
    id: int


class WithToken(BaseModel):
    id: int
    taskToken: str


class WithTokenAlias(BaseModel):
    id: int
    token: str = Field(alias="taskToken")


class WithTokenValidationAlias(BaseModel):
    id: int
    token: str = Field(validation_alias="taskToken")


class WithTokenChoices(BaseModel):
    id: int
    token: str = Field(validation_alias=AliasChoices("taskToken", AliasPath("task", "token")))


class WithTokenPath(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: int
    token: str = Field(validation_alias=AliasPath("taskToken"))


class WithTokenWritten(BaseModel):
    """A model that writes a field under the token's name, and reads none."""

    model_config = ConfigDict(extra="forbid")
    id: int
    token: str = Field(default="", serialization_alias="taskToken")


class WithTokenInside(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: int
    inner: WithToken | None = None


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    id: int
    ref: uuid.UUID
    at: datetime
    day: date
    color: Color
    pair: tuple[int, int]
    price: Decimal
    names: frozenset[str]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)
    id: int


class Deferred(BaseModel):
    model_config = ConfigDict(defer_build=True)
    id: int


class Tree(BaseModel):
    id: int
    children: list[Tree] = []


class Checked(BaseModel):
    id: int

    @pydantic.model_validator(mode="before")
    @classmethod
    def _whole(cls, data: Any) -> Any:
        assert "taskToken" not in data
        return data


class Generic_(BaseModel, Generic[T]):
    id: int
    content: T | None = None


class Cat(BaseModel):
    kind: typing.Literal["cat"]
    id: int


class Dog(BaseModel):
    kind: typing.Literal["dog"]
    id: int


class Pet(RootModel[Annotated[Cat | Dog, Field(discriminator="kind")]]):
    """A model whose root is an object."""


class Many(RootModel[list[int]]):
    """A model whose root is an array."""


class Texts(RootModel[dict[str, Any]]):
    """A model whose root is any object."""


@dataclasses.dataclass
class Data:
    id: int
    note: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class SlotsData:
    id: int
    notes: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(kw_only=True)
class KeywordData:
    id: int


@dataclasses.dataclass
class InitVarData:
    id: int
    factor: dataclasses.InitVar[int]
    product: int = dataclasses.field(init=False, default=0)

    def __post_init__(self, factor: int) -> None:
        self.product = self.id * factor


@dataclasses.dataclass
class GenericData(Generic[T]):
    id: int
    content: T


@pydantic.dataclasses.dataclass
class PydanticData:
    id: int


@dataclasses.dataclass
class DataWithToken:
    id: int
    taskToken: str


@attrs.frozen
class Line:
    sku: str
    count: int = 1


@attrs.define
class Attrs:
    id: int
    lines: list[Line] = attrs.Factory(list)


@attrs.frozen
class AliasedAttrs:
    number: int = attrs.field(alias="id")
    _hidden: str = ""


@attrs.define
class AttrsTree:
    id: int
    children: list[AttrsTree] = attrs.Factory(list)


@attrs.define
class AttrsWithToken:
    id: int
    taskToken: str


@attrs.define
class GenericAttrs(Generic[T]):
    id: int
    content: T


@attrs.define
class ConvertedAttrs:
    id: str = attrs.field(converter=str)


@attrs.define(init=False)
class OwnInitAttrs:
    """A class whose constructor has other arguments than its fields."""

    id: int

    def __init__(self, number: int) -> None:
        self.id = number


def numbered(name: str) -> int:
    return {"one": 1}[name]


@attrs.define
class LookedUpAttrs:
    """A class whose converters and checks raise what they like."""

    id: int = attrs.field(converter=numbered)
    price: Decimal = attrs.field(converter=Decimal, default=Decimal(0))

    def __attrs_post_init__(self) -> None:
        assert self.price >= 0, f"{self.price * 2} is twice the price"


@attrs.define
class AttrsWithModel:
    id: int
    model: Model | None = None
    tree: Tree | None = None


@dataclasses.dataclass
class DataWithAttrs:
    id: int
    lines: list[Line]
    alias: AliasedAttrs | None = None


class ModelWithAttrs(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    id: int
    line: Line | None = None


class TypedDictWithAttrs(TypedDict):
    id: int
    lines: list[Line]


class NamedTupleWithAttrs(NamedTuple):
    id: int
    line: Line


class Typed(TypedDict):
    id: int
    note: NotRequired[str]


class Untotal(TypedDict, total=False):
    id: Required[int]
    note: str


class TypedWithToken(TypedDict):
    id: int
    taskToken: str


class GenericTyped(TypedDict, Generic[T]):
    id: int
    content: T


class Tuple(NamedTuple):
    id: int
    note: str = ""


class Plain:
    """A class that nothing knows how to make."""


class ModelWithPlain(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    id: int
    thing: Plain


class ModelWithMaybePlain(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    id: int
    thing: Plain | None = None


class ModelWithCallable(BaseModel):
    id: int
    call: typing.Callable[[], int]


class Proto(typing.Protocol):
    id: int


def function(number: int) -> int:
    return number


def doubled(order: Model) -> Model:
    return order.model_copy(update={"id": order.id * 2})


def counted(payload: Any) -> Any:
    return {"keys": sorted(payload)}


Raw = NewType("Raw", bytes)
OrderId = NewType("OrderId", int)
NewModel = NewType("NewModel", Model)
RawAlias = TypeAliasType("RawAlias", bytes)
ModelAlias = TypeAliasType("ModelAlias", Model)
DictAlias = TypeAliasType("DictAlias", "dict[str, Any]")
MaybeAlias = TypeAliasType("MaybeAlias", "Model | None")
CheckedAlias = TypeAliasType("CheckedAlias", "Annotated[Model, AfterValidator(doubled)]")
GenericAlias_ = TypeAliasType("GenericAlias_", GenericData[T], type_params=(T,))
JsonAlias = TypeAliasType("JsonAlias", "dict[str, JsonAlias] | list[JsonAlias] | str | int | None")
BrokenAlias = TypeAliasType("BrokenAlias", "Missing")  # type: ignore[name-defined]  # noqa: F821
