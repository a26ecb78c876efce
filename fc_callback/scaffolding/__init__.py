"""New projects from templates: the same bytes as `s init` makes of them.

    render_template("event-callback", Path("orders"), {"functionName": "orders"})

A template is a folder in the form of a Serverless Devs application: `publish.yaml` with the parameters, `src/` with the
files, `hook/files.json` with those files that hold placeholders. s.yaml is rendered always.
"""

from __future__ import annotations

from fc_callback.scaffolding.errors import TemplateError
from fc_callback.scaffolding.rendering import render_template
from fc_callback.scaffolding.template import (
    SAMPLE_ACCOUNT,
    Parameter,
    Template,
    find_template,
    template_names,
    template_root,
)

__all__ = [
    "SAMPLE_ACCOUNT",
    "Parameter",
    "Template",
    "TemplateError",
    "find_template",
    "render_template",
    "template_names",
    "template_root",
]
