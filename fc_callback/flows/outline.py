"""An outline of a flow's tasks, for tools that inspect a flow without running it.

It covers every step type of both languages at any depth, also those that `parse_flow` does not support, and it accepts
documents with mistakes in them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs

from fc_callback.flows.definition import ANY_ERROR, TASK_TIMEOUT, Place
from fc_callback.flows.targets import TaskTarget, parse_target

if TYPE_CHECKING:
    from collections.abc import Iterator

Language: TypeAlias = Literal["legacy", "cloudflow"]
TokenUse: TypeAlias = Literal["passed", "constant", "missing"]

_LEGACY_TOKEN = re.compile(r"\$context\.task\.token(?![\w.])")
_CLOUDFLOW_TOKEN = re.compile(r"\$Context(\.Current(\.TaskToken)?)?(?![\w.])")


@attrs.frozen(kw_only=True)
class TaskOutline:
    """One task of a flow.

    Attributes:
        name: The step's name; empty if it has none.
        place: Where the step is in the document.
        callback: Whether it waits for a report.
        asynchronous: Whether the outcome of the call itself is lost: an Async invocation, or a message.
        target: What it calls; None if that is unknown or of another kind.
        target_place: Where the target is named.
        token: `passed`, `missing`, or `constant` where the token's path is passed as plain text.
        timeout: In seconds. None for no timeout, which 0 also means; a text if the flow computes it.
        timeout_place: Where the timeout is given, or belongs.
        handles_timeout: Whether a retry or catch rule applies to FnF.TaskTimeout.
    """

    name: str
    place: Place
    callback: bool
    asynchronous: bool
    target: TaskTarget | None
    target_place: Place
    token: TokenUse
    timeout: float | str | None
    timeout_place: Place
    handles_timeout: bool


@attrs.frozen(kw_only=True)
class FlowOutline:
    """A flow's language, its own name (CloudFlow's language has one) and its tasks, in the order of the document."""

    language: Language
    name: str = ""
    tasks: tuple[TaskOutline, ...] = ()


def language_of(document: object) -> Language | None:
    """Return the language that a definition is written in; None if its top level shows neither."""
    if not isinstance(document, dict):
        return None
    if document.get("Type") is not None or "States" in document:
        return "cloudflow"
    return "legacy" if document.get("type") == "flow" or "steps" in document else None


def outline_flow(document: object) -> FlowOutline | None:
    """Return the outline of a definition, given as plain values; None if it is a flow of neither language."""
    language = language_of(document)
    scope = _mapping(document)
    if language == "cloudflow":
        name = scope.get("Name")
        tasks = tuple(_cloudflow_tasks(scope, ()))
        return FlowOutline(language=language, name=name if isinstance(name, str) else "", tasks=tasks)
    return None if language is None else FlowOutline(language=language, tasks=tuple(_legacy_tasks(scope, ())))


def _entries(value: Any, place: Place = ()) -> Iterator[tuple[dict[str, Any], Place]]:
    for index, entry in enumerate(value if isinstance(value, list) else []):
        if isinstance(entry, dict):
            yield entry, (*place, index)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _legacy_tasks(scope: dict[str, Any], place: Place) -> Iterator[TaskOutline]:
    """Walk through steps, and those inside choices, branches and loops."""
    for entry, at in _entries(scope.get("steps"), (*place, "steps")):
        if entry.get("type") == "task":
            yield _legacy_task(entry, at)
        yield from _legacy_tasks(entry, at)
        for key in ("choices", "branches"):
            for inner, inner_at in _entries(entry.get(key), (*at, key)):
                yield from _legacy_tasks(inner, inner_at)
        yield from _legacy_tasks(_mapping(entry.get("default")), (*at, "default"))


def _legacy_task(entry: dict[str, Any], place: Place) -> TaskOutline:
    sources = [str(mapping.get("source")) for mapping, _ in _entries(entry.get("inputMappings"))]
    target = parse_target(entry.get("resourceArn"))
    invocation = _mapping(entry.get("serviceParams")).get("InvocationType")
    return TaskOutline(
        name=str(entry.get("name", "")),
        place=place,
        callback=entry.get("pattern") == "waitForCallback",
        asynchronous=invocation == "Async" or _is_message(target),
        target=target,
        target_place=(*place, "resourceArn"),
        token="passed" if any(map(_LEGACY_TOKEN.match, sources)) else "missing",
        timeout=_seconds(entry.get("timeoutSeconds")),
        timeout_place=(*place, "timeoutSeconds"),
        handles_timeout=_handles_timeout(entry, ("retry", "catch"), "errors"),
    )


def _cloudflow_tasks(scope: dict[str, Any], place: Place) -> Iterator[TaskOutline]:
    """Walk through states, and those inside Parallel and Map."""
    for entry, at in _entries(scope.get("States"), (*place, "States")):
        if entry.get("Type") == "Task":
            yield _cloudflow_task(entry, at)
        for inner, inner_at in _entries(entry.get("Branches"), (*at, "Branches")):
            yield from _cloudflow_tasks(inner, inner_at)
        yield from _cloudflow_tasks(_mapping(entry.get("Processor")), (*at, "Processor"))


def _cloudflow_task(entry: dict[str, Any], place: Place) -> TaskOutline:
    parameters = _mapping(entry.get("Parameters"))
    target = parse_target(parameters.get("resourceArn"))
    # CloudFlow itself puts the token into a header of an HTTP call.
    sends_token = str(entry.get("Action", "")).replace("::", ":") == "HTTP:Request"
    return TaskOutline(
        name=str(entry.get("Name", "")),
        place=place,
        callback=entry.get("TaskMode") == "WaitForCustomCallback",
        asynchronous=parameters.get("invocationType") == "Async" or _is_message(target),
        target=target,
        target_place=(*place, "Parameters", "resourceArn"),
        token="passed" if sends_token else _token_use({**parameters, "I.$": entry.get("InputConstructor")}),
        timeout=entry["Timeout.$"] if "Timeout.$" in entry else _seconds(entry.get("Timeout")),
        timeout_place=(*place, "Timeout"),
        handles_timeout=_handles_timeout(entry, ("Retry", "Catch"), "Errors"),
    )


def _token_use(value: Any, *, is_expression: bool = False) -> TokenUse:
    """Look for the token's path. It is an expression only if its key ends in `.$`; otherwise it is plain text."""
    if isinstance(value, str):
        if not _CLOUDFLOW_TOKEN.search(value):
            return "missing"
        return "passed" if is_expression else "constant"
    uses: set[TokenUse] = set()
    if isinstance(value, dict):
        uses = {_token_use(part, is_expression=str(key).endswith(".$")) for key, part in value.items()}
    elif isinstance(value, list):
        uses = {_token_use(part) for part in value}
    return "passed" if "passed" in uses else "constant" if "constant" in uses else "missing"


def _is_message(target: TaskTarget | None) -> bool:
    return target is not None and target.kind in {"topic", "queue"}


def _seconds(value: Any) -> float | None:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return seconds if seconds > 0 else None


def _handles_timeout(entry: dict[str, Any], keys: tuple[str, ...], errors: str) -> bool:
    rules = [rule for key in keys for rule, _ in _entries(entry.get(key))]
    names = [name for rule in rules if isinstance(rule.get(errors), list) for name in rule[errors]]
    return TASK_TIMEOUT in names or ANY_ERROR in names
