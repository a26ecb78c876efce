"""Create projects from templates, with the same bytes as `s init` creates, and make functions of other projects tasks.

    render_template("event-callback", Path("orders"), {"functionName": "orders"})
    plan_addition(Path("existing"), function="charge").write()

A template is a folder in the form of a Serverless Devs application: `publish.yaml` with the parameters, `src/` with the
files, `hook/files.json` with the names of the files that hold placeholders. s.yaml is always rendered.
"""

from __future__ import annotations

from fc_callback.checking.leftovers import SAMPLE_ACCOUNT
from fc_callback.scaffolding.adding import Addition, plan_addition, task_candidates
from fc_callback.scaffolding.errors import AddError, TemplateError
from fc_callback.scaffolding.rendering import render_template
from fc_callback.scaffolding.template import (
    Parameter,
    ProjectTemplate,
    find_template,
    template_names,
    template_root,
)

__all__ = [
    "SAMPLE_ACCOUNT",
    "AddError",
    "Addition",
    "Parameter",
    "ProjectTemplate",
    "TemplateError",
    "find_template",
    "plan_addition",
    "render_template",
    "task_candidates",
    "template_names",
    "template_root",
]
