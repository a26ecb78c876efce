"""Turn a project into what the local CloudFlow runs: functions, subscriptions to MNS, flows."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Literal

import attrs

from fc_callback.errors import SettingsError
from fc_callback.project.documents import relative_name, value_at
from fc_callback.project.function_options import spec_options
from fc_callback.project.requirements import read_requirements
from fc_callback.project.start_command import start_command
from fc_callback.project.wheels import TargetPlatform
from fc_callback.runtime.function import FunctionSpec, require_own_processes
from fc_callback.workspace.pythons import find_python, running_python, usable_python_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fc_callback.project import FlowDefinition, Function, Project, Resource

_QUEUE_SOURCE = ("triggerConfig", "eventSourceConfig")


@attrs.frozen(kw_only=True)
class Subscription:
    """An MNS trigger.

    Attributes:
        resource: `topics/NAME` or `queues/NAME`.
        function: The name of the function.
        form: The format of a topic's trigger.
    """

    resource: str
    function: str
    form: Literal["stream", "json"] = "stream"


@attrs.frozen(kw_only=True)
class PlannedFlow:
    """A flow.

    Attributes:
        name: Its name.
        file: The file that holds the definition, for people.
        text: The definition, YAML or JSON.
        express: Whether it is an Express flow.
    """

    name: str
    file: str
    text: str = attrs.field(repr=False)
    express: bool = False


@attrs.frozen(kw_only=True)
class Plan:
    """What the local CloudFlow runs of a project.

    Attributes:
        functions: By name.
        subscriptions: The MNS triggers.
        flows: By name.
        notes: A line for each thing that cannot be read, cannot run here, or runs otherwise than on FC.
        is_whole: Whether each manifest could be read.
        folders: The folders to watch; True for those that are watched with their subfolders.
    """

    functions: dict[str, FunctionSpec]
    subscriptions: tuple[Subscription, ...]
    flows: dict[str, PlannedFlow]
    notes: tuple[str, ...]
    is_whole: bool
    folders: dict[Path, bool]


def plan_project(project: Project) -> Plan:
    """Return what the local CloudFlow runs of a project.

    Raises:
        SettingsError: The project has functions, and this system cannot run them.
    """
    if project.functions:
        require_own_processes()
    notes = [f"{one.file}:{one.line}: {one.message} {one.hint}" for one in project.problems]
    functions: dict[str, FunctionSpec] = {}
    subscriptions: list[Subscription] = []
    for function in project.functions:
        if function.name in functions:
            notes.append(
                f"{function.document.file}: another manifest has the function {function.name} too; it is used."
            )
            continue
        spec = _function(function, project.root, notes)
        if spec is not None:
            functions[spec.name] = spec
            subscriptions += _subscriptions(function, notes)
    flows = _flows(project, notes)
    folders = {project.root: False, project.root / "flows": False}
    folders |= {one.document.path.parent: False for one in project.flows}
    folders |= {spec.code_dir: True for spec in functions.values()}
    return Plan(
        functions=functions,
        subscriptions=tuple(subscriptions),
        flows=flows,
        notes=tuple(dict.fromkeys(notes)),
        is_whole=all(one.rule in {"expression", "unset-variable"} for one in project.problems),
        folders={folder: deep for folder, deep in folders.items() if folder.is_dir()},
    )


def _function(function: Function, root: Path, notes: list[str]) -> FunctionSpec | None:
    reason = _why_not_here(function)
    if reason:
        notes.append(f"{function.name} is left out: {reason}.")
        return None
    layers = function.props.get("layers")
    if isinstance(layers, list) and layers:
        names = ", ".join(map(str, layers))
        notes.append(f"{function.name} runs without its layers, which are not on this machine: {names}.")
    try:
        return FunctionSpec(**_with_python(function, spec_options(function), root, notes))
    except SettingsError as error:
        notes.append(f"{function.name} is left out: {error}")
        return None


def _why_not_here(function: Function) -> str | None:
    """Return why a function cannot run on this machine; None if it can."""
    if function.runtime == "custom-container":
        return "this machine does not run custom containers"
    if function.fc_runtime is None or function.fc_runtime.profile is None:
        return f"this machine does not run the runtime {function.runtime or 'that only a deployment knows'}"
    if function.code_dir is None:
        return "its code is not a folder of this machine"
    command = start_command(function)
    if not function.is_python and not (command and command.handler):
        return "its start command is not `fc-callback serve`"
    return None if spec_options(function).get("handler") else "it has no handler"


def _with_python(function: Function, options: dict[str, Any], root: Path, notes: list[str]) -> dict[str, Any]:
    """Return the options of a function with its interpreter, and with the environment that this interpreter can use."""
    # The functions of a local CloudFlow report to it, whatever s.yaml says for the cloud.
    environment = {name: value for name, value in options["environment"].items() if name != "CLOUDFLOW_ENDPOINT"}
    version = function.fc_runtime.python if function.fc_runtime else None
    code_dir, python_path = options["code_dir"], environment.get("PYTHONPATH", "")
    needed = ["fc-callback"]
    if version is not None:
        target = TargetPlatform.of_runtime(function.runtime)
        markers = target.marker_environment if target else {"python_version": f"{version[0]}.{version[1]}"}
        needed += sorted(one.name for one in read_requirements(code_dir, root, markers).named)
    python = find_python(version, needed, python_path)
    if python is None and version is not None:
        notes.append(
            f"This machine has no Python {version[0]}.{version[1]} with the packages that requirements.txt names, so "
            f"functions for it run with Python {running_python()}."
        )
    python = python or sys.executable
    if python_path and python == sys.executable:
        environment["PYTHONPATH"] = usable_python_path(python_path, code_dir)
        if environment["PYTHONPATH"] != python_path:
            notes.append(
                f"{function.name} runs without the packages of its code folder that are built for another Python or "
                f"system. What is installed for Python {running_python()} takes their place."
            )
    return {**options, "environment": environment, "python": python}


def _subscriptions(function: Function, notes: list[str]) -> Iterator[Subscription]:
    for _, trigger in function.triggers:
        kind, name = str(trigger.get("triggerType")), trigger.get("triggerName")
        if value_at(trigger, "triggerConfig", "triggerEnable") is False:
            notes.append(f"{function.name}: its {kind} trigger {name} is disabled in s.yaml.")
            continue
        found = _subscription(function.name, kind, trigger)
        if found is None:
            notes.append(
                f"{function.name}: its {kind} trigger {name} delivers nothing here. "
                "`fc-callback invoke --event list` names the events that you can send yourself."
            )
            continue
        yield found


def _subscription(function: str, kind: str, trigger: dict[str, Any]) -> Subscription | None:
    """Return the subscription of a trigger; None if it is no MNS trigger, or only a deployment knows its source."""
    source_arn = trigger.get("sourceArn")
    if kind == "mns_topic" and isinstance(source_arn, str) and "/topics/" in source_arn:
        wanted = str(value_at(trigger, "triggerConfig", "notifyContentFormat")).upper()
        topic = source_arn.rpartition("/topics/")[2]
        return Subscription(
            resource=f"topics/{topic}", function=function, form="json" if wanted == "JSON" else "stream"
        )
    queue = value_at(trigger, *_QUEUE_SOURCE, "eventSourceParameters", "sourceMNSParameters", "QueueName")
    if kind == "eventbridge" and isinstance(queue, str) and queue:
        return Subscription(resource=f"queues/{queue}", function=function)
    return None


def _flows(project: Project, notes: list[str]) -> dict[str, PlannedFlow]:
    flows: dict[str, PlannedFlow] = {}
    by_path = {one.document.path.resolve(): one for one in project.flows if one.data is None}
    used = set()
    for resource in project.flow_resources:
        given = resource.props.get("definition")
        source = _source_of(resource, given, by_path)
        if source is None:
            notes.append(f"{resource.document.file}: the flow {resource.key} has no definition that can be read here.")
            continue
        path, file, text = source
        used.add(path)
        name = resource.text("name") or resource.key
        express = resource.text("executionMode") == "Express"
        flows.setdefault(name, PlannedFlow(name=name, file=file, text=text, express=express))
    for path, each in by_path.items():
        if path in used:
            continue
        own = each.document.get("Name")
        name = own if isinstance(own, str) and own not in flows else path.stem
        flows.setdefault(name, PlannedFlow(name=name, file=each.document.file, text=each.document.text))
    return flows


def _source_of(
    resource: Resource, definition: Any, by_path: dict[Path, FlowDefinition]
) -> tuple[Path, str, str] | None:
    """Return the path, the name for people and the text of a definition; None if there is none that can be read."""
    manifest = resource.document
    if isinstance(definition, dict):
        return manifest.path, manifest.file, json.dumps(definition, default=str)
    if not isinstance(definition, str):
        return None
    if "\n" in definition:  # the text itself, as `${file()}` gives it
        return manifest.path, manifest.file, definition
    path = (manifest.path.parent / definition.replace("\0", "")).resolve()
    found = by_path.get(path)
    return None if found is None else (path, relative_name(path, manifest.path.parent), found.document.text)
