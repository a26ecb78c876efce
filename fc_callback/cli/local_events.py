"""What `fc-callback local` says about executions: a line for each event that a person cares about."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import typer

from fc_callback.cli.flow_output import duration_text
from fc_callback.local.clock import parse_time
from fc_callback.local.progress import seconds_between
from fc_callback.redaction import mask_secrets

if TYPE_CHECKING:
    from fc_callback.local import ExecutionEvent

_ENDS = {
    "ExecutionSucceeded": "succeeded",
    "ExecutionFailed": "failed",
    "ExecutionStopped": "stopped",
    "ExecutionTimedOut": "timed out",
}
_FAILURES = {
    "TaskFailed": "the task failed",
    "TaskTimedOut": "the task timed out",
    "TaskSubmitFailed": "the call was refused",
    "StepFailed": "failed",
}
_LONGEST = 300


class EventLines:
    """Makes lines of events; it remembers when running executions have started."""

    def __init__(self) -> None:
        self._started: dict[tuple[str, str], str] = {}

    def line_of(self, told: ExecutionEvent) -> str | None:
        """Return the line of an event, like `orders/o-1 Approve: waits for a report`; None if it needs none."""
        event, key = told.event, (told.flow, told.execution)
        color = None
        if event.type == "ExecutionStarted":
            self._started[key] = event.time
            text = f"started with {_json_text(event.detail.get('input'))}"
        elif event.type == "StepEntered":
            text = "entered"
        elif told.waits_for_report:
            text, color = f"waits for a report since {_clock_time(event.time)}", "yellow"
        elif event.type in _FAILURES:
            text, color = f"{_FAILURES[event.type]}{_error_text(event.detail)}", "red"
        elif event.type in _ENDS:
            started = self._started.pop(key, "")
            took = duration_text(seconds_between(started, event.time))
            result = f" with {_json_text(event.detail['output'])}" if "output" in event.detail else ""
            text = f"{_ENDS[event.type]}{f' after {took}' if took else ''}{result}{_error_text(event.detail)}"
            color = "green" if event.type == "ExecutionSucceeded" else "red"
        else:
            return None
        place = f"{told.flow}/{told.execution}" + (f" {event.step}:" if event.step else "")
        return f"{place} {typer.style(_cut(mask_secrets(text)), fg=color)}"


def _json_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _error_text(detail: dict[str, object]) -> str:
    parts = [str(detail[name]) for name in ("error", "cause") if detail.get(name)]
    return f": {': '.join(parts)}" if parts else ""


def _cut(text: str) -> str:
    line = " ".join(text.splitlines())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _clock_time(time: str) -> str:
    """Return the time of day on this machine, of a time of the service."""
    seconds = parse_time(time)
    return time if seconds is None else f"{datetime.fromtimestamp(seconds, timezone.utc).astimezone():%H:%M:%S}"
