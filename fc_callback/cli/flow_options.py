"""What the commands of `fc-callback flow` share: their options, the opened service, and JSON that is given."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fc_callback.errors import FcCallbackError, SettingsError
from fc_callback.redaction import mask_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fc_callback.cli.flow_calls import FlowCalls

Region = Annotated[str | None, typer.Option(help="The flow's region.", show_default="CLOUDFLOW_REGION")]
Endpoint = Annotated[str | None, typer.Option(help="CloudFlow's endpoint.", show_default="CLOUDFLOW_ENDPOINT")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
ExecutionName = Annotated[
    str, typer.Argument(metavar="EXECUTION", help="FLOW/NAME, or NAME alone if one flow has it.", show_default=False)
]
Input = Annotated[
    str | None, typer.Option("--input", help="A JSON object, @FILE, or - for standard input.", show_default=False)
]
NewName = Annotated[str, typer.Option("--name", help="The new execution's name.", show_default="a UUID")]
Follow = Annotated[
    bool, typer.Option("--follow", help="Show the events until the end. The exit code is 1 unless it succeeds.")
]


@contextlib.contextmanager
def opened(region: str | None, endpoint: str | None) -> Iterator[FlowCalls]:
    """Yield the service's calls; print an error of this package, and exit with 2 for a wrong setting and 1 otherwise."""
    from fc_callback.cli.flow_calls import FlowCalls

    with errors_shown():
        yield FlowCalls.open(region, endpoint)


@contextlib.contextmanager
def errors_shown() -> Iterator[None]:
    """Print an error of this package or of a file, and exit with 2 for a wrong setting and 1 otherwise."""
    try:
        yield
    except BrokenPipeError:  # the reader of the pipe has seen enough
        raise
    except (FcCallbackError, OSError) as error:
        typer.echo(f"fc-callback flow: {mask_secrets(str(error))}", err=True)
        raise typer.Exit(2 if isinstance(error, SettingsError) else 1) from None


def read_object(option: str, text: str | None) -> dict[str, Any]:
    """Return the JSON object that an option gives as a text, `@FILE` or `-`; an empty one for None.

    Raises:
        typer.BadParameter: It gives anything else, or the file cannot be read.
    """
    if text is None:
        return {}
    try:
        if text == "-":
            text = sys.stdin.read()
        elif text.startswith("@"):
            text = Path(text[1:]).read_text(encoding="utf-8")
        document = json.loads(text)
    except (OSError, ValueError) as problem:
        raise typer.BadParameter(f"{option} is not JSON: {problem}.") from None
    if not isinstance(document, dict):
        raise typer.BadParameter(f'{option} must be a JSON object, such as {{"orderId": "o-1"}}.')
    return document
