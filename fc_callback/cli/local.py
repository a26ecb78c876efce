"""`fc-callback local`: the local CloudFlow by itself, until Ctrl-C."""

from __future__ import annotations

import json
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fc_callback.cli.signals import EndSignals
from fc_callback.errors import FcCallbackError

if TYPE_CHECKING:
    from fc_callback.local import LocalCloudFlow
    from fc_callback.runtime import FunctionSpec

# A signal that arrives a moment before a wait begins is acted upon when the wait ends, so no wait is long.
_LOOK_SECONDS = 0.2


def command(
    port: Annotated[int, typer.Option(help="Where to listen on 127.0.0.1; 0 for a free port.")] = 8089,
    database: Annotated[
        Path | None, typer.Option(help="The SQLite file that keeps flows and executions; by default nothing is kept.")
    ] = None,
    function: Annotated[
        list[str] | None,
        typer.Option(
            "--function",
            "-f",
            help="A function that flows may call, as name=code/dir:module.handler; may be given several times.",
        ),
    ] = None,
    flow: Annotated[
        list[str] | None,
        typer.Option("--flow", help="A flow to create, as name=definition.yaml; may be given several times."),
    ] = None,
    runtime: Annotated[
        str, typer.Option(help="The functions' runtime: python3.10, python3.12 or custom.")
    ] = "python3.10",
    quota: Annotated[bool, typer.Option("--quota", help="Hold callers to the documented quotas.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the environment as one line of JSON.")] = False,
) -> None:
    """Run a CloudFlow on this machine, and say what to export to talk to it."""
    from fc_callback.local import ApiError, LocalCloudFlow

    try:
        functions = [function_spec(text, runtime=runtime) for text in function or ()]
        service = LocalCloudFlow(database=database, port=port, functions=functions, quota=quota)
        with EndSignals() as signals, service:
            for text in flow or ():
                name, file = _pair(text, "--flow", "name=definition.yaml")
                service.create_flow(name, Path(file).read_text(encoding="utf-8"), replace=True)
            shown = _Shown(service)  # before a client can start an execution: what exists by now is not shown
            _announce(service, as_json=as_json)
            while not signals.first:
                shown.look()
                time.sleep(_LOOK_SECONDS)
    except (FcCallbackError, ApiError, OSError) as error:
        typer.echo(f"fc-callback local: {error}", err=True)
        raise typer.Exit(1) from None


class _Shown:
    """What functions write, passed on to standard error when an invocation has ended."""

    def __init__(self, service: LocalCloudFlow) -> None:
        self._service = service
        self._ended: set[tuple[str, int]] = {(one.request_id, one.retry_count) for one in service.invocations()}
        self._written: dict[str, int] = {}

    def look(self) -> None:
        """Write what has come since the last look."""
        for one in self._service.invocations():
            key = (one.request_id, one.retry_count)
            if key in self._ended or not one.log or one.status == "running":
                continue
            self._ended.add(key)
            # The log is of all the tries of an event: what an earlier look has written stays out.
            log = one.log[self._written.get(one.request_id, 0) :]
            self._written[one.request_id] = len(one.log)
            for line in log.splitlines():
                typer.echo(f"[{one.function}] {line}", err=True)


def function_spec(text: str, *, runtime: str) -> FunctionSpec:
    """Read `name=code/dir:module.handler`.

    Raises:
        typer.BadParameter: It is not of this form, or there is no such directory.
    """
    from fc_callback.runtime import FunctionSpec

    name, rest = _pair(text, "--function", "name=code/dir:module.handler")
    folder, colon, handler = rest.rpartition(":")
    if not colon or not Path(folder).is_dir():
        raise typer.BadParameter(f"{text!r}: there is no directory {folder!r}. Write name=code/dir:module.handler.")
    return FunctionSpec(name=name, handler=handler, code_dir=Path(folder).resolve(), runtime=runtime)


def _pair(text: str, option: str, form: str) -> tuple[str, str]:
    name, equals, rest = text.partition("=")
    if not (name and equals and rest):
        raise typer.BadParameter(f"{option} {text!r} is not of the form {form}.")
    return name, rest


def _announce(service: LocalCloudFlow, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(service.environment))
        return
    typer.echo(f"The local CloudFlow listens at {service.endpoint} (account {service.account_id}).")
    if service.functions:
        typer.echo(f"Functions: {', '.join(service.functions)}; what they write comes here.")
    typer.echo("\nTo talk to it from another terminal:\n")
    for name, value in service.environment.items():
        typer.echo(f"  export {name}={shlex.quote(value)}")
    typer.echo("\nThe key is of this local service alone. Ctrl-C ends it.")
