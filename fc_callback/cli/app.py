"""The commands, each in a file of its own name."""

from __future__ import annotations

import typer

from fc_callback import __version__
from fc_callback.cli import demo, local, new

app = typer.Typer(
    name="fc-callback",
    help="Write, run and finish CloudFlow callback tasks on Alibaba Cloud Function Compute.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("demo")(demo.command)
app.command("local")(local.command)
app.command("new")(new.command)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    pass
