"""What the states of CloudFlow's language (`Type: StateMachine`, `SpecVersion: v1`) do with the data of an execution.

Source: CloudFlow documentation 2402077 (inputs and outputs), 2642848 (Task), 2412546 (Wait), 2412568 (Choice), 2412619
(Parallel), 2851868 (inline Map), 2500862 (errors), "integrated-function-compute", "integrating-cloud-workflows", "global-io".
"""

from __future__ import annotations

from typing import Any

import attrs

from fc_callback.flows.definition import (
    RUNTIME_ERROR,
    Body,
    CatchRule,
    DefinitionError,
    FlowError,
    FlowWarning,
    JsonObject,
    Step,
    compact,
    object_result,
    parse_json,
    require_size,
    size_bytes,
)
from fc_callback.flows.fields import number_between
from fc_callback.flows.flow import Children, Chosen, EvaluationContext, StepEnd, TaskCall
from fc_callback.flows.layout import CLOUDFLOW
from fc_callback.flows.paths import Condition, Constructor, Expression, Values
from fc_callback.settings import CLOUDFLOW_OUTPUT_LIMIT_BYTES, KIB

MAX_TASK_SECONDS = 604_800
MAX_WAIT_SECONDS = 300
MAX_CONCURRENCY = 40
GLOBAL_VALUE_LIMIT_BYTES = 256 * KIB
GLOBAL_KEY_LIMIT_BYTES = 128
# Source: CloudFlow documentation, "integrating-cloud-workflows": the result of FNF:StartExecution.
_STARTED = {"FlowName": "FlowName", "ExecutionName": "Name", "RequestID": "RequestId"}


@attrs.frozen(kw_only=True)
class Branch:
    """One branch of a Choice; `text` is its condition as the definition has it."""

    condition: Condition
    goto: str
    text: str


@attrs.frozen(kw_only=True)
class State(Step):
    """A state, with the fields that only this language has.

    Attributes:
        action: What a Task calls, as `TaskCall.action` has it.
        mode: A Task's TaskMode.
        branches: Those of a Choice.
        default: The target of a Choice without a true branch.
        items: The ItemsPath of a Map.
        concurrency: How many iterations of a Map run at a time.
    """

    input_constructor: Constructor | None = None
    output_constructor: Constructor | None = None
    global_constructor: Constructor | None = None
    seconds: Expression | None = None
    action: str = ""
    parameters: Constructor | None = None
    mode: str = "RequestComplete"
    timeout: Expression | None = None
    branches: tuple[Branch, ...] = ()
    default: str | None = None
    items: Expression | None = None
    concurrency: int = MAX_CONCURRENCY

    @property
    def waits_for(self) -> str:
        """What a Task waits for, as `TaskCall.waits_for` has it."""
        return CLOUDFLOW.waits_for[self.mode]


@attrs.frozen(kw_only=True)
class StateMachine:
    """A flow of CloudFlow. The scope of each list of states is `{"input": the output of the state before}`."""

    body: Body
    name: str = ""
    timeout_seconds: float | None = None
    limit_bytes: int = CLOUDFLOW_OUTPUT_LIMIT_BYTES
    warnings: tuple[FlowWarning, ...] = ()

    def begin(self, context: EvaluationContext) -> JsonObject:
        """Return the scope before the first state."""
        return {"input": context.execution_input}

    def entered(self, scope: JsonObject) -> JsonObject:
        """Return the input."""
        return {"input": scope["input"]}

    def exited(self, scope: JsonObject) -> JsonObject:
        """Return the output, which is the next state's input."""
        return {"output": scope["input"]}

    def step_input(self, step: State, context: EvaluationContext) -> JsonObject:
        """Return the result of the InputConstructor; without one the unchanged input."""
        given: JsonObject = context.scope["input"]
        if step.input_constructor is None:
            return given
        result = step.input_constructor(_values(step, attrs.evolve(context, step_input=given)))
        require_size(f"State {step.name!r}: the input", size_bytes(result), self.limit_bytes)
        return result

    def wait_until(self, step: State, context: EvaluationContext, now: float) -> float:
        """Return the end of the wait."""
        assert step.seconds is not None  # a wait has it
        value = step.seconds(_values(step, context))
        return now + _running_number(f"State {step.name!r}: 'Seconds'", value, low=1, high=MAX_WAIT_SECONDS)

    def task_call(self, step: State, context: EvaluationContext) -> TaskCall:
        """Return the call of a task: `Parameters`, evaluated; for a function, `body` is its event."""
        values = _values(step, context)
        given = {} if step.parameters is None else step.parameters(values)
        timeout = None
        if step.timeout is not None:
            label = f"State {step.name!r}: 'Timeout'"
            timeout = _running_number(label, step.timeout(values), low=0, high=MAX_TASK_SECONDS)
        call = TaskCall(
            action=step.action,
            resource_arn=str(given.get("resourceArn", "")),
            parameters=given,
            waits_for=step.waits_for,
            timeout_seconds=timeout or None,
            started=_STARTED,
        )
        if step.action != "FC:InvokeFunction":
            return call
        body = given.get("body", "")
        kind = given.get("invocationType") or ("Async" if step.mode == "WaitForSystemCallback" else "Sync")
        if kind not in ("Sync", "Async"):  # it may be a list, which no set can look up
            raise FlowError(RUNTIME_ERROR, f"State {step.name!r}: invocationType is neither Sync nor Async.")
        return attrs.evolve(
            call,
            event=body if isinstance(body, str) else compact(body),
            asynchronous=kind == "Async",
        )

    def function_result(self, step: State, response: str) -> JsonObject:
        """Return the result of a synchronous call as the member `Body`, as published flows read it.

        Whether CloudFlow wraps the result of WaitForSystemCallback as well is not established; here it does not.
        """
        if step.mode != "RequestComplete":
            return object_result(step, response)
        try:
            return {"Body": parse_json(response)}
        except ValueError:
            return {"Body": response}

    def choose(self, step: State, context: EvaluationContext) -> Chosen:
        """Return the target of the first true branch, or the Default."""
        values = _values(step, context)
        for branch in step.branches:
            if branch.condition(values):
                return Chosen(goto=branch.goto)
        if step.default is None:
            raise FlowError(RUNTIME_ERROR, f"State {step.name!r}: no condition is true, and there is no Default.")
        return Chosen(goto=step.default)

    def children(self, step: State, context: EvaluationContext) -> Children:
        """Return the branches of a Parallel, or the elements of a Map."""
        if step.items is None:
            return Children(items=[None] * len(step.bodies), concurrency=len(step.bodies))
        items = step.items(_values(step, context))
        if not isinstance(items, list):
            raise FlowError(RUNTIME_ERROR, f"State {step.name!r}: ItemsPath is not a list.")
        return Children(items=items, concurrency=step.concurrency)

    def child_scope(self, step: State, step_input: JsonObject, position: int, item: Any) -> JsonObject:  # noqa: ARG002
        """Return the scope of a branch (the state's Input) or of an iteration (the element)."""
        return {"input": item if step.kind == "map" else step_input}

    def child_output(self, scope: JsonObject) -> JsonObject:
        """Return the Output of the last state of a branch or an iteration."""
        output: JsonObject = scope["input"]
        return output

    def join(self, step: State, outputs: list[Any]) -> Any:
        """Return the raw Output: `{"Branch0": ...}` of a Parallel, `{"Items": [...]}` of a Map."""
        if step.kind == "map":
            return {"Items": outputs}
        return {f"Branch{position}": output for position, output in enumerate(outputs)}

    def complete(self, step: State, result: Any, context: EvaluationContext) -> StepEnd:
        """Build the output, then the globals, which see the raw output and not the constructed one."""
        raw = context.step_input if result is None else result
        require_size(f"State {step.name!r}: the result", size_bytes(raw), self.limit_bytes)
        values = _values(step, context, output=raw)
        output = raw if step.output_constructor is None else step.output_constructor(values)
        merged = context.globals
        if step.global_constructor is not None:
            added = step.global_constructor(values)
            for name, value in added.items():
                require_size("The name of a member of $Global", len(name.encode()), GLOBAL_KEY_LIMIT_BYTES)
                require_size(f"$Global.{name}", size_bytes(value), GLOBAL_VALUE_LIMIT_BYTES)
            merged = {**merged, **added}
        require_size(f"State {step.name!r}: the output", size_bytes(output), self.limit_bytes)
        return StepEnd(output=output, scope={"input": output}, globals=merged)

    def caught(self, step: State, rule: CatchRule, context: EvaluationContext) -> StepEnd:
        """Return the result of the rule's OutputConstructor; without one the state's own input."""
        output = context.step_input if rule.output is None else rule.output(_values(step, context))
        require_size(f"State {step.name!r}: the output", size_bytes(output), self.limit_bytes)
        return StepEnd(output=output, scope={"input": output}, globals=context.globals)

    def output(self, context: EvaluationContext) -> JsonObject:
        """Return the last state's output."""
        result: JsonObject = context.scope["input"]
        return result


def _values(step: State, context: EvaluationContext, *, output: JsonObject | None = None) -> Values:
    current = {
        "Name": step.name,
        "Input": context.step_input,
        "Output": output,
        "Error": {"Code": context.error, "Detail": context.cause},
        "RetryCount": context.retry_count,
        "TaskToken": context.task_token,
    }
    execution = {"Name": context.execution_name, "Input": context.execution_input, "RoleArn": context.role_arn}
    roots = {
        "$Input": context.step_input,
        "$Output": output,
        "$Global": context.globals,
        "$Context": {"Execution": execution, "Current": current},
    }
    return Values(roots=roots, missing=context.missing)


def _running_number(label: str, value: object, *, low: float, high: float) -> float:
    try:
        return number_between(label, value, low=low, high=high)
    except DefinitionError as error:
        raise FlowError(RUNTIME_ERROR, str(error)) from None
