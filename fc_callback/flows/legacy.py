"""Serverless Workflow's language (`version: v1`, `type: flow`), without choice, parallel and foreach.

Source: Serverless Workflow documentation 122492 (overview), 122493 (inputs and outputs), 122494 (task), 122495 (wait),
122496 (pass), 122500 and 122501 (succeed, fail), 214310 (errors).
"""

from __future__ import annotations

import datetime as dt
import re
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
from fc_callback.flows.mappings import TargetMapping, apply_mappings, parse_mappings
from fc_callback.flows.paths import Path, parse_input_path
from fc_callback.flows.reading import NAME_PATTERN, SUPPORTED_TEXT, Fields, at_place, number_between
from fc_callback.flows.targets import function_name
from fc_callback.settings import LEGACY_OUTPUT_LIMIT_BYTES

MAX_WAIT_SECONDS = 2 * 86_400
MAX_INTERVAL_SECONDS = 86_400
MAX_TASK_SECONDS = 31_536_000
_COMMON = ("type", "name", "inputMappings", "outputMappings")
_KNOWN = {
    "pass": (*_COMMON, "end"),
    "wait": (*_COMMON, "end", "duration", "timestamp"),
    "task": (
        *_COMMON,
        *("end", "resourceArn", "pattern", "timeoutSeconds", "serviceParams", "retry", "catch", "errorMappings"),
    ),
    "succeed": _COMMON,
    "fail": (*_COMMON, "error", "cause"),
}


@attrs.frozen(kw_only=True)
class LegacyStep(Step):
    """A step, with the fields that only this language has."""

    inputs: tuple[TargetMapping, ...] | None = None
    outputs: tuple[TargetMapping, ...] | None = None
    errors: tuple[TargetMapping, ...] | None = None
    duration: Any = None
    timestamp: Any = None
    resource_arn: str = ""
    pattern: str = "requestResponse"
    asynchronous: bool = False
    timeout_seconds: float | None = None


@attrs.frozen(kw_only=True)
class LegacyFlow:
    """A flow of Serverless Workflow. Its scope is `{"input": ..., "local": ...}`."""

    steps: dict[str, LegacyStep]
    first: str
    timeout_seconds: float | None = None
    inputs: tuple[TargetMapping, ...] | None = None
    outputs: tuple[TargetMapping, ...] | None = None
    limit_bytes: int = LEGACY_OUTPUT_LIMIT_BYTES

    @classmethod
    def parse(cls, document: JsonObject) -> LegacyFlow:
        """Build a flow from a definition.

        Raises:
            DefinitionError: The definition breaks a rule, or uses something that is not supported here.
        """
        fields = Fields("The flow", document)
        fields.only(
            "version", "type", "name", "description", "steps", "timeoutSeconds", "inputMappings", "outputMappings"
        )
        fields.choice("type", None, "flow")
        fields.choice("version", None, "v1", "v1beta1")
        entries = fields.listed("steps")
        if not entries:
            raise DefinitionError("The flow: 'steps' must be a list of at least one step.")
        steps = _parse_steps(entries)
        return cls(
            steps=steps,
            first=next(iter(steps)),
            timeout_seconds=fields.number("timeoutSeconds", None, low=1, high=MAX_TASK_SECONDS),
            inputs=parse_mappings(fields, "inputMappings", roots=("input", "context")),
            outputs=parse_mappings(fields, "outputMappings", roots=("input", "local", "context")),
        )

    def begin(self, context: EvaluationContext) -> JsonObject:
        """Return the scope before the first step."""
        given = context.execution_input
        mapped = given if self.inputs is None else apply_mappings(self.inputs, {"input": given}, context)
        return {"input": mapped, "local": {}}

    def entered(self, scope: JsonObject) -> JsonObject:
        """Return the flow's input and local."""
        return {"input": scope["input"], "local": scope["local"]}

    def exited(self, scope: JsonObject) -> JsonObject:
        """Return the flow's local after the step."""
        return {"local": scope["local"]}

    def step_input(self, step: LegacyStep, context: EvaluationContext) -> JsonObject:
        """Return the mapped targets; without mappings the flow's input, updated with its local."""
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
            due = _timestamp(label, value)
        except DefinitionError as error:
            raise FlowError(RUNTIME_ERROR, str(error)) from None
        if due > now + MAX_WAIT_SECONDS:
            raise FlowError(RUNTIME_ERROR, f"{label}: the timestamp is more than two days away.")
        return due

    def task_call(self, step: LegacyStep, context: EvaluationContext) -> TaskCall:
        """Return the call of a task: the step's input is the function's event."""
        return TaskCall(
            resource_arn=step.resource_arn,
            event=compact(context.step_input),
            asynchronous=step.asynchronous,
            waits_for="report" if step.callback else "function" if step.pattern == "sync" else "call",
            timeout_seconds=step.timeout_seconds,
        )

    def complete(self, step: LegacyStep, result: JsonObject | None, context: EvaluationContext) -> StepEnd:
        """Map the output and merge it into the flow's local."""
        local = {} if result is None else result
        output = local
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

    def _merged(self, step: LegacyStep, local: JsonObject, output: JsonObject, context: EvaluationContext) -> StepEnd:
        # Without mappings the output is the local, and counts once.
        parts = [context.step_input, local] if output is local else [context.step_input, local, output]
        require_size(
            f"Step {step.name!r}: input, local and output together", sum(map(size_bytes, parts)), self.limit_bytes
        )
        merged = {**context.scope["local"], **output}
        require_size(f"The flow's local after step {step.name!r}", size_bytes(merged), self.limit_bytes)
        return output, {"input": context.scope["input"], "local": merged}


def _parse_steps(entries: list[Any]) -> dict[str, LegacyStep]:
    steps: dict[str, LegacyStep] = {}
    names = [entry.get("name") if isinstance(entry, dict) else None for entry in entries]
    for index, entry in enumerate(entries):
        following = names[index + 1] if index + 1 < len(names) else None
        with at_place("steps", index):
            label = f"Step {names[index]!r}" if names[index] else f"Step number {index + 1}"
            step = _parse_step(label, entry, following)
            if step.name in steps:
                raise DefinitionError(f"Step {step.name!r}: two steps have this name.")
            steps[step.name] = step
    for index, step in enumerate(steps.values()):
        for rule in step.catch:
            if rule.goto not in steps:
                with at_place("steps", index):
                    raise DefinitionError(f"Step {step.name!r}: goto {rule.goto!r} is not a step of the flow.")
    return steps


def _parse_step(label: str, entry: object, following: str | None) -> LegacyStep:
    fields = Fields.of(label, entry)
    kind = fields.text("type")
    if kind not in _KNOWN:
        raise fields.unsupported(f"the type {kind!r}", SUPPORTED_TEXT)
    fields.only(*_KNOWN[kind])
    name = fields.text("name")
    if not NAME_PATTERN.fullmatch(name):
        raise fields.error("a name has 1 to 128 letters, digits, _ and -, and begins with a letter or _.")
    ends = kind in {"succeed", "fail"} or fields.flag("end")
    common: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "following": None if ends else following,
        "inputs": parse_mappings(fields, "inputMappings", roots=("input", "local", "context")),
        "outputs": parse_mappings(fields, "outputMappings", roots=("input", "local", "context")),
    }
    if kind == "task":
        return LegacyStep(**common, **_parse_task(fields))
    if kind == "wait":
        return LegacyStep(**common, **_parse_wait(fields))
    if kind == "fail":
        return LegacyStep(**common, error=fields.text("error", ""), cause=fields.text("cause", ""))
    return LegacyStep(**common)


def _parse_wait(fields: Fields) -> dict[str, Any]:
    given = [name for name in ("duration", "timestamp") if name in fields.members]
    if len(given) != 1:
        raise fields.error("a wait has either a duration or a timestamp.")
    name = given[0]
    value = fields.members[name]
    if isinstance(value, str) and value.startswith("$"):
        return {name: parse_input_path(value, f"{fields.label}: {name!r}")}
    if name == "duration":
        number_between(f"{fields.label}: 'duration'", value, low=0, high=MAX_WAIT_SECONDS)
    else:
        _timestamp(fields.label, value)
    return {name: value}


def _timestamp(label: str, value: object) -> float:
    if isinstance(value, str):
        try:
            parsed = dt.datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", value))
        except ValueError:
            parsed = None
        if parsed is not None and parsed.tzinfo is not None:
            return parsed.timestamp()
    raise DefinitionError(f"{label}: 'timestamp' must be a time like 2019-05-02T15:04:05Z.")


def _parse_task(fields: Fields) -> dict[str, Any]:
    arn = fields.text("resourceArn")
    if not function_name(arn):
        functions = "acs:fc:<region>:<account>:functions/<name> or acs:fc:::services/<service>/functions/<name>"
        raise fields.unsupported(f"the resourceArn {arn!r}", f"the local CloudFlow calls functions only: {functions}")
    pattern = fields.choice("pattern", "requestResponse", "requestResponse", "sync", "waitForCallback")
    retry = tuple(_parse_retry(fields.label, entry) for entry in fields.listed("retry"))
    catch = tuple(_parse_catch(fields.label, entry) for entry in fields.listed("catch"))
    return {
        "resource_arn": arn,
        "pattern": pattern,
        "callback": pattern == "waitForCallback",
        "asynchronous": _is_asynchronous(fields, pattern),
        "timeout_seconds": fields.number("timeoutSeconds", None, low=1, high=MAX_TASK_SECONDS),
        "retry": retry,
        "catch": catch,
        "errors": parse_mappings(fields, "errorMappings", roots=("local",)),
    }


def _is_asynchronous(fields: Fields, pattern: str) -> bool:
    params = Fields.of(f"{fields.label}: serviceParams", fields.members.get("serviceParams", {}))
    params.only("InvocationType")
    default = "Async" if pattern == "sync" else "Sync"
    kind = params.choice("InvocationType", default, "Sync", "Async")
    if pattern == "sync" and kind == "Sync":
        raise fields.error("the pattern sync waits for FC's own report, which needs InvocationType Async.")
    return kind == "Async"


def _parse_retry(label: str, entry: object) -> RetryRule:
    fields = Fields.of(f"{label}: a retry entry", entry)
    fields.only("errors", "intervalSeconds", "maxIntervalSeconds", "maxAttempts", "multiplier")
    return RetryRule(
        errors=fields.errors("errors"),
        interval_seconds=fields.number("intervalSeconds", 1, low=0, high=MAX_INTERVAL_SECONDS) or 0,
        max_interval_seconds=fields.number("maxIntervalSeconds", MAX_INTERVAL_SECONDS, low=0, high=MAX_INTERVAL_SECONDS)
        or 0,
        max_attempts=int(fields.number("maxAttempts", 3, low=0, high=1_000_000) or 0),
        multiplier=fields.number("multiplier", 2, low=0, high=1_000_000) or 0,
    )


def _parse_catch(label: str, entry: object) -> CatchRule:
    fields = Fields.of(f"{label}: a catch entry", entry)
    fields.only("errors", "goto")
    return CatchRule(errors=fields.errors("errors"), goto=fields.text("goto"))
