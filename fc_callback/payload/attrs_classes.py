"""Add attrs classes to pydantic's schemas. Pydantic does not know attrs classes and would only accept an instance."""

from __future__ import annotations

from inspect import signature
from types import GenericAlias
from typing import Any, TypeVar, cast, get_args
from warnings import catch_warnings, filterwarnings

import attrs
from pydantic import ConfigDict, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError
from pydantic_core import CoreSchema, core_schema

from fc_callback.payload.schemas import NO_SCHEMAS, instance_classes

# Exceptions of a class's own code for an invalid value: ArithmeticError of a converter like Decimal, KeyError of a dict, etc.
_REFUSALS = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


def schema_with_arbitrary_types(kind: Any) -> CoreSchema:
    """Return a type's core schema. It requires an instance of each class that pydantic does not know.

    Raises:
        PydanticSchemaGenerationError: One of these classes is not an attrs class.
        TypeError: A part of it is not a type, for example the function `any`.
    """
    with catch_warnings():
        # Pydantic only warns about an object that is not a type, and then accepts any value for it.
        filterwarnings("error", ".* is not a Python type", UserWarning)
        try:
            # In a tuple, because pydantic does not accept a configuration for a model or a dataclass itself.
            adapter: TypeAdapter[Any] = TypeAdapter(
                cast("Any", GenericAlias(tuple, (kind,))), config=ConfigDict(arbitrary_types_allowed=True)
            )
        except UserWarning as warning:
            what = str(warning).partition(" is not a Python type")[0]
            raise TypeError(f"{what} is not the type of a value; for any value, it is typing.Any") from None
    schema: Any = adapter.core_schema
    for cls in instance_classes(schema):
        if not attrs.has(cls):
            TypeAdapter(cls)  # raises the error, unless pydantic knows the class
    if schema["type"] == "definitions":
        return {**schema, "schema": schema["schema"]["items_schema"][0]}
    inner: CoreSchema = schema["items_schema"][0]
    return inner


def with_attrs_classes(schema: CoreSchema) -> Any:
    """Return a schema that creates attrs classes from JSON objects.

    Raises:
        TypeError: An attrs class is at a place where this is not possible.
    """
    completion = _AttrsClasses()
    completed = completion.of(schema)
    if not completion.definitions:
        return completed
    return core_schema.definitions_schema(completed, list(completion.definitions.values()))


class _AttrsClasses:
    """Replaces the `is-instance` schema of each attrs class in a schema by a definition of the class."""

    def __init__(self) -> None:
        self.definitions: dict[str, Any] = {}

    def of(self, node: Any, inside: str = "") -> Any:
        if isinstance(node, (list, tuple)):
            return type(node)(self.of(one, inside) for one in node)
        if not isinstance(node, dict):
            return node
        kind = node.get("type")
        if not isinstance(kind, str):
            return {key: self.of(one, inside) for key, one in node.items()}
        if kind == "definitions":
            for one in node["definitions"]:
                self.definitions[one["ref"]] = {**self.of(one, inside), "ref": one["ref"]}
            return self.of(node["schema"], inside)
        cls = node.get("cls")
        if kind == "is-instance" and isinstance(cls, type) and attrs.has(cls):
            if inside:
                raise TypeError(
                    f"the attrs class {cls.__name__} in the pydantic class {inside} is only accepted as an instance; "
                    "make both attrs classes or both pydantic classes"
                )
            return self._reference(cls)
        if kind in {"model", "dataclass"} and "__pydantic_validator__" in vars(cls):
            inside = getattr(cls, "__name__", kind)  # its own validator, which was built with the class, validates it
        # A schema that is used once needs no name, and two schemas must not have the same name.
        return {key: one if key in NO_SCHEMAS else self.of(one, inside) for key, one in node.items() if key != "ref"}

    def _reference(self, cls: type[Any]) -> CoreSchema:
        ref = f"{cls.__module__}.{cls.__qualname__}:{id(cls)}"
        if ref not in self.definitions:
            self.definitions[ref] = None  # in progress: the class may contain itself
            self.definitions[ref] = {**self._class_schema(cls), "ref": ref}
        return core_schema.definition_reference_schema(ref)

    def _class_schema(self, cls: type[Any]) -> CoreSchema:
        """Return a schema that creates an instance from an object whose keys are the constructor's arguments."""
        attrs.resolve_types(cls)
        fields = {
            field.alias: core_schema.typed_dict_field(
                self._field_schema(cls, field),
                # If a key is missing, the class sets its own default.
                required=field.default is attrs.NOTHING,
            )
            for field in attrs.fields(cls)
            if field.init
        }

        try:
            signature(cls).bind(**dict.fromkeys(fields))
        except TypeError:
            raise TypeError(f"the attrs class {cls.__name__} has an __init__ that does not accept its fields") from None

        def build(given: dict[str, Any]) -> Any:
            try:
                return cls(**given)
            except _REFUSALS as error:  # the class's own validators and converters, which quote values
                raise ValueError(f"{cls.__name__} does not accept the value ({type(error).__name__})") from None

        return core_schema.no_info_after_validator_function(build, core_schema.typed_dict_schema(fields))

    def _field_schema(self, cls: type[Any], field: Any) -> CoreSchema:
        if field.type is None or field.converter is not None:
            return core_schema.any_schema()
        if _has_type_variable(field.type):
            raise TypeError(f"the attrs class {cls.__name__} is generic; use a dataclass or a pydantic model")
        try:
            schema = TypeAdapter(field.type).core_schema
        except PydanticSchemaGenerationError:
            schema = schema_with_arbitrary_types(field.type)
        completed: CoreSchema = self.of(schema)
        return completed


def _has_type_variable(kind: Any) -> bool:
    return isinstance(kind, TypeVar) or any(map(_has_type_variable, get_args(kind)))
