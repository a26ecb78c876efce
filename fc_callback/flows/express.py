"""The rules of Express flows: at most 5 minutes, no task that waits for a callback, short waits.

Source: CloudFlow documentation, "standard-workflow-and-express-workflow" and 2412546 (Wait).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fc_callback.flows.definition import RUNTIME_ERROR, DefinitionError, FlowError

if TYPE_CHECKING:
    from fc_callback.flows.flow import Flow

MAX_SECONDS = 300.0
MAX_WAIT_SECONDS = 20
_TOO_LONG = f"a wait in an Express flow has up to {MAX_WAIT_SECONDS} seconds."


def check_express(flow: Flow) -> None:
    """Check that a flow can be an Express flow.

    Raises:
        DefinitionError: It cannot; the text names the step.
    """
    bodies = [flow.body]
    while bodies:
        for step in bodies.pop().steps.values():
            bodies += step.bodies
            if step.kind == "task" and step.waits_for != "call":
                raise DefinitionError(
                    f"Step {step.name!r}: an Express flow has tasks of TaskMode RequestComplete (pattern requestResponse) only."
                    " Create the flow with ExecutionMode Standard."
                )
            if (step.wait_seconds or 0) > MAX_WAIT_SECONDS:
                raise DefinitionError(f"Step {step.name!r}: {_TOO_LONG}")


def check_wait(step_name: str, seconds: float) -> None:
    """Check a wait whose duration was not known before.

    Raises:
        FlowError: It is too long.
    """
    if seconds > MAX_WAIT_SECONDS:
        raise FlowError(RUNTIME_ERROR, f"Step {step_name!r}: {_TOO_LONG}")


def timeout_of(flow: Flow) -> float:
    """Return the timeout of an execution of an Express flow."""
    return min(flow.timeout_seconds or MAX_SECONDS, MAX_SECONDS)
