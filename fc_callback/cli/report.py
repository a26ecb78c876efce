"""`fc-callback report`: finish one task by hand."""

from __future__ import annotations

import json
import logging
import sys
from contextlib import contextmanager
from datetime import datetime, timedelta
from getpass import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from fc_callback.cli.usage import checked_text, fail, text_of
from fc_callback.cloudflow.delivery import RETRIES_LOGGER
from fc_callback.errors import FcCallbackError, ReportUndelivered
from fc_callback.values.token import TaskToken

if TYPE_CHECKING:
    from collections.abc import Iterator

# A person waits for the end of the command. A script gets the time of a report without a deadline.
_SECONDS_AT_TERMINAL = 10.0


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
    from fc_callback.cloudflow.retry import RetryPolicy

    try:
        task_token = _task_token(token or _read_token(), sealed=sealed)
        policy = RetryPolicy(total_seconds=_SECONDS_AT_TERMINAL) if sys.stderr.isatty() else RetryPolicy()
        client = CloudFlowClient(region=region, endpoint=endpoint or "", already_completed="raise", retry=policy)
        with _first_retry_told(policy.total_seconds):
            if error is not None:
                result = client.report_task_failed(
                    task_token, checked_text("--error", error), checked_text("--cause", cause)
                )
            else:
                result = client.report_task_succeeded(task_token, _output_text(output))
    except ReportUndelivered as problem:
        fail("report", _for_person(problem))
    except (FcCallbackError, ValueError, OSError) as problem:
        fail("report", problem)
    if as_json:
        typer.echo(json.dumps(vars(result)))
        return
    what = f"failed as {error}" if error is not None else "succeeded"
    typer.echo(f"{task_token} is reported as {what} (EventId {result.event_id}, RequestId {result.request_id}).")


class _FirstRetry(logging.Handler):
    """Prints the first record about a repeated call, and until when the command continues."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._until = datetime.now() + timedelta(seconds=seconds)  # noqa: DTZ005 - shown in the person's time zone
        self._is_told = False

    def emit(self, record: logging.LogRecord) -> None:
        if not self._is_told:
            self._is_told = True
            until = f"The command tries again until {self._until:%H:%M:%S}. Ctrl-C ends it."
            typer.echo(f"fc-callback report: {record.getMessage()} {until}", err=True)


@contextmanager
def _first_retry_told(seconds: float) -> Iterator[None]:
    logger, handler = logging.getLogger(RETRIES_LOGGER), _FirstRetry(seconds)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def _for_person(problem: ReportUndelivered) -> FcCallbackError:
    """Return the error with the hint of its last call. Its own hint is for a function, whose event FC delivers again."""
    hint = "" if problem.last_error is None else problem.last_error.hint
    if problem.ambiguous:
        hint = f"{hint} The service may have taken the report: run the command again, and it says so.".strip()
    return FcCallbackError(str(problem.args[0]), hint=hint)


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
        SettingsError: The text cannot be read.
    """
    if output is None:
        return "{}"
    output = text_of("--output", output)
    try:
        document = json.loads(output)
    except ValueError as problem:
        raise typer.BadParameter(f"--output is not JSON: {problem}.") from None
    if not isinstance(document, dict):
        raise typer.BadParameter('--output must be a JSON object, such as {"approved": true}.')
    return output
