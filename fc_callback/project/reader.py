"""Read a project as a deployment would see it: its manifests, its functions, its flow definitions, its policies."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs

from fc_callback.project.documents import Document, locate, read_document, real_path, repository_of, value_at
from fc_callback.project.expressions import Resolver, Undefined, read_dotenv
from fc_callback.project.manifest import (
    FLOW_COMPONENTS,
    FUNCTION_COMPONENT,
    Function,
    Resource,
    component_name,
    is_of_fc_2,
)
from fc_callback.project.yaml_reader import DuplicateKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from fc_callback.project.documents import Place

MANIFEST_NAMES = ("s.yaml", "s.yml")
ProblemRule: TypeAlias = Literal["manifest", "duplicate-key", "expression", "unset-variable"]
_HINTS = {
    "expression": "Define it, or correct the name.",
    "unset-variable": "Set it where the deployment runs, or give it a default: ${env('NAME', 'default')}.",
}
# A file of one of these names, like s.vars.yaml, is a manifest only if it has one of these keys.
_MANIFEST_KEYS = frozenset({"edition", "resources", "services", "extend"})


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

    rule: ProblemRule
    file: str
    line: int
    message: str
    hint: str


@attrs.frozen(kw_only=True)
class FlowDefinition:
    """A flow's definition, as CreateFlow gets it.

    Attributes:
        document: The file that holds it: its own, or the manifest.
        data: The definition, with its expressions resolved, if a manifest holds or includes it; None if the whole file is
            the definition.
        resource: The resource that deploys it; None if there is none.
    """

    document: Document
    data: dict[str, Any] | None = None
    resource: Resource | None = None

    def locate(self, *place: str | int) -> tuple[str, int]:
        """Return the file and the line of a place in the definition."""
        if self.data is None or self.resource is None:
            return self.document.file, self.document.line(*place)
        return self.resource.locate("definition", *place)

    def line(self, *place: str | int) -> int:
        """Return the line of a place in the definition."""
        return self.locate(*place)[1]


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
    flows: list[FlowDefinition] = []
    included: set[Path] = set()
    for document in manifests:
        of_manifest = _ManifestReader(document, root, os.environ if environ is None else environ, problems)
        found = list(of_manifest.resources())
        resources += found
        flows += [flow for one in found if one.component in FLOW_COMPONENTS for flow in of_manifest.flows(one)]
        included |= set(of_manifest.resolver.files)
    flow_resources = tuple(one for one in resources if one.component in FLOW_COMPONENTS)
    policies = {path.stem: read_document(path, root) for path in sorted((root / "policies").glob("*.json"))}
    return Project(
        root=root,
        manifests=tuple(manifests),
        functions=tuple(one for one in resources if isinstance(one, Function)),
        flow_resources=flow_resources,
        flows=(*flows, *_flow_files(root, flow_resources, included)),
        policies=policies,
        problems=tuple(problems),
    )


def _read_manifests(root: Path, problems: list[ProjectProblem]) -> list[Document]:
    main = next((root / name for name in MANIFEST_NAMES if (root / name).is_file()), None)
    if main is None:
        message, hint = (
            f"There is no s.yaml in {root.absolute()}.",
            "Name a project's directory, or run `fc-callback new`.",
        )
        problems.append(ProjectProblem(rule="manifest", file="s.yaml", line=1, message=message, hint=hint))
        return []
    paths = sorted(path for path in root.glob("s.*.y*ml") if path != main and path.is_file())
    others = [read_document(path, root) for path in paths]
    documents = [read_document(main, root), *(other for other in others if _is_manifest(other))]
    problems += [_unreadable(document) for document in documents if not isinstance(document.data, dict)]
    documents = [document for document in documents if isinstance(document.data, dict)]
    bases = {real_path(base) for base in map(_base_of, documents) if base}
    return [one for one in documents if one.path == main or real_path(one.path) not in bases]


def _is_manifest(document: Document) -> bool:
    return document.error is not None or (
        isinstance(document.data, dict) and not _MANIFEST_KEYS.isdisjoint(document.data)
    )


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


class _ManifestReader:
    """Reads the resources of one manifest, with every expression resolved.

    Attributes:
        resolver: The resolver of its expressions; it knows the included files.
    """

    def __init__(
        self, document: Document, root: Path, environ: Mapping[str, str], problems: list[ProjectProblem]
    ) -> None:
        self._document = document
        self._root = root
        self._problems = problems
        self._reported: set[str] = set()
        self._data = dict(_extended(document))
        folder = document.path.parent
        # `s` loads the .env beside s.yaml and those beside the code; the shell's variables win.
        codes = [value_at(entry, "props", "code") for entry in _mapping_at(self._data, "resources").values()]
        variables: dict[str, str] = {}
        for place in (*(code for code in codes if isinstance(code, str) and "${" not in code), "."):
            variables |= read_dotenv(folder / place.replace("\0", "") / ".env")
        self.resolver = Resolver(
            data=self._data, folder=folder, root=root, environ={**variables, **environ}, report=self._report_expression
        )

    def resources(self) -> Iterator[Resource]:
        """Yield the resources; report what is not one."""
        given = self._data.get("resources")
        if isinstance(given, str):
            given = self._data["resources"] = self.resolver.resolve(given, ("resources",))
        if isinstance(given, dict) and given:
            for key, entry in given.items():
                yield from self._resource(key, entry)
        elif not is_of_fc_2(self._data):
            hint = "Write them as a mapping below `resources:`."
            self._report("manifest", ("resources",), f"{self._document.file} has no resources.", hint)

    def _resource(self, key: str, entry: Any) -> Iterator[Resource]:
        component, props = (entry.get("component"), entry.get("props", {})) if isinstance(entry, dict) else (None, None)
        place = ("resources", key, "props")
        resolved = self.resolver.resolve(props, place) if isinstance(props, dict | str) else props
        if not isinstance(component, str) or (not isinstance(resolved, dict) and not isinstance(props, dict | str)):
            message = f"The resource {key!r} has no component, or its props are not a mapping."
            hint = "Write `component: fc3`, and its properties as a mapping below `props:`."
            self._report("manifest", ("resources", key), message, hint)
        elif isinstance(resolved, dict):
            name = component_name(component)
            yield (Function if name == FUNCTION_COMPONENT else Resource)(
                key=key, component=name, props=resolved, document=self._document, origins=self.resolver.origins
            )

    def flows(self, resource: Resource) -> Iterator[FlowDefinition]:
        """Yield the definition that a resource of the flow component holds or includes; none for a path."""
        definition, included = resource.props.get("definition"), resource.included("definition")
        if isinstance(definition, dict):
            yield FlowDefinition(document=included or resource.document, data=definition, resource=resource)
        elif included is not None:  # `${file()}`: its text
            place = ("resources", resource.key, "props", "definition")
            data = self.resolver.resolve(included.data, place) if isinstance(included.data, dict) else None
            yield FlowDefinition(document=included, data=data, resource=resource)

    def _report_expression(self, place: Place, error: Undefined) -> None:
        message = str(error)
        if message not in self._reported:  # one mistake, however often the expression is there
            self._reported.add(message)
            if error.document is not None and error.document.error is not None:
                file, line, hint = error.document.file, error.document.error.line, "Fix the YAML syntax."
                self._problems.append(
                    ProjectProblem(rule="expression", file=file, line=line, message=message, hint=hint)
                )
                return
            self._report(error.rule, place, message, _HINTS[error.rule])

    def _report(self, rule: ProblemRule, place: Place, message: str, hint: str) -> None:
        file, line = locate(self._document, self.resolver.origins, place)
        self._problems.append(ProjectProblem(rule=rule, file=file, line=line, message=message, hint=hint))


def _mapping_at(data: dict[str, Any], key: str) -> dict[str, Any]:
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def _base_of(document: Document) -> Path | None:
    """Return the path of the manifest that a manifest extends, if it is a file of the same repository."""
    given = document.data.get("extend")
    if not isinstance(given, str):
        return None
    path = document.path.parent / given.replace("\0", "")
    return path if real_path(path).is_relative_to(repository_of(document.path.parent)) else None


def _extended(document: Document) -> dict[str, Any]:
    """Return the manifest's data after `extend:` of files and of templates."""
    data: dict[str, Any] = document.data
    if base_path := _base_of(document):
        base = read_document(base_path, document.path.parent)
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


def _flow_files(root: Path, resources: tuple[Resource, ...], included: set[Path]) -> Iterator[FlowDefinition]:
    """Yield the definitions that are files of their own: those of `flows/`, and those that a resource names by path."""
    repository = repository_of(root)
    paths = [path for path in sorted((root / "flows").glob("*")) if path.suffix in {".yaml", ".yml", ".json"}]
    by_path = {real_path(path): path for path in paths}
    deployed: dict[Path, Resource] = {}
    for resource in resources:
        definition = resource.props.get("definition")
        if not isinstance(definition, str) or not definition or set(definition) & {"\n", "\0"}:
            continue
        if resource.included("definition"):
            continue
        path = real_path(resource.document.path.parent / definition)
        deployed[path] = resource
        if path.is_file():
            by_path.setdefault(path, path)
    for path, shown in by_path.items():
        if path not in included and path.is_relative_to(repository):
            yield FlowDefinition(document=read_document(shown, root), resource=deployed.get(path))
