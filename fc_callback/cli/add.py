"""`fc-callback add`: make a function of an existing project a task."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fc_callback.cli.usage import FAILED, USAGE
from fc_callback.errors import FcCallbackError

if TYPE_CHECKING:
    from fc_callback.scaffolding import Addition

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def command(
    directory: Annotated[Path, typer.Argument(help="The directory of s.yaml.", exists=True, file_okay=False)] = Path(),
    function: Annotated[
        str | None, typer.Option("--function", metavar="NAME", help="The function, if s.yaml has several.")
    ] = None,
    role: Annotated[
        str | None,
        typer.Option("--role", metavar="ARN", help="The function's role: acs:ram::<account id>:role/<name>."),
    ] = None,
    fc_callback: Annotated[
        str | None,
        typer.Option(
            "--fc-callback",
            metavar="PATH",
            help="A wheel, a source tree or a URL for the requirement, instead of the released package.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask: write the changes.")] = False,
) -> None:
    """Make a function of an existing project a task.

    It shows all changes as a diff and asks before it writes them. s.yaml as it was stays in s.yaml.orig. The exit code is 1
    if a step is left for you, and 2 if nothing can be added.
    """
    from fc_callback.scaffolding import plan_addition

    asks = sys.stdin.isatty() and sys.stdout.isatty()
    try:
        name = function or _asked_function(directory, asks=asks)
        addition = plan_addition(directory, function=name, role=role, fc_callback=fc_callback)
        _show(addition)
        if addition.changes:
            _require_consent(yes=yes, asks=asks)
            addition.write()
            _show_written(addition)
    except FcCallbackError as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(USAGE) from None  # the project, the function or an option is wrong
    if addition.steps:
        raise typer.Exit(FAILED)


def _asked_function(directory: Path, *, asks: bool) -> str | None:
    from fc_callback.scaffolding import task_candidates

    functions = task_candidates(directory)
    if not asks or len(functions) == 1:
        return None
    for number, one in enumerate(functions, 1):
        typer.echo(f"  {number}  {one.key:<18} {one.name} ({one.runtime})")
    while True:
        answer: str = typer.prompt("Function")
        if answer.isdecimal() and 1 <= int(answer) <= len(functions):
            return functions[int(answer) - 1].key
        if answer in {name for one in functions for name in (one.key, one.name)}:
            return answer
        typer.echo(f"There is no function {answer!r}: enter a number or a name.")


def _require_consent(*, yes: bool, asks: bool) -> None:
    if yes:
        return
    if not asks:
        typer.secho("Nothing was written: there is no terminal to ask at. Add --yes to write the changes.", err=True)
        raise typer.Exit(USAGE)
    if not typer.confirm("Write these changes?"):
        typer.echo("Nothing was written.")
        raise typer.Exit(FAILED)


def _show(addition: Addition) -> None:
    for change in addition.changes:
        for line in change.diff():
            typer.secho(line, fg=_COLOURS.get(line[:1]), bold=line.startswith(("---", "+++")))
        typer.echo()
    if addition.steps:
        typer.secho("By hand:", bold=True)
    for step in addition.steps:
        typer.echo(f"  {step.file}: {step.what}")
        typer.echo(f"    It is not done for you, because {step.reason}.")
        for line in step.lines:
            typer.echo(f"      {line}".rstrip())
    if addition.decisions:
        typer.secho("You decide:", bold=True)
    for decision in addition.decisions:
        typer.echo(f"  {decision}")
    if not addition.changes:
        typer.secho(f"Nothing to write: {addition.function} has what can be added.", fg="green")


def _show_written(addition: Addition) -> None:
    names = [change.name for change in addition.changes]
    typer.secho(f"Written: {', '.join(names)}.", fg="green")
    for backup in addition.backups:
        typer.echo(f"The manifest as it was is in {backup.name}.")
    typer.echo("Next:")
    for name in names:
        if name.startswith("flows/"):
            typer.echo(f"  {name}: add what the function reads from its event")
    typer.echo("  RAM: give the function's role the policy and the trust in policies/")
    typer.echo("  fc-callback check")
