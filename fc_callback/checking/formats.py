"""The findings of a check in the formats that other programs read: JSON, SARIF, and GitHub's workflow commands.

Sources: SARIF 2.1.0 (OASIS); GitHub documentation, "Workflow commands for GitHub Actions".
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import attrs

from fc_callback import __version__
from fc_callback.checking.findings import RULES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fc_callback.checking.findings import Finding

_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
# GitHub's name for a level, where it is another one.
_GITHUB_LEVELS = {"note": "notice"}
_ESCAPES = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY_ESCAPES = {**_ESCAPES, ":": "%3A", ",": "%2C"}


def as_json(findings: Sequence[Finding]) -> str:
    """Return the findings and their numbers as JSON."""
    counts = Counter(finding.severity for finding in findings)
    listed = [{**attrs.asdict(finding), "severity": finding.severity} for finding in findings]
    return json.dumps({"errors": counts["error"], "warnings": counts["warning"], "findings": listed}, indent=2)


def as_sarif(findings: Sequence[Finding], root: Path) -> str:
    """Return the findings as a SARIF log, with all rules.

    Args:
        findings: The findings.
        root: The directory of the project. The files in the log are relative to the current directory, as code scanning
            and editors expect it of a log that is made at the top of a repository.
    """
    indexes = {name: index for index, name in enumerate(RULES)}
    rules = [
        {
            "id": rule.name,
            "shortDescription": {"text": f"{rule.summary}."},
            "defaultConfiguration": {"level": rule.severity},
        }
        for rule in RULES.values()
    ]
    results = [
        {
            "ruleId": finding.rule,
            "ruleIndex": indexes[finding.rule],
            "level": finding.severity,
            "message": {"text": f"{finding.message} {finding.hint}"},
            "locations": [{"physicalLocation": _location(finding, root)}],
        }
        for finding in findings
    ]
    driver = {"name": "fc-callback check", "semanticVersion": __version__, "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _location(finding: Finding, root: Path) -> dict[str, Any]:
    path = _from_here(finding, root)
    artifact = {"uri": path.as_uri()} if path.is_absolute() else {"uri": quote(path.as_posix())}
    return {"artifactLocation": artifact, "region": {"startLine": finding.line}}


def as_github(findings: Sequence[Finding], root: Path) -> str:
    """Return a workflow command for each finding, a line each: GitHub shows them at the lines of a pull request.

    Args:
        findings: The findings.
        root: The directory of the project. The files are relative to the current directory, which is the top of the
            repository in a workflow.
    """
    lines = []
    for finding in findings:
        level = _GITHUB_LEVELS.get(finding.severity, finding.severity)
        properties = {
            "file": _from_here(finding, root).as_posix(),
            "line": str(finding.line),
            "title": f"fc-callback check: {finding.rule}",
        }
        shown = ",".join(f"{name}={_escaped(value, _PROPERTY_ESCAPES)}" for name, value in properties.items())
        text = _escaped(f"{finding.message}\n{finding.hint}", _ESCAPES)
        lines.append(f"::{level} {shown}::{text}")
    return "\n".join(lines)


def _escaped(text: str, escapes: dict[str, str]) -> str:
    return "".join(escapes.get(character, character) for character in text)


def _from_here(finding: Finding, root: Path) -> Path:
    """Return a finding's file relative to the current directory; an absolute path if it is elsewhere."""
    path = (root / finding.file).resolve()
    here = Path.cwd().resolve()
    return path.relative_to(here) if path.is_relative_to(here) else path
