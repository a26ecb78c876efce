"""Layers around a handler, written by anyone: what happens before it, after it, and when it fails.

    @layers(invocation, timed)                # outermost first: the order is what one reads
    def handler(event, context): ...

A layer is a generator function that takes the `Call` and yields once. What the `yield` gives is the handler's result; an
exception of the handler's is raised there:

    def timed(call):
        began = time.perf_counter()
        try:
            yield
        finally:
            log.info("Done", seconds=time.perf_counter() - began)

- `yield call.with_event(other)` hands on another event.
- `return value` after the yield gives another result; before it, the handler is not called at all.
- A deferred task stays deferred: `task.defer()` cannot be replaced by another result.
- An `except` around the yield that does not raise again turns the failure into what the layer returns.

Around an `async def` handler the same layers work, and `async def` generators as well; those cannot return a value and
yield it instead, a second time.
"""

from __future__ import annotations

import inspect
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast, overload

import attrs

from fc_callback import validators
from fc_callback.context import FcContext
from fc_callback.coroutines import is_async
from fc_callback.invocation import begin, current_invocation
from fc_callback.payload.annotations import check_function
from fc_callback.payload.arguments import instances_of
from fc_callback.task import Deferred, running_task

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Mapping

    from fc_callback.task import Task

    Steps = Generator["Call | None", Any, Any]
    AsyncSteps = AsyncGenerator[Any, Any]
    Layer = Callable[["Call"], Iterator[Any] | AsyncIterator[Any]]

P = ParamSpec("P")
_Rest = ParamSpec("_Rest")
R = TypeVar("R")
_Owner = TypeVar("_Owner")


@attrs.frozen(kw_only=True, slots=False)
class Call:
    """One call of a handler, as its layers see it.

    Attributes:
        function: The handler below the layers.
        arguments: What it is called with; below `task_callback`, what its annotations ask for.
        named: The same, by name.
        owner: The instance, where the handler is a method.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = attrs.field(repr=False)
    named: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    owner: tuple[Any, ...] = attrs.field(default=(), repr=False)

    @property
    def event(self) -> Any:
        """The handler's first argument."""
        return self.arguments[0] if self.arguments else self.named.get("event")

    @cached_property
    def context(self) -> FcContext:
        """The invocation, as FC describes it."""
        invocation = current_invocation()
        if invocation is not None and not invocation.ended:
            return invocation.context
        return FcContext.read(self.arguments[1] if len(self.arguments) > 1 else self.named.get("context"))

    @property
    def task(self) -> Task | None:
        """The running task, below `task_callback`."""
        return running_task()

    def with_event(self, event: Any) -> Call:
        """Return the same call with another first argument."""
        if not self.arguments and "event" in self.named:
            return attrs.evolve(self, named={**self.named, "event": event})
        return attrs.evolve(self, arguments=(event, *self.arguments[1:]))

    def run(self) -> Any:
        """Call the handler."""
        return self.function(*self.owner, *self.arguments, **self.named)


class LayeredHandler(Protocol, Generic[P, R]):
    """A handler with layers around it: called as the handler itself, which is its `__wrapped__`."""

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
    """Put layers around a handler, the first outermost.

    The handler may stand below `task_callback` or above it, be a method, and be `async def`.

    Raises:
        TypeError: One of them is no generator function; `before`, `after` and `on_error` make one of a plain function. Or
            what is decorated is no handler: a static method's layers stand below `@staticmethod`.
    """
    for layer in around:
        _check_layer(layer)

    def decorate(decorated: Callable[P, R]) -> LayeredHandler[P, R]:
        function: Callable[..., Any] = decorated
        check_function(function, decorator="layers")
        method = instances_of(function)

        def call_of(given: tuple[Any, ...], named: dict[str, Any]) -> Call:
            return Call(function=function, arguments=given[method:], named=named, owner=given[:method])

        if is_async(function):

            @wraps(function)
            async def handler(*given: Any, **named: Any) -> Any:
                return await _run_async(around, call_of(given, named))

        else:
            for layer in around:
                if inspect.isasyncgenfunction(layer):
                    raise TypeError(
                        f"The layer {_name(layer)} is async, and {_name(function)} is not an async def function."
                    )

            @wraps(function)
            def handler(*given: Any, **named: Any) -> Any:
                return _run(around, call_of(given, named))

        handler.__layers__ = (*around, *layers_of(function))  # type: ignore[attr-defined]  # an attribute of ours
        return cast("LayeredHandler[P, R]", handler)

    return decorate


def layers_of(handler: Callable[..., Any]) -> tuple[Layer, ...]:
    """Return the layers around a handler, outermost first, those above and below other decorators included."""
    return getattr(handler, "__layers__", ())


def invocation(call: Call) -> Steps:
    """Make a plain handler's call an invocation: what the log binds lives as long. `task_callback` does so by itself."""
    with begin(call.context, call.event):
        yield None


def before(function: Callable[[Call], Any]) -> Layer:
    """Make a layer of a function that runs before the handler; a `Call` that it returns is handed on instead.

    Raises:
        TypeError: It is no function of a call.
    """
    _check_function("before", function, "call")
    if is_async(function):

        @wraps(function)
        async def async_layer(call: Call) -> AsyncSteps:
            yield await function(call)

        return async_layer

    @wraps(function)
    def layer(call: Call) -> Steps:
        yield function(call)

    return layer


def after(function: Callable[[Call, Any], Any]) -> Layer:
    """Make a layer of a function that gets the call and the result; what it returns, unless None, is the result instead.

    It is not called for a deferred task, which has no result yet.

    Raises:
        TypeError: It is no function of a call and a result.
    """
    _check_function("after", function, "call", "result")
    if is_async(function):

        @wraps(function)
        async def async_layer(call: Call) -> AsyncSteps:
            result = yield None
            yield None if isinstance(result, Deferred) else await function(call, result)

        return async_layer

    @wraps(function)
    def layer(call: Call) -> Steps:
        result = yield None
        return None if isinstance(result, Deferred) else function(call, result)

    return layer


def on_error(function: Callable[[Call, Exception], Any]) -> Layer:
    """Make a layer of a function that gets the call and the handler's exception.

    What it returns, unless None, is the result; on None the exception passes through.

    Raises:
        TypeError: It is no function of a call and an error.
    """
    _check_function("on_error", function, "call", "error")
    if is_async(function):

        @wraps(function)
        async def async_layer(call: Call) -> AsyncSteps:
            try:
                yield None
            except Exception as error:
                instead = await function(call, error)
                if instead is None:
                    raise
                yield instead

        return async_layer

    @wraps(function)
    def layer(call: Call) -> Steps:
        try:
            yield None
        except Exception as error:
            instead = function(call, error)
            if instead is None:
                raise
            return instead

    return layer


def _run(around: tuple[Layer, ...], call: Call) -> Any:
    if not around:
        return call.run()
    steps = cast("Steps", around[0](call))
    try:
        given = next(steps)
    except StopIteration as end:  # it answers by itself
        return end.value
    try:
        result = _run(around[1:], _handed_on(around[0], call, given))
    except BaseException as error:  # noqa: BLE001 - it is raised inside of the layer, which decides
        return _fail(steps, error)
    return _finish(steps, result)


async def _run_async(around: tuple[Layer, ...], call: Call) -> Any:
    if not around:
        return await call.run()
    layer = around[0]
    if not inspect.isasyncgenfunction(layer):
        steps = cast("Steps", layer(call))
        try:
            given = next(steps)
        except StopIteration as end:
            return end.value
        try:
            result = await _run_async(around[1:], _handed_on(layer, call, given))
        except BaseException as error:  # noqa: BLE001
            return _fail(steps, error)
        return _finish(steps, result)
    asteps = layer(call)
    try:
        given = await asteps.__anext__()
    except StopAsyncIteration:
        return None
    try:
        result = await _run_async(around[1:], _handed_on(layer, call, given))
    except BaseException as error:  # noqa: BLE001
        try:
            instead = await asteps.athrow(error)
        except StopAsyncIteration:
            return None
    else:
        try:
            instead = await asteps.asend(result)
        except StopAsyncIteration:
            return result
        instead = _chosen(result, instead)
    await asteps.aclose()
    return instead


def _finish(steps: Steps, result: Any) -> Any:
    try:
        instead = steps.send(result)
    except StopIteration as end:
        instead = end.value
    else:
        steps.close()
    return _chosen(result, instead)


def _chosen(result: Any, instead: Any) -> Any:
    """Return what a layer put in a result's place. A deferred task stays deferred: its token is with somebody else."""
    return result if instead is None or isinstance(result, Deferred) else instead


def _fail(steps: Steps, error: BaseException) -> Any:
    try:
        instead = steps.throw(error)
    except StopIteration as end:
        if end is error:
            raise
        return end.value
    except RuntimeError as problem:
        # Python turns a StopIteration that leaves a generator into a RuntimeError.
        if isinstance(error, StopIteration) and problem.__cause__ is error:
            raise error from None
        raise
    steps.close()
    return instead


def _handed_on(layer: Layer, call: Call, given: Any) -> Call:
    if given is None:
        return call
    if isinstance(given, Call):
        return given
    raise TypeError(
        f"The layer {_name(layer)} yields {type(given).__name__}. Yield nothing, or call.with_event(...) to change the event."
    )


def _check_layer(layer: Any) -> None:
    if inspect.isgeneratorfunction(layer) or inspect.isasyncgenfunction(layer):
        if validators.accepts(layer, 1):
            return
        raise TypeError(f"The layer {_name(layer)} cannot be called with (call). A layer takes one argument, the call.")
    raise TypeError(
        f"{_name(layer)} is no layer: a layer is a generator function that yields once. "
        "Wrap a plain function: before(function), after(function) or on_error(function)."
    )


def _check_function(name: str, function: Any, *gets: str) -> None:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{name}() got the layer {_name(function)}. Give it to layers() as it is.")
    example = f"Use {name}(function), with a function ({', '.join(gets)})."
    if not callable(function) or isinstance(function, type):
        raise TypeError(f"{name}() got {validators.kind_of(function)}. {example}")
    if not validators.accepts(function, len(gets)):
        raise TypeError(f"{name}() got {_name(function)}, which cannot be called so. {example}")


def _name(function: Any) -> str:
    return getattr(function, "__qualname__", None) or validators.kind_of(function)
