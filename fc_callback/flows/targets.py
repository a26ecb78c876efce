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


# Functions of ROS templates, which Fun's templates have too: as a YAML tag, or as a mapping with one key.
REPLACING_TAGS = frozenset({"!Ref", "!GetAtt", "!Sub", "!Join", "!Select", "!FindInMap"})
_REPLACING_KEYS = frozenset({"Ref", *(f"Fn::{tag[1:]}" for tag in REPLACING_TAGS - {"!Ref"})})
_PLACEHOLDER = re.compile(r"\$\{[^{}]*\}")


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


def unreplaced_placeholder(resource: object) -> str | None:
    """Return what to do about a part of a resource that a tool should have replaced before; None if there is none.

    Such a part is `${name.Arn}` in a text, or a mapping like `{Ref: name}`.
    """
    if isinstance(resource, str) and (found := _PLACEHOLDER.search(resource)):
        return replaced_before_create(found[0])
    if isinstance(resource, dict) and len(resource) == 1 and not _REPLACING_KEYS.isdisjoint(resource):
        return replaced_before_create(next(iter(resource)))
    return None


def replaced_before_create(what: str) -> str:
    """Return what to do about a tag or a placeholder that the service cannot know."""
    return f"Fun or ROS replaces {what} before CreateFlow: write the ARN itself, or deploy the flow with that tool."
