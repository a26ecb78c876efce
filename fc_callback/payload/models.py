"""The one gate for what comes in: a payload or an event becomes the type that a function asks for, or `PayloadInvalid`.

Values are validated as JSON, never as Python objects: a strict model takes a UUID or a date from its text, as JSON has
no other form of one.
"""

from __future__ import annotations

from inspect import isfunction
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError
from pydantic_core import SchemaValidator, to_json

from fc_callback.errors import HandlerInvalid, PayloadInvalid
from fc_callback.payload.arguments import written
from fc_callback.payload.problems import payload_invalid
from fc_callback.payload.schemas import accepts_object, declared_keys, instance_classes

if TYPE_CHECKING:
    from pydantic_core import CoreSchema

    from fc_callback.payload.arguments import Resolver

_NO_PAYLOADS = (bytearray, memoryview, BaseModel)  # a model without fields holds nothing
_HINT = "Compare the step's input in the flow's definition with the type in the function's annotation."


class Model:
    """A type as which payloads are validated.

    Args:
        kind: A pydantic model, dataclass, attrs class, TypedDict, NamedTuple, or another type that pydantic knows; an
            alias, a union or an `Annotated` of these.
        where: The parameter, for errors.

    Attributes:
        name: The type's name.
        declared: The keys under which the type's own fields are read, at its top level.
        takes_objects: Whether a JSON object can ever be one.

    Raises:
        HandlerInvalid: Pydantic cannot validate it.
    """

    def __init__(self, kind: Any, *, where: str) -> None:
        self.name = written(kind)
        try:
            schema, self._validator = _built(kind)
            self.takes_objects = accepts_object(schema)
            self.declared = declared_keys(schema)
        except Exception as error:
            raise HandlerInvalid(
                f"The annotation of {where} cannot be served: {self.name} is nothing that pydantic can validate "
                f"({str(error).splitlines()[0] if str(error) else type(error).__name__}). Use bytes for the event as it came, "
                "dict for the payload, a pydantic model, dataclass, attrs class or TypedDict for the payload validated, or a "
                "class of fc_callback.events."
            ) from error

    def read(self, value: Any, *, subject: str = "The payload", hint: str | None = _HINT, is_json: bool = True) -> Any:
        """Validate a decoded JSON value.

        Args:
            value: The value. What is no JSON (a date, in a test) is taken as the JSON that pydantic writes for it.
            subject: What is validated, for errors.
            hint: What the person can do.
            is_json: False for a value of a format that has more types than JSON: it is validated as it is.

        Raises:
            PayloadInvalid: It does not fit.
        """
        text = json_bytes(value, subject=subject) if is_json else b""
        try:
            return self._validator.validate_json(text) if is_json else self._validator.validate_python(value)
        except ValidationError as error:
            problem = payload_invalid(error, name=self.name, subject=subject, hint=hint)
        # Outside of the handler: pydantic's own error carries the values.
        raise problem


def payload_reader(kind: Any, *, where: str) -> Resolver:
    """Return what makes the payload into `kind`.

    Raises:
        HandlerInvalid: No payload can be one.
    """
    model = None if kind in _NO_PAYLOADS or isfunction(kind) else Model(kind, where=where)
    if model is None or not model.takes_objects:
        raise HandlerInvalid(
            f"The annotation of {where} cannot be served: the payload is a JSON object, and never a {written(kind)}. Use "
            "bytes for the event as it came, dict for the payload, or a model of it."
        )
    declared = model.declared

    def read(one: Any) -> Any:
        payload = one.required_payload()
        kept = [key for key in one.token_keys if key in declared] if declared else ()
        return model.read({**payload, **dict.fromkeys(kept, one.token)} if kept else payload)

    return read


def event_reader(event_class: Any, kind: Any, *, where: str) -> Resolver:
    """Return what makes the event into a class of `fc_callback.events`, with what `Annotated` puts around it.

    Raises:
        HandlerInvalid: Pydantic cannot validate it.
    """
    model = Model(kind, where=where)  # builds the class, or says why it cannot be built
    event_class.check()
    if kind is event_class:
        return lambda one: event_class.parse_without(one.event, one.token)
    return lambda one: event_class.parse_without(one.event, one.token, model=model)


def json_bytes(value: Any, *, subject: str = "The payload") -> bytes:
    """Write a value as JSON.

    Raises:
        PayloadInvalid: It is no JSON: a text holds a lone surrogate, say, or it is nested too deeply.
    """
    try:
        return to_json(value)
    except (ValueError, TypeError, RecursionError) as error:
        reason = _why_not_json(error)
    raise PayloadInvalid(f"{subject} cannot be read as JSON: {reason}.", problems=(("$", reason),))


def _why_not_json(error: Exception) -> str:
    words = str(error)
    if "surrogate" in words:
        return "a text in it holds a lone surrogate, which is no character"
    if isinstance(error, RecursionError) or "depth" in words or "ircular" in words:
        return "it is nested too deeply"
    return "a value in it is not JSON"


def _built(kind: Any) -> tuple[CoreSchema, SchemaValidator]:
    """Build a type's schema, with attrs classes in it, and what validates with it."""
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(kind)
    except PydanticSchemaGenerationError:
        # An attrs class in it is the usual reason: pydantic knows none.
        from fc_callback.payload.attrs_classes import schema_with_arbitrary_types

        schema = schema_with_arbitrary_types(kind)
    else:
        schema = adapter.core_schema
        schema["type"]  # builds what `defer_build` has put off
        if not any(map(_is_attrs, instance_classes(schema))):
            return schema, _complete(adapter)
    from fc_callback.payload.attrs_classes import with_attrs_classes

    schema = with_attrs_classes(schema)
    return schema, SchemaValidator(schema)


def _complete(adapter: TypeAdapter[Any]) -> SchemaValidator:
    """Return an adapter's validator, built even where the type puts that off until the first use."""
    validate: Any = adapter.validator.validate_json
    validator: SchemaValidator = validate.__self__
    return validator


def _is_attrs(kind: Any) -> bool:
    return hasattr(kind, "__attrs_attrs__")
