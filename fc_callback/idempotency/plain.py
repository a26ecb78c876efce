"""The same for a handler that is no callback task: it runs once, and every later delivery gets what it returned."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar

from fc_callback.context import FcContext
from fc_callback.errors import StoreUnavailable, TaskFailed
from fc_callback.idempotency.key import scope_of
from fc_callback.payload.arguments import HANDLER_MARK, PlainDelivery, bind, decoded_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.idempotency.options import Once
    from fc_callback.idempotency.work import Work

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
    remembered and raised again; any other exception passes through, and the next delivery runs.

    Args:
        once: What `once()` returned. Its key is read from the event's JSON object; any other event, text or JSON, is
            the field `event`, so `once(key="event")` takes the whole of it.

    Raises:
        TypeError: The function cannot be a handler, or an annotation cannot be served.
    """

    def decorate(function: Callable[P, R_co]) -> IdempotentHandler[P, R_co]:
        plain: Callable[..., Any] = function
        binding = bind(plain, decorator="idempotent")

        @wraps(plain)
        def handler(*arguments: Any, **named: Any) -> str:
            bound, event, raw_context = binding.taken_apart(arguments, named)
            known = FcContext.read(raw_context)
            delivery = PlainDelivery(event=event, raw_context=raw_context, context=known)
            # Below task_callback, the object that the function gets: the event may be a trigger's envelope.
            payload = delivery.payload if delivery.task is not None else None
            work = once.enter(payload or _payload(event), scope=scope_of(plain, known), deadline=known.deadline)
            if work.stored is None:

                def call() -> Any:
                    positional, by_name = binding.arguments(delivery)
                    return plain(*bound, *positional, **{**by_name, **named})

                return _run(work, call)
            if work.stored.failure is not None:
                error, cause = work.stored.failure
                raise TaskFailed(error, cause=cause)
            assert work.stored.output is not None, "a plain handler has no task to defer"
            return work.stored.output

        setattr(handler, HANDLER_MARK, True)
        return handler

    return decorate


def _run(work: Work, call: Callable[[], Any]) -> str:
    from fc_callback.output import encode_output

    try:
        result = call()
        if hasattr(result, "__await__"):
            from fc_callback.waiting import run_to_end

            result = run_to_end(result)
        output = str(encode_output(result))
    except TaskFailed as failure:
        _record(work.failed, failure.error, failure.cause)
        raise
    except BaseException:
        work.abandon()
        raise
    _record(work.done, output)
    return output


def _record(write: Callable[..., None], *result: str) -> None:
    try:
        write(*result)
    except StoreUnavailable as error:
        # The work is done; to fail now would have it done again. Without a record, a duplicate may do so all the same.
        import logging

        logging.getLogger("fc_callback.idempotency").warning("A result could not be recorded: %s", error)


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
