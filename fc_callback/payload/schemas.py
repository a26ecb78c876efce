"""Read pydantic's core schema of a type: whether it accepts a JSON object, and which keys it reads.

A core schema is a tree of dicts, each with its `type` (pydantic documentation, "pydantic_core.core_schema"). A schema of an
unknown type counts as one that may accept anything. Then the event decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# The keys of the inner schema in a schema that wraps another one. `json-or-python` and `lax-or-strict` have one for each mode;
# only JSON is validated.
_INNER = ("schema", "json_schema", "lax_schema", "strict_schema")
_OF_FUNCTIONS = {"function-before", "function-wrap", "function-plain"}
_AROUND = {
    "definitions",
    "nullable",
    "default",
    "function-after",
    "function-before",
    "function-wrap",
    "model",
    "dataclass",
}
_AROUND |= {"call", "json-or-python", "lax-or-strict", "custom-error"}
_NEVER = {"none", "bool", "int", "float", "decimal", "str", "bytes", "date", "time", "datetime", "timedelta", "literal"}
_NEVER |= {"missing-sentinel", "enum", "is-instance", "is-subclass", "callable", "list", "tuple", "set", "frozenset"}
_NEVER |= {"generator", "url", "multi-host-url", "uuid", "complex", "json", "invalid", "deque", "ellipsis", "fraction"}
# Parts of a schema that do not contain schemas.
NO_SCHEMAS = {"metadata", "default", "config", "serialization", "expected", "cls", "ref"}


def accepts_object(schema: Any) -> bool:
    """Return whether a JSON object can be valid."""
    return any(map(_can_be_complete, top_objects(schema)))


def declared_keys(schema: Any) -> frozenset[str]:
    """Return the keys of a type's fields at its top level, of all members of a union."""
    return frozenset().union(*keys_of_fields(schema))


def keys_of_fields(schema: Any) -> list[frozenset[str]]:
    """Return the keys of each field of a type at its top level: its name and its aliases."""
    fields = (field for one in top_objects(schema) for field in _named_fields(one))
    return [frozenset(_keys_of_field(name, field)) for name, field in fields]


def top_objects(schema: Any) -> list[Any]:
    """Return the schemas that may validate the whole object. A user's function that may change it counts as one."""
    return list(_object_schemas(schema, _definitions(schema), set()))


def is_user_function(schema: Any) -> bool:
    """Return whether a schema is a user's function that sees a value before its validation, and may change it."""
    return schema["type"] in _OF_FUNCTIONS and not _is_of_pydantic(schema["function"])


def instance_classes(schema: Any) -> Iterator[Any]:
    """Yield the classes whose instances a schema requires, because pydantic does not know them."""
    for one in nodes(schema):
        if one["type"] == "is-instance" and isinstance(one["cls"], type):
            yield one["cls"]


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every schema in a schema."""
    if isinstance(value, dict):
        is_schema = isinstance(value.get("type"), str)
        if is_schema:
            yield value
        for key, inner in value.items():
            if not (is_schema and key in NO_SCHEMAS):
                yield from nodes(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from nodes(inner)


def _named_fields(schema: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    fields = schema.get("fields") or schema.get("arguments_schema") or ()
    yield from fields.items() if isinstance(fields, dict) else ((field.get("name"), field) for field in fields)


def _can_be_complete(schema: Any) -> bool:
    """Return whether JSON has a value for each required field."""
    for _, field in _named_fields(schema):
        inner = field["schema"]
        if field.get("required", inner["type"] != "default") and _is_impossible(inner):
            return False
    return True


def _is_impossible(schema: Any) -> bool:
    """Return whether no JSON value can be valid, as for an instance of a class that pydantic does not know, or a callable."""
    kind = schema["type"]
    if kind == "union":
        return all(_is_impossible(one[0] if isinstance(one, tuple) else one) for one in schema["choices"])
    if kind == "function-after":
        return _is_impossible(schema["schema"])
    return kind in {"is-instance", "is-subclass", "callable"}


def _keys_of_field(name: Any, field: dict[str, Any]) -> Iterator[str]:
    # A serialization alias is not one of them, because it is the key for writing the field.
    for alias in (name, field.get("validation_alias"), field.get("alias")):
        if isinstance(alias, str):
            yield alias
        elif isinstance(alias, list):  # AliasPath: the path of keys; AliasChoices: several of them
            paths = alias if isinstance(alias[0], list) else [alias]
            yield from (path[0] for path in paths if len(path) == 1)


def _is_of_pydantic(function: Any) -> bool:
    """Return whether a function is pydantic's own (around a URL, for example). A user's function may accept anything."""
    return str(getattr(function.get("function"), "__module__", "")).startswith("pydantic.")


def _definitions(schema: Any) -> dict[str, Any]:
    return {one["ref"]: one for one in schema["definitions"]} if schema["type"] == "definitions" else {}


def _object_schemas(schema: Any, definitions: dict[str, Any], above: set[str]) -> Iterator[Any]:
    """Yield the schemas in a schema that may validate the whole object."""
    kind = schema["type"]
    if kind == "definition-ref":
        if schema["schema_ref"] not in above:
            yield from _object_schemas(definitions[schema["schema_ref"]], definitions, above | {schema["schema_ref"]})
    elif kind in {"union", "tagged-union"}:
        choices = schema["choices"]
        for choice in choices.values() if isinstance(choices, dict) else choices:
            yield from _object_schemas(choice[0] if isinstance(choice, tuple) else choice, definitions, above)
    elif kind == "chain":
        yield from _object_schemas(schema["steps"][0], definitions, above)
    elif kind in _AROUND or kind in _OF_FUNCTIONS:
        inner = [schema[key] for key in _INNER if key in schema]
        inner += [schema["arguments_schema"]] if kind == "call" else []
        for one in inner:
            yield from _object_schemas(one, definitions, above)
        if is_user_function(schema):
            yield {"type": kind}
    elif kind not in _NEVER:
        yield schema
