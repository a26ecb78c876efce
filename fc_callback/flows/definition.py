"""What both flow languages have in common: errors, steps, rules, and the interface of a flow that can be run."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from fc_callback.errors import FcCallbackError

if TYPE_CHECKING:
    from collections.abc import Mapping

JsonObject = dict[str, Any]
# Takes the text of a warning.
Warn = Callable[[str], None]
# The output of a step, and the scope after it.
StepEnd = tuple[JsonObject, JsonObject]
# The keys and indexes that lead to a part of a document.
Place = tuple[str | int, ...]

RUNTIME_ERROR = "FnF.RuntimeError"
INVALID_LOCAL = "FnF.InvalidLocal"
TASK_TIMEOUT = "FnF.TaskTimeout"
ANY_ERROR = "FnF.ALL"


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


def ignore(_text: str) -> None:
    """Ignore a warning."""


def compact(value: object) -> str:
    """Return a value as compact JSON text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def size_bytes(value: object) -> int:
    """Return the size of a value as the limits count it: the UTF-8 bytes of its compact JSON text."""
    return len(compact(value).encode())


def _not_json(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def parse_object(text: str | bytes) -> JsonObject | None:
    """Return the JSON object that a text holds; None if it holds anything else."""
    try:
        value = json.loads(text, parse_constant=_not_json)
        compact(value).encode()  # json.loads accepts a lone surrogate, which cannot be stored
    except (ValueError, RecursionError):
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
class Step:
    """One step or state.

    Attributes:
        name: Unique in its flow.
        kind: `pass`, `task`, `wait`, `succeed` or `fail`.
        following: The next step; None if the flow ends.
        retry: The retry rules; the first that applies is used.
        catch: The catch rules, used when no retry is left.
        error: The error name of a `fail` step.
        cause: The cause of a `fail` step.
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
    """The call that a task makes to Function Compute.

    Attributes:
        resource_arn: The function's ARN.
        event: The event, as text.
        asynchronous: Whether FC queues the event.
        waits_for: `call` (the response of FC), `function` (the end of the function) or `report` (of the task token).
        timeout_seconds: The task's timeout; None for no timeout.
    """

    resource_arn: str
    event: str
    asynchronous: bool
    waits_for: str
    timeout_seconds: float | None


@attrs.frozen(kw_only=True)
class EvaluationContext:
    """The state of an execution that expressions and mappings can read.

    `missing` is called with the text of a path that leads nowhere; its value is null then.
    """

    flow_name: str
    execution_name: str
    execution_input: JsonObject
    scope: JsonObject = attrs.field(factory=dict)
    step_input: JsonObject = attrs.field(factory=dict)
    role_arn: str = ""
    event_id: int = 0
    task_token: str | None = attrs.field(default=None, repr=False)
    retry_count: int = 0
    error: str | None = None
    cause: str | None = None
    missing: Warn = attrs.field(default=ignore, eq=False, repr=False)


class Flow(Protocol):
    """A flow that can be run, in either language.

    A scope is the JSON value that is passed from step to step. Only the flow itself interprets it.
    """

    @property
    def first(self) -> str:
        """The name of the first step."""

    @property
    def steps(self) -> Mapping[str, Step]:
        """The steps by name."""

    @property
    def timeout_seconds(self) -> float | None:
        """The timeout of an execution; None for no timeout."""

    @property
    def limit_bytes(self) -> int:
        """The limit of a step's data."""

    def begin(self, context: EvaluationContext) -> JsonObject:
        """Return the scope before the first step."""

    def entered(self, scope: JsonObject) -> JsonObject:
        """Return the detail of the event StepEntered."""

    def exited(self, scope: JsonObject) -> JsonObject:
        """Return the detail of the event StepExited."""

    def step_input(self, step: Any, context: EvaluationContext) -> JsonObject:
        """Return the input of a step. For the methods below, the context holds it."""

    def wait_until(self, step: Any, context: EvaluationContext, now: float) -> float:
        """Return the end of a wait, in seconds since the epoch."""

    def task_call(self, step: Any, context: EvaluationContext) -> TaskCall:
        """Return the call of a task."""

    def complete(self, step: Any, result: JsonObject | None, context: EvaluationContext) -> StepEnd:
        """Return the output of a step and the scope after it; `result` is the result of a task."""

    def caught(self, step: Any, rule: CatchRule, context: EvaluationContext) -> StepEnd:
        """Return the same for a task whose error was caught; the context holds the error."""

    def output(self, context: EvaluationContext) -> JsonObject:
        """Return the output of the execution."""


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
