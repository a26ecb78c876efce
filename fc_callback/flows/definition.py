"""What the definitions of both flow languages have in common: errors, JSON values, steps and rules."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from fc_callback.errors import FcCallbackError

if TYPE_CHECKING:
    from collections.abc import Mapping

JsonObject = dict[str, Any]
# Takes the text of a warning.
Warn = Callable[[str], None]
# The keys and indexes that lead to a part of a document.
Place = tuple[str | int, ...]


class WarnAt(Protocol):
    """Takes the text of a warning, and the keys and indexes that lead to the part it is about."""

    def __call__(self, text: str, /, *place: str | int) -> None:
        """Take the warning."""


RUNTIME_ERROR = "FnF.RuntimeError"
INVALID_LOCAL = "FnF.InvalidLocal"
TASK_TIMEOUT = "FnF.TaskTimeout"
ANY_ERROR = "FnF.ALL"
# The nesting of JSON values. This emulator's own limit, far from those of Python: a value is stored inside others.
MAX_LEVELS = 100
# Source: CloudFlow documentation, "Limits": the names of flows and of the legacy language's steps.
NAME_PATTERN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")


class DefinitionError(FcCallbackError, ValueError):
    """A definition is refused; the text names the step and the reason.

    Attributes:
        place: The keys and indexes of the part that is refused, as far as known.
        line: The line in the text, if the text itself cannot be read.
    """

    def __init__(self, message: str, *, line: int | None = None) -> None:
        super().__init__(message)
        self.place: Place = ()
        self.line = line


class UnsupportedDefinition(DefinitionError):
    """A definition uses something that the local CloudFlow does not run; the real service may accept it."""


class FlowError(FcCallbackError):
    """A step fails because of the flow's own data, with this error name and cause."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


def ignore(_text: str, /, *_place: str | int) -> None:
    """Ignore a warning."""


def warn_below(warn: WarnAt, *keys: str | int) -> WarnAt:
    """Return a `warn` for a part of what `warn` is about; the keys lead to the part."""
    return lambda text, /, *place: warn(text, *keys, *place)


def compact(value: object) -> str:
    """Return a value as compact JSON text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def size_bytes(value: object) -> int:
    """Return the size of a value as the limits count it: the UTF-8 bytes of its compact JSON text.

    Raises:
        FlowError: The value nests deeper than MAX_LEVELS.
    """
    try:
        text = compact(value)
        is_too_deep = _is_too_deep(text, value)
    except RecursionError:
        is_too_deep = True
    if is_too_deep:
        raise FlowError(RUNTIME_ERROR, f"A value is nested deeper than {MAX_LEVELS} levels.")
    return len(text.encode())


def _is_too_deep(text: str, value: object) -> bool:
    """Return whether a value, whose JSON text is given, nests deeper than MAX_LEVELS."""
    if text.count("[") + text.count("{") <= MAX_LEVELS:  # nearly every value
        return False
    level = [value]
    for _ in range(MAX_LEVELS):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
    return any(isinstance(item, dict | list) for item in level)


def _not_json(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def parse_json(text: str | bytes) -> Any:
    """Return the JSON value that a text holds.

    Raises:
        ValueError: It holds none, or one that cannot be stored: with a number that is too large for a float, with half
            of a character, or nested deeper than MAX_LEVELS.
    """
    try:
        value = json.loads(text, parse_constant=_not_json)
        # json.loads reads 1e999 as infinity, and accepts a lone surrogate.
        stored = json.dumps(value, ensure_ascii=False, allow_nan=False)
        stored.encode()
    except RecursionError as error:
        raise ValueError(str(error)) from None
    if _is_too_deep(stored, value):
        raise ValueError(f"it is nested deeper than {MAX_LEVELS} levels")
    return value


def parse_object(text: str | bytes) -> JsonObject | None:
    """Return the JSON object that a text holds; None if it holds anything else."""
    try:
        value = parse_json(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


@attrs.frozen(kw_only=True)
class ErrorRule:
    """The errors that one Retry or Catch entry applies to."""

    errors: tuple[str, ...]

    def matches(self, error: str) -> bool:
        """Return whether the rule applies to an error name."""
        return error in self.errors or ANY_ERROR in self.errors


@attrs.frozen(kw_only=True)
class RetryRule(ErrorRule):
    """How often and when a failed task is retried."""

    max_attempts: int
    interval_seconds: float
    multiplier: float
    max_interval_seconds: float

    def delay_seconds(self, retry: int) -> float:
        """Return the delay before a retry, counted from 1."""
        try:
            return min(self.interval_seconds * self.multiplier ** (retry - 1), self.max_interval_seconds)
        except OverflowError:
            return self.max_interval_seconds


@attrs.frozen(kw_only=True)
class CatchRule(ErrorRule):
    """The step that follows a failed task. `output` is the OutputConstructor of CloudFlow's language."""

    goto: str
    output: Any = None


@attrs.frozen(kw_only=True)
class FlowWarning:
    """Something in a definition that CloudFlow accepts and that has no effect, and where it is."""

    message: str
    place: Place = ()


@attrs.frozen(kw_only=True)
class Step:
    """One step or state.

    Attributes:
        name: Unique in its list of steps.
        kind: `pass`, `task`, `wait`, `choice`, `parallel`, `map`, `succeed` or `fail`.
        following: The next step of the list; None if the list ends.
        retry: The retry rules; the first that applies is used.
        catch: The catch rules, used when no retry is left.
        error: The error name of a `fail` step.
        cause: The cause of a `fail` step.
        callback: Whether the task waits for a report by its token.
        wait_seconds: The duration of a wait, if the definition states it as a number.
        bodies: The lists inside the step: the branches of a `parallel`, the one of a `map`, the alternatives of a
            `choice`.
    """

    name: str
    kind: str
    following: str | None = None
    retry: tuple[RetryRule, ...] = ()
    catch: tuple[CatchRule, ...] = ()
    error: str = ""
    cause: str = ""
    callback: bool = False
    wait_seconds: float | None = None
    bodies: tuple[Body, ...] = ()


@attrs.frozen(kw_only=True)
class Body:
    """A list of steps that run one after the other: a flow's own, a branch, an iteration, an alternative."""

    first: str
    steps: Mapping[str, Any]


def first_match(rules: tuple[Any, ...], error: str) -> int | None:
    """Return the index of the first rule that applies to an error; None if none does."""
    return next((index for index, rule in enumerate(rules) if rule.matches(error)), None)


def require_size(what: str, size: int, limit: int) -> None:
    """Check the size of an execution's data.

    Raises:
        FlowError: It is over the limit.
    """
    if size > limit:
        raise FlowError(RUNTIME_ERROR, f"{what}: {size} bytes of data, and the limit is {limit}.")


def object_result(step: Step, response: str) -> JsonObject:
    """Return a function's response as the result of a task.

    Raises:
        FlowError: It is not a JSON object.
    """
    result = parse_object(response)
    if result is None:
        raise FlowError(INVALID_LOCAL, f"Step {step.name!r}: the function's result is not a JSON object.")
    return result
