"""`fc-callback demo`: flows, callbacks and a retry, on this machine."""

from __future__ import annotations

import json
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
import typer
from rich.console import Console
from rich.table import Table

from fc_callback.errors import FcCallbackError

if TYPE_CHECKING:
    from fc_callback.local import Execution, FunctionInvocation, HistoryEvent, LocalCloudFlow
    from fc_callback.runtime import FunctionSpec

_ORDER = {"order": {"id": "o-1", "amount": "12.50"}}
# The provider of the template raises ConnectionError at the first delivery of this order.
_FLAKY_ORDER = {"order": {"id": "flaky-2", "amount": "12.50"}}
_LANGUAGES = {
    "legacy": "Serverless Workflow, pattern: waitForCallback",
    "cloudflow": "CloudFlow, TaskMode: WaitForCustomCallback",
}
_SECONDS = 30.0
_LOG_CHARACTERS = 132
_OTHER_COLUMNS = 46  # the width of the table without the details


def command(
    keep: Annotated[Path | None, typer.Option(help="Create the project in this directory, and keep it.")] = None,
) -> None:
    """Create a function and run it in two flows on a local CloudFlow, then once with a failure."""
    console = Console()
    try:
        with tempfile.TemporaryDirectory(prefix="fc-callback-demo-") as temporary:
            # One folder for everything: a signal while a second folder is created would leave that one behind.
            ok = _Demo.prepare(keep or Path(temporary) / "demo", console).run(Path(temporary) / "cloudflow.db")
    except (FcCallbackError, OSError, sqlite3.Error) as error:
        console.print(f"The demo stopped: {error}", style="red", markup=False)
        raise typer.Exit(1) from None
    if keep:
        console.print(f"The project is in {keep}. Next: cd {keep} and read README.md.", markup=False)
    if not ok:
        console.print("The demo failed: see above.", style="red")
        raise typer.Exit(1)
    console.print("All three executions ended as expected.", style="green")


@attrs.define(kw_only=True)
class _Demo:
    """A new project, run on a local CloudFlow."""

    project: Path
    function: FunctionSpec
    console: Console
    ok: bool = True

    @classmethod
    def prepare(cls, project: Path, console: Console) -> _Demo:
        """Create the project."""
        from fc_callback.project.function_options import function_options
        from fc_callback.runtime.function import FunctionSpec, require_own_processes
        from fc_callback.scaffolding import render_template

        require_own_processes()
        render_template("event-callback", project, {"flowName": "demo-cloudflow"})  # the Name in the definition
        function = FunctionSpec(**function_options(project / "s.yaml"))
        console.print(f"Created a function from templates/event-callback: {function.name}.", markup=False)
        return cls(project=project, function=function, console=console)

    def run(self, database: Path) -> bool:
        """Run the three executions; return whether all ended as expected."""
        from fc_callback.local import LocalCloudFlow

        service = LocalCloudFlow(
            database=database, functions=[self.function], async_retries=1, async_retry_delay_seconds=0.2
        )
        with service:
            self.console.print(f"Started a local CloudFlow at {service.endpoint}.\n", markup=False)
            try:
                self._run_flows(service)
            except TimeoutError:
                for invocation in service.invocations():
                    self.console.print(invocation.log, markup=False, highlight=False)
                raise
        return self.ok

    def _run_flows(self, service: LocalCloudFlow) -> None:
        for language, title in _LANGUAGES.items():
            definition = (self.project / "flows" / f"{language}.yaml").read_text("utf-8")
            service.create_flow(f"demo-{language}", definition)
            self._succeed(service, f"demo-{language}", title)
        self._fail_once(service, "demo-cloudflow")

    def _succeed(self, service: LocalCloudFlow, flow: str, title: str) -> None:
        ended = service.wait(flow, service.start(flow, _ORDER), timeout=_SECONDS)
        reported = any(event.type == "TaskSucceeded" for event in service.history(flow, ended))
        self._show(service, ended, title, expected=ended.status == "Succeeded" and reported)

    def _fail_once(self, service: LocalCloudFlow, flow: str) -> None:
        """Run an execution whose function raises: nothing is reported, and FC delivers the event again."""
        ended = service.wait(flow, service.start(flow, _FLAKY_ORDER), timeout=_SECONDS)
        tried = _last_invocation(service, self.function.name)
        first_error = "ConnectionError" in tried.log
        expected = ended.status == "Succeeded" and tried.retry_count == 1 and first_error
        self._show(service, ended, "an exception is not reported, and FC delivers the event again", expected=expected)
        self.console.print("  The function's log of both deliveries:", markup=False)
        for line in tried.log.splitlines():
            if "FC Invoke" in line or "ConnectionError" in line or "Charging" in line:
                self.console.print(f"    {line[:_LOG_CHARACTERS]}", markup=False, highlight=False, soft_wrap=True)
        self.console.print()

    def _show(self, service: LocalCloudFlow, ended: Execution, title: str, *, expected: bool) -> None:
        self.ok = self.ok and expected
        table = Table(title=f"{ended.flow} ({title})", title_justify="left", title_style="bold", expand=False)
        for column in ("event", "type", "step", "detail"):
            table.add_column(column, justify="right" if column == "event" else "left", no_wrap=True)
        for event in service.history(ended.flow, ended):
            table.add_row(
                str(event.id), event.type, event.step, _shortened_detail(event, self.console.width - _OTHER_COLUMNS)
            )
        self.console.print(table)
        self.console.print(
            f"  {ended.status}, {ended.error or json.dumps(ended.output)}{'' if expected else '  <- unexpected'}\n",
            style=None if expected else "red",
            markup=False,
        )


def _last_invocation(service: LocalCloudFlow, function: str) -> FunctionInvocation:
    """Return the function's last invocation after its end, which comes shortly after the end of the execution."""
    until = time.monotonic() + _SECONDS
    while (last := service.invocations(function)[-1]).status != "ended":
        if time.monotonic() > until:
            raise TimeoutError(f"Function {function} did not return.")
        time.sleep(0.02)
    return last


def _shortened_detail(event: HistoryEvent, width: int) -> str:
    shown = {key: value for key, value in event.detail.items() if value not in ({}, "")}
    text = json.dumps(shown, ensure_ascii=False) if shown else ""
    return text if len(text) <= width else f"{text[: max(0, width - 3)]}..."
