"""Properties of a user's function that are known without calling it: whether it is async, and which arguments it accepts."""

from __future__ import annotations

from functools import partial
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_CO_COROUTINE = 0x80  # inspect.CO_COROUTINE; inspect itself is too heavy for a cold start


def is_async(function: object) -> bool:
    """Return whether a call of the function returns a coroutine.

    `async def` functions, methods, partials of these, and instances whose class has an `async def __call__` are async.
    """
    plain = _without_partials(function)
    if type(plain) is FunctionType and not vars(plain):
        return bool(plain.__code__.co_flags & _CO_COROUTINE)
    from inspect import iscoroutinefunction  # also knows functions that are marked as async

    if iscoroutinefunction(plain):
        return True
    return not isinstance(plain, (FunctionType, type)) and iscoroutinefunction(getattr(type(plain), "__call__", None))  # noqa: B004 - the method itself may be async


def accepts(function: Callable[..., Any], count: int) -> bool:
    """Return whether a function accepts so many arguments. A function without a signature, like some builtins, does."""
    from inspect import signature

    try:
        parameters = signature(function, follow_wrapped=False)  # the outermost function gets the arguments
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
