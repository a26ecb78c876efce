"""Mappings of the legacy language: lists of `{target, source}`.

Source: Serverless Workflow documentation, "Inputs and outputs" (document 122493).
"""

from __future__ import annotations

import re
from typing import Any

import attrs

from fc_callback.flows.definition import DefinitionError, EvaluationContext, JsonObject, UnsupportedDefinition
from fc_callback.flows.paths import parse_path, read_path
from fc_callback.flows.fields import Fields

_REFERENCE = re.compile(r"\$(input|local|context)(?=[.\[]|$)")
CONTEXT = {
    ("task", "token"): lambda context: context.task_token,
    ("execution", "name"): lambda context: context.execution_name,
    ("flow", "name"): lambda context: context.flow_name,
    ("step", "eventId"): lambda context: context.event_id,
}


@attrs.frozen
class TargetMapping:
    """A target and its source: a constant if `root` is None, else a path into `input`, `local` or `context`."""

    target: str
    root: str | None
    value: Any

    def read(self, values: JsonObject, context: EvaluationContext) -> Any:
        """Return the source's value; None if the path has none."""
        if self.root is None:
            return self.value
        if self.root == "context":
            return CONTEXT[self.value](context)
        return read_path(values.get(self.root), self.value)


def parse_mappings(fields: Fields, name: str, *, roots: tuple[str, ...]) -> tuple[TargetMapping, ...] | None:
    """Read the mappings of a field. None if the field is missing, which differs from an empty list.

    Raises:
        DefinitionError: A mapping cannot be used.
    """
    if name not in fields.members:
        return None
    return tuple(_parse(fields, name, index, entry, roots) for index, entry in enumerate(fields.listed(name)))


def _parse(parent: Fields, name: str, index: int, entry: object, roots: tuple[str, ...]) -> TargetMapping:
    label = f"{parent.label}: {name}"
    fields = parent.inner(f"an entry of {label}", entry, name, index)
    fields.only("target", "source")
    target = fields.text("target")
    if "source" not in fields.members:
        raise DefinitionError(f"{label}: the target {target!r} has no source.")
    source = fields.members["source"]
    match = _REFERENCE.match(source) if isinstance(source, str) else None
    if match is None:
        return TargetMapping(target, None, source)
    root = match[1]
    segments = parse_path(source, match.end(), label)
    if root not in roots:
        raise DefinitionError(
            f"{label}: {source!r} cannot be read here, only {', '.join('$' + name for name in roots)}."
        )
    if root == "context" and segments not in CONTEXT:
        known = ", ".join("$context." + ".".join(path) for path in CONTEXT)
        raise UnsupportedDefinition(f"{label}: {source!r} is not supported here; supported are {known}.")
    return TargetMapping(target, root, segments)


def apply_mappings(mappings: tuple[TargetMapping, ...], values: JsonObject, context: EvaluationContext) -> JsonObject:
    """Return the object that the mappings build."""
    return {mapping.target: mapping.read(values, context) for mapping in mappings}
