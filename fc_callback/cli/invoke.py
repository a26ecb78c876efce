"""`fc-callback invoke`: run a handler as FC does, in its own process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import typer

from fc_callback.cli.debugging import debugged
from fc_callback.cli.event_source import EventSource, triggers
from fc_callback.cli.remote import RemoteTask, start_remote_task
from fc_callback.cli.signals import EndSignals
from fc_callback.cli.usage import FAILED, LOG_VARIABLE, LogForm, fail
from fc_callback.errors import FcCallbackError, SettingsError
from fc_callback.redaction import mask_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fc_callback.runtime import FunctionSpec, InvocationResult
    from fc_callback.testing import WaitingTask
    from fc_callback.values.context import Credentials

_TIMED_OUT = 143  # as FC's own runtime exits
_WATCH_SECONDS = 0.3


def command(  # noqa: PLR0917 - Typer passes them by name
    handler: Annotated[
        str | None, typer.Argument(help="module.function or dir/module.function.", show_default="s.yaml, index.handler")
    ] = None,
    code_dir: Annotated[
        Path | None, typer.Option(help="The code directory, which FC unpacks at /code.", show_default="s.yaml, .")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="An s.yaml; options given here take precedence over it.")] = None,
    resource: Annotated[str | None, typer.Option(help="With --config: the resource of the function.")] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            help="The runtime: python3.10, python3.12, custom, custom.debian10, custom.debian11, custom.debian12 or "
            "custom-container.",
            show_default="s.yaml, python3.12",
        ),
    ] = None,
    event: Annotated[
        str,
        typer.Option(
            help="The trigger whose event format is used: direct, http, mns-topic, oss, ...; `list` shows all."
        ),
    ] = "direct",
    payload: Annotated[
        str | None, typer.Option(help="The event's payload: JSON, any text, @FILE, or - for standard input.")
    ] = None,
    event_file: Annotated[
        Path | None, typer.Option(help="A file with the whole event, used unchanged; - for standard input.")
    ] = None,
    replay: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="The event, with a new task, is the Nth last one that the `fc-callback local` at CLOUDFLOW_ENDPOINT gave a "
            "function: 1 is the last.",
        ),
    ] = None,
    initializer: Annotated[str | None, typer.Option(help="The initializer hook, like index.initialize.")] = None,
    pre_stop: Annotated[str | None, typer.Option(help="The PreStop hook, which runs before the process ends.")] = None,
    timeout: Annotated[
        float | None, typer.Option(help="The function's timeout in seconds.", show_default="s.yaml, 60")
    ] = None,
    memory: Annotated[int | None, typer.Option(help="The function's memory in MB.", show_default="s.yaml, 512")] = None,
    limit_memory: Annotated[
        bool, typer.Option("--limit-memory", help="Limit the process's address space to the memory, if the system can.")
    ] = False,
    environment: Annotated[
        list[str] | None,
        typer.Option(
            "--env",
            metavar="NAME[=VALUE]",
            help="An environment variable of the function; may be repeated. NAME alone takes the value of this shell.",
        ),
    ] = None,
    python: Annotated[
        str, typer.Option(help="The Python interpreter that runs the function.", show_default="this one")
    ] = sys.executable,
    log: Annotated[
        LogForm | None, typer.Option(help="The form of `Logger` in the function.", show_default="json")
    ] = None,
    debugpy: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            min=1,
            max=65535,
            help="Wait for a debugger at this port on 127.0.0.1 before the function is loaded. Nothing times out then.",
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Run again after each change of the code, until Ctrl-C.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result and the log as one line of JSON.")] = False,
) -> None:
    """Run a handler as FC does, without Docker. The result goes to standard output, the log to standard error.

    The event carries the token of a task that waits for its report: on a temporary local CloudFlow, or, if
    CLOUDFLOW_ENDPOINT is set, on the `fc-callback local` at that address. Exit codes: 1 if the function fails, 143 if it
    times out, 2 for wrong usage; 130, 143 or 129 if Ctrl-C, SIGTERM or SIGHUP ends the command and the function.
    """
    if event == "list":
        typer.echo("\n".join(triggers()))
        return
    given = {
        "handler": handler,
        "code_dir": code_dir,
        "runtime": profile,
        "initializer": initializer,
        "pre_stop": pre_stop,
        "timeout_seconds": timeout,
        "memory_mb": memory,
        "limit_memory": limit_memory,
        "python": python,
    }
    try:
        variables = {**({LOG_VARIABLE: log.value} if log else {}), **_variables(environment or [])}
        spec = _spec(config, resource, given, variables)
        if debugpy is not None:
            spec = debugged(spec, debugpy)
            typer.echo(f"debugpy waits for a debugger at 127.0.0.1:{debugpy}.", err=True)
        endpoint = {**os.environ, **variables}.get("CLOUDFLOW_ENDPOINT")
        temporary = not endpoint
        if replay is not None:
            source = EventSource.replay(replay, endpoint, is_alone=payload is None and event_file is None)
        else:
            source = EventSource.read(event, payload, event_file)
        with EndSignals() as signals:

            def run() -> int:
                return _invoke(spec, source, signals, temporary=temporary, as_json=as_json)

            code = _watch(spec.code_dir, signals, run, quiet=as_json) if watch else run()
    except (FcCallbackError, OSError) as error:
        fail("invoke", error)
    raise typer.Exit(code)


def _variables(texts: list[str]) -> dict[str, str]:
    """Return the variables of --env. A value of the shell does not appear in a list of processes."""
    variables = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name:
            raise SettingsError("--env has no name of a variable.", hint="Write --env NAME=VALUE or --env NAME.")
        if not equals and name not in os.environ:
            raise SettingsError(
                f"--env {name} has no value.", hint=f"Write --env {name}=VALUE, or export {name} before."
            )
        variables[name] = value if equals else os.environ[name]
    return variables


def _spec(
    config: Path | None, resource: str | None, given: dict[str, Any], environment: dict[str, str]
) -> FunctionSpec:
    from fc_callback.runtime import FunctionSpec

    found: dict[str, Any] = {"name": "function", "code_dir": Path(), "runtime": "python3.12"}
    if config is not None:
        from fc_callback.project.function_options import function_options

        found |= function_options(config, resource, code_dir=given["code_dir"])
    elif resource is not None:
        raise SettingsError("--resource needs an s.yaml.", hint="Add --config s.yaml.")
    found |= {name: value for name, value in given.items() if value is not None}
    # The CLOUDFLOW_* variables of the shell apply: `fc-callback local` prints them for export.
    from_shell = {name: value for name, value in os.environ.items() if name.startswith("CLOUDFLOW_")}
    found["environment"] = {**found.get("environment", {}), **from_shell, **environment}
    if not Path(found["code_dir"]).is_dir():
        raise SettingsError(f"There is no directory {found['code_dir']}.", hint="Name it with --code-dir.")
    return FunctionSpec(**found)


@contextlib.contextmanager
def _open_cloudflow(
    spec: FunctionSpec, source: EventSource, *, temporary: bool
) -> Iterator[tuple[FunctionSpec, Credentials | None, WaitingTask | RemoteTask | None]]:
    """Yield the function with a CloudFlow to report to: a temporary one, or the one that CLOUDFLOW_ENDPOINT names."""
    from fc_callback.values.context import Credentials

    if not temporary:
        endpoint, credentials = spec.environment["CLOUDFLOW_ENDPOINT"], Credentials.from_environment()
        remote, why_not = start_remote_task(endpoint, credentials, source.new_payload)
        if why_not:
            typer.echo(f"fc-callback invoke: no task was started, so the event has no token: {why_not}", err=True)
        yield spec, credentials, remote
        return
    from fc_callback.testing import TaskCloudFlow

    with TaskCloudFlow(region=spec.region) as service:
        task = None if source.new_payload is None else service.new_task(source.new_payload)
        environment = {**spec.environment, "CLOUDFLOW_ENDPOINT": service.endpoint}
        yield attrs.evolve(spec, environment=environment), service.session(), task


def _invoke(spec: FunctionSpec, source: EventSource, signals: EndSignals, *, temporary: bool, as_json: bool) -> int:
    from fc_callback.runtime import FunctionInstance

    with _open_cloudflow(spec, source, temporary=temporary) as (reporting, credentials, task):
        event = source.build(task)
        with FunctionInstance(reporting) as instance:
            result = signals.run(lambda: instance.invoke(event, credentials=credentials), stop=instance.close)
        mask = partial(mask_secrets, also=_secrets_of(credentials, task))
        log = mask(result.log)
        if signals.first:
            _show_end(signals, log)
            return signals.exit_code
        ended = None if task is None else str(task)
        if as_json:
            _show_json(result, log, ended)
        elif sys.stdout.isatty():
            _show_to_person(result, log, ended, mask)
        else:
            _show_result(result, log, ended)
    if result.error_type == "FunctionTimeout":
        return _TIMED_OUT
    return 0 if result.ok else FAILED


def _secrets_of(credentials: Credentials | None, task: WaitingTask | RemoteTask | None) -> list[str]:
    known = [credentials.access_key_secret, credentials.security_token] if credentials else []
    return [secret for secret in (*known, task.token.reveal() if task else None) if secret]


def _show_result(result: InvocationResult, log: str, task: str | None) -> None:
    sys.stderr.write(log)
    sys.stderr.flush()
    sys.stdout.buffer.write(result.body)
    sys.stdout.flush()
    _show_ending(result, task)


def _show_to_person(result: InvocationResult, log: str, task: str | None, mask: Callable[[str], str]) -> None:
    """Show an error as a traceback, and not as FC's JSON, which a pipe gets."""
    from rich.console import Console

    from fc_callback.cli.function_errors import print_error, print_log

    console = Console(stderr=True)
    has_error = print_log(console, log)
    if result.ok:
        sys.stdout.buffer.write(result.body + b"\n")
        sys.stdout.flush()
    elif not has_error:  # such as a timeout
        print_error(console, json.loads(mask(result.body.decode())))
    _show_ending(result, task)


def _show_ending(result: InvocationResult, task: str | None) -> None:
    how = "Succeeded" if result.ok else f"Failed ({result.error_type}: {result.error_name})"
    typer.echo(f"\n{how} in {result.duration_seconds:.2f} s, request {result.request_id}.", err=True)
    if task is not None:
        typer.echo(f"Task: {task.rstrip('.')}.", err=True)


def _show_json(result: InvocationResult, log: str, task: str | None) -> None:
    document = {
        "ok": result.ok,
        "requestId": result.request_id,
        "body": result.body.decode("utf-8", "replace"),
        "errorType": result.error_type,
        "errorName": result.error_name,
        "errorMessage": result.error_message,
        "exitCode": result.exit_code,
        "durationSeconds": round(result.duration_seconds, 3),
        "log": log,
        "task": task,
    }
    typer.echo(json.dumps(document, ensure_ascii=False))


def _show_end(signals: EndSignals, log: str) -> None:
    with contextlib.suppress(OSError):  # after SIGHUP there is no terminal
        sys.stderr.write(log)
        typer.echo(f"{signal.Signals(signals.first).name} ended the command and the function.", err=True)


def _watch(folder: Path, signals: EndSignals, run: Callable[[], int], *, quiet: bool) -> int:
    """Run once, and again after each change of the code, until a signal."""
    state: dict[str, tuple[int, int]] | None = None
    while not signals.first:
        if (now := _state_of(folder)) == state:
            time.sleep(_WATCH_SECONDS)
            continue
        state = now
        run()
        if not quiet and not signals.first:
            typer.echo(f"\nWatching {folder}. Press Ctrl-C to stop.", err=True)
    return 0


def _state_of(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the times and sizes of the Python files. The function itself may write other files."""
    state = {}
    for file in folder.rglob("*.py"):
        with contextlib.suppress(OSError):  # removed meanwhile
            found = file.stat()
            state[str(file)] = (found.st_mtime_ns, found.st_size)
    return state
