"""`fc-callback schema`: print a JSON schema for editors."""

from __future__ import annotations

import enum
import json
from typing import Annotated

import typer


class EditorSchema(str, enum.Enum):
    """The schemas that there are."""

    CLOUDFLOW = "cloudflow"
    LEGACY = "legacy"
    SETTINGS = "settings"


def command(
    name: Annotated[
        EditorSchema,
        typer.Argument(
            help="cloudflow or legacy: the definitions of that language. settings: the CLOUDFLOW_* variables in s.yaml."
        ),
    ],
) -> None:
    """Print the JSON schema of a flow language, or of the settings, for editors.

    Write it to a file of the project, and name that file in the first line of the YAML file:
    `# yaml-language-server: $schema=../schemas/cloudflow.json`. The templates have the files.
    """
    from fc_callback.project.editor_schemas import editor_schema

    typer.echo(json.dumps(editor_schema(name.value), separators=(",", ":")))
