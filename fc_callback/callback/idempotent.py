"""`@idempotent`: a handler that is not a callback task runs once for each key, and later deliveries get its first result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from fc_callback.callback.plain_handler import plain_handler
from fc_callback.callback.run_and_record import run_plain
from fc_callback.errors import HandlerInvalid
from fc_callback.idempotency.options import Once
from fc_callback.payload.arguments import decoded_event
from fc_callback.values import validators

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fc_callback.callback.plain_handler import PlainHandler
    from fc_callback.payload.arguments import ArgumentBinding, PlainDelivery

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


def idempotent(once: Once) -> Callable[[Callable[P, R_co]], PlainHandler[P, R_co, str]]:
    """Let a handler run once for each key.

    The handler's annotations choose its arguments, as with `event_parser`. It returns the JSON text that an Output would be
    (see `encode_output`), and each later delivery returns the same text. An `async def` handler is awaited. `TaskFailed` is
    remembered and raised again, and so is the error of a result that cannot be encoded. After any other exception, and
    after a `task.defer()`, the next delivery runs.

    Args:
        once: The result of `once()`. Its key is read from the event's JSON object. An event of any other kind, text or
            JSON, is the field `event`: `once(key="event")` uses the whole event.

    Raises:
        SettingsError: `once` is something else.
        HandlerInvalid: The function cannot be a handler, an annotation cannot be served, or the function is a `task_callback`
            handler, whose own `once=` reports each task.
    """
    validators.instance_of("once", once, Once, validators.ONCE_EXAMPLE)

    def serve(binding: ArgumentBinding, delivery: PlainDelivery) -> Any:
        context, task = delivery.context, delivery.task
        work = once.enter(
            _payload(delivery),
            scope=once.scope_of(binding.function, context),
            deadline=context.deadline,
            secret=None if task is None else task.token,
        )
        return run_plain(binding, delivery, work)

    def decorate(function: Callable[P, R_co]) -> PlainHandler[P, R_co, str]:
        if hasattr(function, "__task_callback__"):
            raise HandlerInvalid(
                "idempotent cannot be above task_callback: a second task with the same key would not be reported.",
                hint="Give the options to task_callback: @task_callback(once=once(...)).",
            )
        return plain_handler(function, decorator="idempotent", serve=serve)

    return decorate


def _payload(delivery: PlainDelivery) -> Mapping[str, Any]:
    """Return the object that the key is read from."""
    # Below task_callback, the object that the function gets: the event may be a trigger's envelope.
    if delivery.task is not None and delivery.payload is not None:
        return delivery.payload
    event, value = delivery.event, decoded_event(delivery.event)
    if isinstance(value, dict):
        return value
    if value is not None or not isinstance(event, (bytes, bytearray, memoryview)):
        return {"event": event if value is None else value}
    raw = bytes(event)
    try:
        return {"event": raw.decode()}
    except UnicodeDecodeError:
        # Never with replacement characters: two events must not become the same text.
        return {"event": {"bytes": raw.hex()}}
