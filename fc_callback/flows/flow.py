"""The interface of a flow that can be run, in either language, and the values that it takes and returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import attrs

from fc_callback.flows.definition import JsonObject, Warn, ignore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fc_callback.flows.definition import Body, CatchRule, FlowWarning


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
        started: The names of the result of a call that has started a flow, and the field of StartExecution's response
            that each of them holds.
    """

    action: str = "FC:InvokeFunction"
    resource_arn: str = ""
    event: str = ""
    parameters: JsonObject = attrs.field(factory=dict)
    asynchronous: bool = False
    waits_for: str
    timeout_seconds: float | None = None
    started: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Children:
    """The lists that a `parallel` or a `map` runs.

    Attributes:
        items: The elements of a `map`; one None for each branch of a `parallel`.
        concurrency: The number of them that run at a time.
    """

    items: list[Any]
    concurrency: int


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
    missing: Warn = attrs.field(default=ignore, eq=False, repr=False)


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
    def name(self) -> str:
        """The flow's own name; empty if the definition has none, which only CloudFlow's language has."""

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
