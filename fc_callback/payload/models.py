"""Validate a payload or an event as the type that a function asks for. This is the only validation of input.

Values are validated as JSON, never as Python objects: a strict model accepts a UUID or a date as text, which is its only form
in JSON.
"""

from __future__ import annotations

from inspect import isfunction
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError
from pydantic_core import SchemaValidator, to_json

from fc_callback.errors import HandlerInvalid, PayloadInvalid
from fc_callback.payload.arguments import type_text
from fc_callback.payload.problems import payload_invalid
from fc_callback.payload.schemas import accepts_object, declared_keys, instance_classes

if TYPE_CHECKING:
    from pydantic_core import CoreSchema

    from fc_callback.payload.arguments import Resolver

# The mark of a resolver that validates the payload: its type, for checks before a deployment.
PAYLOAD_TYPE_MARK = "__payload_type__"
_NO_PAYLOADS = (bytearray, memoryview, BaseModel)  # a model without fields has no data
_HINT = "Compare the step's input in the flow's definition with the type in the function's annotation."


class Model:
    """Validates payloads as one type.

    Args:
        kind: A pydantic model, dataclass, attrs class, TypedDict, NamedTuple, or another type that pydantic knows. Also an
            alias, a union or an `Annotated` of these.
        where: The parameter, for errors.

    Attributes:
        name: The name of the type.
        declared: The keys of the type's own fields at its top level.
        takes_objects: Whether the type accepts a JSON object.

    Raises:
        HandlerInvalid: Pydantic cannot validate the type.
    """

    def __init__(self, kind: Any, *, where: str) -> None:
        self.name = type_text(kind)
        try:
            schema, self._validator = schema_and_validator(kind)
            self.takes_objects = accepts_object(schema)
            self.declared = declared_keys(schema)
        except Exception as error:
            raise HandlerInvalid(
                f"The annotation of {where} cannot be served: pydantic cannot validate {self.name} "
                f"({str(error).splitlines()[0] if str(error) else type(error).__name__}). Use bytes for the unchanged event, "
                "dict for the payload, a pydantic model, dataclass, attrs class or TypedDict for the validated payload, or a "
                "class of fc_callback.events."
            ) from error

    def read(self, value: Any, *, subject: str = "The payload", hint: str | None = _HINT, is_json: bool = True) -> Any:
        """Validate a decoded JSON value.

        Args:
            value: The value. A Python object that is not JSON (a date in a test) is converted to pydantic's JSON for it.
            subject: The validated data, for errors.
            hint: What to do next.
            is_json: False for a value of a format with more types than JSON. It is validated as a Python object.

        Raises:
            PayloadInvalid: The value does not have the shape of the type.
        """
        text = json_bytes(value, subject=subject) if is_json else b""
        try:
            return self._validator.validate_json(text) if is_json else self._validator.validate_python(value)
        except ValidationError as error:
            problem = payload_invalid(error, name=self.name, subject=subject, hint=hint)
        # Outside of the except block, because pydantic's own error contains the values.
        raise problem


def payload_reader(kind: Any, *, where: str) -> Resolver:
    """Return a function that validates the payload as `kind`.

    Raises:
        HandlerInvalid: No payload can have this type.
    """
    model = None if kind in _NO_PAYLOADS or isfunction(kind) else Model(kind, where=where)
    if model is None or not model.takes_objects:
        raise HandlerInvalid(
            f"The annotation of {where} cannot be served: the payload is a JSON object, which {type_text(kind)} is not. Use "
            "bytes for the unchanged event, dict for the payload, or a model of it."
        )
    declared = model.declared

    def read(one: Any) -> Any:
        payload = one.required_payload()
        kept = [key for key in one.token_keys if key in declared] if declared else ()
        return model.read({**payload, **dict.fromkeys(kept, one.token)} if kept else payload)

    setattr(read, PAYLOAD_TYPE_MARK, kind)
    return read


def event_reader(event_class: Any, kind: Any, *, where: str) -> Resolver:
    """Return a function that reads the event as a class of `fc_callback.events`, also inside `Annotated`.

    Raises:
        HandlerInvalid: Pydantic cannot validate the type.
    """
    model = Model(kind, where=where)  # builds the class, or raises the reason why it cannot be built
    event_class.check()
    if kind is event_class:
        return lambda one: event_class.parse_without(one.event, one.token)
    return lambda one: event_class.parse_without(one.event, one.token, model=model)


def json_bytes(value: Any, *, subject: str = "The payload") -> bytes:
    """Write a value as JSON.

    Raises:
        PayloadInvalid: It is not JSON, for example because a text contains a lone surrogate, or it is nested too deeply.
    """
    try:
        return to_json(value)
    except (ValueError, TypeError, RecursionError) as error:
        reason = _why_not_json(error)
    raise PayloadInvalid(f"{subject} cannot be read as JSON: {reason}.", problems=(("$", reason),))


def _why_not_json(error: Exception) -> str:
    words = str(error)
    if "surrogate" in words:
        return "a text in it contains a lone surrogate, which is not a character"
    if isinstance(error, RecursionError) or "depth" in words or "ircular" in words:
        return "it is nested too deeply"
    return "a value in it is not JSON"


def schema_and_validator(kind: Any) -> tuple[CoreSchema, SchemaValidator]:
    """Build the schema and the validator of a type, which may contain attrs classes."""
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(kind)
    except PydanticSchemaGenerationError:
        # The usual reason is an attrs class, which pydantic does not know.
        from fc_callback.payload.attrs_classes import schema_with_arbitrary_types

        schema = schema_with_arbitrary_types(kind)
    else:
        schema = adapter.core_schema
        schema["type"]  # builds the schema if `defer_build` has delayed it
        if not any(map(_is_attrs, instance_classes(schema))):
            return schema, _validator_of(adapter)
    from fc_callback.payload.attrs_classes import with_attrs_classes

    schema = with_attrs_classes(schema)
    return schema, SchemaValidator(schema)


def _validator_of(adapter: TypeAdapter[Any]) -> SchemaValidator:
    """Return an adapter's validator, also if the type delays it until the first use."""
    validate: Any = adapter.validator.validate_json
    validator: SchemaValidator = validate.__self__
    return validator


def _is_attrs(kind: Any) -> bool:
    return hasattr(kind, "__attrs_attrs__")
