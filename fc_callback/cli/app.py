"""The list of commands; the code of each is in the file of its name."""

from __future__ import annotations

from typing import Annotated, Any

import typer
import typer.core

from fc_callback import __version__
from fc_callback.cli import add, build, check, demo, flow, invoke, local, new, redeliver, report, schema, serve
from fc_callback.cli.signals import leaving_blocks
from fc_callback.redaction import mask_secrets

_UsageError: Any = typer.BadParameter.__base__  # of Click, or of the copy of Click in newer versions of Typer


class _Commands(typer.core.TyperGroup):
    """Masks secrets in usage errors: a user may have passed a token in the wrong place, and CI keeps its output.

    The list of commands has the whole first sentence of each. Click would cut it.
    """

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands."""
        for command in self.commands.values():
            command.short_help = command.short_help or " ".join((command.help or "").partition("\n\n")[0].split())
        super().format_commands(ctx, formatter)

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            with leaving_blocks():
                return super().invoke(ctx)
        except _UsageError as error:
            error.message = mask_secrets(error.message)
            raise


app = typer.Typer(
    name="fc-callback",
    cls=_Commands,
    help="Write, run and finish CloudFlow callback tasks on Alibaba Cloud Function Compute.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("demo")(demo.command)
app.command("local")(local.command)
app.command("invoke")(invoke.command)
app.add_typer(flow.app, name="flow")
app.command("report")(report.command)
app.command("redeliver")(redeliver.command)
app.command("new")(new.command)
app.command("add")(add.command)
app.command("check")(check.command)
app.command("build")(build.command)
app.command("schema")(schema.command)


@app.command("serve", context_settings={"ignore_unknown_options": True, "help_option_names": []})
def _serve(arguments: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Serve a handler over HTTP, for custom runtimes and custom containers."""
    # `fc_callback.cli.main` calls it without Typer; this entry is for the list of commands.
    raise typer.Exit(serve.main(arguments or []))


def _show_version(value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    pass
