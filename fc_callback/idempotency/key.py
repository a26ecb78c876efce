"""The key that tells one piece of work from others, and the digest of the payload that must not change.

Neither holds the task token. Each attempt of a flow's step has a new token, so a key with a token would make each delivery
new work.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from fc_callback.errors import IdempotencyKeyMissing, SettingsError
from fc_callback.idempotency.token_placeholders import drop_token, holds_token
from fc_callback.payload.paths import key_of_step, parse_path
from fc_callback.payload.token_search import TOKEN_KEYS
from fc_callback.values import validators
from fc_callback.values.token import TaskToken

if TYPE_CHECKING:
    from fc_callback.values.context import FcContext

_TOKEN_NAMES = frozenset(TOKEN_KEYS)

Paths = tuple[str, ...]
Key = Paths | Callable[[Mapping[str, Any]], Any]

KEY_HINT = 'Name fields of the payload, as key="order.id" or key=("order.id", "line"), or pass a callable.'
_NEW_EACH_TIME = "Each attempt of a step has a new token: name a value that stays the same, like an order's number."


def checked_paths(names: str | Paths, *, option: str, hint: str = KEY_HINT) -> Paths:
    """Return the paths of an option as a tuple, after a check of each.

    Args:
        names: One path into the payload, like `order.id` or `lines[0].id`, or several.
        option: The option's name, for the error.
        hint: What to give, for the error.

    Raises:
        SettingsError: There is no path, one is not a path, or one names the task token.
    """
    paths: object = (names,) if isinstance(names, str) else names
    if not isinstance(paths, (tuple, list)):
        validators.refuse(option, paths, hint)
    if not paths:
        raise SettingsError(f"{option}= names no field of the payload.", hint=hint)
    for path in paths:
        if not isinstance(path, str):
            raise SettingsError(f"{option}= contains {validators.kind_of(path)}.", hint=hint)
        steps = parse_path(path, option=option)
        if _TOKEN_NAMES.intersection(steps):
            raise SettingsError(f"{option}={path!r} names the task token.", hint=_NEW_EACH_TIME)
    return tuple(paths)


def scope_of(function: object, context: FcContext) -> str:
    """Return the name that keeps a function's keys apart from other functions' in the same store: `pay-orders:index.handler`.

    Many functions have a handler called `index.handler`, so the function's name in FC comes first. Versions and aliases of
    a function share their work: a new version does not run it again.
    """
    while isinstance(function, partial):  # all of them have one class, and no name
        function = function.func
    module = getattr(function, "__module__", type(function).__module__)
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{context.function_name}:{module}.{name}" if context.function_name else f"{module}.{name}"


def work_key(scope: str, key: Key, payload: Mapping[str, Any], token: TaskToken | None) -> str:
    """Return the SHA-256 of the scope and the key's values, in hex.

    Raises:
        IdempotencyKeyMissing: A field is missing, None or empty; or the callable returned such a value, or raised
            KeyError or IndexError.
        SettingsError: The value holds the task token, or is not JSON.
    """
    if callable(key):
        try:
            values = [key(drop_token(payload, token, names=_TOKEN_NAMES))]
        except (KeyError, IndexError) as error:
            raise IdempotencyKeyMissing(
                f"The callable given as key= raised {type(error).__name__}.",
                hint="Send the fields that it reads with every event.",
            ) from error
        if _is_empty(values[0]):
            raise IdempotencyKeyMissing(
                "The callable given as key= returned None or an empty value.",
                hint="Return a value that tells this work from other work.",
            )
    else:
        values = [_required(payload, path) for path in key]
    if token is not None and holds_token(values, token):
        raise SettingsError("The value of key= holds the task token.", hint=_NEW_EACH_TIME)
    return _digest([scope, values], what="The value of key=")


def payload_digest(payload: Mapping[str, Any], check: Paths | None, token: TaskToken | None) -> str:
    """Return the SHA-256 of what must be the same in each delivery of this work: the payload without the task token.

    Args:
        payload: The payload.
        check: Only these fields, of which a missing one counts as null; None for the whole payload.
        token: The token to leave out.
    """
    rest = drop_token(payload, token, names=_TOKEN_NAMES)
    checked = rest if check is None else [_value_at(rest, path) for path in check]
    return _digest(checked, what="The payload")


def token_in(payload: Mapping[str, Any]) -> TaskToken | None:
    """Return the token that a payload holds under one of the usual names, for a handler that is not a callback task."""
    for name in TOKEN_KEYS:
        value = payload.get(name)
        if isinstance(value, str) and value:
            return TaskToken(value)
    return None


def _required(payload: Mapping[str, Any], path: str) -> Any:
    value = _value_at(payload, path)
    if _is_empty(value):
        raise IdempotencyKeyMissing(
            f"The payload holds nothing at {path!r}, which key= names.",
            hint="Send the field with every event, or name another one.",
        )
    return value


def _value_at(payload: Any, path: str) -> Any:
    value = payload
    for step in parse_path(path):
        key = key_of_step(value, step)
        if key is None:
            return None
        value = value[key]
    return value


def _is_empty(value: Any) -> bool:
    # Zero and False are keys. Unrelated events would share a blank one.
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, (Mapping, list, tuple)) and not value)


def _digest(value: Any, *, what: str) -> str:
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"{what} is not JSON: {error}.", hint="Use text, numbers, lists and objects.") from None
    return sha256(text.encode()).hexdigest()
