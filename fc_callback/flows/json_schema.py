"""JSON schemas of both flow languages, for editors: names of fields, kinds of steps, and the forms of values.

They are made from `layout`. A schema knows neither expressions nor whether a step exists: `fc-callback check` does.
An unknown field is an error of the schema, while CloudFlow ignores it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from fc_callback.flows import cloudflow, cloudflow_parser, legacy, legacy_parser
from fc_callback.flows.definition import NAME_PATTERN
from fc_callback.flows.layout import CLOUDFLOW, DISTRIBUTED, LEGACY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fc_callback.flows.layout import Language, Layout

JsonSchema: TypeAlias = dict[str, Any]

DIALECT = "http://json-schema.org/draft-07/schema#"  # the newest that every YAML editor knows
_YEAR_SECONDS = 31_536_000
_MANY = 1_000_000
_ANY_TEXT: JsonSchema = {"type": "string"}
_TEXT: JsonSchema = {"type": "string", "minLength": 1}
_FLAG: JsonSchema = {"type": "boolean"}
_CONSTRUCTOR: JsonSchema = {"type": "object"}
_ERRORS: JsonSchema = {"type": "array", "minItems": 1, "items": _TEXT}
_STEPS: JsonSchema = {"$ref": "#/definitions/steps"}


def flow_schema(language: Language) -> JsonSchema:
    """Return the JSON schema of a language's definitions."""
    return _cloudflow_schema() if language == "cloudflow" else _legacy_schema()


def _number(low: float, high: float, about: str = "") -> JsonSchema:
    """Return the schema of a number, which may also be a text of digits."""
    digits = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}
    schema: JsonSchema = {"anyOf": [{"type": "number", "minimum": low, "maximum": high}, digits]}
    return {"description": about, **schema} if about else schema


def _list_of(items: JsonSchema, least: int = 0, most: int | None = None) -> JsonSchema:
    bounds = {"minItems": least} if most is None else {"minItems": least, "maxItems": most}
    return {"type": "array", "items": items, **bounds}


def _fields(names: tuple[str, ...], types: Mapping[str, JsonSchema], *required: str, **more: Any) -> JsonSchema:
    """Return the schema of a mapping that has no other fields than these."""
    properties = {name: types.get(name, {}) for name in names}
    schema: JsonSchema = {"type": "object", "properties": properties, "additionalProperties": False, **more}
    return {**schema, "required": list(required)} if required else schema


def _references(types: Mapping[str, JsonSchema]) -> dict[str, JsonSchema]:
    """Return references to the schemas of fields, which several kinds of steps have."""
    return {name: {"$ref": f"#/definitions/{name}"} for name in types}


def _schema(title: str, flow: JsonSchema, layout: Layout, definitions: Mapping[str, JsonSchema]) -> JsonSchema:
    """Return a schema in which the kind of a step decides its fields; the definitions have each kind and each field."""
    kind, name = ("Type", "Name") if layout is CLOUDFLOW else ("type", "name")
    cases = [
        {
            "if": {"properties": {kind: {"const": one}}, "required": [kind]},
            "then": {"$ref": f"#/definitions/{one}"},
        }
        for one in layout.kinds
    ]
    step = {
        "type": "object",
        "properties": {kind: {"enum": list(layout.kinds)}},
        "required": [kind, name],
        "allOf": cases,
    }
    own = {"step": step, "steps": _list_of({"$ref": "#/definitions/step"}, 1)}
    return {"$schema": DIALECT, "title": title, **flow, "definitions": {**definitions, **own}}


def _legacy_schema() -> JsonSchema:
    parts = LEGACY.parts
    mapping = _fields(parts["inputMappings"], {"target": _TEXT}, *parts["inputMappings"])
    rules = {"errors": _ERRORS, "goto": _TEXT}
    retry = {
        **rules,
        **dict.fromkeys(("intervalSeconds", "maxIntervalSeconds"), _number(0, legacy_parser.MAX_INTERVAL_SECONDS)),
        **dict.fromkeys(("maxAttempts", "multiplier"), _number(0, _MANY)),
    }
    inner = {"steps": {"anyOf": [_STEPS, {"type": "array", "maxItems": 0}]}, "goto": _TEXT, "condition": _TEXT}
    types = {
        "name": {"type": "string", "pattern": f"^{NAME_PATTERN.pattern}$"},
        **dict.fromkeys(("inputMappings", "outputMappings", "errorMappings"), _list_of(mapping)),
        "end": {"description": "Whether the list of steps ends here.", **_FLAG},
        "steps": _STEPS,
        "duration": {"anyOf": [_number(0, legacy.MAX_WAIT_SECONDS), {"type": "string", "pattern": r"^\$"}]},
        "timestamp": _TEXT,
        "resourceArn": {"type": "string", "pattern": "^acs:"},
        "action": _TEXT,
        "pattern": {
            "description": "What the task waits for: the call, the end of what it started, or a report with the token.",
            "enum": list(LEGACY.waits_for),
        },
        "timeoutSeconds": _number(1, legacy_parser.MAX_TASK_SECONDS, "How long the step waits."),
        "serviceParams": {"type": "object"},
        "retry": _list_of(_fields(parts["retry"], retry, "errors")),
        "catch": _list_of(_fields(parts["catch"], rules, *parts["catch"])),
        "choices": _list_of(_fields(parts["choices"], inner, "condition"), 1),
        "default": _fields(parts["default"], inner),
        "branches": _list_of(_fields(parts["branches"], {"steps": _STEPS}, "steps"), 1, legacy_parser.MAX_BRANCHES),
        "iterationMapping": _fields(
            parts["iterationMapping"],
            {"collection": _TEXT, "item": _TEXT, "index": _ANY_TEXT},
            *("collection", "item"),
        ),
        **dict.fromkeys(("error", "cause"), _ANY_TEXT),
    }
    demanded: dict[str, JsonSchema] = {
        "wait": {"oneOf": [{"required": ["duration"]}, {"required": ["timestamp"]}]},
        "task": {"oneOf": [{"required": ["resourceArn"]}, {"required": ["action"]}]},
        "choice": {"required": ["choices"]},
        "parallel": {"required": ["branches"]},
        "foreach": {"required": ["iterationMapping", "steps"]},
    }
    shared = _references(types)
    kinds = {one: _fields(names, shared, **demanded.get(one, {})) for one, names in LEGACY.kinds.items()}
    top = {**shared, "name": {}, "version": {"enum": ["v1", "v1beta1"]}, "type": {"const": "flow"}}
    flow = _fields(LEGACY.flow, top, "version", "type", "steps")
    return _schema("A flow of Serverless Workflow", flow, LEGACY, {**types, **kinds})


def _cloudflow_schema() -> JsonSchema:
    parts = CLOUDFLOW.parts
    rules = {"Errors": _ERRORS, "Next": _TEXT, "OutputConstructor": _CONSTRUCTOR}
    retry = {
        **rules,
        **dict.fromkeys(("MaxAttempts", "BackoffRate"), _number(0, _MANY)),
        **dict.fromkeys(("IntervalSeconds", "MaxBackoffSeconds"), _number(0, cloudflow_parser.MAX_INTERVAL_SECONDS)),
    }
    body = {"StartAt": {"description": "The state to begin with.", **_TEXT}, "States": _STEPS}
    branch = _fields(parts["Choice.Branches"], {"Condition": _TEXT, "Next": _TEXT}, "Condition", "Next")
    bodies = _fields(parts["Parallel.Branches"], body, "StartAt", "States")
    types = {
        "Name": {"type": "string", "minLength": 1, "maxLength": 128},
        "Next": {"description": "The state that follows.", **_TEXT},
        "End": {"description": "Whether the flow, or the branch, ends here.", **_FLAG},
        **dict.fromkeys(("InputConstructor", "OutputConstructor", "GlobalConstructor"), _CONSTRUCTOR),
        "Retry": _list_of(_fields(parts["Retry"], retry, "Errors", "MaxAttempts", "IntervalSeconds")),
        "Catch": _list_of(_fields(parts["Catch"], rules, "Errors", "Next")),
        "Seconds": _number(1, cloudflow.MAX_WAIT_SECONDS),
        "Action": {"description": "Like FC:InvokeFunction.", **_TEXT},
        "TaskMode": {
            "description": "What the task waits for: the call, the end of what it started, or a report with the token.",
            "enum": list(CLOUDFLOW.waits_for),
        },
        "Parameters": {"type": "object"},
        "Timeout": _number(0, cloudflow.MAX_TASK_SECONDS, "How long the task waits; 0 for no limit."),
        **dict.fromkeys(("Seconds.$", "Timeout.$"), _TEXT),
        "Default": _TEXT,
        "ItemsPath": _TEXT,
        "Processor": _fields(parts["Processor"], body, "StartAt", "States"),
        **dict.fromkeys(("MaxConcurrency", "MaxConcuccency"), _number(1, cloudflow.MAX_CONCURRENCY)),
        **dict.fromkeys(("Code", "Detail"), _ANY_TEXT),
    }
    of_kind = {
        "Choice": {"Branches": _list_of(branch, 1)},
        "Parallel": {"Branches": _list_of(bodies, 1, cloudflow_parser.MAX_BRANCHES)},
    }
    kinds = {
        one: _fields(names, {**_references(types), **of_kind.get(one, {})}, **_demanded(one, names))
        for one, names in CLOUDFLOW.kinds.items()
    }
    kinds["Map"] = {"if": _distributed(), "else": kinds["Map"]}
    top = {
        **body,
        "Type": {"const": "StateMachine"},
        "SpecVersion": {"const": "v1"},
        "Timeout": _number(0, _YEAR_SECONDS, "How long an execution may take; 0 for no limit."),
    }
    flow = _fields(CLOUDFLOW.flow, top, "Type", "SpecVersion", "StartAt", "States")
    return _schema("A flow of CloudFlow", flow, CLOUDFLOW, {**types, **kinds})


def _demanded(kind: str, names: tuple[str, ...]) -> JsonSchema:
    """Return what a kind of state must have, and what it must not have together."""
    required = {"Choice": ["Branches"], "Parallel": ["Branches"], "Map": ["ItemsPath", "Processor"], "Task": ["Action"]}
    follows = [{"required": ["Next"]}, {"required": ["End"], "properties": {"End": {"const": True}}}]
    rules: list[JsonSchema] = [{"anyOf": follows}] if "Next" in names else []
    if kind == "Wait":
        rules.append({"oneOf": [{"required": ["Seconds"]}, {"required": ["Seconds.$"]}]})
    if kind == "Task":
        rules += [{"not": {"required": ["Timeout", "Timeout.$"]}}, *_parameter_rules()]
    schema: JsonSchema = {"allOf": rules} if rules else {}
    return {**schema, "required": required[kind]} if kind in required else schema


def _parameter_rules() -> list[JsonSchema]:
    """Return what the parameters of each known action are."""
    types: dict[str, JsonSchema] = {"resourceArn": _TEXT, "invocationType": {"enum": ["Sync", "Async"]}}
    given = {"anyOf": [{"required": ["resourceArn"]}, {"required": ["resourceArn.$"]}]}
    rules = []
    for action, names in CLOUDFLOW.parameters.items():
        both = {name: types.get(name, {}) for name in names} | {f"{name}.$": _TEXT for name in names}
        parameters = {"properties": both, "additionalProperties": False, **given}
        early = action.replace(":", "::")  # as early documents write it
        rules.append(
            {
                "if": {"properties": {"Action": {"enum": [action, early]}}, "required": ["Action"]},
                "then": {"properties": {"Parameters": parameters}, "required": ["Parameters"]},
            }
        )
    return rules


def _distributed() -> JsonSchema:
    """Return the schema of a distributed Map, whose fields are not described here."""
    one = {"anyOf": [{"required": [name]} for name in DISTRIBUTED]}
    return {"anyOf": [one, {"properties": {"Processor": {"type": "object", **one}}, "required": ["Processor"]}]}
