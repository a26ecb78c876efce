"""Check the `props` of a fc3 resource against fc3's own schema, strictly: an unknown property is an error.

fc3 itself ignores an unknown property without a warning, and validates the others only into its debug log. fc3.json holds
the component's schema; its licence is beside it. Source: devsapp/fc3 0.1.22, `src/schema.json`.
"""

from __future__ import annotations

import difflib
import functools
import json
from datetime import datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.project.expressions import UNKNOWN
from fc_callback.project.yaml_scalars import as_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fc_callback.project.documents import Place

Schema = dict[str, Any]

# The component's code reads these properties; its schema does not name them.
_UNNAMED = ("customDomain", "disableOndemand")
_TRIGGERS = {
    "cdn_events": "ICdnTriggerConfig",
    "eventbridge": "IEventBridge",
    "http": "IHttpTriggerConfig",
    "log": "ILogTriggerConfig",
    "mns_topic": "IMnsTriggerConfig",
    "oss": "IOssTriggerConfig",
    "tablestore": "IOtsConfig",
    "timer": "ITimerTriggerConfig",
}
# The schema requires these, and a deployment does not need them.
_OPTIONAL = {("code", "src")}
# Other rules check these.
_ELSEWHERE = {("runtime",)}
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}
_KIND_NAMES = {
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "array": "a list",
    "object": "a mapping",
}


@attrs.frozen(kw_only=True)
class PropertyProblem:
    """A property that fc3 or the service does not accept, or that fc3 ignores."""

    rule: str
    place: Place
    message: str
    hint: str


@functools.cache
def fc3_schema() -> Schema:
    """Return the schema of `props`."""
    schema: Schema = json.loads((files("fc_callback.checking") / "fc3.json").read_text("utf-8"))
    return schema


def runtimes() -> tuple[str, ...]:
    """Return every runtime that fc3 deploys, those of other languages too."""
    return tuple(fc3_schema()["definitions"]["IRuntime"]["enum"])


def problems_of(props: dict[str, Any]) -> Iterator[PropertyProblem]:
    """Find the properties that fc3 or the service does not accept, and those that fc3 ignores."""
    schema = fc3_schema()
    known = {**schema["properties"], **{name: {} for name in _UNNAMED}}
    yield from _object_problems(props, {"properties": known, "required": _required(props)}, ())


def _required(props: dict[str, Any]) -> list[str]:
    given = props.get("runtime")
    runtime = given if isinstance(given, str) else ""
    needed = ["functionName", "region", "runtime"]
    if runtime in {"custom-container", "micro-sandbox"}:
        return [*needed, "customContainerConfig"]
    if runtime.startswith("custom"):
        return [*needed, "code"]
    return needed if given is UNKNOWN else [*needed, "code", "handler"]


def _value_problems(value: Any, schema: Schema, place: Place) -> Iterator[PropertyProblem]:
    if value is UNKNOWN or place in _ELSEWHERE:
        return
    if "$ref" in schema:
        schema = fc3_schema()["definitions"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        yield from _any_of_problems(value, schema["anyOf"], place)
        return
    kind = schema.get("type")
    if kind is not None and not _is_kind(value, kind):
        yield _wrong(place, f"must be {_KIND_NAMES[kind]}, not {_described(value)}", _type_hint(value, kind))
        return
    if "enum" in schema and value not in schema["enum"]:
        yield _wrong(place, f"cannot be {value!r}", _choices_hint(value, schema["enum"]))
    elif "const" in schema and value != schema["const"]:
        yield _wrong(place, f"cannot be {value!r}", f"It can be {schema['const']!r}.")
    else:
        yield from _range_problems(value, schema, place)
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _value_problems(each, schema.get("items", {}), (*place, index))
    elif isinstance(value, dict):
        yield from _object_problems(value, schema, place)


def _object_problems(value: dict[str, Any], schema: Schema, place: Place) -> Iterator[PropertyProblem]:
    known = schema.get("properties")
    others = schema.get("additionalProperties")
    unknown = [str(key) for key in value if known and key not in known and not others]
    for name in schema.get("required", ()):
        # A misspelt name is one mistake, not two.
        if name in value or (*place, name) in _OPTIONAL:
            continue
        if not difflib.get_close_matches(name, unknown, n=1):
            yield PropertyProblem(
                rule="missing-property",
                place=place,
                message=f"{_dotted((*place, name))} is missing.",
                hint="Add it: fc3 cannot deploy without it.",
            )
    for key, each in value.items():
        if known and key in known:
            yield from _value_problems(
                each, _trigger_schema(value, place) if key == "triggerConfig" else known[key], (*place, key)
            )
        elif isinstance(others, dict):
            yield from _value_problems(each, others, (*place, key))
        elif known and others is not True:
            yield PropertyProblem(
                rule="unknown-property",
                place=(*place, key),
                message=f"{_dotted((*place, key))} is not a property of fc3, which ignores it without a warning.",
                hint=_choices_hint(str(key), list(known)),
            )


def _trigger_schema(trigger: dict[str, Any], place: Place) -> Schema:
    name = _TRIGGERS.get(str(trigger.get("triggerType"))) if place[:1] == ("triggers",) else None
    return {"$ref": f"#/definitions/{name}"} if name else {}


def _any_of_problems(value: Any, choices: list[Schema], place: Place) -> Iterator[PropertyProblem]:
    """Report the problems of the alternative that has the value's own type: that is the one that was meant."""
    tried = [(choice, list(_value_problems(value, choice, place))) for choice in choices]
    if all(problems for _, problems in tried):
        fitting = (problems for choice, problems in tried if _schema_kind(choice) == _kind_of(value))
        yield from next(fitting, tried[-1][1])


def _schema_kind(schema: Schema) -> str:
    if "$ref" in schema:
        return _schema_kind(fc3_schema()["definitions"][schema["$ref"].rpartition("/")[2]])
    return str(schema.get("type", "object"))


def _kind_of(value: Any) -> str:
    return next((kind for kind in _TYPES if _is_kind(value, kind)), "")


def _is_kind(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])


def _range_problems(value: Any, schema: Schema, place: Place) -> Iterator[PropertyProblem]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    low, high, step = schema.get("minimum"), schema.get("maximum"), schema.get("multipleOf")
    if low is not None and high is not None and not low <= value <= high:
        yield _wrong(place, f"is {value}, and it can be {low} to {high}", f"Choose a value from {low} to {high}.")
    elif low is not None and value < low:
        yield _wrong(place, f"is {value}, and it must be at least {low}", f"Make it {low} or more.")
    elif step is not None and value % step:
        below = int(value // step * step)
        yield _wrong(place, f"is {value}, and it must be a multiple of {step}", f"Make it {below} or {below + step}.")


def _wrong(place: Place, message: str, hint: str) -> PropertyProblem:
    return PropertyProblem(rule="property-value", place=place, message=f"{_dotted(place)} {message}.", hint=hint)


def _dotted(place: Place) -> str:
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def _described(value: Any) -> str:
    if isinstance(value, datetime):
        return "a date"
    kind = _kind_of(value)
    if kind in {"string", "integer", "number", "boolean"}:
        return f"{repr(value) if kind == 'string' else as_text(value)}, which is {_KIND_NAMES[kind]}"
    return _KIND_NAMES.get(kind, "empty" if value is None else "binary data")


def _type_hint(value: Any, kind: str) -> str:
    if kind == "string":
        shown = value.date() if isinstance(value, datetime) else as_text(value)
        return f'Put it in quotes: "{shown}".'
    if kind in {"integer", "number"} and isinstance(value, str):
        return "Write it without quotes."
    return f"Write {_KIND_NAMES[kind]}."


def _choices_hint(given: Any, choices: list[Any]) -> str:
    lowered = {str(choice).lower(): choice for choice in choices}
    close = difflib.get_close_matches(str(given).lower(), list(lowered), n=1)
    if close:
        return f"Did you mean {lowered[close[0]]!r}?"
    return f"It can be {', '.join(str(choice) for choice in choices)}."
