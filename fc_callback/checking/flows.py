"""Flows of both languages, as far as their callbacks go: who is called, how, for how long, with or without the token.

Unlike the local CloudFlow, which runs sequences, this reads every step that the languages have, wherever it stands.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fc_callback.checking.documents import Document, Place
    from fc_callback.checking.project import Resource

_FUNCTION = re.compile(
    r"acs:fc:(?P<region>[^:]*):(?P<account>[^:]*):(?:services/[^/]+/)?functions/(?P<name>[^/.]+)(?:[./].+)?"
)
_MESSAGES = re.compile(
    r"acs:mns:(?P<region>[^:]*):(?P<account>[^:]*):/(?P<kind>topics|queues)/(?P<name>[^/]+)/messages"
)
TIMEOUT_ERRORS = {"FnF.ALL", "FnF.TaskTimeout"}


@attrs.frozen(kw_only=True)
class Target:
    """What a step calls or sends to."""

    kind: Literal["function", "topic", "queue"]
    name: str
    region: str = ""
    account: str = ""


@attrs.frozen(kw_only=True)
class Step:
    """One task of a flow.

    Attributes:
        name: Its name.
        place: Where it stands in the definition.
        callback: Whether it waits for a report.
        asynchronous: Whether the call's own outcome is lost: Async, or a message.
        target: What it calls; None where that is not known, or not of this kind.
        target_place: Where the target is named.
        token: Whether it hands the token on; `constant` where the token's path is text and nothing more.
        timeout: In seconds; None for none, which 0 is as well; a text where the flow computes it.
        timeout_place: Where the time-out is said.
        handles_timeout: Whether a retry or a catch takes up FnF.TaskTimeout.
    """

    name: str
    place: Place
    callback: bool
    asynchronous: bool
    target: Target | None
    target_place: Place
    token: bool | Literal["constant"]
    timeout: float | str | None
    timeout_place: Place
    handles_timeout: bool


@attrs.frozen(kw_only=True)
class Flow:
    """A flow's definition.

    Attributes:
        document: The file.
        language: `legacy` (Serverless Workflow), `cloudflow`, or `neither`.
        name: What CloudFlow's language calls it.
        resource: What deploys it, where something does.
        steps: Its tasks.
    """

    document: Document
    language: Literal["legacy", "cloudflow", "neither"]
    name: str
    resource: Resource | None
    steps: tuple[Step, ...] = ()

    def line(self, *place: str | int) -> int:
        """Return the line of a place."""
        return self.document.line(*place)


def read_flow(document: Document, resource: Resource | None) -> Flow:
    """Read a definition; `neither` where it is none."""
    data = document.data
    if isinstance(data, dict) and (data.get("Type") == "StateMachine" or "States" in data):
        steps = tuple(_cloudflow_steps(data, ()))
        name = data.get("Name")
        return Flow(
            document=document,
            language="cloudflow",
            name=name if isinstance(name, str) else "",
            resource=resource,
            steps=steps,
        )
    if isinstance(data, dict) and (data.get("type") == "flow" or "steps" in data):
        steps = tuple(_legacy_steps(data, ()))
        return Flow(document=document, language="legacy", name="", resource=resource, steps=steps)
    return Flow(document=document, language="neither", name="", resource=resource)


def _entries(value: Any, place: Place) -> Iterator[tuple[dict[str, Any], Place]]:
    for index, entry in enumerate(value if isinstance(value, list) else []):
        if isinstance(entry, dict):
            yield entry, (*place, index)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _legacy_steps(scope: dict[str, Any], place: Place) -> Iterator[Step]:
    """Walk steps, and those inside of choices, branches and loops."""
    for entry, at in _entries(scope.get("steps"), (*place, "steps")):
        if entry.get("type") == "task":
            yield _legacy_step(entry, at)
        yield from _legacy_steps(entry, at)
        for key in ("choices", "branches"):
            for inner, inner_at in _entries(entry.get(key), (*at, key)):
                yield from _legacy_steps(inner, inner_at)
        if isinstance(entry.get("default"), dict):
            yield from _legacy_steps(entry["default"], (*at, "default"))


def _legacy_step(entry: dict[str, Any], place: Place) -> Step:
    sources = [str(mapping.get("source")) for mapping, _ in _entries(entry.get("inputMappings"), ())]
    target = _target(entry.get("resourceArn"))
    params = _mapping(entry.get("serviceParams"))
    timeout = entry.get("timeoutSeconds")
    return Step(
        name=str(entry.get("name", "")),
        place=place,
        callback=entry.get("pattern") == "waitForCallback",
        asynchronous=params.get("InvocationType") == "Async" or (target is not None and target.kind != "function"),
        target=target,
        target_place=(*place, "resourceArn"),
        token=any(source.startswith("$context.task.token") for source in sources),
        timeout=_seconds(timeout),
        timeout_place=(*place, "timeoutSeconds"),
        handles_timeout=_handles_timeout(entry, ("retry", "catch"), "errors"),
    )


def _cloudflow_steps(scope: dict[str, Any], place: Place) -> Iterator[Step]:
    """Walk states, and those inside of Parallel and Map."""
    for entry, at in _entries(scope.get("States"), (*place, "States")):
        if entry.get("Type") == "Task":
            yield _cloudflow_step(entry, at)
        for inner, inner_at in _entries(entry.get("Branches"), (*at, "Branches")):
            yield from _cloudflow_steps(inner, inner_at)
        if isinstance(entry.get("Processor"), dict):
            yield from _cloudflow_steps(entry["Processor"], (*at, "Processor"))


def _cloudflow_step(entry: dict[str, Any], place: Place) -> Step:
    params = _mapping(entry.get("Parameters"))
    action = str(entry.get("Action", "")).replace("::", ":")
    target = _target(params.get("resourceArn"))
    timeout = entry["Timeout.$"] if "Timeout.$" in entry else _seconds(entry.get("Timeout"))
    # CloudFlow puts the token into a header of an HTTP call by itself.
    token = True if action == "HTTP:Request" else _cloudflow_token({**params, "I.$": entry.get("InputConstructor")})
    return Step(
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
    """Look for the token's path; without `.$` at its key it is text."""
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


def _target(arn: Any) -> Target | None:
    text = arn if isinstance(arn, str) else ""
    function = _FUNCTION.fullmatch(text)
    if function:
        return Target(kind="function", **function.groupdict())
    messages = _MESSAGES.fullmatch(text)
    if messages:
        parts = messages.groupdict()
        kind: Literal["topic", "queue"] = "topic" if parts.pop("kind") == "topics" else "queue"
        return Target(kind=kind, **parts)
    return None


def _seconds(value: Any) -> float | None:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return seconds if seconds > 0 else None


def _handles_timeout(entry: dict[str, Any], keys: tuple[str, ...], errors: str) -> bool:
    for key in keys:
        for rule, _ in _entries(entry.get(key), ()):
            names = rule.get(errors)
            if isinstance(names, list) and any(str(name) in TIMEOUT_ERRORS for name in names):
                return True
    return False
