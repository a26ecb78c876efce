"""The form in which a function gets what an invocation has for it."""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any

from fc_callback.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fc_callback.context import FcContext
    from fc_callback.task import Task

_VARIADIC = 0x04 | 0x08  # inspect.CO_VARARGS and CO_VARKEYWORDS, in a function's code


class Delivery:
    """What an invocation has to give to its function."""

    __slots__ = ("context", "event", "payload", "raw_context", "task")

    def __init__(
        self,
        *,
        event: Any,
        raw_context: Any,
        context: FcContext,
        payload: Mapping[str, Any] | None,
        task: Task | None = None,
    ) -> None:
        self.event = event
        self.raw_context = raw_context
        self.context = context
        self.payload = payload
        self.task = task


class Form(Value):
    """How to call one function: where each of its arguments comes from."""

    positional: tuple[Callable[[Delivery], Any], ...]
    named: Mapping[str, Callable[[Delivery], Any]]

    def arguments(self, delivery: Delivery) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments for one invocation.

        Raises:
            PayloadInvalid: The payload or the event has not the shape that the function asks for.
        """
        positional = [supply(delivery) for supply in self.positional]
        return positional, {name: supply(delivery) for name, supply in self.named.items()} if self.named else {}


def _event(one: Delivery) -> Any:
    return one.event


def _raw_context(one: Delivery) -> Any:
    return one.raw_context


# What FC gives every handler.
PLAIN = Form(positional=(_event, _raw_context), named={})


def form_of(function: Callable[..., Any]) -> Form:
    """Return a function's form, resolved once, when it is decorated: no annotation is FC's event as it came, and so on.

    Raises:
        TypeError: An annotation names something that cannot be given, or a parameter has nothing to give.
    """
    if _is_plain(function):
        return PLAIN
    from fc_callback.annotations import read_form

    return read_form(function)


def _is_plain(function: Any) -> bool:
    """Tell the handler of FC's own documentation, `def handler(event, context)`: there is nothing to read in it.

    What reads annotations takes half as long to load as all the rest that stands before a new instance's first event.
    """
    if type(function) is not FunctionType or function.__annotations__ or vars(function):
        return False
    code = function.__code__
    first_two = code.co_argcount == 2 and not code.co_kwonlyargcount and not code.co_flags & _VARIADIC  # noqa: PLR2004 - event, context
    return first_two and code.co_varnames[0] not in {"self", "cls"}
