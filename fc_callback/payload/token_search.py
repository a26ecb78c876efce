"""Find the task token in an event, and its payload.

The author of a flow decides the place of the token. FC and CloudFlow prescribe none. By default a `Finder` looks for the usual
keys (`taskToken`, `TaskToken`, `task_token`): first at the top of the event, then inside the envelope of a trigger, through
arrays, objects, JSON in strings and base64. The object with the token is the payload. The search does not go deeper into it,
because it contains the function's own data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from fc_callback.errors import EventNotUtf8, SettingsError, TaskTokenNotFound, TokenAmbiguous
from fc_callback.payload.event_walk import ARRAYS, CONTAINERS, MAX_VALUES, garbled_path, holder_of, walk
from fc_callback.payload.json_layers import (
    NotJson,
    NotUtf8,
    open_layers,
    read_json,
    unwrap_base64,
)
from fc_callback.payload.paths import describe, key_of_step, parse_path, show_key, show_path, show_steps
from fc_callback.values import validators
from fc_callback.values.token import TaskToken

if TYPE_CHECKING:
    from fc_callback.payload.paths import Trail

TokenOption = str | Sequence[str] | Callable[[Any], str | TaskToken | None] | None

TOKEN_KEYS = ("taskToken", "TaskToken", "task_token")
MAX_TOKEN_CHARACTERS = 8192  # a token has at most about 430 characters, and may be sent in a query string
_PLACES_SHOWN = 5

_HINT = (
    "Map the token into the step's input: in Serverless Workflow `{target: taskToken, source: $context.task.token}` "
    "under inputMappings, in CloudFlow `taskToken.$: $Context.Current.TaskToken` in the body. "
    'If the token is at another place, give its path with token="a.b.c".'
)

_OPTION_HINT = (
    'Give a path like token="data.ticket", several paths, or a function of the event. Without token=, the handler looks for '
    "taskToken everywhere."
)


class TokenMatch(SimpleNamespace):
    """A task token with its payload and its place.

    Args:
        token: The token.
        payload: The innermost JSON object with the token. If a callable returned the token: the whole event if it is a JSON
            object, else the object with the token. Empty if no object contains the token.
        path: The place of the token, like `$[0].data.messageBody.taskToken`. JSON in a string adds no step. `$` if a
            callable returned the token.

    It is not a tuple: tools that record the variables of frames show the items of a tuple, and the payload contains the token.
    """

    token: TaskToken
    payload: dict[str, Any]
    path: str

    def __repr__(self) -> str:
        return f"TokenMatch(token={self.token!r}, path={self.path!r})"


class Finder:
    """Finds the task token of an event.

    Args:
        token: The place of the token. None looks for `taskToken`, `TaskToken` and `task_token` everywhere. A path such as
            `"data.ticket"` or `"Records.0.token"` starts at the top of the event. A key with a dot is written
            `'a["b.c"]'`. Several paths are tried in order. A callable gets the decoded event (unchanged if it is not
            JSON) and returns the token, or None. A LookupError from it means the same as None.

    Raises:
        SettingsError: `token` is not one of these.
    """

    def __init__(self, token: TokenOption = None) -> None:
        if callable(token):
            validators.function("token", token, gets=("event",), give=_OPTION_HINT)
        self._ask = token if callable(token) else None
        self._paths = () if token is None or callable(token) else _parse_paths(token)

    def find(self, event: object) -> TokenMatch:
        """Find the one token of an event.

        Args:
            event: The event that FC delivered, as bytes or text, or already decoded.

        Raises:
            TaskTokenNotFound: There is no token, or the value at its place is not a token.
            TokenAmbiguous: There are several different tokens, and no path says which one to use.
        """
        return self._find_in(_decode_event(event)) if self._ask is None else _match_of_callable(self._ask, event)

    @staticmethod
    def elements(event: object) -> list[Any] | None:
        """Return the elements of an event with several tasks, or None for an event that is not an array.

        Raises:
            TaskTokenNotFound: The event cannot be read.
        """
        decoded, _ = open_layers(_decode_event(event))
        return list(decoded) if isinstance(decoded, ARRAYS) else None

    def _find_in(self, decoded: object) -> TokenMatch:
        if self._paths:
            return _follow_first_path(self._paths, decoded)
        if type(decoded) is dict:  # a direct call with the token at the top needs no search
            value = decoded.get("taskToken")
            is_only_key = "TaskToken" not in decoded and "task_token" not in decoded
            if is_only_key and value is not None and _why_invalid(value) is None:
                return TokenMatch(token=TaskToken(value), payload=decoded, path="$.taskToken")
        return _Search(decoded).result()


def _decode_event(event: object) -> Any:
    """Decode an event that must be JSON or base64 of JSON, like an MNS message in STREAM format."""
    if isinstance(event, memoryview):
        event = event.tobytes()
    if not isinstance(event, bytes | bytearray | str):
        return event
    try:
        return read_json(event)
    except NotJson as error:
        reason, is_utf8 = str(error), not isinstance(error, NotUtf8)
    if not event.strip():
        raise TaskTokenNotFound("The event is empty.", hint=_HINT)
    if is_utf8:
        try:
            # Only base64 is possible here, which is ASCII. Other bytes must not be replaced by U+FFFD: different names would
            # become equal.
            return unwrap_base64(event if isinstance(event, str) else event.decode("ascii"))
        except NotUtf8:
            is_utf8 = False
        except (NotJson, UnicodeDecodeError):
            pass
    if not is_utf8:
        raise EventNotUtf8("The event cannot be read: it begins like JSON, but its bytes are not UTF-8.")
    unit = "characters" if isinstance(event, str) else "bytes"
    raise TaskTokenNotFound(
        f"The event holds no task token: its {len(event)} {unit} are not JSON ({reason}).",
        hint="Send the token in a JSON object, or give token= a function that reads it from the bytes. " + _HINT,
    )


def _why_invalid(value: object) -> str | None:
    """Return the reason why a value is not a token, or None for a token."""
    if not isinstance(value, str):
        return "an object" if isinstance(value, dict) else describe(value)
    if not value.strip():
        return "an empty string"
    if len(value) > MAX_TOKEN_CHARACTERS:
        return f"a string of {len(value)} characters"
    if value.startswith(("$context.", "$Context.")):
        return "an expression that the flow did not evaluate (in CloudFlow the key must end in `.$`)"
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return "a string with broken characters (lone surrogates)"
    return None


class _Search:
    """One search for the usual keys."""

    def __init__(self, root: object) -> None:
        self.root = root
        self.found: dict[str, tuple[dict[str, Any], Trail]] = {}
        self.flaws: list[tuple[Trail, str]] = []
        self.objects = 0
        self.complete = walk(root, self.visit)

    def visit(self, holder: dict[str, Any], trail: Trail) -> bool:
        self.objects += 1
        has_token = False
        for key in TOKEN_KEYS:
            if key not in holder:
                continue
            flaw = _why_invalid(holder[key])
            if flaw is None:
                has_token = True
                self.found.setdefault(holder[key], (holder, (trail, key)))
            elif len(self.flaws) < _PLACES_SHOWN:
                self.flaws.append(((trail, key), flaw))
        return has_token

    def result(self) -> TokenMatch:
        if len(self.found) > 1:
            raise _ambiguous(self.found)
        if not self.complete:
            raise TaskTokenNotFound(
                f"The event is too large to search: it has more than {MAX_VALUES} values.",
                hint='Give the path of the token with token="a.b.c".',
            )
        for token, (holder, trail) in self.found.items():
            return TokenMatch(token=TaskToken(token), payload=holder, path=show_path(trail))
        raise self.not_found()

    def not_found(self) -> TaskTokenNotFound:
        root, _ = open_layers(self.root)
        _refuse_garbled(self.root)
        if self.flaws:
            flaws = "; ".join(f"{show_path(trail)} is {flaw}, not a token" for trail, flaw in self.flaws)
            return TaskTokenNotFound(f"The event holds no task token: {flaws}.", hint=_HINT)
        if not isinstance(root, CONTAINERS):
            return TaskTokenNotFound(f"The event holds no task token: it is {describe(root)}.", hint=_HINT)
        searched = f"{self.objects} object{'' if self.objects == 1 else 's'}"
        return TaskTokenNotFound(
            f"The event holds no task token: none of the keys {', '.join(TOKEN_KEYS)} is in the {searched} searched. The event "
            f"is {describe(root)}.",
            hint=_HINT,
        )


def _refuse_garbled(root: object) -> None:
    garbled = garbled_path(root)
    if garbled is not None:
        raise EventNotUtf8(
            f"The event holds no task token that can be read: {garbled} is base64 of JSON whose bytes are not UTF-8."
        )


def _ambiguous(found: dict[str, tuple[dict[str, Any], Trail]]) -> TokenAmbiguous:
    paths = [show_path(trail) for _, (_, trail) in zip(range(_PLACES_SHOWN), found.values(), strict=False)]
    places = "; ".join(f"{path} ({TaskToken(token).fingerprint})" for path, token in zip(paths, found, strict=False))
    more = f"; and {len(found) - _PLACES_SHOWN} more" if len(found) > _PLACES_SHOWN else ""
    return TokenAmbiguous(
        f"The event holds {len(found)} different task tokens, at {places}{more}.",
        paths=tuple(paths),
        hint=f"Give the path of the right one, for example token='{paths[0]}'. If the event has several tasks, "
        "task_callback(batch=10) runs the function once for each, ten at a time.",
    )


def _parse_paths(option: object) -> tuple[tuple[str, ...], ...]:
    paths = (option,) if isinstance(option, str) else option
    if not isinstance(paths, Sequence) or isinstance(paths, bytes | bytearray | memoryview):
        validators.refuse("token", option, _OPTION_HINT)
    if not paths:
        raise SettingsError("token= contains no path.", hint=_OPTION_HINT)
    for path in paths:
        if not isinstance(path, str):
            raise SettingsError(f"token= contains {validators.kind_of(path)}.", hint=_OPTION_HINT)
    return tuple(parse_path(path) for path in paths)


def _follow_first_path(paths: tuple[tuple[str, ...], ...], root: object) -> TokenMatch:
    problems: list[str] = []
    for steps in paths:
        found = _follow_path(steps, root)
        if isinstance(found, TokenMatch):
            return found
        problems.append(found)
    _refuse_garbled(root)
    raise TaskTokenNotFound(f"The event holds no task token: {'; '.join(problems[:_PLACES_SHOWN])}.", hint=_HINT)


def _follow_path(steps: tuple[str, ...], root: object) -> TokenMatch | str:
    trail: Trail = None
    value: Any = root
    payload: dict[str, Any] = {}
    for step in steps:
        value, _ = open_layers(value)
        key = key_of_step(value, step)
        if key is None:
            at, missing = show_path(trail), show_key(step)
            return f"there is no {show_steps(steps)}, because {at} is {describe(value)}, without {missing}"
        if isinstance(value, dict):
            payload = value
        value, trail = value[key], (trail, key)
    flaw = _why_invalid(value)
    if flaw is not None:
        return f"{show_path(trail)} is {flaw}, not a token"
    return TokenMatch(token=TaskToken(value), payload=payload, path=show_path(trail))


def _match_of_callable(ask: Callable[[Any], str | TaskToken | None], event: object) -> TokenMatch:
    try:
        decoded, _ = open_layers(_decode_event(event))
    except TaskTokenNotFound:
        decoded = event
    try:
        answer = ask(decoded)
    except LookupError as error:
        if isinstance(error, TaskTokenNotFound):
            raise
        reason = f"raised {type(error).__name__}"
    else:
        token = answer.reveal() if isinstance(answer, TaskToken) else answer
        flaw = _why_invalid(token)
        if flaw is None and isinstance(token, str):
            return TokenMatch(token=TaskToken(token), payload=_payload_around(token, decoded), path="$")
        reason = f"returned {'None' if token is None else flaw}, not a token"
    raise TaskTokenNotFound(
        f"The event holds no task token: the callable given as token= {reason}.",
        hint=f"The event is {describe(decoded)}. " + _HINT,
    )


def _payload_around(token: str, decoded: object) -> dict[str, Any]:
    return decoded if isinstance(decoded, dict) else holder_of(token, decoded) or {}
