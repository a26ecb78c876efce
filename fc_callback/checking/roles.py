"""The function's and the flow's roles: who may take them, and what they may do.

Source: CloudFlow API, ReportTaskSucceeded and ReportTaskFailed, "RAM authorization": both actions, on `*`.
"""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any

from fc_callback.checking.findings import Finding
from fc_callback.checking.manifests import role_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fc_callback.checking.documents import Document
    from fc_callback.checking.project import Project

REPORT_ACTIONS = ("fnf:ReportTaskSucceeded", "fnf:ReportTaskFailed")
# What the templates call the files; a project with other names is not looked at.
_POLICY = "function-role"
_TRUST = {"function-role-trust": "fc.aliyuncs.com", "flow-role-trust": "fnf.aliyuncs.com"}


def check(project: Project) -> Iterator[Finding]:
    """Find what is wrong with the roles."""
    for function in project.functions:
        role = function.props.get("role")
        if role is None or role == "":
            yield function.finding(
                "role-missing",
                "The function has no role, so it has no credentials to sign a report with.",
                "Write `role: acs:ram::<account id>:role/<name>`; its policy is in policies/function-role.json.",
                *(("role",) if "role" in function.props else ()),
            )
        problem = role_problem(role) if role else None
        if problem:
            yield function.finding("role-arn", *problem, "role")
    if _POLICY in project.policies:
        yield from _actions(project.policies[_POLICY])
    for name, service in _TRUST.items():
        if name in project.policies:
            yield from _trust(project.policies[name], service)


def _statements(document: Document, effect: str) -> list[tuple[dict[str, Any], int]]:
    data = document.data if isinstance(document.data, dict) else {}
    given = data.get("Statement")
    each = [given] if isinstance(given, dict) else given if isinstance(given, list) else []
    return [
        (statement, document.line("Statement", index))
        for index, statement in enumerate(each)
        if isinstance(statement, dict) and statement.get("Effect") == effect
    ]


def _texts(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)] if value is not None else []


def _covers(statement: dict[str, Any], action: str) -> bool:
    return any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in _texts(statement.get("Action")))


def _actions(document: Document) -> Iterator[Finding]:
    problems: dict[tuple[int, str], list[str]] = {}
    for action in REPORT_ACTIONS:
        allowing = [(one, line) for one, line in _statements(document, "Allow") if _covers(one, action)]
        denying = [(one, line) for one, line in _statements(document, "Deny") if _covers(one, action)]
        if denying:
            problems.setdefault((denying[0][1], "denies"), []).append(action)
        elif not allowing:
            problems.setdefault((document.line("Statement"), "does not allow"), []).append(action)
        elif not any("*" in _texts(one.get("Resource")) for one, _ in allowing):
            problems.setdefault((allowing[0][1], "allows on some resources only, which is none,"), []).append(action)
    for (line, what), actions in problems.items():
        named = " and ".join(actions)
        yield Finding(
            rule="role-actions",
            file=document.file,
            line=line,
            message=f"The function's role {what} {named}: reports end in 403.",
            hint=f'Allow {named} on "*": reports know no narrower resource.',
        )


def _trust(document: Document, service: str) -> Iterator[Finding]:
    for statement, _line in _statements(document, "Allow"):
        principal = statement.get("Principal")
        services = _texts(principal.get("Service")) if isinstance(principal, dict) else []
        if service in services and "sts:AssumeRole" in _texts(statement.get("Action")):
            return
    yield Finding(
        rule="role-trust",
        file=document.file,
        line=document.line("Statement"),
        message=f"The role does not let {service} take it.",
        hint=f'Allow "sts:AssumeRole" to the Principal {{"Service": ["{service}"]}}.',
    )
