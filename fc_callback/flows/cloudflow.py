"""CloudFlow's language (`Type: StateMachine`, `SpecVersion: v1`), without Choice, Parallel and Map.

Source: CloudFlow documentation 2412487 (definition), 2402077 (inputs and outputs), 2642848 (Task), 2412546 (Wait),
2489683 (Fail), 2500862 (errors), "integrated-function-compute", "global-io".
"""

from __future__ import annotations

from typing import Any

import attrs

from fc_callback.flows.definition import (
    RUNTIME_ERROR,
    CatchRule,
    DefinitionError,
    EvaluationContext,
    FlowError,
    JsonObject,
    RetryRule,
    Step,
    StepEnd,
    TaskCall,
    compact,
    require_size,
    size_bytes,
)
from fc_callback.flows.expressions import parse_constructor, parse_expression
from fc_callback.flows.paths import Constructor, Expression, Values, constant
from fc_callback.flows.reading import SUPPORTED_TEXT, Fields, at_place, number_between
from fc_callback.settings import CLOUDFLOW_OUTPUT_LIMIT_BYTES, KIB

MAX_TASK_SECONDS = 604_800
MAX_WAIT_SECONDS = 300
MAX_INTERVAL_SECONDS = 86_400
GLOBAL_VALUE_LIMIT_BYTES = 256 * KIB
_COMMON = ("Type", "Name", "Description")
_CONSTRUCTED = (*_COMMON, "InputConstructor", "OutputConstructor", "GlobalConstructor")
_KNOWN = {
    "Pass": (*_CONSTRUCTED, "Next", "End"),
    "Wait": (*_CONSTRUCTED, "Next", "End", "Seconds", "Seconds.$"),
    "Task": (
        *_CONSTRUCTED,
        *("Next", "End", "Action", "TaskMode", "Parameters", "Timeout", "Timeout.$", "Retry", "Catch"),
    ),
    "Succeed": _CONSTRUCTED,
    "Fail": (*_COMMON, "Code", "Detail"),
}
_WAITS_FOR = {"RequestComplete": "call", "WaitForSystemCallback": "function", "WaitForCustomCallback": "report"}
_BEFORE = ("$Context", "$Input", "$Global")
_AFTER = ("$Context", "$Input", "$Output", "$Global")


@attrs.frozen(kw_only=True)
class State(Step):
    """A state, with the fields that only this language has."""

    input_constructor: Constructor | None = None
    output_constructor: Constructor | None = None
    global_constructor: Constructor | None = None
    seconds: Expression | None = None
    parameters: Constructor | None = None
    mode: str = "RequestComplete"
    timeout: Expression | None = None


@attrs.frozen(kw_only=True)
class StateMachine:
    """A flow of CloudFlow. Its scope is `{"input": the output of the state before, "global": ...}`."""

    steps: dict[str, State]
    first: str
    timeout_seconds: float | None = None
    limit_bytes: int = CLOUDFLOW_OUTPUT_LIMIT_BYTES

    @classmethod
    def parse(cls, document: JsonObject) -> StateMachine:
        """Build a flow from a definition.

        Raises:
            DefinitionError: The definition breaks a rule, or uses something that is not supported here.
        """
        fields = Fields("The flow", document)
        fields.only("Type", "SpecVersion", "Name", "Description", "StartAt", "States", "Timeout")
        fields.choice("Type", None, "StateMachine")
        fields.choice("SpecVersion", None, "v1")
        entries = fields.listed("States")
        if not entries:
            raise DefinitionError("The flow: 'States' must be a list of at least one state.")
        steps: dict[str, State] = {}
        for index, entry in enumerate(entries):
            with at_place("States", index):
                state = _parse_state(index, entry)
                if state.name in steps:
                    raise DefinitionError(f"State {state.name!r}: two states have this name.")
                steps[state.name] = state
        first = fields.text("StartAt")
        if first not in steps:
            raise DefinitionError(f"The flow: StartAt {first!r} is not a state.")
        _check_targets(steps)
        timeout = fields.number("Timeout", None, low=0, high=31_536_000)
        return cls(steps=steps, first=first, timeout_seconds=timeout or None)

    def begin(self, context: EvaluationContext) -> JsonObject:
        """Return the scope before the first state."""
        return {"input": context.execution_input, "global": {}}

    def entered(self, scope: JsonObject) -> JsonObject:
        """Return the input."""
        return {"input": scope["input"]}

    def exited(self, scope: JsonObject) -> JsonObject:
        """Return the output, which is the next state's input."""
        return {"output": scope["input"]}

    def step_input(self, step: State, context: EvaluationContext) -> JsonObject:
        """Return the result of the InputConstructor; without one the unchanged input."""
        given: JsonObject = dict(context.scope["input"])
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
        """Return the call of a task: `Parameters`, evaluated; `body` is the function's event."""
        values = _values(step, context)
        given = {} if step.parameters is None else step.parameters(values)
        body = given.get("body", "")
        kind = given.get("invocationType") or ("Async" if step.mode == "WaitForSystemCallback" else "Sync")
        if kind not in {"Sync", "Async"}:
            raise FlowError(RUNTIME_ERROR, f"State {step.name!r}: invocationType is neither Sync nor Async.")
        timeout = None
        if step.timeout is not None:
            label = f"State {step.name!r}: 'Timeout'"
            timeout = _running_number(label, step.timeout(values), low=0, high=MAX_TASK_SECONDS)
        return TaskCall(
            resource_arn=str(given.get("resourceArn", "")),
            event=body if isinstance(body, str) else compact(body),
            asynchronous=kind == "Async",
            waits_for=_WAITS_FOR[step.mode],
            timeout_seconds=timeout or None,
        )

    def complete(self, step: State, result: JsonObject | None, context: EvaluationContext) -> StepEnd:
        """Build the output, then the globals, which see the raw output and not the constructed one."""
        raw = context.step_input if result is None else result
        require_size(f"State {step.name!r}: the result", size_bytes(raw), self.limit_bytes)
        values = _values(step, context, output=raw)
        output = raw if step.output_constructor is None else step.output_constructor(values)
        merged = context.scope["global"]
        if step.global_constructor is not None:
            merged = {**merged, **step.global_constructor(values)}
            for name, value in merged.items():
                require_size(f"$Global.{name}", size_bytes(value), GLOBAL_VALUE_LIMIT_BYTES)
        require_size(f"State {step.name!r}: the output", size_bytes(output), self.limit_bytes)
        return output, {"input": output, "global": merged}

    def caught(self, step: State, rule: CatchRule, context: EvaluationContext) -> StepEnd:
        """Return the result of the rule's OutputConstructor; without one the state's own input."""
        output = context.step_input if rule.output is None else rule.output(_values(step, context))
        require_size(f"State {step.name!r}: the output", size_bytes(output), self.limit_bytes)
        return output, {"input": output, "global": context.scope["global"]}

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
        "$Global": context.scope["global"],
        "$Context": {"Execution": execution, "Current": current},
    }
    return Values(roots, context.missing)


def _running_number(label: str, value: object, *, low: float, high: float) -> float:
    try:
        return number_between(label, value, low=low, high=high)
    except DefinitionError as error:
        raise FlowError(RUNTIME_ERROR, str(error)) from None


def _check_targets(steps: dict[str, State]) -> None:
    for index, state in enumerate(steps.values()):
        for target in (state.following, *(rule.goto for rule in state.catch)):
            if target is not None and target not in steps:
                with at_place("States", index):
                    raise DefinitionError(f"State {state.name!r}: Next {target!r} is not a state.")


def _parse_state(index: int, entry: object) -> State:
    named = entry.get("Name") if isinstance(entry, dict) else None
    label = f"State {named!r}" if named else f"State number {index + 1}"
    fields = Fields.of(label, entry)
    kind = fields.text("Type")
    if kind not in _KNOWN:
        raise fields.unsupported(f"the type {kind!r}", SUPPORTED_TEXT)
    fields.only(*_KNOWN[kind])
    common: dict[str, Any] = {"name": fields.text("Name"), "kind": kind.lower()}
    if kind == "Fail":
        return State(**common, error=fields.text("Code", ""), cause=fields.text("Detail", ""))
    common["input_constructor"] = _constructor(fields, "InputConstructor", _BEFORE)
    common["output_constructor"] = _constructor(fields, "OutputConstructor", _AFTER)
    common["global_constructor"] = _constructor(fields, "GlobalConstructor", _AFTER)
    if kind != "Succeed":
        common["following"] = _following(fields)
    if kind == "Wait":
        common["seconds"] = _number_expression(fields, "Seconds", low=1, high=MAX_WAIT_SECONDS)
        if common["seconds"] is None:
            raise fields.error("'Seconds' or 'Seconds.$' is missing.")
    if kind == "Task":
        common.update(_parse_task(fields))
    return State(**common)


def _constructor(fields: Fields, name: str, roots: tuple[str, ...]) -> Constructor | None:
    if name not in fields.members:
        return None
    return parse_constructor(fields.members[name], roots=roots, label=f"{fields.label}: {name}")


def _following(fields: Fields) -> str | None:
    if fields.flag("End"):
        return None
    if "Next" not in fields.members:
        raise fields.error("it has neither 'Next' nor 'End: true'.")
    return fields.text("Next")


def _number_expression(fields: Fields, name: str, *, low: float, high: float) -> Expression | None:
    """Return an expression for the field `name` or `name.$`; None if there is neither."""
    dynamic = f"{name}.$"
    if name in fields.members and dynamic in fields.members:
        raise fields.error(f"it has both {name!r} and {dynamic!r}.")
    if dynamic in fields.members:
        return parse_expression(fields.members[dynamic], roots=_BEFORE, label=f"{fields.label}: {dynamic}")
    if name not in fields.members:
        return None
    return constant(fields.number(name, None, low=low, high=high))


def _parse_task(fields: Fields) -> dict[str, Any]:
    action = fields.text("Action")
    if action.replace("::", ":") != "FC:InvokeFunction":
        raise fields.unsupported(f"the action {action!r}", "the local CloudFlow performs FC:InvokeFunction only")
    mode = fields.choice("TaskMode", "RequestComplete", *_WAITS_FOR)
    parameters = _parse_parameters(fields, mode)
    return {
        "mode": mode,
        "callback": mode == "WaitForCustomCallback",
        "parameters": parameters,
        "timeout": _number_expression(fields, "Timeout", low=0, high=MAX_TASK_SECONDS),
        "retry": tuple(_parse_retry(fields.label, entry) for entry in fields.listed("Retry")),
        "catch": tuple(_parse_catch(fields.label, entry) for entry in fields.listed("Catch")),
    }


def _parse_parameters(fields: Fields, mode: str) -> Constructor:
    given = Fields.of(f"{fields.label}: Parameters", fields.members.get("Parameters"))
    names = ("resourceArn", "invocationType", "body")
    given.only(*names, *(f"{name}.$" for name in names))
    if "resourceArn.$" not in given.members:
        given.text("resourceArn")
    if "invocationType" in given.members:
        kind = given.choice("invocationType", None, "Sync", "Async")
        if mode == "WaitForSystemCallback" and kind == "Sync":
            raise fields.error("WaitForSystemCallback needs invocationType Async.")
    return parse_constructor(given.members, roots=_BEFORE, label=given.label)


def _parse_retry(label: str, entry: object) -> RetryRule:
    fields = Fields.of(f"{label}: a Retry entry", entry)
    fields.only("Errors", "Description", "MaxAttempts", "IntervalSeconds", "BackoffRate", "MaxBackoffSeconds")
    for name in ("MaxAttempts", "IntervalSeconds"):
        if name not in fields.members:
            raise DefinitionError(f"{label}: a Retry entry needs {name!r}.")
    return RetryRule(
        errors=fields.errors("Errors"),
        max_attempts=int(fields.number("MaxAttempts", None, low=0, high=1_000_000) or 0),
        interval_seconds=fields.number("IntervalSeconds", None, low=0, high=MAX_INTERVAL_SECONDS) or 0,
        multiplier=fields.number("BackoffRate", 1, low=0, high=1_000_000) or 0,
        max_interval_seconds=fields.number("MaxBackoffSeconds", MAX_INTERVAL_SECONDS, low=0, high=MAX_INTERVAL_SECONDS)
        or 0,
    )


def _parse_catch(label: str, entry: object) -> CatchRule:
    fields = Fields.of(f"{label}: a Catch entry", entry)
    fields.only("Errors", "Description", "OutputConstructor", "Next")
    output = _constructor(fields, "OutputConstructor", _BEFORE)
    return CatchRule(errors=fields.errors("Errors"), goto=fields.text("Next"), output=output)
