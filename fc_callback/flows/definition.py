"""What both flow languages have in common: steps, rules, and what the driver of an execution asks of a flow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from fc_callback.errors import FcCallbackError

if TYPE_CHECKING:
    from collections.abc import Mapping

JsonObject = dict[str, Any]

RUNTIME_ERROR = "FnF.RuntimeError"
INVALID_LOCAL = "FnF.InvalidLocal"
TASK_TIMEOUT = "FnF.TaskTimeout"
ANY_ERROR = "FnF.ALL"


class DefinitionError(FcCallbackError, ValueError):
    """A definition is refused; the text names the step and what is wrong with it."""


class FlowError(FcCallbackError):
    """A step cannot be run: it fails with this name and cause."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


def compact(value: object) -> str:
    """Return `value` as compact JSON text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def size_bytes(value: object) -> int:
    """Return the size of `value` as the limits count it: UTF-8 bytes of compact JSON."""
    return len(compact(value).encode())


def _not_json(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def parse_object(text: str | bytes) -> JsonObject | None:
    """Return the JSON object that `text` holds; None where it holds anything else."""
    try:
        value = json.loads(text, parse_constant=_not_json)
        compact(value).encode()  # a lone surrogate passes json.loads, and nothing can store it
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


@attrs.frozen(kw_only=True)
class Rule:
    """The errors that one Retry or Catch entry is about."""

    errors: tuple[str, ...]

    def matches(self, error: str) -> bool:
        """Say whether `error`, by name, is one of them."""
        return error in self.errors or ANY_ERROR in self.errors


@attrs.frozen(kw_only=True)
class RetryRule(Rule):
    """How often, and after how long, a failed task is run again."""

    max_attempts: int
    interval_seconds: float
    multiplier: float
    max_interval_seconds: float

    def delay_seconds(self, retry: int) -> float:
        """Return the pause before retry number `retry`, counted from 1."""
        try:
            return min(self.interval_seconds * self.multiplier ** (retry - 1), self.max_interval_seconds)
        except OverflowError:
            return self.max_interval_seconds


@attrs.frozen(kw_only=True)
class CatchRule(Rule):
    """Where a failed task goes on; `output` is CloudFlow's OutputConstructor."""

    goto: str
    output: Any = None


@attrs.frozen(kw_only=True)
class Step:
    """One step or state.

    Attributes:
        name: Unique in its flow.
        kind: `pass`, `task`, `wait`, `succeed` or `fail`.
        following: The step that comes next; None where the flow ends.
        retry: Tried in order; the first that matches is used.
        catch: Looked at when no retry is left.
        error: What a `fail` step fails with.
        cause: Words for it.
        callback: Whether the task waits for a report by its token.
    """

    name: str
    kind: str
    following: str | None = None
    retry: tuple[RetryRule, ...] = ()
    catch: tuple[CatchRule, ...] = ()
    error: str = ""
    cause: str = ""
    callback: bool = False


@attrs.frozen(kw_only=True)
class TaskCall:
    """What a task asks of Function Compute.

    Attributes:
        resource_arn: The function.
        event: The event's text.
        asynchronous: Whether FC is asked to queue it.
        waits_for: `call` (the answer to the request), `function` (the function's own end) or `report` (the token).
        timeout_seconds: For the task; None where it never times out.
    """

    resource_arn: str
    event: str
    asynchronous: bool
    waits_for: str
    timeout_seconds: float | None


@attrs.frozen(kw_only=True)
class EvaluationContext:
    """Where an execution stands, for the expressions that ask for it."""

    flow_name: str
    execution_name: str
    execution_input: JsonObject
    role_arn: str = ""
    event_id: int = 0
    task_token: str | None = attrs.field(default=None, repr=False)
    retry_count: int = 0
    error: str | None = None
    cause: str | None = None


class Flow(Protocol):
    """A flow in either language. A scope is the JSON value that stands between two steps; it is the flow's own affair."""

    @property
    def first(self) -> str:
        """The first step's name."""

    @property
    def steps(self) -> Mapping[str, Step]:
        """Every step by its name."""

    @property
    def timeout_seconds(self) -> float | None:
        """How long an execution may take; None where there is no limit."""

    @property
    def limit_bytes(self) -> int:
        """How much data a step may have."""

    def begin(self, start_input: JsonObject, context: EvaluationContext) -> JsonObject:
        """Return the scope before the first step."""

    def entered(self, scope: JsonObject) -> JsonObject:
        """Return what the history shows when a step is entered."""

    def exited(self, scope: JsonObject) -> JsonObject:
        """Return what the history shows when a step is left."""

    def step_input(self, step: Any, scope: JsonObject, context: EvaluationContext) -> JsonObject:
        """Return the step's own input."""

    def wait_until(
        self, step: Any, scope: JsonObject, step_input: JsonObject, context: EvaluationContext, now: float
    ) -> float:
        """Return when a wait ends, in seconds since the epoch."""

    def task_call(self, step: Any, scope: JsonObject, step_input: JsonObject, context: EvaluationContext) -> TaskCall:
        """Return what a task calls."""

    def complete(
        self,
        step: Any,
        scope: JsonObject,
        step_input: JsonObject,
        result: JsonObject | None,
        context: EvaluationContext,
    ) -> tuple[JsonObject, JsonObject]:
        """Return the step's output and the scope after it; `result` is a task's."""

    def caught(
        self, step: Any, rule: CatchRule, scope: JsonObject, step_input: JsonObject, context: EvaluationContext
    ) -> tuple[JsonObject, JsonObject]:
        """Return the same for a task whose failure was caught; the context holds the error."""

    def output(self, scope: JsonObject, context: EvaluationContext) -> JsonObject:
        """Return the execution's output."""


def first_match(rules: tuple[Any, ...], error: str) -> int | None:
    """Return the place of the first rule that is about `error`."""
    return next((index for index, rule in enumerate(rules) if rule.matches(error)), None)


def require_size(what: str, size: int, limit: int) -> None:
    """Fail the execution when its data is over the limit.

    Raises:
        FlowError: It is.
    """
    if size > limit:
        raise FlowError(RUNTIME_ERROR, f"{what}: {size} bytes of data, and the limit is {limit}.")
