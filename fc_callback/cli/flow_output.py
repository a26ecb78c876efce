"""What the commands of `fc-callback flow` print: tables and lines for people, one JSON document with `--json`.

Secrets are masked in everything, because inputs, outputs and errors of executions may hold task tokens.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fc_callback.local.clock import parse_time
from fc_callback.local.progress import seconds_between
from fc_callback.redaction import mask_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fc_callback.cli.flow_tasks import Task
    from fc_callback.local.history import HistoryEvent
    from fc_callback.local.progress import StepProgress

_COLORS = {
    "Succeeded": "green", "done": "green",
    "Running": "blue", "Starting": "blue", "running": "blue",
    "waiting": "yellow", "caught": "yellow", "Stopped": "yellow", "stopped": "yellow",
    "Failed": "red", "TimedOut": "red", "failed": "red",
}  # fmt: skip
FAILED = frozenset({"Failed", "TimedOut"})
RUNNING = frozenset({"Running", "Starting"})
_BAD_EVENTS = ("Failed", "TimedOut")
_UNITS = (("d", 86_400), ("h", 3600), ("min", 60))
_WIDE = 10_000  # a pipe has no width
_AGE = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d|)")
_SECONDS_OF = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document."""
    typer.echo(mask_secrets(json.dumps(document, ensure_ascii=False)))


def print_line(text: str) -> None:
    """Print a line for people."""
    typer.echo(mask_secrets(text))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; in a pipe no cell is cut or wrapped."""
    wide = {} if sys.stdout.isatty() else {"width": _WIDE}
    console = Console(file=sys.stdout, highlight=False, **wide)  # type: ignore[arg-type] # it has many options
    table = Table(*headings, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(mask_secrets(cell), style=_COLORS.get(cell, "")) for cell in row))
    with console.capture() as captured:
        console.print(table)
    typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def duration_text(seconds: float | None) -> str:
    """Return a duration for people, like `0.25 s`, `42 s`, `3 min 5 s` or `2 d 4 h`; empty for None."""
    if seconds is None:
        return ""
    if seconds < 10:  # noqa: PLR2004 - shorter ones are worth a fraction
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"
    whole = round(seconds)
    for index, (unit, size) in enumerate(_UNITS):
        if whole >= size:
            smaller, smaller_size = (*_UNITS, ("s", 1))[index + 1]
            rest = whole % size // smaller_size
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def ago_text(time: str, now: float) -> str:
    """Return how long ago a time of the service is, for people; empty for no time."""
    then = parse_time(time)
    return "" if then is None else f"{duration_text(max(0.0, round(now - then, 1)))} ago"


def read_age(text: str) -> float:
    """Return the seconds of an age like `90s`, `15m`, `1h` or `2d`; a number alone is seconds.

    Raises:
        typer.BadParameter: The text has another form.
    """
    found = _AGE.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no age. Write a number and s, m, h or d, such as 90s, 15m, 1h or 2d.")
    return float(found[1]) * _SECONDS_OF[found[2]]


def execution_document(execution: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Return what the commands tell about an execution, from a response of the service."""
    started, stopped = execution.get("StartedTime") or "", execution.get("StoppedTime") or ""
    begin = parse_time(started)
    end = parse_time(stopped) if stopped else now
    return {
        "flow": execution["FlowName"],
        "name": execution["Name"],
        "status": execution.get("Status") or "Running",  # StartExecution answers before the execution has begun
        "started": started,
        "stopped": stopped,
        "duration_seconds": None if begin is None or end is None else round(max(0.0, end - begin), 3),
    }


def event_line(event: HistoryEvent, started: str) -> str:
    """Return an event as a line: when, what, where, and its detail, which is cut at the width of a terminal."""
    after = seconds_between(started, event.time)
    when = "" if after is None else f"+{duration_text(after)}"
    kind = f"{event.type:<19}"
    detail = mask_secrets(json.dumps(event.detail, ensure_ascii=False)) if event.detail else ""
    start = f"{when:>12}  {kind} {event.step}"
    if sys.stdout.isatty():
        room = max(10, shutil.get_terminal_size().columns - len(start) - 2)
        detail = detail if len(detail) <= room else f"{detail[: room - 1]}…"
    color = "red" if event.type.endswith(_BAD_EVENTS) else "green" if event.type.endswith("Succeeded") else None
    return f"{when:>12}  {typer.style(kind, fg=color)} {event.step}  {detail}".rstrip()


def print_tasks(tasks: Sequence[Task]) -> None:
    """Print waiting tasks as a table, the oldest first."""
    rows = [
        (
            duration_text(task.age_seconds),
            f"{task.flow}/{task.execution}",
            task.step,
            str(task.attempt),
            "" if task.seconds_left is None else duration_text(max(0.0, task.seconds_left)),
            "" if task.id is None else str(task.id),
        )
        for task in tasks
    ]
    print_table(("WAITS", "EXECUTION", "STEP", "ATTEMPT", "TIMES OUT IN", "TASK"), rows)


def print_steps(steps: Sequence[StepProgress]) -> None:
    """Print what happened to each step as a table."""
    rows = [
        (
            step.step,
            step.state,
            f"{step.attempts}" + (f" in {step.runs} runs" if step.runs > 1 else ""),
            duration_text(step.duration_seconds),
            f"{step.error}: {step.cause}" if step.error else "",
        )
        for step in steps
    ]
    print_table(("STEP", "STATE", "ATTEMPTS", "TOOK", "ERROR"), rows)


def status_text(status: str) -> str:
    """Return a status in its colour."""
    return typer.style(status, fg=_COLORS.get(status), bold=True)
