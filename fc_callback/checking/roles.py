"""Check the roles of the function and the flow: which service may assume them, and what they may do.

Source: CloudFlow API, ReportTaskSucceeded and ReportTaskFailed, "RAM authorization": both actions, on `*`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fc_callback.checking.findings import Finding, finding_at
from fc_callback.project.policies import role_problem, statements_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fc_callback.project import Function, Project
    from fc_callback.project.documents import Document

REPORT_ACTIONS = ("fnf:ReportTaskSucceeded", "fnf:ReportTaskFailed")
# The file names of the templates; a policy in a file of another name is not checked.
_POLICY = "function-role"
_TRUST = {"function-role-trust": "fc.aliyuncs.com", "flow-role-trust": "fnf.aliyuncs.com"}


def check(project: Project, tasks: Sequence[Function]) -> Iterator[Finding]:
    """Find what is wrong with the roles.

    Args:
        project: The project.
        tasks: Its functions that are proven to run tasks.
    """
    for function in project.functions:
        role = function.props.get("role")
        if role is None or role == "":
            yield from _missing(project, function) if function in tasks else ()
        elif problem := role_problem(role):
            yield finding_at(function, "role-arn", *problem, "role")
    for name, document in project.policies.items():
        if name not in {_POLICY, *_TRUST} or not tasks:
            continue
        if document.error is not None:
            rule = "role-actions" if name == _POLICY else "role-trust"
            message, line = f"{document.file} cannot be read: {document.error}.", document.error.line
            yield Finding(rule=rule, file=document.file, line=line, message=message, hint="Fix the JSON syntax.")
        else:
            yield from _actions(document) if name == _POLICY else _trust(document, _TRUST[name])


def _missing(project: Project, function: Function) -> Iterator[Finding]:
    policy = project.policies.get(_POLICY)
    needs = f"its policy is in {policy.file}" if policy else f"its policy allows {' and '.join(REPORT_ACTIONS)} on *"
    yield finding_at(
        function,
        "role-missing",
        "The function runs tasks and has no role, so it has no credentials to sign a report with.",
        f"Write `role: acs:ram::<account id>:role/<name>`; {needs}.",
        *(("role",) if "role" in function.props else ()),
    )


def _actions(document: Document) -> Iterator[Finding]:
    problems: dict[tuple[int, str], list[str]] = {}
    for action in REPORT_ACTIONS:
        covering = [statement for statement in statements_of(document) if statement.covers(action)]
        allowing = [statement for statement in covering if statement.effect == "Allow"]
        denying = [statement for statement in covering if statement.effect == "Deny"]
        if denying:
            problems.setdefault((denying[0].line, "denies {}"), []).append(action)
        elif not allowing:
            problems.setdefault((document.line("Statement"), "does not allow {}"), []).append(action)
        elif not any("*" in statement.resources for statement in allowing):
            problems.setdefault((allowing[0].line, "allows {} on some resources only"), []).append(action)
    for (line, problem), actions in problems.items():
        named = " and ".join(actions)
        yield Finding(
            rule="role-actions",
            file=document.file,
            line=line,
            message=f"The function's role {problem.format(named)}: CloudFlow answers reports with 403.",
            hint=f'Allow {named} on "*": these actions have no narrower resource.',
        )


def _trust(document: Document, service: str) -> Iterator[Finding]:
    for statement in statements_of(document):
        if statement.effect == "Allow" and service in statement.services and "sts:AssumeRole" in statement.actions:
            return
    yield Finding(
        rule="role-trust",
        file=document.file,
        line=document.line("Statement"),
        message=f"The role's trust policy does not let {service} assume it.",
        hint=f'Allow "sts:AssumeRole" to the Principal {{"Service": ["{service}"]}}.',
    )
