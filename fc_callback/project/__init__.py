"""A project on this machine, read once: s.yaml and the files beside it.

    project = read_project(Path("orders"))

`documents` reads YAML as Serverless Devs does; `reader` makes a `Project` of manifests, functions, flow definitions and
policies, with `${...}` resolved; `requirements` and `wheels` say what a package needs and what a runtime loads.
"""

from __future__ import annotations

from fc_callback.project.manifest import Function, Resource
from fc_callback.project.reader import FlowDefinition, Project, ProjectProblem, read_project

__all__ = ["FlowDefinition", "Function", "Project", "ProjectProblem", "Resource", "read_project"]
