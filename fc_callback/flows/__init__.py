"""The one reader of both flow languages, as pure functions: no clock, no database, no network.

- `read_definition`: the YAML or JSON text of a definition as plain values, with the line of each part.
- `parse_flow`: a flow that can be run. A `Flow` defines the inputs, calls and outputs of each step;
  `fc_callback.local.execution` drives it.
- `outline_flow`: the tasks of any flow, for tools that inspect it without running it.
"""

from __future__ import annotations

from fc_callback.flows.definition import (
    CatchRule,
    DefinitionError,
    FlowError,
    FlowWarning,
    RetryRule,
    Step,
    UnsupportedDefinition,
)
from fc_callback.flows.flow import EvaluationContext, Flow, TaskCall
from fc_callback.flows.layout import language_of
from fc_callback.flows.outline import FlowOutline, TaskOutline, outline_flow
from fc_callback.flows.reading import Definition, read_definition
from fc_callback.flows.targets import TaskTarget, parse_target


def parse_flow(definition: str) -> Flow:
    """Return the flow that a definition describes, in YAML or JSON and in either language.

    Raises:
        DefinitionError: The text cannot be read, or breaks a rule of its language.
        UnsupportedDefinition: The definition uses something that the local CloudFlow does not run.
    """
    from fc_callback.flows.cloudflow_parser import parse_state_machine
    from fc_callback.flows.legacy_parser import parse_legacy

    document = read_definition(definition).data
    try:
        return parse_state_machine(document) if language_of(document) == "cloudflow" else parse_legacy(document)
    except RecursionError:  # the depth of the document is bounded, that of steps inside steps may be too much
        raise DefinitionError("The definition is nested too deep.") from None


__all__ = [
    "CatchRule",
    "Definition",
    "DefinitionError",
    "EvaluationContext",
    "Flow",
    "FlowError",
    "FlowOutline",
    "FlowWarning",
    "RetryRule",
    "Step",
    "TaskCall",
    "TaskOutline",
    "TaskTarget",
    "UnsupportedDefinition",
    "language_of",
    "outline_flow",
    "parse_flow",
    "parse_target",
    "read_definition",
]
