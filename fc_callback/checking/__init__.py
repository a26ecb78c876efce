"""Find what will not work in the cloud, before a deployment: `fc-callback check`.

    findings = check_project(Path("orders"))

Each rule has a name (`RULES`); the name silences it, as an argument here or in a comment of the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from fc_callback.checking import (
    dependencies,
    generations,
    handlers,
    leftovers,
    manifests,
    packages,
    payloads,
    roles,
    start_commands,
    steps,
    token_keys,
)
from fc_callback.checking.findings import RULES, Finding, Rule, without_silenced
from fc_callback.checking.flows import read_flows
from fc_callback.checking.importing import TIME_LIMIT_SECONDS
from fc_callback.checking.tasks import task_functions
from fc_callback.errors import SettingsError
from fc_callback.project import read_project

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["RULES", "Finding", "Rule", "check_project"]


def check_project(
    root: Path,
    *,
    ignore: Iterable[str] = (),
    imports: bool = True,
    time_limit_seconds: float = TIME_LIMIT_SECONDS,
    environ: Mapping[str, str] | None = None,
) -> list[Finding]:
    """Check a project.

    Args:
        root: The directory of s.yaml.
        ignore: Rules to leave out.
        imports: Whether to import the handlers, which runs the code of their modules.
        time_limit_seconds: How long the import of one function's handlers may take.
        environ: What `${env()}` in s.yaml sees beside `.env`; the process's own variables by default.

    Returns:
        The findings, by file and line.

    Raises:
        SettingsError: A rule of `ignore` does not exist.
    """
    root = root.resolve()  # the process that imports the handlers has another working directory
    silenced = set(ignore)
    unknown = sorted(silenced - RULES.keys())
    if unknown:
        raise SettingsError(f"There is no rule {unknown[0]!r}.", hint=f"The rules are {', '.join(RULES)}.")
    read = read_project(root, environ=environ)
    found = [
        *(Finding(**attrs.asdict(problem)) for problem in read.problems),
        *generations.check(read),
        *leftovers.check(read),
    ]
    project = leftovers.without_leftovers(generations.without_previous(read))
    flows = read_flows(project)
    sent = payloads.sent_to_functions(project, flows)
    imported = handlers.import_all(project, sent, time_limit_seconds=time_limit_seconds) if imports else {}
    tasks = task_functions(project, flows, imported)
    absences = dependencies.check(project)
    found += [
        *manifests.check(project, tasks),
        *roles.check(project, tasks),
        *packages.check(project),
        *absences.findings,
        *handlers.check(project, flows, imported, absent=absences.modules),
        *payloads.check(sent, {key: seen[0] for key, seen in imported.items()}),
        *start_commands.check(project),
        *steps.check(project, flows, {key: seen[0] for key, seen in imported.items()}),
        *token_keys.check(project, flows, {key: seen[0] for key, seen in imported.items()}),
    ]
    kept = {finding: None for finding in without_silenced(root, found) if finding.rule not in silenced}
    return sorted(kept, key=lambda finding: (finding.file, finding.line, finding.rule))
