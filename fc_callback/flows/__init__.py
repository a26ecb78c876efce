"""The two languages that flows are written in, as pure functions: no clock, no store, no network.

`parse_flow` reads a definition of either; a `Flow` then says, for each step, what goes in, what is called and what
comes out. What drives an execution from step to step is `fc_callback.local.execution`.
"""

from __future__ import annotations

from fc_callback.flows.definition import (
    CatchRule,
    DefinitionError,
    EvaluationContext,
    Flow,
    FlowError,
    RetryRule,
    Step,
    TaskCall,
)
from fc_callback.flows.reading import load_document


def parse_flow(definition: str) -> Flow:
    """Read a flow, YAML or JSON, in the language its top level shows.

    Raises:
        DefinitionError: It cannot be read, breaks a rule of its language, or uses something that is not supported here.
    """
    document = load_document(definition)
    if document.get("Type") is not None or "States" in document:
        from fc_callback.flows.cloudflow import StateMachine

        return StateMachine.parse(document)
    from fc_callback.flows.legacy import LegacyFlow

    return LegacyFlow.parse(document)


__all__ = [
    "CatchRule",
    "DefinitionError",
    "EvaluationContext",
    "Flow",
    "FlowError",
    "RetryRule",
    "Step",
    "TaskCall",
    "parse_flow",
]
