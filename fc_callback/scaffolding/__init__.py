"""Create projects from templates, with the same bytes as `s init` creates.

    render_template("event-callback", Path("orders"), {"functionName": "orders"})

A template is a folder in the form of a Serverless Devs application: `publish.yaml` with the parameters, `src/` with the
files, `hook/files.json` with the names of the files that hold placeholders. s.yaml is always rendered.
"""

from __future__ import annotations

from fc_callback.scaffolding.errors import TemplateError
from fc_callback.scaffolding.rendering import render_template
from fc_callback.scaffolding.template import (
    SAMPLE_ACCOUNT,
    Parameter,
    ProjectTemplate,
    find_template,
    template_names,
    template_root,
)

__all__ = [
    "SAMPLE_ACCOUNT",
    "Parameter",
    "ProjectTemplate",
    "TemplateError",
    "find_template",
    "render_template",
    "template_names",
    "template_root",
]
