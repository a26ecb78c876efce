"""`fc-callback check`: find what will not work in the cloud."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
import typer

from fc_callback.errors import FcCallbackError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fc_callback.checking import Finding
    from fc_callback.checking.findings import Severity


def command(
    directory: Annotated[Path, typer.Argument(help="The directory of s.yaml.", exists=True, file_okay=False)] = Path(),
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="RULE", help="Silence a rule; repeat it for more rules.")
    ] = None,
    imports: Annotated[
        bool, typer.Option("--imports/--no-imports", help="Import the handlers, which runs the code of their modules.")
    ] = True,
    list_rules: Annotated[bool, typer.Option("--rules", help="Print the rules.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find what will not work in the cloud, before a deployment.

    The exit code is 1 if there is an error, and 0 if there are only warnings.
    """
    from fc_callback.checking import RULES, check_project

    if list_rules:
        for rule in RULES.values():
            typer.echo(
                json.dumps(attrs.asdict(rule)) if as_json else f"{rule.name:<22} {rule.severity:<8} {rule.summary}"
            )
        return
    try:
        findings = check_project(directory, ignore=ignore or (), imports=imports)
    except FcCallbackError as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(2) from None
    counts = Counter(finding.severity for finding in findings)
    if as_json:
        listed = [{**attrs.asdict(finding), "severity": finding.severity} for finding in findings]
        typer.echo(json.dumps({"errors": counts["error"], "warnings": counts["warning"], "findings": listed}, indent=2))
    else:
        _show(findings, counts)
    raise typer.Exit(1 if counts["error"] else 0)


def _show(findings: list[Finding], counts: Mapping[Severity, int]) -> None:
    for finding in findings:
        place = typer.style(f"{finding.file}:{finding.line}", bold=True)
        severity = typer.style(finding.severity, fg="red" if finding.severity == "error" else "yellow")
        typer.echo(f"{place}: {severity}: {finding.message} [{finding.rule}]")
        typer.echo(f"    {finding.hint}")
    if not findings:
        typer.secho("Nothing found.", fg="green")
        return
    errors, warnings = counts["error"], counts["warning"]
    typer.echo(
        f"{errors} {'error' if errors == 1 else 'errors'}, {warnings} {'warning' if warnings == 1 else 'warnings'}"
    )
