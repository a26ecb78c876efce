"""What both flow languages have in common: errors, steps, rules, and the interface of a flow that can be run."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from fc_callback.errors import FcCallbackError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

JsonObject = dict[str, Any]
# The keys and indexes that lead to a part of a document.
Place = tuple[str | int, ...]

RUNTIME_ERROR = "FnF.RuntimeError"
INVALID_LOCAL = "FnF.InvalidLocal"
TASK_TIMEOUT = "FnF.TaskTimeout"
ANY_ERROR = "FnF.ALL"
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


def compact(value: object) -> str:
    """Return a value as compact JSON text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def size_bytes(value: object) -> int:
    """Return the size of a value as the limits count it: the UTF-8 bytes of its compact JSON text."""
    return len(compact(value).encode())


def _not_json(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def parse_json(text: str | bytes) -> Any:
    """Return the JSON value that a text holds.

    Raises:
        ValueError: It holds none, or one that cannot be stored.
    """
    try:
        value = json.loads(text, parse_constant=_not_json)
        compact(value).encode()  # json.loads accepts a lone surrogate, which cannot be stored
    except RecursionError as error:
        raise ValueError(str(error)) from None
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
    bodies: tuple[Body, ...] = ()


@attrs.frozen(kw_only=True)
class Body:
    """A list of steps that run one after the other: a flow's own, a branch, an iteration, an alternative."""

    first: str
    steps: Mapping[str, Any]


@attrs.frozen(kw_only=True)
class Chosen:
    """The outcome of a choice: the list that runs now, and the step that follows; both may be None."""

    body: int | None = None
    goto: str | None = None


@attrs.frozen(kw_only=True)
class TaskCall:
    """The call that a task makes.

    Attributes:
        action: `FC:InvokeFunction`, `FNF:StartExecution`, or the name or ARN of any other action.
        resource_arn: The ARN of the function or flow; empty for any other action.
        event: The event of a function, as text.
        parameters: The evaluated parameters of any other action; `executionName` and `input` of a flow.
        asynchronous: Whether FC queues the event.
        waits_for: `call` (the response of the call), `end` (the end of the function or flow) or `report` (of the task
            token).
        timeout_seconds: The task's timeout; None for no timeout.
    """

    action: str = "FC:InvokeFunction"
    resource_arn: str = ""
    event: str = ""
    parameters: JsonObject = attrs.field(factory=dict)
    asynchronous: bool = False
    waits_for: str
    timeout_seconds: float | None = None


@attrs.frozen(kw_only=True)
class Children:
    """The lists that a `parallel` or a `map` runs.

    Attributes:
        items: The elements of a `map`; one None for each branch of a `parallel`.
        concurrency: The number of them that run at a time.
    """

    items: list[Any]
    concurrency: int


def _ignore(_path: str) -> None:
    """Do nothing about a path that leads nowhere."""


@attrs.frozen(kw_only=True)
class EvaluationContext:
    """The state of an execution that expressions and mappings can read.

    Attributes:
        missing: Called with the text of each path that leads nowhere.
    """

    flow_name: str
    execution_name: str
    execution_input: JsonObject
    scope: JsonObject = attrs.field(factory=dict)
    globals: JsonObject = attrs.field(factory=dict)
    step_input: JsonObject = attrs.field(factory=dict)
    role_arn: str = ""
    event_id: int = 0
    task_token: str | None = attrs.field(default=None, repr=False)
    retry_count: int = 0
    error: str | None = None
    cause: str | None = None
    missing: Callable[[str], None] = _ignore


@attrs.frozen(kw_only=True)
class StepEnd:
    """The output of a step, the scope of its list after it, and the globals of the execution."""

    output: JsonObject
    scope: JsonObject
    globals: JsonObject


class Flow(Protocol):
    """A flow that can be run, in either language.

    A scope is the JSON value that is passed from step to step of one list. Only the flow itself interprets it.
    """

    @property
    def body(self) -> Body:
        """The flow's own list of steps."""

    @property
    def timeout_seconds(self) -> float | None:
        """The timeout of an execution; None for no timeout."""

    @property
    def limit_bytes(self) -> int:
        """The limit of a step's data."""

    @property
    def warnings(self) -> tuple[FlowWarning, ...]:
        """What the definition has and nothing reads."""

    def begin(self, context: EvaluationContext) -> JsonObject:
        """Return the scope before the first step."""

    def entered(self, scope: JsonObject) -> JsonObject:
        """Return the detail of StepEntered, BranchEntered and IterationEntered."""

    def exited(self, scope: JsonObject) -> JsonObject:
        """Return the detail of StepExited, BranchExited and IterationExited."""

    def step_input(self, step: Any, context: EvaluationContext) -> JsonObject:
        """Return the input of a step. For the methods below, the context holds it."""

    def wait_until(self, step: Any, context: EvaluationContext, now: float) -> float:
        """Return the end of a wait, in seconds since the epoch."""

    def task_call(self, step: Any, context: EvaluationContext) -> TaskCall:
        """Return the call of a task."""

    def function_result(self, step: Any, response: str) -> JsonObject:
        """Return the result of a task from the response of its function.

        Raises:
            FlowError: The language does not take it; retry and catch rules apply to the error.
        """

    def choose(self, step: Any, context: EvaluationContext) -> Chosen:
        """Return what a choice decides."""

    def children(self, step: Any, context: EvaluationContext) -> Children:
        """Return the lists that a `parallel` or a `map` runs."""

    def child_scope(self, step: Any, step_input: JsonObject, position: int, item: Any) -> JsonObject:
        """Return the scope of a list inside a step, before its first step."""

    def child_output(self, scope: JsonObject) -> JsonObject:
        """Return the output of a list inside a step, after its last step."""

    def join(self, step: Any, outputs: list[Any]) -> Any:
        """Return the result of a step from the outputs of the lists inside it, in their order."""

    def complete(self, step: Any, result: Any, context: EvaluationContext) -> StepEnd:
        """Return what a step leaves; `result` is that of a task or `join`, and None for any other step."""

    def caught(self, step: Any, rule: CatchRule, context: EvaluationContext) -> StepEnd:
        """Return the same for a step whose error was caught; the context holds the error."""

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


def object_result(step: Step, response: str) -> JsonObject:
    """Return a function's response as the result of a task.

    Raises:
        FlowError: It is not a JSON object.
    """
    result = parse_object(response)
    if result is None:
        raise FlowError(INVALID_LOCAL, f"Step {step.name!r}: the function's result is not a JSON object.")
    return result
