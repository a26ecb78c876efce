"""Read the flows of a project, and find the tasks that reach a function."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.checking.leftovers import settled
from fc_callback.flows import Definition, DefinitionError, FlowOutline, outline_flow, read_definition
from fc_callback.project.documents import value_at
from fc_callback.project.expressions import UNKNOWN

if TYPE_CHECKING:
    from fc_callback.flows import TaskOutline, TaskTarget
    from fc_callback.project import FlowDefinition, Function, Project


@attrs.frozen(kw_only=True)
class CheckedFlow:
    """A flow of a project.

    Attributes:
        source: Where the definition is, and what deploys it.
        data: The definition as values, with unknown parts; None if it cannot be read.
        definition: What CreateFlow gets; None if it cannot be read, or only a deployment knows it.
        outline: Its language and its tasks; None if it is of neither language.
        error: Why the definition cannot be read, with the line.
    """

    source: FlowDefinition
    data: Any = None
    definition: Definition | None = None
    outline: FlowOutline | None = None
    error: tuple[str, int] | None = None

    @property
    def tasks(self) -> tuple[TaskOutline, ...]:
        """Its tasks."""
        return self.outline.tasks if self.outline else ()

    def locate(self, *place: str | int) -> tuple[str, int]:
        """Return the file and the line of a place in the definition."""
        return self.source.locate(*place)

    def is_known(self, *place: str | int) -> bool:
        """Whether all of a part is known before a deployment."""
        return not _is_unknown(value_at(self.data, *place))


def read_flows(project: Project) -> list[CheckedFlow]:
    """Read the definitions of a project's flows. A file of `flows/` that nothing deploys may be of another tool."""
    flows = [_read_flow(source) for source in project.flows]
    return [flow for flow in flows if flow.source.resource is not None or _looks_like_a_flow(flow)]


def _looks_like_a_flow(flow: CheckedFlow) -> bool:
    document = flow.source.document
    if not isinstance(document.data, dict):
        return "StateMachine" in document.text or bool(re.search(r"\btype['\"]?:\s*['\"]?flow\b", document.text))
    if document.get("type") == "flow" or document.get("Type") == "StateMachine":
        return True
    # With one of the two marks of its language, and the steps of that language.
    legacy = isinstance(document.get("steps"), list) and str(document.get("version")).startswith("v1")
    return legacy or (isinstance(document.get("States"), list) and "SpecVersion" in document.data)


def _read_flow(source: FlowDefinition) -> CheckedFlow:
    data = settled(source.document.data if source.data is None else source.data)
    if _is_unknown(data):
        return CheckedFlow(source=source, data=data, outline=outline_flow(data))
    if source.data is None and source.document.error is not None:  # it may be hostile: nothing else reads it
        return CheckedFlow(source=source, error=(f"{source.document.error}.", source.document.error.line))
    try:
        # `s` sends a definition that it has read itself as JSON.
        definition = read_definition(
            source.document.text if source.data is None else json.dumps(source.data, default=str)
        )
    except DefinitionError as error:
        return CheckedFlow(source=source, error=(str(error), error.line or source.line()))
    return CheckedFlow(source=source, data=data, definition=definition, outline=outline_flow(definition.data))


def _is_unknown(value: Any) -> bool:
    """Whether a value, or a part of it, is known only after a deployment."""
    if isinstance(value, dict | list):
        return any(map(_is_unknown, value.values() if isinstance(value, dict) else value))
    return value is UNKNOWN


def reaches(task: TaskOutline, function: Function) -> bool:
    """Whether a task calls the function, or sends messages that reach it."""
    if task.target is None or task.target.kind == "flow":
        return False
    if task.target.kind == "function":
        return task.target.name == function.name
    return any(_receives(trigger, task.target) for _, trigger in function.triggers)


def _receives(trigger: dict[str, Any], target: TaskTarget) -> bool:
    if target.kind == "topic":
        return str(trigger.get("sourceArn", "")).endswith(f"/topics/{target.name}")
    source = ("triggerConfig", "eventSourceConfig", "eventSourceParameters", "sourceMNSParameters")
    return bool(value_at(trigger, *source, "QueueName") == target.name)
