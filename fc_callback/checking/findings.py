"""The rules of the check, and what they find."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from fc_callback.project.manifest import Resource

Severity = Literal["error", "warning"]


@attrs.frozen(kw_only=True)
class Rule:
    """One rule.

    Attributes:
        name: The name that silences it, and that docs/check.md explains.
        severity: An `error` makes the check fail; a `warning` does not.
        summary: What it demands, in a line.
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
        manifest="s.yaml exists and can be read",
        edition="s.yaml has edition: 3.0.0",
        component="A function is deployed by the component fc3, which is that of FC 3.0",
        duplicate_key="A mapping has each key once",
        placeholder="No {{ placeholder }} of a template remains",
        expression="Everything that ${...} names exists",
        unknown_property="fc3 knows every property",
        missing_property="Every property that fc3 needs is set",
        property_value="Every property has a type and a value that fc3 accepts",
        runtime="FC has the runtime, and fc_callback runs on it",
        name="Names follow the rules of the services",
        code_path="code: names an existing directory or archive",
        secret_file="No .env file goes into the package",  # noqa: S106 - no password
        handler_string="FC's loader accepts the strings that name the handler and the handlers of the hooks",
        handler_import="The handler and the handlers of the hooks can be imported",
        start_command="The start command of a custom runtime finds a Python that runs fc_callback",
        handler_decorated="A function that receives tasks is decorated with @task_callback",
        reserved_variable="No environment variable begins with FC_",
        environment_size="The environment variables fit into 4 KB",
        dependency_missing="The requirements name what the code imports",
        dependency_platform="Compiled dependencies are built for the function's platform and Python",
        pythonpath="PYTHONPATH names the directory of the dependencies",
        role_missing="A function that reports tasks has a role",
        role_arn="The role is an ARN, or the name of a role",
        role_actions="The role's policy allows both report actions on *",
        role_trust="The role trusts the service that assumes it",
        flow_definition="CloudFlow accepts the flow's definition",
        flow_name="A flow's Name is the name it is deployed under",
        flow_token="A step that waits for a callback passes the token on",  # noqa: S106 - no password
        flow_token_key="The function looks for the token under the key that the step gives it",  # noqa: S106 - the same
        flow_region="The flow component deploys to the region",
        flow_timeout="A step that waits for a callback has a timeout",
        flow_express="An Express flow has only what Express executions support",
        step_timeout="A function's timeout is not longer than its step's",
        payload_mismatch="What a step sends fits the type that the handler asks for",
    ),
    **_rules(
        "warning",
        unset_variable="The variables that s.yaml reads have a value or a default",
        sample_value="No sample account, namespace or name remains",
        other_region="The image and the layers are in the function's region",
        handler_unchecked="The check can import the handlers here",
        dependency_unbuilt="The packages that the requirements name get into the package",
        dependency_layer="The check knows the packages that the code imports; a layer may bring others",
        dependency_preinstalled="The package does not depend on FC's own versions of packages",
        timeout_default="The function's timeout is set",
        instance_concurrency="Built-in runtimes serve one request at a time",
        trigger_role="A trigger that needs a role names it",
        definition_path="The path of a flow's definition does not depend on the current directory",
        flow_unread="CloudFlow reads every field, path and expression of a flow",
        flow_function="s.yaml deploys the functions that a flow calls",
        payload_ignored="The handler's type reads each key that a step sends under a similar name",
        unreported_failure="The failures of an asynchronous task are reported",
    ),
}


_MAX_TEXT = 1000


def _bounded(text: str) -> str:
    """Return a text without the middle of one that is too long: a message may show a value of any length."""
    half = _MAX_TEXT // 2
    return text if len(text) <= _MAX_TEXT else f"{text[:half]} [...] {text[-half:]}"


@attrs.frozen(kw_only=True)
class Finding:
    """One place where a project breaks a rule.

    Attributes:
        rule: The rule's name.
        file: Relative to the project, with forward slashes.
        line: From 1.
        message: What is wrong.
        hint: What to do.
    """

    rule: str
    file: str
    line: int
    message: str = attrs.field(converter=_bounded)
    hint: str = attrs.field(converter=_bounded)

    @property
    def severity(self) -> Severity:
        """`error` or `warning`."""
        return RULES[self.rule].severity


def finding_at(resource: Resource, rule: str, message: str, hint: str, *place: str | int) -> Finding:
    """Return a finding at a property of a resource."""
    file, line = resource.locate(*place)
    return Finding(rule=rule, file=file, line=line, message=message, hint=hint)


_COMMENT = re.compile(r"#\s*fc-callback:\s*ignore\s*=?\s*(?P<rules>[a-z][a-z, -]*)")


def without_silenced(root: Path, findings: Iterable[Finding]) -> list[Finding]:
    """Drop the findings that a comment silences: `# fc-callback: ignore RULE` on the line, or on a comment line above it."""
    kept: list[Finding] = []
    files: dict[str, list[str]] = {}
    for finding in findings:
        if finding.file not in files:
            path = root / finding.file
            files[finding.file] = path.read_text("utf-8", "replace").splitlines() if path.is_file() else []
        if finding.rule not in silenced_at(files[finding.file], finding.line):
            kept.append(finding)
    return kept


def silenced_at(lines: list[str], line: int) -> set[str]:
    """Return the rules that a comment silences at a line, counted from 1."""
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
