"""An outline of a flow's tasks, for tools that inspect a flow without running it.

It finds tasks at any depth, as the parsers do (`layout` says where lists of steps are), and also in documents with mistakes
that the parsers refuse.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs

from fc_callback.flows.definition import ANY_ERROR, TASK_TIMEOUT, Place
from fc_callback.flows.layout import CLOUDFLOW, LEGACY, Language, Layout, action_name, language_of, mappings_in
from fc_callback.flows.targets import TaskTarget, parse_target

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        token_place: Where that plain text is; otherwise the step's place.
        token_keys: The names under which the called function gets the token, each with its place. None where an
            expression, or another part of the flow, gives it its name.
        timeout: In seconds. None for no timeout, which 0 also means; a text if the flow or a deployment computes it.
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
    token_place: Place
    token_keys: tuple[tuple[str, Place], ...] | None
    timeout: float | str | None
    timeout_place: Place
    handles_timeout: bool


@attrs.frozen(kw_only=True)
class FlowOutline:
    """A flow's language, its own name (CloudFlow's language has one) and its tasks, in the order of the document."""

    language: Language
    name: str = ""
    tasks: tuple[TaskOutline, ...] = ()


def outline_flow(document: object) -> FlowOutline | None:
    """Return the outline of a definition, given as plain values; None if it is a flow of neither language."""
    language = language_of(document)
    if language is None:
        return None
    scope = _mapping(document)
    if language == "legacy":
        tasks = [_legacy_task(entry, place) for entry, place in LEGACY.entries(scope) if entry.get("type") == "task"]
        return FlowOutline(language=language, tasks=tuple(tasks))
    tasks = [_cloudflow_task(entry, place) for entry, place in CLOUDFLOW.entries(scope) if entry.get("Type") == "Task"]
    name = scope.get("Name")
    return FlowOutline(language=language, name=name if isinstance(name, str) else "", tasks=tuple(tasks))


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _legacy_task(entry: dict[str, Any], place: Place) -> TaskOutline:
    mappings = list(mappings_in(entry.get("inputMappings"), (*place, "inputMappings")))
    passed = [(mapping, at) for mapping, at in mappings if _LEGACY_TOKEN.match(str(mapping.get("source")))]
    target = parse_target(entry.get("resourceArn"))
    invocation = _mapping(entry.get("serviceParams")).get("InvocationType")
    return TaskOutline(
        name=str(entry.get("name", "")),
        place=place,
        callback=_is_callback(entry, LEGACY),
        asynchronous=invocation == "Async" or _is_message(target),
        target=target,
        target_place=(*place, "resourceArn"),
        token="passed" if passed else "missing",
        token_place=place,
        token_keys=tuple((str(mapping.get("target")), (*at, "target")) for mapping, at in passed),
        timeout=_seconds(entry.get("timeoutSeconds")),
        timeout_place=(*place, "timeoutSeconds"),
        handles_timeout=_handles_timeout(entry, LEGACY),
    )


def _cloudflow_task(entry: dict[str, Any], place: Place) -> TaskOutline:
    parameters = _mapping(entry.get("Parameters"))
    target = parse_target(parameters.get("resourceArn"))
    # CloudFlow itself puts the token into a header of an HTTP call.
    sends_token = action_name(entry.get("Action")) == "HTTP:Request"
    found = list(_token_uses({"Parameters": parameters, "InputConstructor": entry.get("InputConstructor")}))
    uses = {use: at for use, at, _ in found}
    token: TokenUse = "passed" if sends_token or "passed" in uses else "constant" if uses else "missing"
    return TaskOutline(
        name=str(entry.get("Name", "")),
        place=place,
        callback=_is_callback(entry, CLOUDFLOW),
        asynchronous=parameters.get("invocationType") == "Async" or _is_message(target),
        target=target,
        target_place=(*place, "Parameters", "resourceArn"),
        token=token,
        token_place=(*place, *uses["constant"]) if token == "constant" else place,  # noqa: S105 - how it is passed
        token_keys=None if sends_token else _cloudflow_keys(found, place),
        timeout=entry["Timeout.$"] if "Timeout.$" in entry else _seconds(entry.get("Timeout")),
        timeout_place=(*place, "Timeout"),
        handles_timeout=_handles_timeout(entry, CLOUDFLOW),
    )


def _is_callback(entry: dict[str, Any], layout: Layout) -> bool:
    return layout.waits_for.get(str(entry.get(layout.task_mode))) == "report"


def _token_uses(value: Any, place: Place = ()) -> Iterator[tuple[TokenUse, Place, str]]:
    """Yield where the token's path is, and the text with it.

    It is an expression only if its key ends in `.$`; otherwise it is plain text.
    """
    if isinstance(value, str) and _CLOUDFLOW_TOKEN.search(value):
        yield "passed" if place and str(place[-1]).endswith(".$") else "constant", place, value
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from _token_uses(part, (*place, key))


def _cloudflow_keys(found: list[tuple[TokenUse, Place, str]], step: Place) -> tuple[tuple[str, Place], ...] | None:
    """Return the names under which a step passes the token; None where they are not plain to see."""
    keys: list[tuple[str, Place]] = []
    for use, place, text in found:
        if use != "passed":
            continue
        if place[0] != "Parameters" or text.strip() != "$Context.Current.TaskToken":
            return None
        keys.append((str(place[-1]).removesuffix(".$"), (*step, *place)))
    return tuple(keys)


def _is_message(target: TaskTarget | None) -> bool:
    return target is not None and target.kind in {"topic", "queue"}


def _seconds(value: Any) -> float | str | None:
    if not isinstance(value, str | int | float | dict | list | None):
        return repr(value)  # a tool's own mark for a value that only a deployment knows
    try:
        seconds = float(value)  # type: ignore[arg-type] # a TypeError is caught
    except (TypeError, ValueError):
        return None
    return seconds if seconds > 0 else None


def _handles_timeout(entry: dict[str, Any], layout: Layout) -> bool:
    rules = [rule for key in layout.rules for rule, _ in mappings_in(entry.get(key), ())]
    names = [name for rule in rules if isinstance(rule.get(layout.errors), list) for name in rule[layout.errors]]
    return TASK_TIMEOUT in names or ANY_ERROR in names
