"""`fc-callback check`: reads a project as the cloud would, and says what will not work there.

    findings = check_project(Path("orders"))

Each rule has a name (`RULES`), which silences it: an argument here, or a comment in the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fc_callback.checking.findings import RULES, Finding, Rule, without_silenced
from fc_callback.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["RULES", "Finding", "Rule", "check_project"]


def check_project(
    root: Path,
    *,
    ignore: Iterable[str] = (),
    imports: bool = True,
    time_limit_seconds: float | None = None,
    environ: Mapping[str, str] | None = None,
) -> list[Finding]:
    """Check a project.

    Args:
        root: The directory of s.yaml.
        ignore: Rules to leave out.
        imports: Whether the handlers are imported, which runs their modules' code.
        time_limit_seconds: How long the import of one handler may take; 30 by default.
        environ: What `${env()}` in s.yaml sees, beside `.env`; the process's own variables by default.

    Returns:
        What was found, by file and line.

    Raises:
        SettingsError: A rule of `ignore` does not exist.
    """
    from fc_callback.checking import handlers, manifests, packages, roles, steps
    from fc_callback.checking.importing import TIME_LIMIT_SECONDS
    from fc_callback.checking.project import read_project

    root = root.resolve()  # handlers are imported by a process that stands elsewhere
    silenced = set(ignore)
    unknown = sorted(silenced - RULES.keys())
    if unknown:
        raise SettingsError(f"There is no rule {unknown[0]!r}.", hint=f"The rules are {', '.join(RULES)}.")
    project = read_project(root, environ=environ)
    limit = TIME_LIMIT_SECONDS if time_limit_seconds is None else time_limit_seconds
    imported = handlers.import_all(project, time_limit_seconds=limit) if imports else {}
    found = [
        *manifests.check(project),
        *roles.check(project),
        *packages.check(project),
        *handlers.check(project, imported),
        *steps.check(project, {key: seen[0] for key, seen in imported.items()}),
    ]
    kept = {finding: None for finding in without_silenced(root, found) if finding.rule not in silenced}
    return sorted(kept, key=lambda finding: (finding.file, finding.line, finding.rule))
