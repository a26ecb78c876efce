"""What can be told of a person's function without calling it: whether it is async, and what it can be called with."""

from __future__ import annotations

from functools import partial
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_CO_COROUTINE = 0x80  # inspect.CO_COROUTINE; inspect itself is too heavy for a cold start


def is_async(function: object) -> bool:
    """Say whether calling a function returns a coroutine.

    `async def` functions, methods, partials of these, and instances whose class has an `async def __call__` are async.
    """
    plain = _without_partials(function)
    if type(plain) is FunctionType and not vars(plain):
        return bool(plain.__code__.co_flags & _CO_COROUTINE)
    from inspect import iscoroutinefunction  # knows the functions that are marked as async, too

    if iscoroutinefunction(plain):
        return True
    return not isinstance(plain, (FunctionType, type)) and iscoroutinefunction(getattr(type(plain), "__call__", None))  # noqa: B004 - the method itself may be async


def accepts(function: Callable[..., Any], count: int) -> bool:
    """Say whether a function can be called with so many arguments; one that does not tell, like some builtins, can."""
    from inspect import signature

    try:
        parameters = signature(function, follow_wrapped=False)  # the arguments go to what stands in front
    except (TypeError, ValueError):
        return True
    try:
        parameters.bind(*range(count))
    except TypeError:
        return False
    return True


def _without_partials(function: Any) -> Any:
    """Return the function inside partials, bound methods, static methods and class methods."""
    while True:
        if isinstance(function, partial):
            function = function.func
        elif isinstance(function, (MethodType, staticmethod, classmethod)):
            function = function.__func__
        else:
            return function
