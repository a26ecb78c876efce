"""JSON schemas for editors: of both flow languages, and of the settings in s.yaml.

    json.dumps(editor_schema("cloudflow"))

An editor applies one to a file with a line like `# yaml-language-server: $schema=../schemas/cloudflow.json`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from fc_callback.flows.json_schema import DIALECT, flow_schema
from fc_callback.settings import PREFIX, VARIABLES

if TYPE_CHECKING:
    from fc_callback.flows.json_schema import JsonSchema
    from fc_callback.settings import Variable

SchemaName: TypeAlias = Literal["cloudflow", "legacy", "settings"]


def editor_schema(name: SchemaName) -> JsonSchema:
    """Return a schema.

    Args:
        name: `cloudflow` or `legacy`: definitions of that language. `settings`: the variables of fc_callback in an s.yaml; it
            accepts everything else there.
    """
    return _settings_schema() if name == "settings" else flow_schema(name)


def _settings_schema() -> JsonSchema:
    others = "|".join(variable.name.removeprefix(PREFIX) for variable in VARIABLES)
    settings = {
        "properties": {variable.name: _variable_schema(variable) for variable in VARIABLES},
        "patternProperties": {f"^{PREFIX}(?!(?:{others})$)": False},
    }
    variables = {"properties": {"environmentVariables": settings}}
    resource = {"properties": {"props": variables}}
    return {
        "$schema": DIALECT,
        "title": "The settings of fc_callback in s.yaml",
        "type": "object",
        "properties": {
            "resources": {"additionalProperties": resource},
            "template": {"additionalProperties": variables},
        },
    }


def _variable_schema(variable: Variable) -> JsonSchema:
    meaning = f"{variable.meaning}. Default: {variable.default}."
    if not variable.pattern:
        return {"type": "string", "description": meaning}
    # Empty is not set; an expression of s.yaml may be anything.
    return {"type": "string", "description": meaning, "pattern": rf"^(?:{variable.pattern})?$|\$\{{"}
