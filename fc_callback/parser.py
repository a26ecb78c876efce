"""Typed events for plain handlers: annotations choose the form of the event, as with `task_callback`, without a task.

@event_parser
def handler(order: Order, context: FcContext):
    return {"statusCode": 200}
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from fc_callback.callback.plain_handler import plain_handler
from fc_callback.callback.run_and_record import call_function
from fc_callback.payload.arguments import decoded_event, required_object
from fc_callback.payload.output import encode_output
from fc_callback.values.invocation import invocation_scope
from fc_callback.values.task import Deferred

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.callback.plain_handler import PlainHandler
    from fc_callback.payload.arguments import ArgumentBinding, PlainDelivery
    from fc_callback.payload.models import Model

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")

_AS_FC_ENCODES = (bytes, str, int, float, dict, list, type(None))


def event_parser(function: Callable[P, R_co]) -> PlainHandler[P, R_co, Any]:
    """Let a handler's annotations choose the form of its event.

    No annotation or `bytes`: the event as FC delivered it. `dict`: its JSON object. A pydantic model, dataclass, attrs
    class, TypedDict or NamedTuple: the object, validated as JSON. A class of `fc_callback.events`: the event in that
    trigger's shape. `FcContext`: the typed context. An `async def` function is awaited. Below `task_callback` the object is
    the running task's payload, without the task token.

    FC gets the function's result unchanged. A pydantic model, dataclass or attrs object becomes its JSON.

    Raises:
        TypeError: An annotation asks for a value that cannot be given, such as a `Task`.

    The handler raises:
        PayloadInvalid: The event does not have the shape. Only reading the event raises it: an exception of the function,
            such as its own `ValidationError`, passes through unchanged.
    """
    return plain_handler(function, decorator="event_parser", serve=_serve)


def parse(event: Any, kind: type[T]) -> T:
    """Read an event as one type.

    Args:
        event: The event as FC delivered it, bytes or text; or the decoded event.
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
    value: T = _model(kind).read(required_object(decoded_event(event)))  # type: ignore[arg-type]  # every class is hashable
    return value


def _serve(binding: ArgumentBinding, delivery: PlainDelivery) -> Any:
    with invocation_scope(delivery.context, delivery.event):
        return _for_fc(call_function(binding, delivery))


@functools.lru_cache(maxsize=128)
def _model(kind: Any) -> Model:
    from fc_callback.payload.models import Model

    return Model(kind, where=f"parse(event, {getattr(kind, '__name__', kind)})")


def _for_fc(result: Any) -> Any:
    if isinstance(result, (*_AS_FC_ENCODES, Deferred)):  # a Deferred is for the task_callback above
        return result
    return str(encode_output(result))
