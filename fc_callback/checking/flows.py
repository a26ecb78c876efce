"""Find the tasks of flows in both languages: what each calls, how, for how long, with or without the token.

The local CloudFlow runs sequences; this finds the tasks inside of choices, branches and loops, too.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Literal

import attrs

from fc_callback.flows import DefinitionError
from fc_callback.flows.reading import load_document
from fc_callback.project.expressions import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fc_callback.project import FlowDefinition, Function, Project
    from fc_callback.project.documents import Place

_FUNCTION_ARN = re.compile(
    r"acs:fc:(?P<region>[^:]*):(?P<account>[^:]*):(?:services/[^/]+/)?functions/(?P<name>[^/.]+)(?:[./].+)?"
)
_MESSAGES_ARN = re.compile(
    r"acs:mns:(?P<region>[^:]*):(?P<account>[^:]*):/(?P<kind>topics|queues)/(?P<name>[^/]+)/messages"
)
_TIMEOUT_ERRORS = {"FnF.ALL", "FnF.TaskTimeout"}


@attrs.frozen(kw_only=True)
class StepTarget:
    """The function that a step calls, or the topic or queue that it sends to."""

    kind: Literal["function", "topic", "queue"]
    name: str
    region: str = ""
    account: str = ""

    def reaches(self, function: Function) -> bool:
        """Whether this is the function, or sends messages to it."""
        if self.kind == "function":
            return self.name == function.name
        return any(self._feeds(trigger) for _, trigger in function.triggers)

    def _feeds(self, trigger: dict[str, Any]) -> bool:
        if self.kind == "topic":
            return str(trigger.get("sourceArn", "")).endswith(f"/topics/{self.name}")
        source: Any = trigger
        for key in ("triggerConfig", "eventSourceConfig", "eventSourceParameters", "sourceMNSParameters"):
            source = source.get(key) if isinstance(source, dict) else None
        return isinstance(source, dict) and source.get("QueueName") == self.name


@attrs.frozen(kw_only=True)
class TaskStep:
    """One task of a flow.

    Attributes:
        name: Its name.
        place: Its place in the definition.
        callback: Whether it waits for a report.
        asynchronous: Whether the flow does not see how the call ends: Async, or a message.
        target: What it calls; None where that is not known, or of another kind.
        target_place: The place of the target's ARN.
        token: Whether it passes the token on; `constant` if it passes the token's path as a text.
        timeout: In seconds; None for none, and for 0, which means none; a text where the flow computes it.
        timeout_place: The place of the timeout.
        handles_timeout: Whether a retry or a catch handles FnF.TaskTimeout.
    """

    name: str
    place: Place
    callback: bool
    asynchronous: bool
    target: StepTarget | None
    target_place: Place
    token: bool | Literal["constant"]
    timeout: float | str | None
    timeout_place: Place
    handles_timeout: bool

    def reaches(self, function: Function) -> bool:
        """Whether it calls the function, or sends messages to it."""
        return self.target is not None and self.target.reaches(function)


@attrs.frozen(kw_only=True)
class FlowSteps:
    """A flow and its tasks.

    Attributes:
        definition: Where it is, and what deploys it.
        text: The definition that CreateFlow gets; None where only a deployment knows it.
        language: `legacy` (Serverless Workflow), `cloudflow`, or `neither`.
        name: Its `Name`, which only CloudFlow's language has.
        error: Why it cannot be read, with the line.
        steps: Its tasks.
    """

    definition: FlowDefinition
    text: str | None = None
    language: Literal["legacy", "cloudflow", "neither"] = "neither"
    name: str = ""
    error: tuple[str, int] | None = None
    steps: tuple[TaskStep, ...] = ()


def read_flows(project: Project) -> list[FlowSteps]:
    """Read the definitions of a project's flows."""
    return [_read_flow(definition) for definition in project.flows]


def _read_flow(definition: FlowDefinition) -> FlowSteps:
    document = definition.document
    if definition.data is not None:
        text = None if _is_unknown(definition.data) else json.dumps(definition.data, default=str)
    elif document.error is not None:
        return FlowSteps(definition=definition, error=(f"{document.error}.", document.error.line))
    else:
        text = document.text
    try:
        data = definition.data if text is None else load_document(text)
    except DefinitionError as error:
        found = re.search(r"\(line (\d+)", str(error))
        return FlowSteps(definition=definition, error=(str(error), int(found[1]) if found else definition.line()))
    assert data is not None
    if data.get("Type") == "StateMachine" or "States" in data:
        name = data.get("Name")
        return FlowSteps(
            definition=definition,
            text=text,
            language="cloudflow",
            name=name if isinstance(name, str) else "",
            steps=tuple(_cloudflow_steps(data, ())),
        )
    if data.get("type") == "flow" or "steps" in data:
        return FlowSteps(definition=definition, text=text, language="legacy", steps=tuple(_legacy_steps(data, ())))
    return FlowSteps(definition=definition, text=text)


def _is_unknown(value: Any) -> bool:
    """Whether a value, or a part of it, is known only after a deployment."""
    if isinstance(value, dict | list):
        return any(map(_is_unknown, value.values() if isinstance(value, dict) else value))
    return value is UNKNOWN


def _entries(value: Any, place: Place) -> Iterator[tuple[dict[str, Any], Place]]:
    for index, entry in enumerate(value if isinstance(value, list) else []):
        if isinstance(entry, dict):
            yield entry, (*place, index)


def _as_mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _legacy_steps(scope: dict[str, Any], place: Place) -> Iterator[TaskStep]:
    """Return the tasks of a list of steps, and those inside of choices, branches and loops."""
    for entry, at in _entries(scope.get("steps"), (*place, "steps")):
        if entry.get("type") == "task":
            yield _legacy_step(entry, at)
        yield from _legacy_steps(entry, at)
        for key in ("choices", "branches"):
            for inner, inner_at in _entries(entry.get(key), (*at, key)):
                yield from _legacy_steps(inner, inner_at)
        if isinstance(entry.get("default"), dict):
            yield from _legacy_steps(entry["default"], (*at, "default"))


def _legacy_step(entry: dict[str, Any], place: Place) -> TaskStep:
    sources = [str(mapping.get("source")) for mapping, _ in _entries(entry.get("inputMappings"), ())]
    target = _step_target(entry.get("resourceArn"))
    params = _as_mapping(entry.get("serviceParams"))
    timeout = entry.get("timeoutSeconds")
    return TaskStep(
        name=str(entry.get("name", "")),
        place=place,
        callback=entry.get("pattern") == "waitForCallback",
        asynchronous=params.get("InvocationType") == "Async" or (target is not None and target.kind != "function"),
        target=target,
        target_place=(*place, "resourceArn"),
        token=any(source.startswith("$context.task.token") for source in sources),
        timeout=_positive_seconds(timeout),
        timeout_place=(*place, "timeoutSeconds"),
        handles_timeout=_handles_timeout(entry, ("retry", "catch"), "errors"),
    )


def _cloudflow_steps(scope: dict[str, Any], place: Place) -> Iterator[TaskStep]:
    """Return the tasks of a list of states, and those inside of Parallel and Map."""
    for entry, at in _entries(scope.get("States"), (*place, "States")):
        if entry.get("Type") == "Task":
            yield _cloudflow_step(entry, at)
        for inner, inner_at in _entries(entry.get("Branches"), (*at, "Branches")):
            yield from _cloudflow_steps(inner, inner_at)
        if isinstance(entry.get("Processor"), dict):
            yield from _cloudflow_steps(entry["Processor"], (*at, "Processor"))


def _cloudflow_step(entry: dict[str, Any], place: Place) -> TaskStep:
    params = _as_mapping(entry.get("Parameters"))
    action = str(entry.get("Action", "")).replace("::", ":")
    target = _step_target(params.get("resourceArn"))
    timeout = entry["Timeout.$"] if "Timeout.$" in entry else _positive_seconds(entry.get("Timeout"))
    # CloudFlow itself puts the token into a header of an HTTP call.
    token = True if action == "HTTP:Request" else _cloudflow_token({**params, "I.$": entry.get("InputConstructor")})
    return TaskStep(
        name=str(entry.get("Name", "")),
        place=place,
        callback=entry.get("TaskMode") == "WaitForCustomCallback",
        asynchronous=params.get("invocationType") == "Async" or (target is not None and target.kind != "function"),
        target=target,
        target_place=(*place, "Parameters", "resourceArn"),
        token=token,
        timeout=timeout,
        timeout_place=(*place, "Timeout"),
        handles_timeout=_handles_timeout(entry, ("Retry", "Catch"), "Errors"),
    )


def _cloudflow_token(value: Any, *, expression: bool = False) -> bool | Literal["constant"]:
    """Search for the token's path. Below a key without `.$` it is only a text."""
    if isinstance(value, str):
        if not re.search(r"\$Context(\.Current(\.TaskToken)?)?(?![\w.])", value):
            return False
        return True if expression else "constant"
    found: list[bool | Literal["constant"]] = []
    if isinstance(value, dict):
        found = [_cloudflow_token(each, expression=str(key).endswith(".$")) for key, each in value.items()]
    elif isinstance(value, list):
        found = [_cloudflow_token(each) for each in value]
    return True if True in found else "constant" if "constant" in found else False


def _step_target(arn: Any) -> StepTarget | None:
    text = arn if isinstance(arn, str) else ""
    function = _FUNCTION_ARN.fullmatch(text)
    if function:
        return StepTarget(kind="function", **function.groupdict())
    messages = _MESSAGES_ARN.fullmatch(text)
    if messages:
        parts = messages.groupdict()
        kind: Literal["topic", "queue"] = "topic" if parts.pop("kind") == "topics" else "queue"
        return StepTarget(kind=kind, **parts)
    return None


def _positive_seconds(value: Any) -> float | None:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return seconds if seconds > 0 else None


def _handles_timeout(entry: dict[str, Any], keys: tuple[str, ...], errors: str) -> bool:
    for key in keys:
        for rule, _ in _entries(entry.get(key), ()):
            names = rule.get(errors)
            if isinstance(names, list) and any(str(name) in _TIMEOUT_ERRORS for name in names):
                return True
    return False
