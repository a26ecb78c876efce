"""Read the annotations of a function's parameters when it is decorated."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Mapping, MutableMapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from fc_callback.errors import HandlerInvalid
from fc_callback.payload.arguments import FC_ARGUMENTS, Delivery, type_text
from fc_callback.values.base import Value
from fc_callback.values.context import FcContext
from fc_callback.values.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fc_callback.payload.arguments import Resolver

_RAW_EVENT, _RAW_CONTEXT = FC_ARGUMENTS
_EVENTS = "fc_callback.events"
_OBJECTS = (dict, Mapping, MutableMapping)
_ANYTHING = (inspect.Parameter.empty, Any, object)
# Packages whose metadata in Annotated[...] pydantic uses. Other metadata, such as a text for readers, does not matter.
_VALIDATION = ("pydantic", "pydantic_core", "annotated_types")
_MOST_LAYERS = 100  # of aliases; an alias of itself would never end
_OURS_BY_NAME = re.compile(r"\b(Task|FcContext)\b")


class Unresolved(Value):
    """An annotation with a name that does not exist at run time."""

    text: str
    reason: str


def check_function(function: Any, *, decorator: str) -> None:
    """Check that a decorated object can be a handler.

    Raises:
        HandlerInvalid: It cannot be a handler.
    """
    if isinstance(function, (staticmethod, classmethod, property)):
        kind = type(function).__name__
        raise HandlerInvalid(f"{decorator} decorates functions, not {kind}: put @{kind} above @{decorator}.")
    if isinstance(function, type) or not callable(function):
        what = f"the class {function.__qualname__}" if isinstance(function, type) else type(function).__name__
        raise HandlerInvalid(
            f"{decorator} decorates functions, not {what}. Pass a function, or an object with __call__."
        )
    if getattr(_function_inside(function), "__globals__", {}).get("__name__") == "contextlib":
        raise HandlerInvalid(
            f"{name_of(function)} is a context manager, and {decorator} decorates functions. Call it inside a handler."
        )
    if inspect.isasyncgenfunction(_function_inside(function)):
        raise HandlerInvalid(
            f"{name_of(function)} is an async generator function, but its values are not read. Return one result."
        )


def name_of(function: Any) -> str:
    """Return the function's name, for errors."""
    return getattr(_innermost_function(function), "__qualname__", type(function).__name__)


def _function_inside(function: Any) -> Any:
    """Return the function inside partials and callable objects, with its decorators."""
    while isinstance(function, partial):
        function = function.func
    return function if inspect.isroutine(function) else getattr(type(function), "__call__", function)  # noqa: B004 - the method itself is wanted


def _innermost_function(function: Any) -> Any:
    """Return the innermost function, which has the annotations."""
    return inspect.unwrap(_function_inside(inspect.unwrap(function)))


def read_parameters(
    function: Callable[..., Any], *, instances: int, decorator: str
) -> tuple[list[Resolver], dict[str, Resolver]]:
    """Return functions that get each positional and each named argument from a delivery.

    The first parameter that is neither a `Task` nor an `FcContext` is the event. The second one is FC's context, unless a
    parameter before it is an `FcContext`.

    Args:
        function: The function.
        instances: The number of parameters before the event: 1 for a method.
        decorator: The name of the decorator.

    Raises:
        HandlerInvalid: No event can serve an annotation or a parameter.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some builtins have none
        return list(FC_ARGUMENTS), {}
    reader = _ParameterReader(function, decorator)
    for parameter in list(signature.parameters.values())[instances:]:
        reader.read(parameter)
    return reader.positional, reader.named


class _ParameterReader:
    """Reads the parameters of one function, one after the other."""

    def __init__(self, function: Callable[..., Any], decorator: str) -> None:
        inner = _innermost_function(function)
        self.name = name_of(function)
        self.decorator = decorator
        self.globals: dict[str, Any] = getattr(inner, "__globals__", {})
        self.type_parameters = {one.__name__: one for one in getattr(inner, "__type_params__", ())}
        self.positional: list[Resolver] = []
        self.named: dict[str, Resolver] = {}
        self.given = 0  # of the event and the context
        self.has_typed_context = False
        self.skipped = False

    def read(self, parameter: inspect.Parameter) -> None:
        if parameter.kind is parameter.VAR_KEYWORD:
            return
        if parameter.kind is parameter.VAR_POSITIONAL:
            self._read_rest(parameter)
            return
        resolver = self._resolver_of(parameter)
        if parameter.kind is parameter.POSITIONAL_ONLY:
            default = parameter.default
            self.positional.append(resolver or (lambda _: default))
        elif resolver is None:
            self.skipped = True
        elif parameter.kind is parameter.KEYWORD_ONLY or self.skipped:
            self.named[parameter.name] = resolver
        else:
            self.positional.append(resolver)

    def _read_rest(self, parameter: inspect.Parameter) -> None:
        """Give `*arguments` the event and the context, unless earlier parameters get them."""
        if self.skipped:
            return
        if self.given < len(FC_ARGUMENTS) and core_type(self._annotation_of(parameter))[0] not in _ANYTHING:
            raise HandlerInvalid(
                f"{self._label(parameter)} is annotated, but gets the unchanged event and context of FC. Use two parameters "
                "instead."
            )
        self.positional.extend(FC_ARGUMENTS[self.given :])
        self.given = len(FC_ARGUMENTS)

    def _resolver_of(self, parameter: inspect.Parameter) -> Resolver | None:
        """Return a function that gets a parameter's value, or None if the parameter keeps its default."""
        kind = self._annotation_of(parameter)
        ours = None if isinstance(kind, Unresolved) else self._task_or_context(kind, parameter)
        if ours is not None:
            if self.given == 1 and self.has_typed_context:
                self.given = 2
            return ours
        by_name = parameter.kind is parameter.KEYWORD_ONLY
        if self.given == 0:
            self.given = 2 if self.has_typed_context else 1
            return self._event_resolver(kind, parameter)
        if self.given == 1 and (not by_name or parameter.name == "context"):
            self.given = 2
            if not isinstance(kind, Unresolved) and _accepts_anything(kind):
                return _RAW_CONTEXT
        if isinstance(kind, Unresolved):
            self._refuse_unresolved(kind, parameter)
        elif parameter.default is parameter.empty:
            raise HandlerInvalid(
                f"{self.name} has the parameter {parameter.name!r}, but there is no argument for it. A handler gets the event, "
                "the context (without an annotation, or annotated FcContext), and parameters annotated FcContext or Task. "
                "Give the parameter a default."
            )
        return None

    def _annotation_of(self, parameter: inspect.Parameter) -> Any:
        """Return a parameter's annotation with its names resolved."""
        given = parameter.annotation
        if given is parameter.empty:
            return given
        holder = types.SimpleNamespace(__annotations__={"it": given})
        try:
            hints = typing.get_type_hints(
                holder, globalns=self.globals, localns=self.type_parameters, include_extras=True
            )
            list(_types_in(hints["it"]))  # resolves aliases too, so that this does not fail at the first event
        except Exception as error:  # noqa: BLE001 - resolving an annotation may raise anything
            text = given if isinstance(given, str) else repr(given)
            return Unresolved(text=text, reason=f"{type(error).__name__}: {error}".splitlines()[0])
        return hints["it"]

    def _refuse_unresolved(self, kind: Unresolved, parameter: inspect.Parameter) -> None:
        # A parameter with a default keeps it, unless it names Task or FcContext: `Task | None = None` would always be None.
        if parameter.default is not parameter.empty and not _OURS_BY_NAME.search(kind.text):
            return
        raise HandlerInvalid(
            f"The annotation {kind.text!r} of {self._label(parameter)} cannot be resolved ({kind.reason}). Import the type "
            "where the function can see it when it runs: at the top of the module, not under TYPE_CHECKING and not inside "
            "another function."
        )

    def _task_or_context(self, kind: Any, parameter: inspect.Parameter) -> Resolver | None:
        core, is_validated = core_type(kind)
        members = [core_type(one) for one in union_members(core) if one is not type(None)]
        if not any(one is Task or one is FcContext for one, _ in members):
            return None
        if len(members) > 1 or is_validated or members[0][1]:
            raise self._unservable(parameter, "Use Task and FcContext alone, or with None. They are not validated.")
        if members[0][0] is FcContext:
            self.has_typed_context = True
            return lambda one: one.context
        if self.decorator != "task_callback" and core is Task:
            raise HandlerInvalid(
                f"{self.name} asks for a Task, which only task_callback provides. Use task_callback, or annotate Task | None."
            )
        return lambda one: one.task

    def _event_resolver(self, kind: Any, parameter: inspect.Parameter) -> Resolver:
        """Return a function that converts the event as its annotation says."""
        if isinstance(kind, Unresolved):
            self._refuse_unresolved(kind, parameter)
            raise HandlerInvalid(f"{self._label(parameter)} is the event, and {kind.text!r} cannot be resolved.")
        core, is_validated = core_type(kind)
        if not is_validated and (core is bytes or core in _ANYTHING):
            return _RAW_EVENT
        if not is_validated and _is_plain_object(core):
            return Delivery.required_payload
        parts = list(_types_in(kind))
        if isinstance(core, typing.TypeVar):
            raise self._unservable(parameter, f"{core} is not a type at run time. Name the type.")
        if core is bytes:
            raise self._unservable(parameter, "bytes is the unchanged event, which is not validated.")
        if Task in parts or FcContext in parts:
            raise self._unservable(parameter, "a Task or an FcContext is not a part of an event.")
        if _is_event_class(core) and hasattr(core, "parse"):
            from fc_callback.payload.models import event_reader

            return event_reader(core, kind, where=self._label(parameter))
        if any(_is_event_class(one) for one in parts):
            raise self._unservable(
                parameter,
                f"{type_text(kind)} has a class of fc_callback.events, but is not the event of a trigger. Annotate with the class "
                "of one trigger's event, like HttpEvent or EventBridgeEvents[Order].",
            )
        from fc_callback.payload.models import payload_reader

        return payload_reader(kind, where=self._label(parameter))

    def _label(self, parameter: inspect.Parameter) -> str:
        return f"parameter {parameter.name!r} of {self.name}"

    def _unservable(self, parameter: inspect.Parameter, why: str) -> HandlerInvalid:
        return HandlerInvalid(f"The annotation of {self._label(parameter)} cannot be served: {why}")


def _without_aliases(kind: Any) -> Any:
    """Return the type behind aliases and NewTypes at the top of an annotation."""
    for _ in range(_MOST_LAYERS):
        if isinstance(kind, typing.NewType):
            kind = kind.__supertype__
        elif type(kind).__name__ == "TypeAliasType":  # typing's, or typing_extensions'
            kind = kind.__value__
        elif type(get_origin(kind)).__name__ == "TypeAliasType":
            alias = get_origin(kind)
            given = dict(zip(alias.__type_params__, get_args(kind), strict=False))
            value = alias.__value__
            kind = (
                value[tuple(given[one] for one in value.__parameters__)]
                if getattr(value, "__parameters__", ())
                else value
            )
        else:
            return kind
    raise TypeError("an alias in it refers to itself")


def core_type(kind: Any) -> tuple[Any, bool]:
    """Return the type inside aliases and Annotated, and whether Annotated has metadata for pydantic."""
    is_validated = False
    for _ in range(_MOST_LAYERS):
        kind = _without_aliases(kind)
        if get_origin(kind) is not Annotated:
            return kind, is_validated
        kind, *metadata = get_args(kind)
        is_validated = is_validated or any(map(_is_validation, metadata))
    raise TypeError("an alias in it refers to itself")


def _is_validation(metadata: Any) -> bool:
    kind = metadata if isinstance(metadata, type) else type(metadata)
    return hasattr(metadata, "__get_pydantic_core_schema__") or any(
        base.__module__.split(".")[0] in _VALIDATION for base in kind.__mro__
    )


def union_members(kind: Any) -> tuple[Any, ...]:
    """Return the members of a union, or a tuple with the type itself."""
    return get_args(kind) if get_origin(kind) in {Union, types.UnionType} else (kind,)


def _accepts_anything(kind: Any) -> bool:
    """Return whether a parameter has no annotation, Any or object, also with None."""
    members = [core_type(one)[0] for one in union_members(core_type(kind)[0])]
    return any(one in _ANYTHING for one in members) and all(one in (*_ANYTHING, type(None)) for one in members)


def _types_in(kind: Any, above: tuple[Any, ...] = ()) -> Iterator[Any]:
    """Yield a type and all types in its brackets."""
    core, _ = core_type(kind)
    yield core
    if get_origin(core) is typing.Literal or kind in above:  # an alias may contain itself
        return
    for argument in get_args(core):
        yield from _types_in(argument, (*above, kind))


def _is_plain_object(kind: Any) -> bool:
    """Return whether an annotation is a dict or a Mapping, also with None: the payload is not validated."""
    members = [one for one in (core_type(member)[0] for member in union_members(kind)) if one is not type(None)]
    if len(members) != 1 or any(core_type(member)[1] for member in union_members(kind)):
        return False
    origin, arguments = get_origin(members[0]) or members[0], get_args(members[0])
    if origin not in _OBJECTS:
        return False
    return not arguments or (arguments[0] in (str, *_ANYTHING) and arguments[1] in _ANYTHING)


def _is_event_class(kind: Any) -> bool:
    return isinstance(kind, type) and any(base.__module__.startswith(_EVENTS) for base in kind.__mro__)
