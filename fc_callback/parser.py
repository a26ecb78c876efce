"""Typed events for plain handlers: the same payload forms as `task_callback`, without a task.

@event_parser
def handler(order: Order, context: FcContext):
    return {"statusCode": 200}
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar

from fc_callback.callback.coroutines import load_asyncio_for
from fc_callback.callback.run_and_record import call_function
from fc_callback.payload.arguments import PlainDelivery, decoded_event, required_object
from fc_callback.payload.signatures import HANDLER_MARK, bind
from fc_callback.values.invocation import invocation_scope
from fc_callback.values.task import Deferred

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.payload.models import Model

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")

_AS_FC_ENCODES = (bytes, str, int, float, dict, list, type(None))


class ParsedHandler(Protocol, Generic[P, R_co]):
    """A handler made by `event_parser`: called by FC with the event and the context.

    `__wrapped__` is the function as it was written, for unit tests.
    """

    __name__: str
    __qualname__: str

    @property
    def __wrapped__(self) -> Callable[P, R_co]:
        """The plain function."""

    def __call__(self, event: Any, context: Any, **further: Any) -> Any:
        """Serve an event; further arguments, by name, go to the function."""


def event_parser(function: Callable[P, R_co]) -> ParsedHandler[P, R_co]:
    """Let a handler's annotations choose the form of its event.

    No annotation or `bytes`: what FC delivered. `dict`: the JSON object. A pydantic model, dataclass, attrs class,
    TypedDict or NamedTuple: the object, validated as JSON. A class of `fc_callback.events`: the event in that trigger's
    shape. `FcContext`: the typed context. An `async def` function is run to its end. Below `task_callback` the object is
    the running task's payload, without the task token.

    What it returns goes to FC as it is; pydantic models, dataclasses and attrs objects go as their JSON.

    Raises:
        TypeError: An annotation asks for what cannot be given, a `Task` for one.

    The handler raises:
        PayloadInvalid: The event does not have the shape. Only reading the event raises it: what the function itself
            raises, a `ValidationError` of its own among it, passes through as it is.
    """
    plain: Callable[..., Any] = function
    binding = bind(plain, decorator="event_parser")
    load_asyncio_for(plain)

    @functools.wraps(plain)
    def handler(*arguments: Any, **named: Any) -> Any:
        bound, event, raw_context = binding.taken_apart(arguments, named)
        with invocation_scope(raw_context, event) as invocation:
            delivery = PlainDelivery(
                event=event, raw_context=raw_context, context=invocation.context, bound=bound, further=named
            )
            return _for_fc(call_function(binding, delivery))

    handler.__annotations__ = {"event": bytes, "context": Any, "return": Any}
    setattr(handler, HANDLER_MARK, True)
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
    value: T = _model(kind).read(required_object(decoded_event(event)))  # type: ignore[arg-type]  # every class is hashable
    return value


@functools.lru_cache(maxsize=128)
def _model(kind: Any) -> Model:
    from fc_callback.payload.models import Model

    return Model(kind, where=f"parse(event, {getattr(kind, '__name__', kind)})")


def _for_fc(result: Any) -> Any:
    if isinstance(result, (*_AS_FC_ENCODES, Deferred)):  # what was deferred is for the task_callback above
        return result
    from fc_callback.payload.output import encode_output

    return str(encode_output(result))
