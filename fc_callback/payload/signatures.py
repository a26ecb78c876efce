"""Read a function's signature once, when it is decorated.

`task_callback`, `event_parser`, `idempotent` and `layers` read signatures only here. `fc_callback.payload.annotations` reads a
single annotation. It is only loaded for functions with annotations.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any

from fc_callback.payload.arguments import FC_ARGUMENTS, HANDLER_MARK, ArgumentBinding

if TYPE_CHECKING:
    from collections.abc import Callable

_INSTANCE_NAMES = ("self", "cls")
# Flags of a function's code. The inspect module names them VARARGS, VARKEYWORDS and ASYNC_GENERATOR.
_UNUSUAL = 0x04 | 0x08 | 0x200


def bind(function: Callable[..., Any], *, decorator: str) -> ArgumentBinding:
    """Read a function's signature, and return the source of each of its arguments.

    Args:
        function: The function to decorate.
        decorator: The decorator's name, for errors.

    Raises:
        HandlerInvalid: The function cannot be a handler, or no event can serve one of its annotations or parameters.
    """
    if _is_event_and_context(function):
        return ArgumentBinding(function=function, name=function.__qualname__, positional=FC_ARGUMENTS, named={})
    from fc_callback.payload.annotations import check_function, name_of, read_parameters

    check_function(function, decorator=decorator)
    name, instances = name_of(function), instances_of(function)
    if hasattr(function, HANDLER_MARK):
        return ArgumentBinding(function=function, name=name, instances=instances, positional=FC_ARGUMENTS, named={})
    positional, named = read_parameters(function, instances=instances, decorator=decorator)
    return ArgumentBinding(function=function, name=name, instances=instances, positional=tuple(positional), named=named)


def instances_of(function: Callable[..., Any]) -> int:
    """Return 1 for a function whose first argument is its instance or class, else 0.

    The name of the first parameter decides, because a static method is also defined in the body of a class.
    """
    inner: Any = function
    while hasattr(inner, "__wrapped__"):  # a wrapper has the parameters of the function inside
        inner = inner.__wrapped__
    if type(inner) is not FunctionType or type(function) is not FunctionType:
        return 0
    code = inner.__code__
    return int(code.co_argcount > 0 and code.co_varnames[0] in _INSTANCE_NAMES)


def _is_event_and_context(function: Any) -> bool:
    """Return whether a function is `def handler(event, context)`, as in FC's documentation. It needs no further reading."""
    if type(function) is not FunctionType or function.__annotations__ or vars(function):
        return False
    code = function.__code__
    first_two = code.co_argcount == 2 and not code.co_kwonlyargcount and not code.co_flags & _UNUSUAL  # noqa: PLR2004 - event, context
    return first_two and code.co_varnames[0] not in _INSTANCE_NAMES
