"""What a task's resource ARN names: a function of FC, a flow, or a topic or queue of MNS.

Source: Serverless Workflow documentation 122494 and CloudFlow documentation, "integrated-function-compute" and "SMQ".
"""

from __future__ import annotations

import re

import attrs

_FUNCTION = re.compile(
    r"acs:fc:(?P<region>[^:]*):(?P<account>[^:]*):(?:services/[^/]+/)?functions/(?P<name>[^/.]+)(?:\.[^/]+)?(?:/[^/]+)?"
)
_FLOW = re.compile(r"acs:fnf:(?P<region>[^:]*):(?P<account>[^:]*):flow/(?P<name>[^/]+)")
_MESSAGES = re.compile(r"acs:mns:(?P<region>[^:]*):(?P<account>[^:]*):/(?P<kind>topic|queue)s/(?P<name>[^/]+)/messages")


@attrs.frozen(kw_only=True)
class TaskTarget:
    """A `function`, `flow`, `topic` or `queue` that a task calls or sends to; region and account may be empty."""

    kind: str
    name: str
    region: str = ""
    account: str = ""


def parse_target(arn: object) -> TaskTarget | None:
    """Return the resource that an ARN names, without its version or alias; None for any other value."""
    text = arn if isinstance(arn, str) else ""
    if function := _FUNCTION.fullmatch(text):
        return TaskTarget(kind="function", **function.groupdict())
    if flow := _FLOW.fullmatch(text):
        return TaskTarget(kind="flow", **flow.groupdict())
    if messages := _MESSAGES.fullmatch(text):
        return TaskTarget(**messages.groupdict())
    return None


def function_name(arn: str) -> str:
    """Return the name of the function that an ARN of FC 2 or FC 3 names; empty for any other ARN."""
    target = parse_target(arn)
    return target.name if target is not None and target.kind == "function" else ""


_PLACEHOLDER = re.compile(r"\$\{[^}]*\}")


def unreplaced_placeholder(text: str) -> str | None:
    """Return what to do about a `${...}` in a text; None if there is none."""
    found = _PLACEHOLDER.search(text)
    if found is None:
        return None
    return f"Fun or ROS replaces {found[0]} before CreateFlow: write the ARN itself, or deploy the flow with that tool."
