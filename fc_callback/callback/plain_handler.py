"""A decorated handler that is not a callback task: the common part of `event_parser` and `idempotent`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar

from fc_callback.callback.coroutines import load_asyncio_for
from fc_callback.payload.arguments import PlainDelivery
from fc_callback.payload.signatures import bind
from fc_callback.values.invocation import context_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from fc_callback.payload.arguments import ArgumentBinding

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
S_co = TypeVar("S_co", covariant=True)

# Serves one event: gets the function with how to call it, and the event, and returns the result for FC.
Serve: TypeAlias = "Callable[[ArgumentBinding, PlainDelivery], S_co]"


class PlainHandler(Protocol, Generic[P, R_co, S_co]):
    """A handler that FC calls with the event and the context, and that returns an `S_co`.

    `__wrapped__` is the function as it was written, for unit tests: it has the parameters `P` and returns an `R_co`.
    """

    __name__: str
    __qualname__: str

    @property
    def __wrapped__(self) -> Callable[P, R_co]:
        """The plain function."""

    def __call__(self, event: Any, context: Any, **further: Any) -> S_co:
        """Serve an event; the function gets further arguments by name."""


def plain_handler(function: Callable[P, R_co], *, decorator: str, serve: Serve[S_co]) -> PlainHandler[P, R_co, S_co]:
    """Make a handler of a function whose annotations choose its arguments.

    Args:
        function: The function.
        decorator: The decorator's name, for errors.
        serve: Serves each event.

    Raises:
        TypeError: The function cannot be a handler, or an annotation cannot be served.
    """
    plain: Callable[..., Any] = function
    binding = bind(plain, decorator=decorator)
    load_asyncio_for(plain)

    def serve_call(bound: tuple[Any, ...], event: Any, raw_context: Any, further: dict[str, Any]) -> Any:
        context = context_of(raw_context)
        delivery = PlainDelivery(event=event, raw_context=raw_context, context=context, bound=bound, further=further)
        return serve(binding, delivery)

    handler: PlainHandler[P, R_co, S_co] = binding.handler(serve_call, returns=Any)
    return handler
