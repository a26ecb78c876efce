"""Read a project as a deployment would see it: its manifests, its functions, its flow definitions, its policies."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

import attrs

from fc_callback.project.documents import Document, read_document
from fc_callback.project.expressions import Resolver, read_dotenv
from fc_callback.project.manifest import FLOW_COMPONENTS, FUNCTION_COMPONENT, Function, Resource, component_name
from fc_callback.project.yaml_reader import DuplicateKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from fc_callback.project.documents import Place

MANIFEST_NAMES = ("s.yaml", "s.yml")


@attrs.frozen(kw_only=True)
class ProjectProblem:
    """A part of a project that cannot be read or resolved.

    Attributes:
        rule: The rule of `fc-callback check` that it breaks.
        file: Relative to the project.
        line: From 1.
        message: What is wrong.
        hint: What to do.
    """

    rule: Literal["manifest", "duplicate-key", "expression"]
    file: str
    line: int
    message: str
    hint: str


@attrs.frozen(kw_only=True)
class FlowDefinition:
    """A flow's definition, as CreateFlow gets it.

    Attributes:
        document: The file that holds it: its own, or the manifest.
        data: The definition if a manifest holds it as a mapping; None if the whole file is the definition.
        resource: The resource that deploys it; None if there is none.
    """

    document: Document
    data: dict[str, Any] | None = None
    resource: Resource | None = None

    def line(self, *place: str | int) -> int:
        """Return the line of a place in the definition."""
        if self.data is None or self.resource is None:
            return self.document.line(*place)
        return self.resource.line("definition", *place)


@attrs.frozen(kw_only=True)
class Project:
    """A project, read.

    Attributes:
        root: Its directory.
        manifests: s.yaml, and the other manifests beside it (`s.*.yaml`).
        functions: The resources of component fc3.
        flow_resources: The resources of the flow component.
        flows: The definitions of all flows.
        policies: The JSON files of `policies/`, by name without `.json`.
        problems: The parts that cannot be read or resolved.
    """

    root: Path
    manifests: tuple[Document, ...]
    functions: tuple[Function, ...]
    flow_resources: tuple[Resource, ...]
    flows: tuple[FlowDefinition, ...]
    policies: dict[str, Document]
    problems: tuple[ProjectProblem, ...]


def read_project(root: Path, *, environ: Mapping[str, str] | None = None) -> Project:
    """Read the project in a directory.

    Args:
        root: The directory with s.yaml.
        environ: What `${env()}` sees beside `.env`; the process's own variables by default. They win over `.env`.
    """
    problems: list[ProjectProblem] = []
    manifests = _read_manifests(root, problems)
    resources: list[Resource] = []
    for document in manifests:
        resources += _resources(document, os.environ if environ is None else environ, problems)
    flow_resources = tuple(one for one in resources if one.component in FLOW_COMPONENTS)
    policies = {path.stem: read_document(path, root) for path in sorted((root / "policies").glob("*.json"))}
    return Project(
        root=root,
        manifests=tuple(manifests),
        functions=tuple(one for one in resources if isinstance(one, Function)),
        flow_resources=flow_resources,
        flows=tuple(_flow_definitions(root, flow_resources)),
        policies=policies,
        problems=tuple(problems),
    )


def _read_manifests(root: Path, problems: list[ProjectProblem]) -> list[Document]:
    main = next((root / name for name in MANIFEST_NAMES if (root / name).is_file()), None)
    if main is None:
        message, hint = f"There is no s.yaml in {root}.", "Name a project's directory, or run `fc-callback new`."
        problems.append(ProjectProblem(rule="manifest", file="s.yaml", line=1, message=message, hint=hint))
        return []
    documents = [read_document(path, root) for path in (main, *sorted(set(root.glob("s.*.y*ml")) - {main}))]
    problems += [_unreadable(document) for document in documents if not isinstance(document.data, dict)]
    return [document for document in documents if isinstance(document.data, dict)]


def _unreadable(document: Document) -> ProjectProblem:
    error = document.error
    message = f"{document.file} cannot be read: {error or 'it is not a mapping'}."
    hint = "Fix the YAML syntax." if error else "Write `edition: 3.0.0`, and `resources:` with the functions."
    is_duplicate = isinstance(error, DuplicateKey)
    return ProjectProblem(
        rule="duplicate-key" if is_duplicate else "manifest",
        file=document.file,
        line=error.line if error else 1,
        message=message,
        hint="Keep one of the two: `s` refuses the file." if is_duplicate else hint,
    )


def _resources(document: Document, environ: Mapping[str, str], problems: list[ProjectProblem]) -> Iterator[Resource]:
    data = _extended(document)
    # `s` loads the .env beside s.yaml; the shell's variables win.
    variables = {**read_dotenv(document.path.parent / ".env"), **environ}

    def report(rule: Literal["manifest", "expression"], place: Place, message: str, hint: str) -> None:
        line = document.line(*place)
        problems.append(ProjectProblem(rule=rule, file=document.file, line=line, message=message, hint=hint))

    def report_expression(place: Place, message: str) -> None:
        report("expression", place, message, "Define it, or give env() a default: ${env('NAME', 'default')}.")

    given = data.get("resources")
    if not isinstance(given, dict) or not given:
        hint = "Write them as a mapping below `resources:`."
        report("manifest", ("resources",), f"{document.file} has no resources.", hint)
        return
    resolver = Resolver(data=data, folder=document.path.parent, environ=variables, report=report_expression)
    for key, entry in given.items():
        component, props = (entry.get("component"), entry.get("props", {})) if isinstance(entry, dict) else (None, None)
        if not isinstance(component, str) or not isinstance(props, dict):
            message = f"The resource {key!r} has no component, or its props are not a mapping."
            hint = "Write `component: fc3`, and its properties as a mapping below `props:`."
            report("manifest", ("resources", key), message, hint)
            continue
        resolved = resolver.resolve(props, ("resources", key, "props"))
        name = component_name(component)
        yield (Function if name == FUNCTION_COMPONENT else Resource)(
            key=key, component=name, props=resolved if isinstance(resolved, dict) else {}, document=document
        )


def _extended(document: Document) -> dict[str, Any]:
    """Return the manifest's data after `extend:` of files and of templates."""
    data: dict[str, Any] = document.data
    if isinstance(data.get("extend"), str):
        base = read_document(document.path.parent / data["extend"], document.path.parent)
        if isinstance(base.data, dict):
            data = _merged(base.data, {key: value for key, value in data.items() if key != "extend"})
    templates, resources = data.get("template"), data.get("resources")
    if not isinstance(templates, dict) or not isinstance(resources, dict):
        return data
    return {**data, "resources": {key: _from_template(entry, templates) for key, entry in resources.items()}}


def _from_template(entry: Any, templates: dict[str, Any]) -> Any:
    extend = entry.get("extend") if isinstance(entry, dict) else None
    template = templates.get(str(extend.get("name"))) if isinstance(extend, dict) else None
    props = entry.get("props") or {} if isinstance(entry, dict) else None
    if not isinstance(extend, dict) or not isinstance(template, dict) or not isinstance(props, dict):
        return entry
    ignored = extend.get("ignore")
    kept = {name: value for name, value in template.items() if not isinstance(ignored, list) or name not in ignored}
    return {**entry, "props": _merged(kept, props)}


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        mine = result.get(key)
        result[key] = _merged(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return result


def _flow_definitions(root: Path, resources: tuple[Resource, ...]) -> Iterator[FlowDefinition]:
    paths = [path for path in sorted((root / "flows").glob("*")) if path.suffix in {".yaml", ".yml", ".json"}]
    deployed: dict[Path, Resource] = {}
    for resource in resources:
        definition = resource.props.get("definition")
        if isinstance(definition, dict):
            yield FlowDefinition(document=resource.document, data=definition, resource=resource)
        elif isinstance(definition, str) and definition and not set(definition) & {"\n", "\0"}:
            path = (resource.document.path.parent / definition).resolve()
            deployed[path] = resource
            if path.is_file() and path not in [each.resolve() for each in paths]:
                paths.append(path)
    for path in paths:
        yield FlowDefinition(document=read_document(path, root), resource=deployed.get(path.resolve()))
