"""`fc-callback report`: finish one task by hand."""

from __future__ import annotations

import json
import sys
from getpass import getpass
from pathlib import Path
from typing import Annotated

import typer

from fc_callback.errors import FcCallbackError
from fc_callback.values.token import TaskToken


def command(
    output: Annotated[
        str | None, typer.Option(help="Complete the task with this Output: a JSON object, or @FILE.", show_default="{}")
    ] = None,
    error: Annotated[
        str | None, typer.Option(help="Fail the task with this name instead: what the flow's Catch sees.")
    ] = None,
    cause: Annotated[str, typer.Option(help="With --error: what happened, for people.")] = "",
    token: Annotated[
        str | None,
        typer.Option(
            help="The task token. Other users of this machine can see it here. Without this option, the command asks for it."
        ),
    ] = None,
    sealed: Annotated[bool, typer.Option("--sealed", help="The token is sealed; CLOUDFLOW_SEAL_KEY opens it.")] = False,
    region: Annotated[str | None, typer.Option(help="The flow's region.", show_default="CLOUDFLOW_REGION")] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="CloudFlow's endpoint.", show_default="CLOUDFLOW_ENDPOINT")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one line of JSON.")] = False,
) -> None:
    """Complete or fail one waiting task. The token is read from standard input or a prompt."""
    if error is not None and output is not None:
        raise typer.BadParameter("--output and --error exclude each other: give one of them.")
    if cause and error is None:
        raise typer.BadParameter("--cause needs --error.")
    from fc_callback.cloudflow.client import CloudFlowClient

    try:
        task_token = _task_token(token or _read_token(), sealed=sealed)
        client = CloudFlowClient(region=region, endpoint=endpoint or "", already_completed="raise")
        if error is not None:
            result = client.report_task_failed(task_token, error, cause)
        else:
            result = client.report_task_succeeded(task_token, _output_text(output))
    except (FcCallbackError, ValueError, OSError) as problem:
        typer.echo(f"fc-callback report: {problem}", err=True)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps(vars(result)))
        return
    what = f"failed as {error}" if error is not None else "succeeded"
    typer.echo(f"{task_token} is reported as {what} (EventId {result.event_id}, RequestId {result.request_id}).")


def _read_token() -> str:
    given = getpass("Task token (not shown): ") if sys.stdin.isatty() else sys.stdin.readline()
    if not given.strip():
        raise typer.BadParameter("There is no token. Pass it on standard input: fc-callback report < token.txt")
    return given.strip()


def _task_token(text: str, *, sealed: bool) -> TaskToken:
    if not sealed:
        return TaskToken(text)
    from fc_callback.sealing import TokenSeal

    return TokenSeal().open(text)


def _output_text(output: str | None) -> str:
    """Return the Output's text.

    Raises:
        typer.BadParameter: The text is no JSON object.
    """
    if output is None:
        return "{}"
    if output.startswith("@"):
        output = Path(output[1:]).read_text(encoding="utf-8")
    try:
        document = json.loads(output)
    except ValueError as problem:
        raise typer.BadParameter(f"--output is not JSON: {problem}.") from None
    if not isinstance(document, dict):
        raise typer.BadParameter('--output must be a JSON object, such as {"approved": true}.')
    return output
