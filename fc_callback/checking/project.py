"""A project as a deployment would see it: its manifests, its functions, its flows, its policies."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.checking.documents import Document, read_document
from fc_callback.checking.expressions import UNKNOWN, Resolver, read_dotenv
from fc_callback.checking.findings import Finding
from fc_callback.checking.flows import Flow, read_flow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from fc_callback.checking.documents import Place
    from fc_callback.checking.flows import Target

MANIFEST_NAMES = ("s.yaml", "s.yml")
DEFAULT_TIMEOUT_SECONDS = 3
# The flow component's published name, and the one its readme gives.
FLOW_COMPONENTS = ("flow", "fnf")
FUNCTIONS = "fc3"


def component_name(text: str) -> str:
    """Return `fc3` of `devsapp/fc3@0.1.0`."""
    return text.partition("@")[0].rpartition("/")[2]


@attrs.frozen(kw_only=True)
class Resource:
    """One resource of a manifest, with its expressions resolved.

    Attributes:
        key: Its name in the manifest.
        component: Like `fc3`.
        props: Its properties.
        document: The manifest.
    """

    key: str
    component: str
    props: dict[str, Any] = attrs.field(repr=False)
    document: Document = attrs.field(repr=False)

    def line(self, *place: str | int) -> int:
        """Return the line of a property, or of the nearest thing around it."""
        return self.document.line("resources", self.key, "props", *place)

    def finding(self, rule: str, message: str, hint: str, *place: str | int) -> Finding:
        """Return a finding at a property."""
        return Finding(rule=rule, file=self.document.file, line=self.line(*place), message=message, hint=hint)

    def text(self, name: str) -> str:
        """Return a property that is text; empty for anything else."""
        value = self.props.get(name)
        return value if isinstance(value, str) else ""

    def mapping(self, name: str) -> dict[str, Any]:
        """Return a property that is a mapping; empty for anything else."""
        value = self.props.get(name)
        return value if isinstance(value, dict) else {}


@attrs.frozen(kw_only=True)
class Function(Resource):
    """A resource of the component fc3."""

    @property
    def name(self) -> str:
        """The function's name."""
        return self.text("functionName") or self.key

    @property
    def runtime(self) -> str:
        """Like `python3.10`."""
        return self.text("runtime")

    @property
    def is_python(self) -> bool:
        """Whether FC itself runs the handler."""
        return self.runtime.startswith("python")

    @property
    def code_dir(self) -> Path | None:
        """The directory that becomes /code; None for an archive, a bucket, an image, or what is not there."""
        code = self.props.get("code")
        if isinstance(code, dict):
            code = code.get("src")
        if not isinstance(code, str):
            return None
        folder = self.document.path.parent / code
        return folder.resolve() if folder.is_dir() else None

    @property
    def timeout_seconds(self) -> float | None:
        """The function's timeout, fc3's default among it; None where only a deployment knows it."""
        value = self.props.get("timeout", DEFAULT_TIMEOUT_SECONDS)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    @property
    def environment(self) -> dict[str, str]:
        """Its environment variables, those that are known."""
        given = self.mapping("environmentVariables")
        return {str(name): value for name, value in given.items() if isinstance(value, str)}

    @property
    def triggers(self) -> list[tuple[int, dict[str, Any]]]:
        """Its triggers, with their places in the list."""
        given = self.props.get("triggers")
        each = given if isinstance(given, list) else []
        return [(index, trigger) for index, trigger in enumerate(each) if isinstance(trigger, dict)]

    def answers(self, target: Target | None) -> bool:
        """Whether a step that calls, or sends to, `target` reaches this function."""
        if target is None:
            return False
        if target.kind == "function":
            return target.name == self.name
        return any(_listens(trigger, target) for _, trigger in self.triggers)


def _listens(trigger: Mapping[str, Any], target: Target) -> bool:
    if target.kind == "topic":
        return str(trigger.get("sourceArn", "")).endswith(f"/topics/{target.name}")
    source: Any = trigger
    for key in ("triggerConfig", "eventSourceConfig", "eventSourceParameters", "sourceMNSParameters"):
        source = source.get(key) if isinstance(source, dict) else None
    return isinstance(source, dict) and source.get("QueueName") == target.name


@attrs.frozen(kw_only=True)
class Project:
    """A project, read.

    Attributes:
        root: Its directory.
        manifests: s.yaml, and what else there is of its kind.
        functions: The resources of component fc3.
        flow_resources: The resources of the flow component.
        flows: Every flow's definition.
        policies: The JSON files of `policies/`, by name.
        findings: What could not be read or resolved.
    """

    root: Path
    manifests: tuple[Document, ...]
    functions: tuple[Function, ...]
    flow_resources: tuple[Resource, ...]
    flows: tuple[Flow, ...]
    policies: dict[str, Document]
    findings: tuple[Finding, ...]

    def callback_steps(self, function: Function) -> Iterator[tuple[Flow, Any]]:
        """Return the steps that wait for this function's report, with their flows."""
        for flow in self.flows:
            for step in flow.steps:
                if step.callback and function.answers(step.target):
                    yield flow, step


def read_project(root: Path, *, environ: Mapping[str, str] | None = None) -> Project:
    """Read the project in a directory.

    Args:
        root: The directory with s.yaml.
        environ: What `${env()}` sees beside `.env`; the process's own by default. It wins over `.env`.
    """
    findings: list[Finding] = []
    manifests = _manifests(root, findings)
    resources: list[Resource] = []
    for document in manifests:
        resources += _resources(document, dict(os.environ if environ is None else environ), findings)
    flow_resources = tuple(one for one in resources if one.component in FLOW_COMPONENTS)
    policies = {path.stem: read_document(path, root) for path in sorted((root / "policies").glob("*.json"))}
    return Project(
        root=root,
        manifests=tuple(manifests),
        functions=tuple(one for one in resources if isinstance(one, Function)),
        flow_resources=flow_resources,
        flows=tuple(_flows(root, flow_resources)),
        policies=policies,
        findings=tuple(findings),
    )


def _manifests(root: Path, findings: list[Finding]) -> list[Document]:
    main = next((root / name for name in MANIFEST_NAMES if (root / name).is_file()), None)
    if main is None:
        findings.append(
            Finding(
                rule="manifest",
                file=MANIFEST_NAMES[0],
                line=1,
                message=f"There is no s.yaml in {root}.",
                hint="Name the project's directory, or make a project with `fc-callback new`.",
            )
        )
        return []
    others = [path for path in sorted(root.glob("s.*.y*ml")) if path != main]
    read: list[Document] = []
    for path in (main, *others):
        document = read_document(path, root)
        if document.error is None and isinstance(document.data, dict):
            read.append(document)
            continue
        problem, line = document.error or ("it is not a mapping", 1)
        findings.append(
            Finding(
                rule="manifest",
                file=document.file,
                line=line,
                message=f"{document.file} cannot be read: {problem}.",
                hint="Mend the YAML.",
            )
        )
    return read


def _resources(document: Document, environ: dict[str, str], findings: list[Finding]) -> Iterator[Resource]:
    data = _extended(document)
    # `s` loads the .env beside s.yaml and those of the code directories; the shell's variables win.
    variables = {**read_dotenv(document.path.parent / ".env"), **environ}

    def report(place: Place, message: str) -> None:
        findings.append(
            Finding(
                rule="expression",
                file=document.file,
                line=document.line(*place),
                message=message,
                hint="Define it, or give env() a default: ${env('NAME', 'default')}.",
            )
        )

    resolver = Resolver(data=data, folder=document.path.parent, environ=variables, report=report)
    for key, entry in _well_formed(data.get("resources"), document, findings):
        component = component_name(entry["component"])
        props = resolver.resolve(entry.get("props") or {}, ("resources", key, "props"))
        kind = Function if component == FUNCTIONS else Resource
        yield kind(key=str(key), component=component, props=props if isinstance(props, dict) else {}, document=document)


def _well_formed(given: Any, document: Document, findings: list[Finding]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the resources that have a component and props, and say which have not."""

    def report(message: str, hint: str, *place: str) -> None:
        line = document.line("resources", *place)
        findings.append(Finding(rule="manifest", file=document.file, line=line, message=message, hint=hint))

    if not isinstance(given, dict) or not given:
        report(f"{document.file} has no resources.", "Write them as a mapping below `resources:`.")
        return
    for key, entry in given.items():
        well_formed = isinstance(entry, dict) and isinstance(entry.get("props", {}), dict)
        if well_formed and isinstance(entry.get("component"), str):
            yield str(key), entry
        else:
            hint = "Write `component: fc3`, and its properties as a mapping below `props:`."
            report(f"The resource {key!r} has no component, or props that are no mapping.", hint, str(key))


def _extended(document: Document) -> dict[str, Any]:
    """Return the manifest's data with `extend:` of files and of templates carried out."""
    data: dict[str, Any] = document.data
    if isinstance(data.get("extend"), str):
        base = read_document(document.path.parent / data["extend"], document.path.parent)
        if isinstance(base.data, dict):
            data = _merged(base.data, {key: value for key, value in data.items() if key != "extend"})
    templates = data.get("template")
    resources = data.get("resources")
    if not isinstance(templates, dict) or not isinstance(resources, dict):
        return data
    changed = {}
    for key, entry in resources.items():
        extend = entry.get("extend") if isinstance(entry, dict) else None
        template = templates.get(extend.get("name")) if isinstance(extend, dict) else None
        if isinstance(extend, dict) and isinstance(template, dict):
            kept = {name: value for name, value in template.items() if name not in (extend.get("ignore") or ())}
            changed[key] = {**entry, "props": _merged(kept, entry.get("props") or {})}
    return {**data, "resources": {**resources, **changed}}


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        mine = result.get(key)
        result[key] = _merged(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return result


def _flows(root: Path, resources: tuple[Resource, ...]) -> Iterator[Flow]:
    paths = [path for path in sorted((root / "flows").glob("*")) if path.suffix in {".yaml", ".yml", ".json"}]
    deployed: dict[Path, Resource] = {}
    for resource in resources:
        definition = resource.props.get("definition")
        if isinstance(definition, dict):
            yield read_flow(attrs.evolve(resource.document, data=definition, lines={}), resource)
        elif isinstance(definition, str) and "\n" not in definition and definition:
            path = (resource.document.path.parent / definition).resolve()
            deployed[path] = resource
            if path.is_file() and path not in [each.resolve() for each in paths]:
                paths.append(path)
    for path in paths:
        yield read_flow(read_document(path, root), deployed.get(path.resolve()))


def known(value: Any) -> bool:
    """Whether a value is there and does not wait for a deployment."""
    return value is not None and value is not UNKNOWN
