"""`fc-callback local`: run a local CloudFlow until Ctrl-C."""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from fc_callback.cli.function_errors import print_log
from fc_callback.cli.local_events import EventLines
from fc_callback.cli.signals import EndSignals
from fc_callback.cli.usage import LOG_VARIABLE, LogForm, fail, text_of_file
from fc_callback.errors import FcCallbackError

if TYPE_CHECKING:
    from fc_callback.local import LocalCloudFlow
    from fc_callback.runtime import FunctionSpec

# Logs and events come from two threads; what belongs together stands together.
_PRINTING = threading.RLock()


def command(
    port: Annotated[int, typer.Option(help="The port on 127.0.0.1; 0 for a free one.")] = 8089,
    database: Annotated[
        Path | None, typer.Option(help="An SQLite file that keeps flows and executions. By default nothing is kept.")
    ] = None,
    function: Annotated[
        list[str] | None,
        typer.Option(
            "--function",
            "-f",
            help="A function that flows may call, as name=code/dir:module.handler; may be repeated.",
        ),
    ] = None,
    flow: Annotated[
        list[str] | None,
        typer.Option("--flow", help="A flow to create, as name=definition.yaml; may be repeated."),
    ] = None,
    runtime: Annotated[
        str, typer.Option(help="The functions' runtime: python3.10, python3.12 or custom.")
    ] = "python3.10",
    log: Annotated[
        LogForm | None, typer.Option(help="The form of `Logger` in the functions.", show_default="json")
    ] = None,
    quota: Annotated[bool, typer.Option("--quota", help="Enforce the documented quotas of calls.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the environment as one line of JSON.")] = False,
) -> None:
    """Run a local CloudFlow, and print the variables that connect other programs to it.

    Without --function and --flow it runs the project around it: the functions, MNS triggers and flows of the s.yaml in this
    folder or in the nearest one above. Edits take effect at once.
    """
    from fc_callback.local import ApiError, LocalCloudFlow
    from fc_callback.workspace import Workspace, find_manifest

    try:
        functions = [function_spec(text, runtime=runtime, log=log) for text in function or ()]
        service = LocalCloudFlow(database=database, port=port, functions=functions, quota=quota)
        manifest = None if function or flow else find_manifest(Path())
        lines = EventLines()
        with EndSignals() as signals, service, contextlib.ExitStack() as stack:
            service.add_log_listener(_print_log)
            service.add_event_listener(lambda told: _print_line(lines.line_of(told)))
            for text in flow or ():
                name, file = _name_and_value(text, "--flow", "name=definition.yaml")
                service.create_flow(name, text_of_file("--flow", file), replace=True)
            project = stack.enter_context(Workspace(service, manifest, say=_print_line)) if manifest else None
            _print_environment(service, project.summary() if project else [], as_json=as_json)
            signals.wait()
    except (FcCallbackError, ApiError, OSError) as error:
        fail("local", error)


def _print_log(function: str, log: str) -> None:
    with _PRINTING, contextlib.suppress(OSError):  # the terminal is gone; the invocation goes on
        if sys.stderr.isatty():
            print_log(Console(stderr=True), log, prefix=f"[{function}] ")
            return
    _print_line("\n".join(f"[{function}] {line}" for line in log.splitlines()))


def _print_line(text: str | None) -> None:
    with _PRINTING, contextlib.suppress(OSError):  # the terminal is gone; the execution goes on
        if text is not None:
            typer.echo(text, err=True)


def function_spec(text: str, *, runtime: str, log: LogForm | None = None) -> FunctionSpec:
    """Read `name=code/dir:module.handler`.

    Raises:
        typer.BadParameter: The text has another form, or the directory does not exist.
    """
    from fc_callback.runtime import FunctionSpec

    name, rest = _name_and_value(text, "--function", "name=code/dir:module.handler")
    folder, colon, handler = rest.rpartition(":")
    if not colon or not Path(folder).is_dir():
        raise typer.BadParameter(
            f"{text!r}: the directory {folder!r} does not exist. Write name=code/dir:module.handler."
        )
    environment = {LOG_VARIABLE: log.value} if log else {}
    return FunctionSpec(
        name=name, handler=handler, code_dir=Path(folder).resolve(), runtime=runtime, environment=environment
    )


def _name_and_value(text: str, option: str, form: str) -> tuple[str, str]:
    name, equals, rest = text.partition("=")
    if not (name and equals and rest):
        raise typer.BadParameter(f"{option} {text!r} does not have the form {form}.")
    return name, rest


def _print_environment(service: LocalCloudFlow, about_project: list[str], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(service.environment))
        return
    typer.echo(f"The local CloudFlow listens at {service.endpoint} (account {service.account_id}).")
    typer.echo(f"Its console page, in a browser: {service.endpoint}/console/")
    if service.functions:
        typer.echo(
            f"Functions: {', '.join(service.functions)}. Their logs and the events of executions are printed here."
        )
    for line in about_project:
        typer.echo(line)
    typer.echo("\nTo use it in another terminal:\n")
    for name, value in service.environment.items():
        typer.echo(f"  export {name}={shlex.quote(value)}")
    typer.echo("\nThe key is valid for this local service only. Press Ctrl-C to stop.")
