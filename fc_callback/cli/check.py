"""`fc-callback check`: find what will not work in the cloud."""

from __future__ import annotations

import enum
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
import typer

from fc_callback.errors import FcCallbackError

if TYPE_CHECKING:
    from fc_callback.checking import Finding


class FindingFormat(str, enum.Enum):
    """What the findings are printed as."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


def command(
    directory: Annotated[Path, typer.Argument(help="The directory of s.yaml.", exists=True, file_okay=False)] = Path(),
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="RULE", help="Silence a rule; repeat it for more rules.")
    ] = None,
    imports: Annotated[
        bool, typer.Option("--imports/--no-imports", help="Import the handlers, which runs the code of their modules.")
    ] = True,
    list_rules: Annotated[bool, typer.Option("--rules", help="Print the rules.")] = False,
    format_: Annotated[
        FindingFormat,
        typer.Option(
            "--format",
            help="text for people; json; sarif (2.1.0) for code scanning and editors; github for the annotations of a workflow.",
        ),
    ] = FindingFormat.TEXT,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Find what will not work in the cloud, before a deployment.

    The exit code is 1 if there is an error, and 0 if there are only warnings.
    """
    from fc_callback.checking import RULES, check_project

    if as_json and format_ not in {FindingFormat.TEXT, FindingFormat.JSON}:
        raise typer.BadParameter(f"--json and --format {format_.value} exclude each other.")
    chosen = FindingFormat.JSON if as_json else format_
    if list_rules:
        for rule in RULES.values():
            listed = f"{rule.name:<22} {rule.severity:<8} {rule.summary}"
            typer.echo(json.dumps(attrs.asdict(rule)) if chosen is FindingFormat.JSON else listed)
        return
    try:
        findings = check_project(directory, ignore=ignore or (), imports=imports)
    except FcCallbackError as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(2) from None
    _print_findings(findings, directory, chosen)
    raise typer.Exit(1 if any(finding.severity == "error" for finding in findings) else 0)


def _print_findings(findings: list[Finding], directory: Path, chosen: FindingFormat) -> None:
    from fc_callback.checking import formats

    if chosen is FindingFormat.TEXT:
        _show(findings)
    elif chosen is FindingFormat.JSON:
        typer.echo(formats.as_json(findings))
    elif chosen is FindingFormat.SARIF:
        typer.echo(formats.as_sarif(findings, directory))
    elif findings:
        typer.echo(formats.as_github(findings, directory))


def _show(findings: list[Finding]) -> None:
    counts = Counter(finding.severity for finding in findings)
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
