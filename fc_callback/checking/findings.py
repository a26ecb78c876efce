"""What a check finds, and the rules that find it: values without I/O."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Severity = Literal["error", "warning"]


@attrs.frozen(kw_only=True)
class Rule:
    """One rule.

    Attributes:
        name: What silences it, and what docs/check.md explains.
        severity: Whether it makes the check fail.
        summary: What it says, in a line.
    """

    name: str
    severity: Severity
    summary: str


def _rules(severity: Severity, **summaries: str) -> dict[str, Rule]:
    return {
        name.replace("_", "-"): Rule(name=name.replace("_", "-"), severity=severity, summary=summary)
        for name, summary in summaries.items()
    }


RULES: dict[str, Rule] = {
    **_rules(
        "error",
        manifest="There is a s.yaml, and it can be read",
        edition="s.yaml says edition: 3.0.0",
        component="A function is deployed by the component fc3",
        duplicate_key="No key stands twice in one mapping",
        placeholder="No {{ placeholder }} of a template is left",
        expression="What ${...} names is there",
        unknown_property="Every property is one that fc3 knows",
        missing_property="The properties that fc3 needs are there",
        property_value="Every property has the type and the range that fc3 takes",
        runtime="FC has the runtime, and fc_callback runs on it",
        name="Names keep the services' rules",
        code_path="code: leads to a directory or an archive",
        secret_file="No .env file goes into the package",  # noqa: S106 - no password
        handler_import="The handler and those of the hooks can be imported",
        handler_decorated="A function that is given tasks is decorated with @task_callback",
        reserved_variable="No environment variable begins with FC_",
        environment_size="The environment variables fit into 4 KB",
        dependency_missing="What the code imports is in the package",
        dependency_platform="Compiled dependencies are built for the function's platform and Python",
        pythonpath="PYTHONPATH leads to the dependencies",
        role_missing="A function that reports tasks has a role",
        role_arn="The role is a full ARN, in lower case",
        role_actions="The role's policy allows both report actions on *",
        role_trust="The role trusts the service that takes it",
        flow_definition="The flow can be read",
        flow_name="A flow's Name is the name it is deployed under",
        flow_token="A step that waits for a callback hands the token on",  # noqa: S106 - no password
        flow_timeout="A step that waits for a callback has a time-out",
        flow_express="A step that waits for a callback is not in Express mode",
        step_timeout="A function's timeout is not longer than its step's",
    ),
    **_rules(
        "warning",
        timeout_default="The function's timeout is stated",
        instance_concurrency="Built-in runtimes serve one request at a time",
        trigger_role="A trigger that takes a role says which",
        definition_path="The flow's definition is found from everywhere",
        flow_function="The functions that a flow calls are in s.yaml",
        unreported_failure="Somebody reports the failures of an asynchronous task",
    ),
}


@attrs.frozen(kw_only=True)
class Finding:
    """One thing that will not work.

    Attributes:
        rule: The rule's name.
        file: Relative to the project, with forward slashes.
        line: From 1.
        message: What is wrong.
        hint: How to mend it.
    """

    rule: str
    file: str
    line: int
    message: str
    hint: str

    @property
    def severity(self) -> Severity:
        """`error` or `warning`."""
        return RULES[self.rule].severity


_COMMENT = re.compile(r"#\s*fc-callback:\s*ignore\s*=?\s*(?P<rules>[a-z][a-z, -]*)")


def without_silenced(root: Path, findings: Iterable[Finding]) -> list[Finding]:
    """Drop the findings that a comment silences: `# fc-callback: ignore RULE` on the line, or on one of its own above."""
    kept: list[Finding] = []
    files: dict[str, list[str]] = {}
    for finding in findings:
        if finding.file not in files:
            path = root / finding.file
            files[finding.file] = path.read_text("utf-8", "replace").splitlines() if path.is_file() else []
        if finding.rule not in _silenced_at(files[finding.file], finding.line):
            kept.append(finding)
    return kept


def _silenced_at(lines: list[str], line: int) -> set[str]:
    near = lines[line - 1 : line]
    above = line - 2
    while 0 <= above < len(lines) and lines[above].lstrip().startswith("#"):
        near.append(lines[above])
        above -= 1
    names: set[str] = set()
    for text in near:
        found = _COMMENT.search(text)
        if found:
            names.update(found.group("rules").replace(",", " ").split())
    return names
