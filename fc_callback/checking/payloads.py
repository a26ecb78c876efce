"""Compare what the steps of flows send with the types that the handlers ask for.

Only steps that call a function themselves are compared, wait for its report, and pass the token at the top of the payload,
under a key that `task_callback` looks for. Expressions are unknown until an execution: their keys count, their values do not.
`fc_callback.payload.mismatches` compares, in the process that imports the handler.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.checking.findings import Finding
from fc_callback.checking.flows import reaches
from fc_callback.flows.layout import action_name
from fc_callback.payload.token_search import TOKEN_KEYS
from fc_callback.project.documents import value_at
from fc_callback.project.expressions import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fc_callback.checking.flows import CheckedFlow
    from fc_callback.checking.importing import Imported
    from fc_callback.flows import TaskOutline
    from fc_callback.project import Project
    from fc_callback.project.documents import Place

_TOKENS = ("$Context.Current.TaskToken", "$context.task.token")
_PLAIN_TARGET = re.compile(r"[\w-]+")
# Another version or alias than this runs code of an earlier deployment.
_QUALIFIER = re.compile(r"(?:services/[^/.]+\.|functions/[^/.]+[./])(?P<name>[\w-]+)")
_RULES = {"ignored": "payload-ignored"}


@attrs.define
class _Reading:
    """Collects the places of a payload whose values only an execution knows, and where each key is in the definition."""

    unknown: list[Place] = attrs.field(factory=list)
    places: dict[Place, Place] = attrs.field(factory=dict)

    def value(self, given: Any, place: Place, at: Place) -> Any:
        """Return a value of a CloudFlow constructor: a key that ends in `.$` has an expression."""
        self.places[place] = at
        if isinstance(given, dict):
            members: dict[str, Any] = {}
            for key, each in given.items():
                name = str(key).removesuffix(".$")
                inner, inner_at = (*place, name), (*at, key)
                is_literal = name == key
                members[name] = self.value(each, inner, inner_at) if is_literal else self.expression(inner, inner_at)
            return members
        if isinstance(given, list):
            return [self.value(each, (*place, index), (*at, index)) for index, each in enumerate(given)]
        return self.literal(given, place, at)

    def expression(self, place: Place, at: Place) -> Any:
        """Note an unknown value, and return what takes its place: null."""
        self.places[place] = at
        self.unknown.append(place)
        return None

    def literal(self, given: Any, place: Place, at: Place) -> Any:
        """Return a literal value. A text with `$` may be a mistake that another rule finds, or may be replaced later."""
        if isinstance(given, str):
            is_certain = not given.startswith("$") and "${" not in given and "{{" not in given
        else:  # no JSON has a date, an infinite number, or what only a deployment knows
            is_certain = given is None or (isinstance(given, int | float) and math.isfinite(given))
        if not is_certain:
            return self.expression(place, at)
        self.places[place] = at
        return given


@attrs.frozen(kw_only=True)
class SentPayload:
    """The payload that a step sends to a function, as far as the definition shows it.

    Attributes:
        flow: The flow.
        step: The step.
        payload: The payload, with null at each unknown place.
        unknown: The places whose values only an execution knows.
        places: Where each place of the payload is in the definition.
        token_keys: The keys that hold the task token.
    """

    flow: CheckedFlow
    step: TaskOutline
    payload: dict[str, Any]
    unknown: list[Place]
    places: dict[Place, Place]
    token_keys: list[str]

    def as_arguments(self) -> dict[str, Any]:
        """Return the arguments of `mismatches_of`, as JSON."""
        return {"payload": self.payload, "unknown": self.unknown, "token_keys": self.token_keys}


def sent_to_functions(project: Project, flows: Sequence[CheckedFlow]) -> dict[str, list[SentPayload]]:
    """Return the payloads that steps send to each function, by resource."""
    tasks = [(flow, step) for flow in flows for step in flow.tasks if step.callback]
    return {
        function.key: [
            sent
            for flow, step in tasks
            if step.target is not None and step.target.kind == "function" and reaches(step, function)
            if (sent := _sent(flow, step)) is not None
        ]
        for function in project.functions
    }


def _sent(flow: CheckedFlow, step: TaskOutline) -> SentPayload | None:
    entry = value_at(flow.data, *step.place)
    read = _read_body if flow.outline is not None and flow.outline.language == "cloudflow" else _read_mappings
    reading = _Reading()
    arn = value_at(flow.data, *step.target_place)
    calls_latest = all(name == "LATEST" for name in _QUALIFIER.findall(str(arn)))
    found = read(entry, step.place, reading) if isinstance(entry, dict) and calls_latest else None
    if found is None:
        return None
    payload, token_keys = found
    others = [key for key in TOKEN_KEYS if key in payload and key not in token_keys]
    if others or not set(TOKEN_KEYS) & set(token_keys):
        return None  # the handler would look for the token elsewhere, or find two
    return SentPayload(
        flow=flow,
        step=step,
        payload=payload,
        unknown=reading.unknown,
        places=reading.places,
        token_keys=token_keys,
    )


def _read_body(entry: dict[str, Any], place: Place, reading: _Reading) -> tuple[dict[str, Any], list[str]] | None:
    body = value_at(entry, "Parameters", "body")
    if not isinstance(body, dict) or action_name(entry.get("Action")) != "FC:InvokeFunction":
        return None
    names = [str(key).removesuffix(".$") for key in body]
    if len(set(names)) < len(names):
        return None
    token_keys = [
        name
        for name, (key, value) in zip(names, body.items(), strict=True)
        if name != key and str(value).strip() in _TOKENS
    ]
    return reading.value(body, (), (*place, "Parameters", "body")), token_keys


def _read_mappings(entry: dict[str, Any], place: Place, reading: _Reading) -> tuple[dict[str, Any], list[str]] | None:
    mappings = entry.get("inputMappings")
    if not isinstance(mappings, list):
        return None  # the function gets everything that the step has
    payload: dict[str, Any] = {}
    token_keys = []
    for index, mapping in enumerate(mappings):
        target, source = (mapping.get("target"), mapping.get("source")) if isinstance(mapping, dict) else (None, None)
        if not isinstance(target, str) or not _PLAIN_TARGET.fullmatch(target) or target in payload:
            return None
        at = (*place, "inputMappings", index)
        literal = source if isinstance(source, str | int | float) else UNKNOWN
        payload[target] = reading.literal(literal, (target,), at)
        if isinstance(source, str) and source.strip() in _TOKENS:
            token_keys.append(target)
    return payload, token_keys


def check(sent: Mapping[str, Sequence[SentPayload]], imported: Mapping[str, Imported]) -> Iterator[Finding]:
    """Find what steps send that does not fit.

    Args:
        sent: The payloads, by resource.
        imported: The result of importing each function's handler, by resource.
    """
    for key, seen in imported.items():
        for each, mismatches in zip(sent.get(key, ()), seen.mismatches, strict=False):
            for mismatch in mismatches:
                yield _finding(each, **mismatch)


def _finding(
    sent: SentPayload, *, kind: str, place: list[str | int], key: str, type_name: str, near: str, message: str
) -> Finding:
    holder = tuple(place)
    where = f" in {'.'.join(map(str, holder))!r}" if holder and kind != "value" else ""
    problem, hint = {
        "missing": (
            f"does not send {key!r}{where}, which {type_name} requires",
            f"Did you mean {key!r} instead of {near!r}?" if near else "Add it, or give the field a default.",
        ),
        "unknown": (
            f"sends {key!r}{where}, and {type_name} allows no other keys than its own",
            f"Did you mean {near!r}?" if near else "Remove it, or add the field.",
        ),
        "ignored": (f"sends {key!r}, and {type_name} does not read it", f"Did you mean {near!r}?"),
        "value": (
            f"sends {_shown(holder)} that {type_name} does not accept: {message}",
            "Correct the value, or the type that the handler asks for.",
        ),
    }[kind]
    named = near if kind == "missing" and near else key if kind in {"unknown", "ignored"} else None
    at = sent.places.get(holder if named is None else (*holder, named), sent.step.place)
    file, line = sent.flow.locate(*at)
    return Finding(
        rule=_RULES.get(kind, "payload-mismatch"),
        file=file,
        line=line,
        message=f"The step {sent.step.name!r} {problem}.",
        hint=hint,
    )


def _shown(place: Place) -> str:
    return f"a {'.'.join(map(str, place))!r}" if place else "a payload"
