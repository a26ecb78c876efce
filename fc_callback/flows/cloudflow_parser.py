"""Builds a flow from a definition in CloudFlow's language (`Type: StateMachine`, `SpecVersion: v1`).

Source: CloudFlow documentation 2412487 (definition), 2642848 (Task), 2412546 (Wait), 2412568 (Choice), 2412619 (Parallel),
2851868 (inline Map), 2851869 (distributed Map), 2489683 (Fail), 2500862 (errors).
"""

from __future__ import annotations

from typing import Any

from fc_callback.flows.cloudflow import (
    MAX_CONCURRENCY,
    MAX_TASK_SECONDS,
    MAX_WAIT_SECONDS,
    Branch,
    State,
    StateMachine,
)
from fc_callback.flows.definition import Body, CatchRule, DefinitionError, JsonObject, RetryRule, warn_below
from fc_callback.flows.expressions import parse_condition, parse_constructor, parse_expression
from fc_callback.flows.fields import Fields, at_place
from fc_callback.flows.layout import CLOUDFLOW, DISTRIBUTED, action_name
from fc_callback.flows.paths import Constructor, Expression, constant
from fc_callback.flows.targets import unreplaced_placeholder

MAX_INTERVAL_SECONDS = 86_400
MAX_BRANCHES = 50
_BEFORE = ("$Context", "$Input", "$Global")
_AFTER = ("$Context", "$Input", "$Output", "$Global")


def parse_state_machine(document: JsonObject) -> StateMachine:
    """Build a flow from a definition.

    Raises:
        DefinitionError: The definition breaks a rule, or uses something that the local CloudFlow does not have.
    """
    fields = Fields("The flow", document)
    fields.only(*CLOUDFLOW.flow)
    fields.choice("Type", None, "StateMachine")
    fields.choice("SpecVersion", None, "v1")
    timeout = fields.number("Timeout", None, low=0, high=31_536_000)
    name = document.get("Name")
    return StateMachine(
        name=name if isinstance(name, str) else "",
        body=_parse_body(fields),
        timeout_seconds=timeout or None,
        warnings=tuple(fields.warnings),
    )


def _parse_body(parent: Fields) -> Body:
    """Read `StartAt` and `States` of a flow, a branch or a Processor."""
    steps: dict[str, State] = {}
    entries = parent.filled("States", "state")
    for index, entry in enumerate(entries):
        with at_place("States", index):
            named = entry.get("Name") if isinstance(entry, dict) else None
            label = f"State {named!r}" if named else f"State number {index + 1}"
            state = _parse_state(parent.inner(label, entry, "States", index))
            if state.name in steps:
                raise DefinitionError(f"State {state.name!r}: two states have this name.")
            steps[state.name] = state
    first = parent.text("StartAt")
    if first not in steps:
        raise parent.error(f"StartAt {first!r} is not a state of its States.")
    for index, state in enumerate(steps.values()):
        rules = (*(rule.goto for rule in state.catch), *(branch.goto for branch in state.branches))
        for target in (state.following, state.default, *rules):
            if target is not None and target not in steps:
                with at_place("States", index):
                    raise DefinitionError(
                        f"State {state.name!r}: Next {target!r} is not a state beside it; Next stays in its own States."
                    )
    return Body(first=first, steps=steps)


def _parse_state(fields: Fields) -> State:
    kind = fields.text("Type")
    if kind not in CLOUDFLOW.kinds:
        raise fields.error(f"'Type' is {kind!r}; it can be {', '.join(CLOUDFLOW.kinds)}.")
    _refuse_missing_features(fields, kind)
    fields.only(*CLOUDFLOW.kinds[kind])
    name = fields.text("Name")
    if len(name) > 128:  # noqa: PLR2004 - the limit that the message names
        raise fields.error("a name has up to 128 characters.")
    parse_kind = {
        "Task": _parse_task,
        "Wait": _parse_wait,
        "Choice": _parse_choice,
        "Parallel": _parse_parallel,
        "Map": _parse_map,
        "Fail": _parse_fail,
    }.get(kind, _parse_nothing)
    handled = kind in {"Task", "Parallel", "Map"}
    return State(
        name=name,
        kind=kind.lower(),
        following=_following(fields, kind),
        input_constructor=_constructor(fields, "InputConstructor", _BEFORE),
        output_constructor=_constructor(fields, "OutputConstructor", _AFTER),
        global_constructor=_constructor(fields, "GlobalConstructor", _AFTER),
        retry=fields.each("Retry", _parse_retry) if handled else (),
        catch=fields.each("Catch", _parse_catch) if handled else (),
        **parse_kind(fields),
    )


def _refuse_missing_features(fields: Fields, kind: str) -> None:
    if kind == "Wait" and "UntilDateTime" in fields.members:
        raise fields.error("CloudFlow has no 'UntilDateTime' any more: write 'Seconds', or 'Seconds.$'.")
    config = fields.members.get("Processor")
    inner = config if isinstance(config, dict) else {}
    for name in DISTRIBUTED if kind == "Map" else ():
        if name in fields.members or name in inner:
            raise fields.missing_here(f"the distributed Map ({name!r}); leave it out for an inline Map")


def _following(fields: Fields, kind: str) -> str | None:
    if kind in {"Succeed", "Fail", "Choice"} or fields.flag("End"):
        return None
    if "Next" not in fields.members:
        raise fields.error("it has neither 'Next' nor 'End: true'.")
    return fields.text("Next")


def _constructor(fields: Fields, name: str, roots: tuple[str, ...]) -> Constructor | None:
    if name not in fields.members:
        return None
    with at_place(name):
        label = f"{fields.label}: {name}"
        warn = warn_below(fields.warn, name)
        return parse_constructor(fields.members[name], roots=roots, label=label, warn=warn)


def _parse_nothing(_fields: Fields) -> dict[str, Any]:
    return {}


def _parse_fail(fields: Fields) -> dict[str, Any]:
    return {"error": fields.literal("Code"), "cause": fields.literal("Detail")}


def _parse_wait(fields: Fields) -> dict[str, Any]:
    seconds = _number_expression(fields, "Seconds", low=1, high=MAX_WAIT_SECONDS)
    if seconds is None:
        raise fields.error("a Wait needs 'Seconds' or 'Seconds.$'.")
    return {"seconds": seconds, "wait_seconds": fields.number("Seconds", None, low=1, high=MAX_WAIT_SECONDS)}


def _number_expression(fields: Fields, name: str, *, low: float, high: float) -> Expression | None:
    """Read `name` or the expression `name.$`; None if there is neither."""
    dynamic = f"{name}.$"
    if name in fields.members and dynamic in fields.members:
        raise fields.error(f"it has both {name!r} and {dynamic!r}.")
    if dynamic in fields.members:
        label = f"{fields.label}: {dynamic}"
        with at_place(dynamic):
            warn = warn_below(fields.warn, dynamic)
            return parse_expression(fields.members[dynamic], roots=_BEFORE, label=label, warn=warn)
    if name not in fields.members:
        return None
    return constant(fields.number(name, None, low=low, high=high))


def _parse_choice(fields: Fields) -> dict[str, Any]:
    branches = []
    for index, entry in enumerate(fields.filled("Branches", "branch")):
        given = fields.inner(f"{fields.label}: branch number {index + 1}", entry, "Branches", index)
        given.only(*CLOUDFLOW.parts["Choice.Branches"])
        with at_place("Branches", index):
            label, text = f"{given.label}: Condition", given.text("Condition")
            warn = warn_below(given.warn, "Condition")
            condition = parse_condition(text, roots=_BEFORE, label=label, warn=warn)
            branches.append(Branch(condition=condition, goto=given.text("Next"), text=text))
    return {"branches": tuple(branches), "default": fields.text("Default") if "Default" in fields.members else None}


def _parse_parallel(fields: Fields) -> dict[str, Any]:
    entries = fields.filled("Branches", "branch")
    if len(entries) > MAX_BRANCHES:
        raise fields.error(f"it has {len(entries)} branches, and the limit is {MAX_BRANCHES}.")
    bodies = []
    for index, entry in enumerate(entries):
        with at_place("Branches", index):
            given = fields.inner(f"{fields.label}: branch number {index + 1}", entry, "Branches", index)
            given.only(*CLOUDFLOW.parts["Parallel.Branches"])
            bodies.append(_parse_body(given))
    return {"bodies": tuple(bodies)}


def _parse_map(fields: Fields) -> dict[str, Any]:
    label = f"{fields.label}: ItemsPath"
    warn = warn_below(fields.warn, "ItemsPath")
    items = parse_expression(fields.text("ItemsPath"), roots=_BEFORE, label=label, warn=warn)
    # The documentation's table spells MaxConcurrency so.
    name = "MaxConcuccency" if "MaxConcuccency" in fields.members else "MaxConcurrency"
    concurrency = fields.number(name, MAX_CONCURRENCY, low=1, high=MAX_CONCURRENCY) or MAX_CONCURRENCY
    with at_place("Processor"):
        processor = fields.inner(f"{fields.label}: Processor", fields.members.get("Processor"), "Processor")
        processor.only(*CLOUDFLOW.parts["Processor"])
        body = _parse_body(processor)
    return {"items": items, "concurrency": int(concurrency), "bodies": (body,)}


def _parse_task(fields: Fields) -> dict[str, Any]:
    action = action_name(fields.text("Action"))
    mode = fields.choice("TaskMode", "RequestComplete", *CLOUDFLOW.waits_for)
    if mode == "WaitForSystemCallback" and action not in {"FC:InvokeFunction", "FNF:StartExecution"}:
        raise fields.error(f"{action} has no WaitForSystemCallback: only FC:InvokeFunction and FNF:StartExecution do.")
    return {
        "action": action,
        "mode": mode,
        "callback": mode == "WaitForCustomCallback",
        "parameters": _parse_parameters(fields, action, mode),
        "timeout": _number_expression(fields, "Timeout", low=0, high=MAX_TASK_SECONDS),
    }


def _parse_parameters(fields: Fields, action: str, mode: str) -> Constructor:
    given = fields.inner(f"{fields.label}: Parameters", fields.members.get("Parameters", {}), "Parameters")
    with at_place("Parameters"):
        return _parse_given(given, action, mode)


def _parse_given(given: Fields, action: str, mode: str) -> Constructor:
    names = CLOUDFLOW.parameters.get(action)
    if names is not None:
        given.only(*names, *(f"{name}.$" for name in names))
        if problem := unreplaced_placeholder(given.members.get("resourceArn")):
            raise given.error(problem)
        if "resourceArn.$" not in given.members:
            given.text("resourceArn")
    if action == "FC:InvokeFunction" and "invocationType" in given.members:
        kind = given.choice("invocationType", None, "Sync", "Async")
        if mode == "WaitForSystemCallback" and kind == "Sync":
            raise given.error("WaitForSystemCallback needs invocationType Async.")
    return parse_constructor(given.members, roots=_BEFORE, label=given.label, warn=given.warn)


def _parse_retry(fields: Fields) -> RetryRule:
    fields.only(*CLOUDFLOW.parts["Retry"])
    for name in ("MaxAttempts", "IntervalSeconds"):
        if name not in fields.members:
            raise fields.error(f"it needs {name!r}.")
    return RetryRule(
        errors=fields.errors("Errors"),
        max_attempts=int(fields.number("MaxAttempts", None, low=0, high=1_000_000) or 0),
        interval_seconds=fields.number("IntervalSeconds", None, low=0, high=MAX_INTERVAL_SECONDS) or 0,
        multiplier=fields.number("BackoffRate", 1, low=0, high=1_000_000) or 0,
        max_interval_seconds=fields.number("MaxBackoffSeconds", MAX_INTERVAL_SECONDS, low=0, high=MAX_INTERVAL_SECONDS)
        or 0,
    )


def _parse_catch(fields: Fields) -> CatchRule:
    fields.only(*CLOUDFLOW.parts["Catch"])
    output = _constructor(fields, "OutputConstructor", _BEFORE)
    return CatchRule(errors=fields.errors("Errors"), goto=fields.text("Next"), output=output)
