"""The same for a handler that is no callback task: it runs once, and every later delivery gets what it returned."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar

from fc_callback.callback.coroutines import load_asyncio_for
from fc_callback.callback.run_and_record import run_plain
from fc_callback.idempotency.options import Once
from fc_callback.payload.arguments import PlainDelivery, decoded_event
from fc_callback.payload.signatures import HANDLER_MARK, bind
from fc_callback.values import validators
from fc_callback.values.invocation import context_of

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class IdempotentHandler(Protocol, Generic[P, R_co]):
    """A handler made by `idempotent`: called by FC with the event and the context, it returns the result's JSON text.

    `__wrapped__` is the function as it was written, for unit tests.
    """

    __name__: str
    __qualname__: str

    @property
    def __wrapped__(self) -> Callable[P, R_co]:
        """The plain function."""

    def __call__(self, event: Any, context: Any, **further: Any) -> str:
        """Serve an event; further arguments, by name, go to the function."""


def idempotent(once: Once) -> Callable[[Callable[P, R_co]], IdempotentHandler[P, R_co]]:
    """Let a handler run once for each key.

    The handler gets what its annotations ask for, as with `event_parser`. It returns the JSON text that an Output would be
    (see `encode_output`): the first time, and every time after. An `async def` handler is run to its end. `TaskFailed` is
    remembered and raised again, and so is the error of a result that cannot be written; any other exception passes
    through, and the next delivery runs. So it does where the function returned `task.defer()`.

    Args:
        once: What `once()` returned. Its key is read from the event's JSON object; any other event, text or JSON, is
            the field `event`, so `once(key="event")` takes the whole of it.

    Raises:
        SettingsError: `once` is something else.
        TypeError: The function cannot be a handler, an annotation cannot be served, or it stands above `task_callback`,
            whose own `once=` reports each task.
    """
    validators.instance_of("once", once, Once, validators.ONCE_EXAMPLE)

    def decorate(function: Callable[P, R_co]) -> IdempotentHandler[P, R_co]:
        plain: Callable[..., Any] = function
        if hasattr(plain, "__task_callback__"):
            raise TypeError(
                "idempotent cannot stand above task_callback: a second task with the same key would get no report, and wait "
                "until it times out. Give the options to task_callback: @task_callback(once=once(...))."
            )
        binding = bind(plain, decorator="idempotent")
        load_asyncio_for(plain)

        @wraps(plain)
        def handler(*arguments: Any, **named: Any) -> Any:
            bound, event, raw_context = binding.taken_apart(arguments, named)
            known = context_of(raw_context)
            delivery = PlainDelivery(event=event, raw_context=raw_context, context=known, bound=bound, further=named)
            task = delivery.task
            # Below task_callback, the object that the function gets: the event may be a trigger's envelope.
            payload = None if task is None else delivery.payload
            work = once.enter(
                _payload(event) if payload is None else payload,
                scope=once.scope_of(plain, known),
                deadline=known.deadline,
                secret=None if task is None else task.token,
            )

            return run_plain(binding, delivery, work)

        setattr(handler, HANDLER_MARK, True)
        return handler

    return decorate


def _payload(event: Any) -> dict[str, Any]:
    value = decoded_event(event)
    if isinstance(value, dict):
        return value
    if value is not None or not isinstance(event, (bytes, bytearray, memoryview)):
        return {"event": event if value is None else value}
    raw = bytes(event)
    try:
        return {"event": raw.decode()}
    except UnicodeDecodeError:
        # Never with replaced characters: two events must not become the same text.
        return {"event": {"bytes": raw.hex()}}
