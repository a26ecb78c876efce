"""What a function's annotations ask for: where each of its arguments comes from."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from fc_callback.context import FcContext
from fc_callback.errors import PayloadInvalid
from fc_callback.forms import PLAIN, Delivery, Form
from fc_callback.task import Task
from fc_callback.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable


# No JSON object is ever one of these.
_NEVER_PAYLOAD = (str, int, float, complex, bool, type(None), bytearray, memoryview, list, tuple, set, frozenset)
_EVENTS = "fc_callback.events"
_PAYLOAD_KINDS = (dict, Mapping, MutableMapping, typing.Mapping, typing.Dict)  # noqa: UP006 - people write it
_RAW_EVENT, _RAW_CONTEXT = PLAIN.positional


def read_form(function: Callable[..., Any]) -> Form:
    """Resolve a function's parameters.

    The first parameter that is neither a `Task` nor an `FcContext` is the event, the second is FC's context.

    Raises:
        TypeError: An annotation names something that cannot be given, or a parameter has nothing to give.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some builtins have none: the plain form
        return PLAIN
    parameters = list(signature.parameters.values())
    if _is_method(function):
        parameters = parameters[1:]  # `self` comes with the call
    annotated = _Annotations(function)
    positional: list[Callable[[Delivery], Any]] = []
    named: dict[str, Callable[[Delivery], Any]] = {}
    plain = 0
    for parameter in parameters:
        if parameter.kind is parameter.VAR_KEYWORD:
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional.extend(PLAIN.positional[plain:])
            plain = len(PLAIN.positional)
            continue
        supply = _special(annotated, parameter)
        if supply is None:
            if plain == 2 or (plain and parameter.kind is parameter.KEYWORD_ONLY):  # noqa: PLR2004 - event, context
                if parameter.default is not parameter.empty:
                    continue
                raise TypeError(
                    f"{annotated.name} takes {parameter.name!r}, and there is nothing left to give it. A handler takes "
                    "the event and the context, and parameters annotated FcContext or Task. Give it a default."
                )
            supply = _event_supply(annotated, parameter) if plain == 0 else _RAW_CONTEXT
            plain += 1
        if parameter.kind is parameter.KEYWORD_ONLY:
            named[parameter.name] = supply
        else:
            positional.append(supply)
    return Form(positional=tuple(positional), named=named)


def _is_method(function: Callable[..., Any]) -> bool:
    """Tell a function in a class's body, whose first parameter is the instance."""
    if not inspect.isfunction(function):
        return False
    holder, _, _ = function.__qualname__.rpartition(".")
    if not holder or holder.endswith("<locals>"):
        return False
    # A static method stands in a class's body as well: the name tells them apart, as it does for readers.
    return next(iter(inspect.signature(function).parameters), "") in {"self", "cls"}


class _Annotations:
    """A function's annotations, resolved one by one: those that nobody needs may stay names."""

    def __init__(self, function: Callable[..., Any]) -> None:
        inner: Any = function
        while hasattr(inner, "func") and not inspect.isroutine(inner):  # functools.partial
            inner = inner.func
        inner = inspect.unwrap(inner)
        if not inspect.isroutine(inner):  # an instance with __call__
            inner = type(inner).__call__
        self.name = getattr(inner, "__qualname__", repr(function))
        self._globals = getattr(inner, "__globals__", {})

    def resolve(self, parameter: inspect.Parameter) -> Any:
        """Return the annotation's type; None for none, and an `_Unresolved` where its text cannot be resolved."""
        given = parameter.annotation
        if given is parameter.empty:
            return None
        if isinstance(given, str):
            try:
                given = eval(given, self._globals)  # noqa: S307 - the person's own annotation, as typing.get_type_hints does
            except Exception as error:  # noqa: BLE001 - whatever an annotation raises, it cannot be resolved
                return _Unresolved(text=given, reason=f"{type(error).__name__}: {error}".splitlines()[0])
        return get_args(given)[0] if get_origin(given) is Annotated else given


class _Unresolved(Value):
    text: str
    reason: str


def _special(annotated: _Annotations, parameter: inspect.Parameter) -> Callable[[Delivery], Any] | None:
    kind = annotated.resolve(parameter)
    kinds = set(get_args(kind)) - {type(None)} if _is_union(kind) else {kind}  # Task | None
    if kinds == {FcContext}:
        return lambda one: one.context
    if kinds == {Task}:
        return lambda one: one.task
    return None


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in {Union, types.UnionType}


def _event_supply(annotated: _Annotations, parameter: inspect.Parameter) -> Callable[[Delivery], Any]:
    kind = annotated.resolve(parameter)
    if kind is None or kind is bytes or kind is Any or kind is object:
        return _RAW_EVENT
    where = f"parameter {parameter.name!r} of {annotated.name}"
    if isinstance(kind, _Unresolved):
        raise TypeError(
            f"The annotation {kind.text!r} of {where} cannot be resolved ({kind.reason}). Import the type where the "
            "function can see it when it runs: at the top of the module, not under TYPE_CHECKING and not inside another "
            "function."
        )
    if kind in _PAYLOAD_KINDS or (get_origin(kind) in _PAYLOAD_KINDS and get_args(kind)[1:] == (Any,)):
        return _payload
    if _is_of_events(kind) and hasattr(kind, "parse"):
        event_type: Any = kind
        return lambda one: event_type.parse(one.event)
    if any(_is_of_events(one) for one in _parts(kind)):
        raise TypeError(
            f"The annotation of {where} cannot be served: {_name(kind)} is made of fc_callback.events, but no event of a "
            "trigger by itself. Annotate with the class of one trigger's event, like HttpEvent or EventBridgeEvents[Order]."
        )
    if all((get_origin(one) or one) in _NEVER_PAYLOAD for one in (get_args(kind) if _is_union(kind) else (kind,))):
        raise TypeError(
            f"The annotation of {where} cannot be served: the payload is a JSON object, and never a {_name(kind)}. Use "
            "bytes for the event as it came, dict for the payload, or a model of it."
        )
    return _validated(kind, where)


def _is_of_events(kind: Any) -> bool:
    return isinstance(kind, type) and any(base.__module__.startswith(_EVENTS) for base in kind.__mro__)


def _parts(kind: Any) -> list[Any]:
    """Return a type and all that its brackets hold."""
    return [kind, *(part for argument in get_args(kind) for part in _parts(argument))]


def _name(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind)


def _payload(one: Delivery) -> Any:
    if one.payload is None:
        raise PayloadInvalid(
            "The event is not a JSON object, and the function asks for one.",
            problems=(("$", "not a JSON object"),),
        )
    return one.payload


def _validated(kind: Any, where: str) -> Callable[[Delivery], Any]:
    from fc_callback.payloads import validator_for

    validate = validator_for(kind, where)
    return lambda one: validate(_payload(one))
