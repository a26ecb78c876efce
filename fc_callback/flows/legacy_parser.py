"""Builds a flow from a definition in Serverless Workflow's language (`version: v1`, `type: flow`).

Source: Serverless Workflow documentation 122492 (overview), 122493 to 122501 (steps), 149828 (integrations), 149829 (child
flows), 214310 (errors).
"""

from __future__ import annotations

from typing import Any

from fc_callback.flows.definition import NAME_PATTERN, Body, CatchRule, DefinitionError, JsonObject, RetryRule
from fc_callback.flows.expressions import parse_legacy_condition
from fc_callback.flows.fields import Fields, at_place, number_between
from fc_callback.flows.flow import Chosen
from fc_callback.flows.layout import LEGACY
from fc_callback.flows.legacy import (
    MAX_WAIT_SECONDS,
    Alternative,
    LegacyFlow,
    LegacyStep,
    timestamp_seconds,
)
from fc_callback.flows.mappings import parse_mappings
from fc_callback.flows.paths import Path, parse_input_path
from fc_callback.flows.references import shorten
from fc_callback.flows.targets import parse_target, unreplaced_placeholder

MAX_INTERVAL_SECONDS = 86_400
MAX_TASK_SECONDS = 31_536_000
MAX_BRANCHES = 100
_ROOTS = ("input", "local", "context")


def parse_legacy(document: JsonObject) -> LegacyFlow:
    """Build a flow from a definition.

    Raises:
        DefinitionError: The definition breaks a rule, or uses something that the local CloudFlow does not have.
    """
    fields = Fields("The flow", document)
    fields.only(*LEGACY.flow)
    fields.choice("type", None, "flow")
    fields.choice("version", None, "v1", "v1beta1")
    return LegacyFlow(
        body=_parse_body(fields),
        timeout_seconds=fields.number("timeoutSeconds", None, low=1, high=MAX_TASK_SECONDS),
        inputs=parse_mappings(fields, "inputMappings", roots=("input", "context")),
        outputs=parse_mappings(fields, "outputMappings", roots=_ROOTS),
        warnings=tuple(fields.warnings),
    )


def _parse_body(parent: Fields) -> Body:
    """Read the list `steps` of a flow, a branch, an iteration or an alternative."""
    entries = parent.filled("steps", "step")
    steps: dict[str, LegacyStep] = {}
    names = [entry.get("name") if isinstance(entry, dict) else None for entry in entries]
    for index, entry in enumerate(entries):
        following = names[index + 1] if index + 1 < len(names) else None
        with at_place("steps", index):
            label = f"Step {names[index]!r}" if names[index] else f"Step number {index + 1}"
            step = _parse_step(parent.inner(label, entry, "steps", index), following)
            if step.name in steps:
                raise DefinitionError(f"Step {step.name!r}: two steps have this name.")
            steps[step.name] = step
    for index, step in enumerate(steps.values()):
        for target in (*(rule.goto for rule in step.catch), *(one.chosen.goto for one in step.alternatives)):
            if target is not None and target not in steps:
                with at_place("steps", index):
                    raise DefinitionError(
                        f"Step {step.name!r}: goto {target!r} is not a step beside it; a goto stays in its own list."
                    )
    return Body(first=next(iter(steps)), steps=steps)


def _parse_step(fields: Fields, following: str | None) -> LegacyStep:
    kind = fields.text("type")
    if kind not in LEGACY.kinds:
        raise fields.error(f"'type' is {kind!r}; it can be {', '.join(LEGACY.kinds)}.")
    fields.only(*LEGACY.kinds[kind])
    name = fields.text("name")
    if not NAME_PATTERN.fullmatch(name):
        raise fields.error("a name has 1 to 128 letters, digits, _ and -, and begins with a letter or _.")
    ends = kind in {"succeed", "fail"} or fields.flag("end")
    parse_kind = {
        "task": _parse_task,
        "wait": _parse_wait,
        "choice": _parse_choice,
        "parallel": _parse_parallel,
        "foreach": _parse_foreach,
        "fail": _parse_fail,
    }.get(kind, _parse_nothing)
    return LegacyStep(
        name=name,
        kind="map" if kind == "foreach" else kind,
        following=None if ends else following,
        inputs=parse_mappings(fields, "inputMappings", roots=_ROOTS),
        outputs=parse_mappings(fields, "outputMappings", roots=_ROOTS),
        **parse_kind(fields),
    )


def _parse_nothing(_fields: Fields) -> dict[str, Any]:
    return {}


def _parse_fail(fields: Fields) -> dict[str, Any]:
    return {"error": fields.literal("error"), "cause": fields.literal("cause")}


def _parse_wait(fields: Fields) -> dict[str, Any]:
    given = [name for name in ("duration", "timestamp") if name in fields.members]
    if len(given) != 1:
        raise fields.error("a wait has either a duration or a timestamp.")
    name = given[0]
    value = fields.members[name]
    if isinstance(value, str) and value.startswith("$"):
        return {name: parse_input_path(value, f"{fields.label}: {name!r}")}
    if name == "duration":
        seconds = number_between(f"{fields.label}: 'duration'", value, low=0, high=MAX_WAIT_SECONDS)
        return {name: value, "wait_seconds": seconds}
    timestamp_seconds(fields.label, value)
    return {name: value}


def _parse_choice(fields: Fields) -> dict[str, Any]:
    alternatives: list[Alternative] = []
    bodies: list[Body] = []
    for index, entry in enumerate(fields.filled("choices", "alternative")):
        given = fields.inner(f"{fields.label}: choice number {index + 1}", entry, "choices", index)
        given.only(*LEGACY.parts["choices"])
        with at_place("choices", index):
            text = given.text("condition")
            condition = parse_legacy_condition(text, label=f"{given.label}: condition")
            alternatives.append(Alternative(condition=condition, chosen=_chosen(given, bodies), text=text))
    if "default" in fields.members:
        given = fields.inner(f"{fields.label}: default", fields.members["default"], "default")
        given.only(*LEGACY.parts["default"])
        with at_place("default"):
            alternatives.append(Alternative(condition=None, chosen=_chosen(given, bodies)))
    return {"alternatives": tuple(alternatives), "bodies": tuple(bodies)}


def _chosen(fields: Fields, bodies: list[Body]) -> Chosen:
    goto = fields.text("goto") if "goto" in fields.members else None
    if not fields.listed("steps"):
        return Chosen(goto=goto)
    bodies.append(_parse_body(fields))
    return Chosen(body=len(bodies) - 1, goto=goto)


def _parse_parallel(fields: Fields) -> dict[str, Any]:
    bodies = []
    entries = fields.filled("branches", "branch")
    if len(entries) > MAX_BRANCHES:
        raise fields.error(f"it has {len(entries)} branches, and the limit is {MAX_BRANCHES}.")
    for index, entry in enumerate(entries):
        with at_place("branches", index):
            given = fields.inner(f"{fields.label}: branch number {index + 1}", entry, "branches", index)
            given.only(*LEGACY.parts["branches"])
            bodies.append(_parse_body(given))
    return {"bodies": tuple(bodies)}


def _parse_foreach(fields: Fields) -> dict[str, Any]:
    mapping = fields.inner(
        f"{fields.label}: iterationMapping", fields.members.get("iterationMapping"), "iterationMapping"
    )
    mapping.only(*LEGACY.parts["iterationMapping"])
    return {
        "collection": parse_input_path(mapping.text("collection"), f"{mapping.label}: 'collection'"),
        "item": mapping.text("item"),
        "index": mapping.text("index", ""),
        "bodies": (_parse_body(fields),),
    }


def _parse_task(fields: Fields) -> dict[str, Any]:
    pattern = fields.choice("pattern", "requestResponse", *LEGACY.waits_for)
    return {
        **_parse_action(fields, pattern),
        "pattern": pattern,
        "callback": pattern == "waitForCallback",
        "timeout_seconds": fields.number("timeoutSeconds", None, low=1, high=MAX_TASK_SECONDS),
        "retry": fields.each("retry", _parse_retry),
        "catch": fields.each("catch", _parse_catch),
        "errors": parse_mappings(fields, "errorMappings", roots=("local",)),
    }


def _parse_action(fields: Fields, pattern: str) -> dict[str, Any]:
    params = fields.inner(f"{fields.label}: serviceParams", fields.members.get("serviceParams", {}), "serviceParams")
    parameters = {name: _parse_parameter(params, name, value) for name, value in params.members.items()}
    if "action" in fields.members:
        if "resourceArn" in fields.members:
            raise fields.error("a task has either a resourceArn or an action.")
        if pattern == "sync":
            raise fields.error("the pattern sync needs the resourceArn of a function or a flow.")
        return {"action": fields.text("action"), "parameters": parameters}
    if problem := unreplaced_placeholder(fields.members.get("resourceArn")):
        raise fields.error(problem)
    arn = fields.text("resourceArn")
    target = parse_target(arn)
    if target is not None and target.kind == "function":
        params.only(*LEGACY.parameters["FC:InvokeFunction"])
        default = "Async" if pattern == "sync" else "Sync"
        kind = params.choice("InvocationType", default, "Sync", "Async")
        if pattern == "sync" and kind == "Sync":
            raise fields.error("the pattern sync waits for FC's own report, which needs InvocationType Async.")
        return {"action": "FC:InvokeFunction", "resource_arn": arn, "asynchronous": kind == "Async"}
    if target is not None and target.kind == "flow":
        params.only(*LEGACY.parameters["FNF:StartExecution"])
        return {"action": "FNF:StartExecution", "resource_arn": arn, "parameters": parameters}
    if not arn.startswith("acs:"):
        raise fields.error(
            f"the resourceArn {arn!r} is not an ARN. A function's is acs:fc:<region>:<account>:functions/<name> or "
            "acs:fc:::services/<service>/functions/<name>, and a flow's is acs:fnf:::flow/<name>."
        )
    if pattern == "sync":
        raise fields.error("the pattern sync needs the resourceArn of a function or a flow.")
    return {"action": arn, "parameters": parameters}


def _parse_parameter(fields: Fields, name: str, value: Any) -> Any:
    if value == "$":
        return Path("$", ())
    if isinstance(value, str) and value.startswith("$."):
        return parse_input_path(value, fields.label)
    if isinstance(value, str) and value.startswith("$"):
        text = f"{shorten(value)!r} is a constant text: a member of the step's input is $.name, and $ is all of it."
        fields.warn(text, name)
    return value


def _parse_retry(fields: Fields) -> RetryRule:
    fields.only(*LEGACY.parts["retry"])
    return RetryRule(
        errors=fields.errors("errors"),
        interval_seconds=fields.number("intervalSeconds", 1, low=0, high=MAX_INTERVAL_SECONDS) or 0,
        max_interval_seconds=fields.number("maxIntervalSeconds", MAX_INTERVAL_SECONDS, low=0, high=MAX_INTERVAL_SECONDS)
        or 0,
        max_attempts=int(fields.number("maxAttempts", 3, low=0, high=1_000_000) or 0),
        multiplier=fields.number("multiplier", 2, low=0, high=1_000_000) or 0,
    )


def _parse_catch(fields: Fields) -> CatchRule:
    fields.only(*LEGACY.parts["catch"])
    return CatchRule(errors=fields.errors("errors"), goto=fields.text("goto"))
