"""Middleware: code that runs before and after a handler.

    @layers(invocation, timed)                # the first is the outermost
    def handler(event, context): ...

A layer gets the call and `call_next`, which runs the inner layers and the handler. `call_next` returns their result or raises
their exception. The return value of the layer is the result:

    def timed(call, call_next):
        began = time.perf_counter()
        try:
            return call_next(call)
        finally:
            log.info("Done", seconds=time.perf_counter() - began)

- `call_next(call.with_event(other))` passes on another event.
- A layer that returns without `call_next` skips the handler. `call_next` can be called once.
- A deferred task stays deferred: no layer can replace the result of `task.defer()`.

An `async def` handler needs `async def` layers, which await `call_next(call)`. `invocation`, and the layers that `before`,
`after` and `on_error` return, work with both kinds of handlers.
"""

from __future__ import annotations

import inspect
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, TypeAlias, TypeVar, cast, overload

from fc_callback.errors import HandlerInvalid, LayerError
from fc_callback.payload.annotations import check_function, name_of
from fc_callback.payload.signatures import instances_of
from fc_callback.values import validators
from fc_callback.values.base import Value
from fc_callback.values.context import FcContext
from fc_callback.values.functions import accepts, is_async
from fc_callback.values.invocation import current_invocation, invocation_scope, running_task
from fc_callback.values.task import Deferred
from fc_callback.values.tracebacks import hide_callers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fc_callback.values.task import Task

P = ParamSpec("P")
_Rest = ParamSpec("_Rest")
R = TypeVar("R")
_Owner = TypeVar("_Owner")

# Runs the inner layers and the handler. Around an `async def` handler, its result is awaited.
CallNext: TypeAlias = "Callable[[Call], Any]"
Layer: TypeAlias = "Callable[[Call, CallNext], Any]"

# The attribute of a layer that serves both kinds of handlers: the layer itself, and its form for `async def` handlers.
_FORMS = "__layer_forms__"


class Call(Value, hidden=("arguments", "named", "owner")):
    """One call of a handler, as its layers see it.

    Attributes:
        function: The handler below the layers.
        arguments: Its positional arguments. Below `task_callback`, they are what its annotations ask for.
        named: Its keyword arguments.
        owner: The instance in a tuple if the handler is a method. Else empty.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    named: Mapping[str, Any]
    owner: tuple[Any, ...] = ()

    @property
    def event(self) -> Any:
        """The handler's first argument."""
        return self.arguments[0] if self.arguments else self.named.get("event")

    @cached_property
    def context(self) -> FcContext:
        """FC's data about the invocation."""
        if (running := current_invocation()) is not None and not running.ended:
            return running.context
        return FcContext.read(self.arguments[1] if len(self.arguments) > 1 else self.named.get("context"))

    @property
    def task(self) -> Task | None:
        """The running task, below `task_callback`."""
        return running_task()

    def with_event(self, event: Any) -> Call:
        """Return the same call with another first argument."""
        if not self.arguments and "event" in self.named:
            return self.evolve(named={**self.named, "event": event})
        return self.evolve(arguments=(event, *self.arguments[1:]))


class LayeredHandler(Protocol, Generic[P, R]):
    """A handler with layers, called like the handler itself, which is its `__wrapped__`."""

    __name__: str
    __qualname__: str

    @property
    def __wrapped__(self) -> Callable[P, R]:
        """The handler below the layers."""

    def __call__(self, *arguments: P.args, **named: P.kwargs) -> R:
        """Call the layers."""

    @overload
    def __get__(self, owner: None, kind: Any = None, /) -> LayeredHandler[P, R]: ...
    @overload
    def __get__(
        self: LayeredHandler[Concatenate[_Owner, _Rest], R], owner: _Owner, kind: Any = None, /
    ) -> Callable[_Rest, R]: ...


def layers(*around: Layer) -> Callable[[Callable[P, R]], LayeredHandler[P, R]]:
    """Run middleware layers before and after a handler. The first layer is the outermost.

    The handler may be below or above `task_callback`, and may be a method or `async def`.

    Args:
        around: Functions with the parameters `call` and `call_next`.

    Raises:
        HandlerInvalid: An argument is not a layer, or only one of the layer and the handler is `async def`, or the decorated
            object cannot be a handler. For a static method, write `@staticmethod` above `@layers`.

    The decorated handler raises:
        LayerError: A layer called its `call_next` a second time.
    """
    for layer in around:
        _check_argument("layers", layer, "call", "call_next")

    def decorate(decorated: Callable[P, R]) -> LayeredHandler[P, R]:
        function: Callable[..., Any] = decorated
        check_function(function, decorator="layers")
        method = instances_of(function)
        chain = tuple(_form_for(function, layer) for layer in around)

        if is_async(function):

            @wraps(function)
            async def handler(*given: Any, **named: Any) -> Any:
                call = Call(function=function, arguments=given[method:], named=named, owner=given[:method])
                try:
                    return await _run_chain_async(chain, call)
                except BaseException as error:
                    hide_callers(error)
                    raise

        else:

            @wraps(function)
            def handler(*given: Any, **named: Any) -> Any:
                call = Call(function=function, arguments=given[method:], named=named, owner=given[:method])
                try:
                    return _run_chain(chain, call)
                except BaseException as error:
                    hide_callers(error)
                    raise

        handler.__layers__ = (*around, *layers_of(function))  # type: ignore[attr-defined]  # our own attribute
        return cast("LayeredHandler[P, R]", handler)

    return decorate


def layers_of(handler: Callable[..., Any]) -> tuple[Layer, ...]:
    """Return the layers around a handler, outermost first, also those above and below other decorators."""
    return getattr(handler, "__layers__", ())


def invocation(call: Call, call_next: CallNext) -> Any:
    """Begin an invocation for a plain handler. Its end removes the keys that the log bound. `task_callback` does this itself."""
    with invocation_scope(call.context, call.event):
        return call_next(call)


async def _async_invocation(call: Call, call_next: CallNext) -> Any:
    with invocation_scope(call.context, call.event):
        return await call_next(call)


setattr(invocation, _FORMS, (invocation, _async_invocation))


def before(function: Callable[[Call], Any]) -> Layer:
    """Make a layer of a function that runs before the handler. A `Call` that it returns is passed on instead.

    Raises:
        HandlerInvalid: The argument is not a plain function of a call.
    """
    _check_argument("before", function, "call")

    def layer(call: Call, call_next: CallNext) -> Any:
        changed = function(call)
        return call_next(call if changed is None else changed)

    async def async_layer(call: Call, call_next: CallNext) -> Any:
        return await layer(call, call_next)

    return _with_async_form(function, layer, async_layer)


def after(function: Callable[[Call, Any], Any]) -> Layer:
    """Make a layer of a function that gets the call and the result. Its return value replaces the result, unless it is None.

    It is not called for a deferred task, which has no result yet.

    Raises:
        HandlerInvalid: The argument is not a plain function of a call and a result.
    """
    _check_argument("after", function, "call", "result")

    def replaced(call: Call, result: Any) -> Any:
        instead = None if isinstance(result, Deferred) else function(call, result)
        return result if instead is None else instead

    def layer(call: Call, call_next: CallNext) -> Any:
        return replaced(call, call_next(call))

    async def async_layer(call: Call, call_next: CallNext) -> Any:
        return replaced(call, await call_next(call))

    return _with_async_form(function, layer, async_layer)


def on_error(function: Callable[[Call, Exception], Any]) -> Layer:
    """Make a layer of a function that gets the call and the exception of the handler or of an inner layer.

    Its return value is the result. If it returns None, the exception passes through.

    Raises:
        HandlerInvalid: The argument is not a plain function of a call and an error.
    """
    _check_argument("on_error", function, "call", "error")

    def layer(call: Call, call_next: CallNext) -> Any:
        try:
            return call_next(call)
        except Exception as error:
            if (instead := function(call, error)) is None:
                raise
            return instead

    async def async_layer(call: Call, call_next: CallNext) -> Any:
        try:
            return await call_next(call)
        except Exception as error:
            if (instead := function(call, error)) is None:
                raise
            return instead

    return _with_async_form(function, layer, async_layer)


class _CallNext:
    """The `call_next` of a chain's first layer, for one call. It runs the inner layers and the handler once."""

    __slots__ = ("_inner", "_is_called", "_layer", "_result")

    def __init__(self, chain: tuple[Layer, ...]) -> None:
        self._layer, self._inner = chain[0], chain[1:]
        self._is_called = False
        self._result: Any = None

    def __call__(self, call: Call) -> Any:
        self._begin(call)
        self._result = _run_chain(self._inner, call)
        return self._result

    def _begin(self, call: Call) -> None:
        if not isinstance(call, Call):
            raise HandlerInvalid(
                f"The layer {name_of(self._layer)} gives call_next {validators.kind_of(call)}. Give it the call, or what "
                "call.with_event(...) returns."
            )
        if self._is_called:
            raise LayerError(f"The layer {name_of(self._layer)} called call_next a second time.")
        self._is_called = True

    def final(self, result: Any) -> Any:
        """Return the layer's result. A deferred task keeps its own, because another process reports the task."""
        return self._result if isinstance(self._result, Deferred) else result


class _AsyncCallNext(_CallNext):
    """The `call_next` around an `async def` handler."""

    async def __call__(self, call: Call) -> Any:
        self._begin(call)
        self._result = await _run_chain_async(self._inner, call)
        return self._result


def _run_chain(chain: tuple[Layer, ...], call: Call) -> Any:
    if not chain:
        return call.function(*call.owner, *call.arguments, **call.named)
    call_next = _CallNext(chain)
    return call_next.final(chain[0](call, call_next))


async def _run_chain_async(chain: tuple[Layer, ...], call: Call) -> Any:
    if not chain:
        return await call.function(*call.owner, *call.arguments, **call.named)
    call_next = _AsyncCallNext(chain)
    return call_next.final(await chain[0](call, call_next))


def _with_async_form(function: Callable[..., Any], layer: Layer, async_layer: Layer) -> Layer:
    """Return a layer for both kinds of handlers, with the name of the function."""
    layer, async_layer = wraps(function)(layer), wraps(function)(async_layer)
    setattr(layer, _FORMS, (layer, async_layer))
    return layer


def _form_for(function: Callable[..., Any], layer: Layer) -> Layer:
    """Return the form of a layer for this handler. Raise a TypeError if the layer does not have this form."""
    wanted = is_async(function)
    form, async_form = getattr(layer, _FORMS, (layer, layer))
    # functools.wraps copies attributes, so a layer that wraps another one has the forms of that one.
    form = async_form if wanted and form is layer else layer
    if is_async(form) is not wanted:
        needed = "an async def function, and await call_next(call)" if wanted else "a plain function"
        raise HandlerInvalid(
            f"The layer {name_of(layer)} and the handler {name_of(function)}: one is async, the other is not. "
            f"Write the layer as {needed}."
        )
    return form


def _check_argument(name: str, function: Any, *gets: str) -> None:
    """Raise a TypeError if the argument is not a function of these parameters. Only `layers` accepts `async def`."""
    if not callable(function) or isinstance(function, type):
        given = validators.kind_of(function)
    elif inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        given = f"the generator function {name_of(function)}"
    elif name != "layers" and is_async(function):
        given = f"the async function {name_of(function)}"
    elif not accepts(function, len(gets)):
        given = f"{name_of(function)}, which cannot be called with ({', '.join(gets)})"
    else:
        return
    give = "Write code that awaits as a layer, async def layer(call, call_next)."
    if name == "layers":
        give = "For a function with other arguments, use before(function), after(function) or on_error(function)."
    raise HandlerInvalid(f"{name}() got {given}. Give it a function ({', '.join(gets)}). {give}")
