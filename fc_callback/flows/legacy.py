"""What the steps of Serverless Workflow's language (`version: v1`, `type: flow`) do with the data of an execution.

Source: Serverless Workflow documentation 122493 (inputs and outputs), 122494 (task), 122495 (wait), 122496 (pass), 122497
(choice), 122498 (parallel), 122499 (foreach), 149829 (child flows).
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

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
    require_size,
    size_bytes,
)
from fc_callback.flows.fields import number_between
from fc_callback.flows.flow import Children, Chosen, EvaluationContext, StepEnd, TaskCall
from fc_callback.flows.layout import LEGACY
from fc_callback.flows.mappings import TargetMapping, apply_mappings
from fc_callback.flows.paths import Path
from fc_callback.settings import LEGACY_OUTPUT_LIMIT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_WAIT_SECONDS = 2 * 86_400
MAX_CONCURRENCY = 100
# StartExecution's response has FlowDefinition and Input too. Here they are left out, because they would count towards
# the limit of a step's data. Which fields the service passes on is not documented.
_STARTED = {name: name for name in ("FlowName", "Name", "Status", "Output", "StartedTime", "StoppedTime", "RequestId")}


@attrs.frozen(kw_only=True)
class Alternative:
    """One alternative of a choice: its condition (None for the default) and the text of it, its list of steps, its goto."""

    condition: Callable[[JsonObject], bool] | None
    chosen: Chosen
    text: str = ""


@attrs.frozen(kw_only=True)
class LegacyStep(Step):
    """A step, with the fields that only this language has.

    Attributes:
        inputs: Its inputMappings; None if it has none.
        outputs: Its outputMappings; None if it has none.
        errors: Its errorMappings; None if it has none.
        action: What a task calls, as `TaskCall.action` has it.
        parameters: Its serviceParams; each value is a constant or a path into the step's input.
        alternatives: Those of a choice; the default is the last one.
        collection: Which part of a foreach's input holds the elements.
        item: The name of the element in an iteration's input.
        index: The name of its position; empty for none.
    """

    inputs: tuple[TargetMapping, ...] | None = None
    outputs: tuple[TargetMapping, ...] | None = None
    errors: tuple[TargetMapping, ...] | None = None
    duration: Any = None
    timestamp: Any = None
    action: str = ""
    resource_arn: str = ""
    parameters: JsonObject = attrs.field(factory=dict)
    pattern: str = "requestResponse"
    asynchronous: bool = False
    timeout_seconds: float | None = None
    alternatives: tuple[Alternative, ...] = ()
    collection: Path | None = None
    item: str = ""
    index: str = ""

    @property
    def waits_for(self) -> str:
        """What a task waits for, as `TaskCall.waits_for` has it."""
        return LEGACY.waits_for[self.pattern]


@attrs.frozen(kw_only=True)
class LegacyFlow:
    """A flow of Serverless Workflow. The scope of each list of steps is `{"input": ..., "local": ...}`."""

    body: Body
    name: str = ""
    timeout_seconds: float | None = None
    inputs: tuple[TargetMapping, ...] | None = None
    outputs: tuple[TargetMapping, ...] | None = None
    limit_bytes: int = LEGACY_OUTPUT_LIMIT_BYTES
    warnings: tuple[FlowWarning, ...] = ()

    def begin(self, context: EvaluationContext) -> JsonObject:
        """Return the scope before the first step."""
        given = context.execution_input
        mapped = given if self.inputs is None else apply_mappings(self.inputs, {"input": given}, context)
        return _scope(mapped)

    def entered(self, scope: JsonObject) -> JsonObject:
        """Return the input and the local of the list that the step is in."""
        return {"input": scope["input"], "local": scope["local"]}

    def exited(self, scope: JsonObject) -> JsonObject:
        """Return the local of the list after the step."""
        return {"local": scope["local"]}

    def step_input(self, step: LegacyStep, context: EvaluationContext) -> JsonObject:
        """Return the mapped targets; without mappings the input of the list, updated with its local."""
        if step.inputs is None:
            return {**context.scope["input"], **context.scope["local"]}
        return apply_mappings(step.inputs, context.scope, context)

    def wait_until(self, step: LegacyStep, context: EvaluationContext, now: float) -> float:
        """Return the end of the wait; a timestamp in the past ends it at once."""
        given = step.timestamp if step.duration is None else step.duration
        value = given.read(context.step_input, context.missing) if isinstance(given, Path) else given
        label = f"Step {step.name!r}"
        try:
            if step.duration is not None:
                return now + number_between(f"{label}: 'duration'", value, low=0, high=MAX_WAIT_SECONDS)
            due = timestamp_seconds(label, value)
        except DefinitionError as error:
            raise FlowError(RUNTIME_ERROR, str(error)) from None
        if due > now + MAX_WAIT_SECONDS:
            raise FlowError(RUNTIME_ERROR, f"{label}: the timestamp is more than two days away.")
        return due

    def task_call(self, step: LegacyStep, context: EvaluationContext) -> TaskCall:
        """Return the call of a task: the step's input is the function's event and, by default, the child flow's input."""
        parameters = {
            name: value.read(context.step_input, context.missing) if isinstance(value, Path) else value
            for name, value in step.parameters.items()
        }
        if step.action == "FNF:StartExecution":
            name = parameters.get("ExecutionName")
            parameters = {"input": parameters.get("Input", context.step_input), "executionName": name}
        return TaskCall(
            action=step.action,
            resource_arn=step.resource_arn,
            event=compact(context.step_input),
            parameters=parameters,
            asynchronous=step.asynchronous,
            waits_for=step.waits_for,
            timeout_seconds=step.timeout_seconds,
            started=_STARTED,
        )

    def function_result(self, step: LegacyStep, response: str) -> JsonObject:
        """Return the function's own result, which must be a JSON object."""
        return object_result(step, response)

    def choose(self, step: LegacyStep, context: EvaluationContext) -> Chosen:
        """Return the first alternative whose condition is true; with no such alternative the choice ends."""
        for alternative in step.alternatives:
            if alternative.condition is None or alternative.condition(context.step_input):
                return alternative.chosen
        return Chosen()

    def children(self, step: LegacyStep, context: EvaluationContext) -> Children:
        """Return the branches of a parallel, or the elements of a foreach."""
        if step.collection is None:
            return Children(items=[None] * len(step.bodies), concurrency=len(step.bodies))
        items = step.collection.read(context.step_input, context.missing)
        if not isinstance(items, list):
            raise FlowError(RUNTIME_ERROR, f"Step {step.name!r}: the collection of the iteration is not a list.")
        return Children(items=items, concurrency=MAX_CONCURRENCY)

    def child_scope(self, step: LegacyStep, step_input: JsonObject, position: int, item: Any) -> JsonObject:
        """Return the scope of a branch, an iteration or an alternative: the step's input, and an empty local."""
        if step.kind != "map":
            return _scope(step_input)
        index = {step.index: position} if step.index else {}
        return _scope({**step_input, step.item: item, **index})

    def child_output(self, scope: JsonObject) -> JsonObject:
        """Return the local of the list: the merged outputs of its steps."""
        local: JsonObject = scope["local"]
        return local

    def join(self, step: LegacyStep, outputs: list[Any]) -> Any:
        """Return the `$local` of the step: an array; for a choice the output of its alternative."""
        return outputs[0] if step.kind == "choice" else outputs

    def complete(self, step: LegacyStep, result: Any, context: EvaluationContext) -> StepEnd:
        """Map the output and merge it into the local of the list."""
        local = {} if result is None else result
        # Without outputMappings nothing of a parallel or foreach reaches the steps that follow.
        output = {} if step.kind in {"parallel", "map"} else local
        if step.outputs is not None:
            output = apply_mappings(step.outputs, {"input": context.step_input, "local": local}, context)
        return self._merged(step, local, output, context)

    def caught(self, step: LegacyStep, _rule: CatchRule, context: EvaluationContext) -> StepEnd:
        """Return what the errorMappings build; without them the flow does not see the error."""
        local = {"error": context.error, "cause": context.cause}
        return self._merged(step, local, apply_mappings(step.errors or (), {"local": local}, context), context)

    def output(self, context: EvaluationContext) -> JsonObject:
        """Return the flow's mapped output, or its local."""
        result: JsonObject = context.scope["local"]
        if self.outputs is not None:
            result = apply_mappings(self.outputs, context.scope, context)
        require_size("The flow's output", size_bytes(result), self.limit_bytes)
        return result

    def _merged(self, step: LegacyStep, local: Any, output: JsonObject, context: EvaluationContext) -> StepEnd:
        # Without mappings the output is the local, and counts once.
        parts = [context.step_input, local] if output is local else [context.step_input, local, output]
        require_size(
            f"Step {step.name!r}: input, local and output together", sum(map(size_bytes, parts)), self.limit_bytes
        )
        merged = {**context.scope["local"], **output}
        require_size(f"The local after step {step.name!r}", size_bytes(merged), self.limit_bytes)
        return StepEnd(output=output, scope={"input": context.scope["input"], "local": merged}, globals=context.globals)


def _scope(list_input: JsonObject) -> JsonObject:
    return {"input": list_input, "local": {}}


def timestamp_seconds(label: str, value: object) -> float:
    """Return an RFC 3339 time in seconds since the epoch.

    Raises:
        DefinitionError: The value is not such a time.
    """
    if isinstance(value, str):
        try:
            parsed = dt.datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", value))
        except ValueError:
            parsed = None
        if parsed is not None and parsed.tzinfo is not None:
            return parsed.timestamp()
    raise DefinitionError(f"{label}: 'timestamp' must be a time like 2019-05-02T15:04:05Z.")
