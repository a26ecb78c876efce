"""Read RAM policies and roles: which statements a policy document has, and what is wrong with a role's ARN."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from fc_callback.project.documents import Document

_ROLE = re.compile(r"acs:ram::\d+:role/[\w.-]+")
_NAME = re.compile(r"[\w.-]+")


@attrs.frozen(kw_only=True)
class Statement:
    """One statement of a policy.

    Attributes:
        effect: `Allow` or `Deny`.
        actions: Like `fnf:ReportTaskSucceeded`; `*` and `?` stand for any text and any character.
        resources: ARNs, or `*`.
        services: The services that a trust policy names as principals.
        line: Where it begins.
    """

    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    services: tuple[str, ...]
    line: int

    def covers(self, action: str) -> bool:
        """Whether one of its actions, which RAM compares without case, is or includes this one."""
        return any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in self.actions)


def statements_of(document: Document) -> list[Statement]:
    """Return the statements of a policy document; what has not the form of one is skipped."""
    given = document.get("Statement")
    each = [given] if isinstance(given, dict) else given if isinstance(given, list) else []
    return [
        Statement(
            effect=str(statement.get("Effect")),
            actions=_as_texts(statement.get("Action")),
            resources=_as_texts(statement.get("Resource")),
            services=_as_texts(principal.get("Service") if isinstance(principal, dict) else None),
            line=document.line("Statement", index),
        )
        for index, statement in enumerate(each)
        if isinstance(statement, dict)
        for principal in (statement.get("Principal"),)
    ]


def _as_texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else () if value is None else (str(value),)


def role_problem(role: Any) -> tuple[str, str] | None:
    """Return what is wrong with a role, and what to do; None for a role that fc3 takes.

    fc3 completes the name of a role with the number of the account. It writes ARNs in lower case, as the services do with
    the ARNs of their own roles (`AliyunFCDefaultRole` is `role/aliyunfcdefaultrole`).
    """
    if not isinstance(role, str) or _NAME.fullmatch(role) or _ROLE.fullmatch(role):
        return None
    return f"{role!r} is not the ARN of a role.", "Write the full ARN: acs:ram::<account id>:role/<name>."
