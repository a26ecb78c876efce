"""The `props` of a fc3 resource, held to fc3's own schema, and strictly: what the schema does not name is a mistake.

fc3 itself drops an unknown property without a word, and validates the others into its debug log only. fc3.json holds
the component's schema, with its licence beside it. Source: devsapp/fc3 0.1.22, `src/schema.json`.
"""

from __future__ import annotations

import difflib
import functools
import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.checking.expressions import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fc_callback.checking.documents import Place

Schema = dict[str, Any]

# The component's code reads these, its schema does not name them.
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
# Rules of their own look at these.
_ELSEWHERE = {("runtime",)}
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}
_WORDS = {
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "array": "a list",
    "object": "a mapping",
}


@attrs.frozen(kw_only=True)
class Problem:
    """What is wrong at one place of the props."""

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
    """Return the runtimes that FC has."""
    return tuple(fc3_schema()["definitions"]["IRuntime"]["enum"])


def problems_of(props: dict[str, Any]) -> Iterator[Problem]:
    """Find what fc3 or the service would not take, or would drop without a word."""
    schema = fc3_schema()
    known = {**schema["properties"], **{name: {} for name in _UNNAMED}}
    yield from _object(props, {"properties": known, "required": _required(props)}, ())


def _required(props: dict[str, Any]) -> list[str]:
    given = props.get("runtime")
    runtime = given if isinstance(given, str) else ""
    needed = ["functionName", "region", "runtime"]
    if runtime in {"custom-container", "micro-sandbox"}:
        return [*needed, "customContainerConfig"]
    if runtime.startswith("custom"):
        return [*needed, "code"]
    return needed if given is UNKNOWN else [*needed, "code", "handler"]


def _value(value: Any, schema: Schema, place: Place) -> Iterator[Problem]:
    if value is UNKNOWN or place in _ELSEWHERE:
        return
    if "$ref" in schema:
        schema = fc3_schema()["definitions"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        yield from _any_of(value, schema["anyOf"], place)
        return
    kind = schema.get("type")
    if kind is not None and not _is(value, kind):
        yield _wrong(place, f"must be {_WORDS[kind]}, not {_shown(value)}", _typed_hint(value, kind))
        return
    if "enum" in schema and value not in schema["enum"]:
        yield _wrong(place, f"cannot be {value!r}", _choices_hint(value, schema["enum"]))
    elif "const" in schema and value != schema["const"]:
        yield _wrong(place, f"cannot be {value!r}", f"It can be {schema['const']!r}.")
    else:
        yield from _range(value, schema, place)
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _value(each, schema.get("items", {}), (*place, index))
    elif isinstance(value, dict):
        yield from _object(value, schema, place)


def _object(value: dict[str, Any], schema: Schema, place: Place) -> Iterator[Problem]:
    known = schema.get("properties")
    others = schema.get("additionalProperties")
    unknown = [str(key) for key in value if known and key not in known and not others]
    for name in schema.get("required", ()):
        # A misspelt one is one mistake, not two.
        if name not in value and not difflib.get_close_matches(name, unknown, n=1):
            yield Problem(
                rule="missing-property",
                place=place,
                message=f"{_name((*place, name))} is missing.",
                hint="fc3 cannot deploy without it.",
            )
    for key, each in value.items():
        if known and key in known:
            yield from _value(
                each, _trigger_schema(value, place) if key == "triggerConfig" else known[key], (*place, key)
            )
        elif isinstance(others, dict):
            yield from _value(each, others, (*place, key))
        elif known and others is not True:
            yield Problem(
                rule="unknown-property",
                place=(*place, key),
                message=f"{_name((*place, key))} is no property of fc3: it would be dropped without a word.",
                hint=_choices_hint(str(key), list(known)),
            )


def _trigger_schema(trigger: dict[str, Any], place: Place) -> Schema:
    name = _TRIGGERS.get(str(trigger.get("triggerType"))) if place[:1] == ("triggers",) else None
    return {"$ref": f"#/definitions/{name}"} if name else {}


def _any_of(value: Any, choices: list[Schema], place: Place) -> Iterator[Problem]:
    """Take the alternative of the value's own type, so that what is said fits what was meant."""
    tried = [(choice, list(_value(value, choice, place))) for choice in choices]
    if all(problems for _, problems in tried):
        fitting = (problems for choice, problems in tried if _kind(choice) == _kind_of(value))
        yield from next(fitting, tried[-1][1])


def _kind(schema: Schema) -> str:
    if "$ref" in schema:
        return _kind(fc3_schema()["definitions"][schema["$ref"].rpartition("/")[2]])
    return str(schema.get("type", "object"))


def _kind_of(value: Any) -> str:
    return next((kind for kind in _TYPES if _is(value, kind)), "")


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])


def _range(value: Any, schema: Schema, place: Place) -> Iterator[Problem]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    low, high, step = schema.get("minimum"), schema.get("maximum"), schema.get("multipleOf")
    if low is not None and high is not None and not low <= value <= high:
        yield _wrong(place, f"is {value}, and it can be {low} to {high}", "Choose one in between.")
    elif low is not None and value < low:
        yield _wrong(place, f"is {value}, and it must be at least {low}", f"Make it {low} or more.")
    elif step is not None and value % step:
        below = int(value // step * step)
        yield _wrong(place, f"is {value}, and it must be a multiple of {step}", f"Make it {below} or {below + step}.")


def _wrong(place: Place, message: str, hint: str) -> Problem:
    return Problem(rule="property-value", place=place, message=f"{_name(place)} {message}.", hint=hint)


def _name(place: Place) -> str:
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def _shown(value: Any) -> str:
    kind = _kind_of(value)
    return (
        f"{value!r}, which is {_WORDS[kind]}"
        if kind in {"string", "integer", "number", "boolean"}
        else _WORDS.get(kind, "empty")
    )


def _typed_hint(value: Any, kind: str) -> str:
    if kind == "string":
        return f'Put it in quotes: "{str(value).lower() if isinstance(value, bool) else value}".'
    if kind in {"integer", "number"} and isinstance(value, str):
        return "Write it without quotes."
    return f"Write {_WORDS[kind]}."


def _choices_hint(given: Any, choices: list[Any]) -> str:
    lowered = {str(choice).lower(): choice for choice in choices}
    close = difflib.get_close_matches(str(given).lower(), list(lowered), n=1)
    if close:
        return f"Did you mean {lowered[close[0]]!r}?"
    return f"It can be {', '.join(str(choice) for choice in choices)}."
