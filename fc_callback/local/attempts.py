"""Calls functions and actions of this process; an exception is part of the outcome."""

from __future__ import annotations

import inspect
import json
import traceback
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.errors import TaskFailed
from fc_callback.flows.definition import INVALID_LOCAL, compact, parse_object
from fc_callback.redaction import mask_secrets

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.flows.definition import JsonObject
    from fc_callback.local.actions import Action
    from fc_callback.local.store import ServiceStore
    from fc_callback.runtime.function import InvocationResult
    from fc_callback.values.context import Credentials
    from fc_callback.values.token import TaskToken

# Of a log, a result or an error, which are kept.
MAX_KEPT_CHARACTERS = 128 * 1024
_HANDLED = "HandledInvocationError"
_UNHANDLED = "UnhandledInvocationError"


@attrs.frozen(kw_only=True)
class InvocationEnd:
    """The end of an invocation.

    Attributes:
        body: The response of a function.
        result: The result of an action; None for a function.
        error_name: The error's name as a flow sees it; empty if it succeeded.
    """

    task: int | None
    asynchronous: bool
    body: str
    result: JsonObject | None
    error_name: str
    error_message: str


@attrs.frozen(kw_only=True)
class Attempt:
    """The outcome of one attempt of an invocation.

    Attributes:
        body: The response, or the error's document.
        result: The result of an action; None for a function, whose flow reads the response.
        log: What it has logged; the traceback of an action's exception.
        error_type: FC's name for the kind of error; empty if it succeeded.
        error_name: The error's name, as a flow sees it.
        error_message: The error's description.
    """

    body: str = ""
    result: JsonObject | None = None
    log: str = ""
    error_type: str = ""
    error_name: str = ""
    error_message: str = ""


def finished_attempt(result: InvocationResult) -> Attempt:
    """Return the outcome of a function that has run in a process of its own."""
    return Attempt(
        body=result.body.decode("utf-8", "replace"),
        log=result.log,
        error_type=result.error_type or "",
        error_name=result.error_name if result.error_type else "",
        error_message=result.error_message if result.error_type else "",
    )


def unrun_attempt(error: Exception) -> Attempt:
    """Return the outcome of a function that could not be run."""
    return Attempt(
        error_type="InternalServerError",
        error_name="FC.InternalServerError",
        error_message=f"The function could not be run: {type(error).__name__}: {error}",
    )


def call_function(function: Callable[..., Any], event: bytes, context: Any) -> Attempt:
    """Call a function with the event, and with a context if it takes two arguments."""
    try:
        value = function(event, context) if _takes_two(function) else function(event)
        body = value.decode() if isinstance(value, bytes) else value if isinstance(value, str) else compact(value)
        body.encode()  # a lone surrogate is no text that a response can have
    except BaseException as error:  # noqa: BLE001 - the function's own exception is its outcome
        return _failed(_UNHANDLED, type(error).__name__, str(error))
    return Attempt(body=body)


def call_action(action: Action, parameters: str, task_token: TaskToken | None) -> Attempt:
    """Call an action with its parameters, a JSON object; with a token nothing reads its result.

    TaskFailed gives the error its name. Any other exception gives it the name of its class, as in a function: so a flow's
    Retry and Catch can tell one from the other, and the history shows what happened. A result that is not a JSON object
    fails as that of a function does.
    """
    try:
        value = action(json.loads(parameters), task_token=task_token)
    except TaskFailed as error:
        return _failed(_HANDLED, error.error, error.cause)
    except BaseException as error:  # noqa: BLE001 - the action's own exception is its outcome
        return _failed(_UNHANDLED, type(error).__name__, str(error), log=traceback.format_exc())
    if task_token is not None:
        return Attempt()
    try:
        body = compact(value)
        result = parse_object(body)
    except (TypeError, ValueError, RecursionError):
        result = None
    if result is None:
        return _failed(_UNHANDLED, INVALID_LOCAL, f"The action returned {type(value).__name__}, not a JSON object.")
    return Attempt(body=body, result=result)


def _failed(error_type: str, name: str, message: str, *, log: str = "") -> Attempt:
    body = compact({"errorMessage": message, "errorType": name})
    return Attempt(body=body, log=log, error_type=error_type, error_name=name, error_message=message)


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        # The signature of the function itself: what a decorator has wrapped may take something else.
        parameters = inspect.signature(function, follow_wrapped=False).parameters.values()
    except (TypeError, ValueError):
        return False
    kinds = [parameter.kind for parameter in parameters]
    positional = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    return sum(kind in positional for kind in kinds) >= 2 or inspect.Parameter.VAR_POSITIONAL in kinds  # noqa: PLR2004


def _bounded(text: str) -> str:
    """Return at most `MAX_KEPT_CHARACTERS` of a text, which can be stored."""
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= MAX_KEPT_CHARACTERS else text[:MAX_KEPT_CHARACTERS] + "\n[cut]"


def secrets_of(store: ServiceStore, event: str, session: Credentials) -> tuple[str, ...]:
    """Return the secrets that a function gets: those of its credentials, and the tokens in its stored event."""
    return session.access_key_secret, session.security_token or "", *store.tokens_in(event)


def without_secrets(text: str, secrets: tuple[str, ...]) -> str:
    """Return a text that can be stored, without the secrets that the process knows and those of the invocation."""
    return mask_secrets(_bounded(text), also=secrets)
