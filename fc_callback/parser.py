"""Typed events for plain handlers: the same payload forms as `task_callback`, without a task.

@event_parser
def handler(order: Order, context: FcContext):
    return {"statusCode": 200}
"""

from __future__ import annotations

import functools
import inspect
import sys
from typing import TYPE_CHECKING, Any, TypeVar

from fc_callback import validators
from fc_callback.context import FcContext
from fc_callback.coroutines import load_asyncio_for, run_to_end
from fc_callback.errors import PayloadInvalid
from fc_callback.forms import Delivery, form_of
from fc_callback.invocation import begin, current_invocation, is_of
from fc_callback.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

_AS_FC_ENCODES = (bytes, str, int, float, dict, list, type(None))


def event_parser(function: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """Let a handler's annotations choose the form of its event.

    No annotation or `bytes`: what FC delivered. `dict`: the JSON object. A pydantic model, dataclass, attrs class or
    TypedDict: the object, validated. A class of `fc_callback.events`: the event in that trigger's shape. `FcContext`: the
    typed context. An `async def` function is run to its end.

    What it returns goes to FC as it is; pydantic models, dataclasses and attrs objects go as their JSON.

    Raises:
        TypeError: An annotation asks for what cannot be given, a `Task` for one.

    The handler raises:
        PayloadInvalid: The event does not have the shape. Only reading the event raises it: what the function itself
            raises, a `ValidationError` of its own among it, passes through as it is.
    """
    if not callable(function):
        raise TypeError(f"event_parser decorates functions, not {validators.kind_of(function)}.")
    for parameter in inspect.signature(function).parameters.values():
        if parameter.annotation is Task or parameter.annotation == "Task":
            raise TypeError(f"{function.__qualname__} asks for a Task, which only task_callback has to give.")
    form = form_of(function)
    load_asyncio_for(function)
    read_payload = _reader()

    @functools.wraps(function)
    def handler(*arguments: Any) -> Any:
        *bound, event, raw_context = arguments
        outer = current_invocation()
        known = outer is not None and not outer.ended and is_of(outer, raw_context)
        context = outer.context if outer is not None and known else FcContext.read(raw_context)
        with begin(context, event):
            payload = read_payload(event)
            delivery = Delivery(event=event, raw_context=raw_context, context=context, payload=payload)
            positional, named = form.arguments(delivery)
            result = function(*bound, *positional, **named)
            if hasattr(result, "__await__"):
                result = run_to_end(result)
            return _for_fc(result)

    handler.__annotations__ = {"event": bytes, "context": Any, "return": Any}
    return handler


def parse(event: Any, kind: type[T]) -> T:
    """Read an event as one type.

    Args:
        event: What FC delivered, bytes or text; or what that decodes to.
        kind: A pydantic model, dataclass, attrs class or TypedDict, for the event's JSON object; or a class of
            `fc_callback.events`, for the event in its trigger's shape.

    Raises:
        PayloadInvalid: The event does not have the shape.
        TypeError: The type cannot be read from JSON.
    """
    read = getattr(kind, "parse", None)
    if read is not None and any(base.__module__.startswith("fc_callback.events") for base in kind.__mro__):
        typed: T = read(event)
        return typed
    payload = payload_of(event)
    if payload is None:
        raise PayloadInvalid("The event is not a JSON object.", problems=(("$", "not a JSON object"),))
    value: T = _validator(kind)(payload)  # type: ignore[arg-type]  # every class is hashable
    return value


@functools.lru_cache(maxsize=128)
def _validator(kind: Any) -> Callable[[Mapping[str, Any]], Any]:
    from fc_callback.payloads import validator_for

    return validator_for(kind, f"parse(event, {getattr(kind, '__name__', kind)})")


def _reader() -> Callable[[Any], Mapping[str, Any] | None]:
    """Return what reads payloads: pydantic's parser, three times as fast, where a model has loaded it anyway."""
    if "pydantic_core" not in sys.modules:
        return payload_of
    from fc_callback.payloads import object_reader

    return object_reader(otherwise=payload_of)


def payload_of(event: Any) -> Mapping[str, Any] | None:
    """Return the JSON object that an event is; None where it is something else."""
    from fc_callback.decoding import NotJson, read_json

    try:
        decoded = read_json(event) if isinstance(event, (bytes, bytearray, str)) else event
    except NotJson:
        return None
    return decoded if isinstance(decoded, dict) else None


def _for_fc(result: Any) -> Any:
    if isinstance(result, _AS_FC_ENCODES):
        return result
    from fc_callback.output import encode_output

    return encode_output(result)
