"""Build the arguments of each call of a handler, as `signatures.bind` read them from the function's signature."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, get_args

from fc_callback.errors import EventNotUtf8, HandlerInvalid, PayloadInvalid
from fc_callback.payload.event_walk import holder_of
from fc_callback.payload.json_layers import NotJson, NotUtf8, read_json
from fc_callback.values.base import Value
from fc_callback.values.invocation import running_task
from fc_callback.values.task import Task
from fc_callback.values.tracebacks import hide_callers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from fc_callback.payload.token_search import TokenMatch
    from fc_callback.values.context import Deadline, FcContext

    # Returns one argument of a call.
    Resolver: TypeAlias = Callable[["Delivery"], Any]

# The mark of a handler that takes FC's own arguments. A decorator above it does not read the annotations below it.
HANDLER_MARK = "__fc_handler__"
_MISSING = object()
_TEXTS = (bytes, bytearray, memoryview, str)


class Delivery:
    """One event for one function. The arguments of the function are built from it.

    Args:
        event: The event that FC delivered, or one element of a batch.
        raw_context: FC's own context.
        context: The typed context.
        bound: The instance in a tuple, if the function is a method.
        further: Further keyword arguments of a direct call.
        task: The running task. None before it is found.
    """

    __slots__ = ("_payload", "bound", "context", "event", "further", "raw_context", "task")

    def __init__(
        self,
        *,
        event: Any,
        raw_context: Any,
        context: FcContext,
        bound: tuple[Any, ...] = (),
        further: Mapping[str, Any] = {},
        task: Task | None = None,
    ) -> None:
        self.event = event
        self.raw_context = raw_context
        self.context = context
        self.bound = bound
        self.further = further
        self.task = task
        self._payload: Mapping[str, Any] | None = None

    def begin_task(self, found: TokenMatch, *, deadline: Deadline | None, place: str) -> Task:
        """Return the task of the token in the event. The function gets the payload of this task.

        Args:
            found: The token, and the object that contains it.
            deadline: The time at which the work must have ended.
            place: The place of this event in FC's event: `$`, or an element of a batch like `$[2]`.
        """
        payload, token_keys = without_token(found.payload, found.token.secret)
        self._payload = payload
        self.task = Task(
            token=found.token,
            payload=payload,
            context=self.context,
            path=place + found.path[1:],
            deadline=deadline,
            token_keys=token_keys,
        )
        return self.task

    def begin_plain(self) -> Mapping[str, Any] | None:
        """Return the payload of an event without a task: its JSON object, or None if it is not a JSON object."""
        decoded = decoded_event(self.event)
        self._payload = decoded if isinstance(decoded, dict) else None
        return self._payload

    def of_element(self, event: bytes) -> Delivery:
        """Return the delivery of one element of a batch."""
        return Delivery(
            event=event,
            raw_context=self.raw_context,
            context=self.context,
            bound=self.bound,
            further=self.further,
        )

    @property
    def payload(self) -> Mapping[str, Any] | None:
        """The JSON object for the function, without the keys of the task token. None if there is no JSON object."""
        return self._payload

    @property
    def token_keys(self) -> tuple[str, ...]:
        """The keys that held the task token and are left out of the payload."""
        return self.task.token_keys if self.task else ()

    @property
    def token(self) -> str | None:
        """The task token itself."""
        return self.task.token.secret if self.task else None

    def required_payload(self) -> Mapping[str, Any]:
        """Return the payload.

        Raises:
            PayloadInvalid: The event is not a JSON object.
        """
        return required_object(self.payload)


class PlainDelivery(Delivery):
    """The delivery for a handler without its own task. The payload is read from the event on demand.

    Below `task_callback` it is the payload of the running task: the object that contains the token.
    """

    __slots__ = ("_token_keys",)

    def __init__(
        self, *, event: Any, raw_context: Any, context: FcContext, bound: tuple[Any, ...], further: Mapping[str, Any]
    ) -> None:
        super().__init__(
            event=event, raw_context=raw_context, context=context, bound=bound, further=further, task=running_task()
        )
        self._token_keys: tuple[str, ...] | None = None

    @property
    def payload(self) -> Mapping[str, Any] | None:
        """The JSON object for the function."""
        if self._token_keys is None:
            self._payload, self._token_keys = self._read_payload()
        return self._payload

    @property
    def token_keys(self) -> tuple[str, ...]:
        """The keys that held the task token and are left out of the payload."""
        return self._token_keys if self.payload is not None and self._token_keys else ()

    def _read_payload(self) -> tuple[Mapping[str, Any] | None, tuple[str, ...]]:
        decoded, task, token = decoded_event(self.event), self.task, self.token
        if task is None or token is None:
            return (decoded, ()) if isinstance(decoded, dict) else (None, ())
        if decoded is None and isinstance(self.event, _TEXTS):  # it may be base64, which is decoded as for the task
            decoded = self.event if isinstance(self.event, str) else bytes(self.event).decode("latin-1")
        # The object in which the task's token was found. Other objects may contain the same token.
        found = {**task.payload, **dict.fromkeys(task.token_keys, token)}
        holder = holder_of(token, decoded, like=found) or decoded
        return without_token(holder, token) if isinstance(holder, dict) else (None, ())


class ArgumentBinding(Value):
    """A function with the sources of its arguments.

    Attributes:
        function: The function.
        name: Its name, for errors.
        instances: 1 for a method, whose instance (or class) comes before the event. 0 for any other function.
        positional: A function for each positional argument, which gets it from the delivery.
        named: A function for each keyword argument, which gets it from the delivery.
    """

    function: Callable[..., Any]
    name: str
    instances: int = 0
    positional: tuple[Resolver, ...]
    named: Mapping[str, Resolver]

    def handler(self, serve: Callable[[tuple[Any, ...], Any, Any, dict[str, Any]], Any], *, returns: Any) -> Any:
        """Return the handler that FC calls.

        Args:
            serve: Serves each call. It gets the instance (in a tuple), the event, FC's context, and a dict of further
                keyword arguments.
            returns: The annotation of its result.
        """

        # A function and not an object, because FC's runtimes expect a function, and because a method gets its instance.
        @wraps(self.function)
        def handler(*arguments: Any, **named: Any) -> Any:
            try:
                bound, event, context = self.taken_apart(arguments, named)
                return serve(bound, event, context, named)
            except BaseException as error:
                hide_callers(error)
                raise

        handler.__annotations__ = {"event": bytes, "context": Any, "return": returns}
        setattr(handler, HANDLER_MARK, True)
        return handler

    def arguments(self, delivery: Delivery) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments for one invocation.

        Raises:
            PayloadInvalid: The payload or the event does not have the shape that the function asks for.
        """
        positional = [resolve(delivery) for resolve in self.positional]
        return positional, {name: resolve(delivery) for name, resolve in self.named.items()} if self.named else {}

    def taken_apart(self, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], Any, Any]:
        """Return the instance (in a tuple), the event and the context of a call to the handler.

        Args:
            given: The call's positional arguments.
            named: The call's keyword arguments. `event` and `context` are removed; the rest is for the function.

        Raises:
            HandlerInvalid: The call has no event or context, or too many positional arguments.
        """
        count = self.instances
        if not named and len(given) == count + 2:
            return given[:count], given[count], given[count + 1]
        rest = list(given[count:])
        pair = [
            named.pop(name) if name in named else rest.pop(0) if rest else _MISSING for name in ("event", "context")
        ]
        if rest or len(given) < count or any(one is _MISSING for one in pair):
            before = "the instance, " if count else ""
            raise HandlerInvalid(
                f"{self.name} must be called with {before}an event and a context, like from FC, and with further arguments "
                f"only by name. This call has {len(given)} positional arguments."
            )
        return given[:count], pair[0], pair[1]


def _event_of(one: Delivery) -> Any:
    return one.event


def _raw_context_of(one: Delivery) -> Any:
    return one.raw_context


# The arguments that FC gives every handler.
FC_ARGUMENTS: tuple[Resolver, ...] = (_event_of, _raw_context_of)


def decoded_event(event: Any) -> Any:
    """Return the decoded event, or None if it is not JSON.

    Raises:
        PayloadInvalid: The event begins like JSON but is not UTF-8.
    """
    if isinstance(event, memoryview):
        event = event.tobytes()
    try:
        return read_json(event) if isinstance(event, (bytes, bytearray, str)) else event
    except NotUtf8:
        garbled = True
    except NotJson:
        garbled = False
    if garbled:
        raise PayloadInvalid(
            "The event cannot be read: it begins like JSON, but its bytes are not UTF-8.",
            problems=(("$", "not UTF-8"),),
            hint=EventNotUtf8.hint,
        )
    return None


def required_object(decoded: Any) -> dict[str, Any]:
    """Return a decoded event that must be an object.

    Raises:
        PayloadInvalid: The event is not an object.
    """
    if not isinstance(decoded, dict):
        raise PayloadInvalid(
            "The event is not a JSON object, but the function's annotation asks for one.",
            problems=(("$", "not a JSON object"),),
            hint="Send a JSON object, or annotate the parameter with bytes to get the unchanged event.",
        )
    return decoded


def type_text(kind: Any) -> str:
    """Return a type as it is type_text in an annotation."""
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind)


def without_token(payload: dict[str, Any], token: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return a payload without the task token, and the keys of the token.

    Only the keys of the object itself are checked. Deeper values are data of the flow's author.
    """
    keys = [key for key, value in payload.items() if isinstance(value, str) and value == token]
    if not keys:
        return payload, ()
    rest = payload.copy()
    for key in keys:
        del rest[key]
    return rest, tuple(keys)
