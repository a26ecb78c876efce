"""Mappings of the legacy language: lists of `{target, source}`.

Source: Serverless Workflow documentation, "Inputs and outputs" (document 122493).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.flows.definition import DefinitionError, JsonObject
from fc_callback.flows.layout import LEGACY
from fc_callback.flows.paths import split_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.flows.fields import Fields
    from fc_callback.flows.flow import EvaluationContext

# Texts that begin like this are references, and must be paths to the end. Any other text is a constant.
_REFERENCE = re.compile(r"\$(input|local|context)(?=[.\[]|$)")
_CONTEXT: dict[tuple[Any, ...], Callable[[EvaluationContext], Any]] = {
    ("task", "token"): lambda context: context.task_token,
    ("execution", "name"): lambda context: context.execution_name,
    ("flow", "name"): lambda context: context.flow_name,
    ("step", "eventId"): lambda context: context.event_id,
}


@attrs.frozen
class TargetMapping:
    """A target and its source: a constant, or a path into `input`, `local` or `context` if there is a `root`."""

    target: str
    source: Any
    root: str | None = None

    def read(self, values: JsonObject, context: EvaluationContext) -> Any:
        """Return the source's value; None if its path leads nowhere, after a call of `context.missing`."""
        if self.root is None:
            return self.source
        if self.root != "context":
            return self.source.read(values.get(self.root), context.missing)
        read = _CONTEXT.get(self.source.segments)
        value = None if read is None else read(context)
        if value is None:  # also the token of a task that does not wait for a report
            context.missing(self.source.text)
        return value


def parse_mappings(fields: Fields, name: str, *, roots: tuple[str, ...]) -> tuple[TargetMapping, ...] | None:
    """Read the mappings of a field. None if the field is missing, which differs from an empty list.

    A source that cannot be what it seems is a warning of `fields`.

    Raises:
        DefinitionError: A mapping cannot be used.
    """
    if name not in fields.members:
        return None
    return tuple(_parse(fields, name, index, entry, roots) for index, entry in enumerate(fields.listed(name)))


def _parse(parent: Fields, name: str, index: int, entry: object, roots: tuple[str, ...]) -> TargetMapping:
    label = f"{parent.label}: {name}"
    fields = parent.inner(f"an entry of {label}", entry, name, index)
    fields.only(*LEGACY.parts["inputMappings"])
    target = fields.text("target")
    if "source" not in fields.members:
        raise DefinitionError(f"{label}: the target {target!r} has no source.")
    source = fields.members["source"]
    match = _REFERENCE.match(source) if isinstance(source, str) else None
    if match is None:
        if isinstance(source, str) and source.startswith("$"):
            known = ", ".join(f"${root}" for root in roots)
            fields.warn(f"the source {source!r} is a constant text, because it begins with none of {known}.", "source")
        return TargetMapping(target, source)
    found = split_path(source)
    if found is None:
        raise DefinitionError(f"{label}: {source!r} is not a path; a path has .name, [0] and [*].")
    root, path = match[1], found[1]
    if root not in roots:
        raise DefinitionError(
            f"{label}: {source!r} cannot be read here, only {', '.join('$' + name for name in roots)}."
        )
    if root == "context" and path.segments not in _CONTEXT:
        known = ", ".join("$context." + ".".join(member) for member in _CONTEXT)
        fields.warn(f"{source!r} leads nowhere here, its value is null; there are {known}.", "source")
    return TargetMapping(target, path, root)


def apply_mappings(mappings: tuple[TargetMapping, ...], values: JsonObject, context: EvaluationContext) -> JsonObject:
    """Return the object that the mappings build."""
    return {mapping.target: mapping.read(values, context) for mapping in mappings}
