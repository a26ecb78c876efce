"""`fc-callback new`: create a project from a template."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from fc_callback.errors import FcCallbackError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.scaffolding import ProjectTemplate


def command(
    template: Annotated[
        str | None, typer.Argument(help="A name from --list, or the path of your own template folder.")
    ] = None,
    directory: Annotated[Path | None, typer.Argument(help="The project's directory: new or empty.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A value for the template; repeat it for more values."),
    ] = None,
    defaults: Annotated[
        bool, typer.Option("--defaults", "-y", help="Do not ask: use the defaults for all other values.")
    ] = False,
    fc_callback: Annotated[
        str | None,
        typer.Option(
            "--fc-callback",
            metavar="PATH",
            help="A wheel or a source tree, which becomes a wheel in code/wheels, or a URL: used instead of the released "
            "package.",
        ),
    ] = None,
    list_templates: Annotated[bool, typer.Option("--list", help="Print the templates and their parameters.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --list: print JSON.")] = False,
) -> None:
    """Create a project from a template.

    On a terminal it asks for missing values. Without a terminal it uses the defaults of values that --set does not give.
    """
    from fc_callback.scaffolding import SAMPLE_ACCOUNT, find_template, render_template
    from fc_callback.scaffolding.rendering import require_room

    asks = sys.stdin.isatty() and sys.stdout.isatty() and not defaults
    try:
        if list_templates:
            _show_templates(as_json=as_json)
            return
        chosen = find_template(_given_or_asked("TEMPLATE", template, asks=asks, ask=_ask_template))
        target = Path(_given_or_asked("DIR", directory, asks=asks, ask=lambda: str(typer.prompt("Directory"))))
        require_room(target)
        values = _template_values(chosen, settings or [], asks=asks)
        render_template(chosen.folder, target, values, fc_callback_requirement=fc_callback)
    except FcCallbackError as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(2) from None  # the template, a value or the directory is wrong
    _print_next_steps(target)
    if chosen.values(values).get("accountId") == SAMPLE_ACCOUNT:
        typer.echo(f"The account {SAMPLE_ACCOUNT} is a sample: set your own before you deploy (--set accountId=...).")


def _given_or_asked(name: str, given: object, *, asks: bool, ask: Callable[[], str]) -> str:
    if given is not None:
        return str(given)
    if asks:
        return ask()
    typer.secho(
        f"{name} is missing. Usage: fc-callback new TEMPLATE DIR [--set NAME=VALUE]. To see the templates: fc-callback new --list",
        fg="red",
        err=True,
    )
    raise typer.Exit(2)


def _ask_template() -> str:
    from fc_callback.scaffolding import find_template, template_names

    names = template_names()
    for number, name in enumerate(names, 1):
        typer.echo(f"  {number}  {name:<18} {find_template(name).description}")
    while True:
        answer: str = typer.prompt("Template", default="event-callback")
        if answer.isdecimal() and 1 <= int(answer) <= len(names):
            return names[int(answer) - 1]
        if answer in names or Path(answer).is_dir():
            return answer
        typer.echo(f"There is no template {answer!r}: enter a number, a name or a folder.")


def _template_values(template: ProjectTemplate, settings: list[str], *, asks: bool) -> dict[str, str]:
    from fc_callback.scaffolding import TemplateError

    values: dict[str, str] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise TemplateError(f"--set {setting} has no value.", hint="Write --set NAME=VALUE.")
        values[name.strip()] = value
    if not asks:
        return values
    template.check(values)
    for parameter in template.parameters:
        while parameter.name not in values:
            shown = f"{parameter.title} ({parameter.description})" if parameter.description else parameter.title
            answer = typer.prompt(shown, default=parameter.default)
            try:
                values[parameter.name] = parameter.check(answer)
            except TemplateError as error:
                typer.secho(str(error), fg="red")
    return values


def _show_templates(*, as_json: bool) -> None:
    from fc_callback.scaffolding import find_template, template_names

    templates = [find_template(name) for name in template_names()]
    if as_json:
        listed = [
            {
                "name": one.name,
                "description": one.description,
                "parameters": [
                    {"name": each.name, "description": each.description, "default": each.default}
                    for each in one.parameters
                ],
            }
            for one in templates
        ]
        typer.echo(json.dumps(listed, indent=2))
        return
    table = Table(box=None, pad_edge=False)
    for column in ("template", "description", "--set"):
        table.add_column(column, overflow="fold")
    for one in templates:
        table.add_row(one.name, one.description, ", ".join(parameter.name for parameter in one.parameters))
    Console().print(table)


def _print_next_steps(target: Path) -> None:
    typer.secho(f"The project is in {target}.", fg="green")
    typer.echo("Next:")
    for line in (
        f"cd {target}",
        "python -m pip install -r requirements-dev.txt",
        "python -m pytest",
        "fc-callback check",
    ):
        typer.echo(f"  {line}")
    typer.echo("README.md describes every further step up to the deployed function.")
