"""What the step panel of an execution's page shows: one run of a step, and everything that belongs to its attempts."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.flows.targets import parse_target
from fc_callback.local.clock import iso_milliseconds
from fc_callback.local.console_execution import PageAddress, names_of
from fc_callback.local.history import read_history
from fc_callback.local.invocation_list import find_invocations
from fc_callback.local.progress import seconds_between, step_runs
from fc_callback.local.task_attempts import attempts_of, run_state
from fc_callback.local.timeline import MOST_ATTEMPTS, URGENCY
from fc_callback.local.waiting_tasks import waiting_tasks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fc_callback.flows.picture import StepState
    from fc_callback.local.components import Components
    from fc_callback.local.console_reading import ExecutionReading
    from fc_callback.local.invocation_list import ListedInvocation
    from fc_callback.local.progress import StepRun
    from fc_callback.local.store import Row
    from fc_callback.local.task_attempts import TaskAttempt
    from fc_callback.local.waiting_tasks import WaitingTask

_MOST_INVOCATIONS = 20
_LAST_EXECUTIONS = 10
_CALL_EVENTS = frozenset({"TaskScheduled", "TaskSucceeded"})


@attrs.frozen(kw_only=True)
class RunChoice:
    """A run of a step in the list of its runs.

    Attributes:
        id: The id of the run.
        label: Like `iteration 3`, or `run 2` in a loop.
        state: Its state.
    """

    id: int
    label: str
    state: StepState


@attrs.frozen(kw_only=True)
class ShownAttempt:
    """An attempt with what belongs to it.

    Attributes:
        attempt: The attempt.
        state: Its state; `retried` if another one followed.
        seconds: How long it took, or takes until now.
        invocations: The invocations of its function.
        children: The flow and the name of each execution that it started.
    """

    attempt: TaskAttempt
    state: str
    seconds: float | None
    invocations: list[ListedInvocation]
    children: list[tuple[str, str]]


@attrs.frozen(kw_only=True)
class StepView:
    """One run of a step.

    Attributes:
        page: The address of the page.
        path: The step's path.
        name: The step's name.
        around: The names of the steps around it, and branches.
        state: The state of the run; `not reached` if the step has not begun.
        label: Which run it is; empty if there is one only.
        runs: All runs, the failed and the waiting ones first.
        run: The id of the run; 0 if there is none.
        begin: The time.
        end: The time; empty while it runs.
        seconds: How long it took, or takes until now.
        input: The input; None before the step has it.
        output: The output; None unless it succeeded.
        error: The name of its error.
        cause: The error's description.
        attempts: The newest attempts.
        attempt_count: How many attempts there are.
        task: The task that waits for a report; None if none does.
        last_output: The last output of the step, in this execution or in one of the last ones of its flow.
    """

    page: PageAddress
    path: str
    name: str
    around: list[str]
    state: str = "not reached"
    label: str = ""
    runs: list[RunChoice] = attrs.field(factory=list)
    run: int = 0
    begin: str = ""
    end: str = ""
    seconds: float | None = None
    input: Any = None
    output: Any = None
    error: str = ""
    cause: str = ""
    attempts: list[ShownAttempt] = attrs.field(factory=list)
    attempt_count: int = 0
    task: WaitingTask | None = None
    last_output: dict[str, Any] = attrs.field(factory=dict)


def step_of(
    reading: ExecutionReading, path: str, run: int | None = None, given: Mapping[str, str] | None = None
) -> StepView:
    """Return what step.html shows.

    Args:
        reading: The execution.
        path: The step's path.
        run: The id of one of its runs; without one, or if there is no such run, the failed or the waiting one is chosen.
        given: The parameters of the request.
    """
    components, row, history = reading.components, reading.row, reading.history
    page = PageAddress.read(row, given or {})
    *around, name = names_of(path)
    runs = [each for each in reading.runs if each.path == path]
    if not runs:
        return StepView(page=page, path=path, name=name, around=around)
    waits, is_ended = reading.waits, reading.is_ended
    choices = _choices(runs, waits, is_ended=is_ended)
    chosen = next((each for each in runs if each.id == run), None)
    if chosen is None:
        urgent = choices[0].state in {"failed", "waiting"}
        chosen = next(each for each in runs if each.id == choices[0].id) if urgent else runs[-1]
    choice = next(each for each in choices if each.id == chosen.id)
    over = chosen.over or (history[-1] if is_ended else None)
    details = {event.type: event.detail for event in chosen.events}
    waiting = waiting_tasks(components, flow=row["flow_name"], execution=row["name"], step=chosen.step)
    attempts = attempts_of(chosen, waits)
    return StepView(
        page=page,
        path=path,
        name=name,
        around=around,
        state=choice.state,
        label=choice.label if len(runs) > 1 else "",
        runs=choices,
        run=chosen.id,
        begin=chosen.events[0].time,
        end="" if over is None else over.time,
        seconds=_seconds(components, chosen.events[0].time, "" if over is None else over.time),
        input=details.get("StepStarted", {}).get("input"),
        output=details.get("StepSucceeded", {}).get("output"),
        error=str(chosen.error.get("error", "")),
        cause=str(chosen.error.get("cause", "")),
        attempts=_shown_attempts(components, row, chosen, attempts[-MOST_ATTEMPTS:], state=choice.state),
        attempt_count=len(attempts),
        task=next((task for task in waiting if task.event_id == attempts[-1].event_id), None),
        last_output=_last_output(components, row, chosen.step) if waiting else {},
    )


def _last_output(components: Components, row: Row, step: str) -> dict[str, Any]:
    """Return the last output of a step with this name, in the last executions of the flow; empty if there is none."""
    found = components.store.one(
        "SELECT e.detail FROM (SELECT id FROM executions WHERE flow = ? AND id <= ? ORDER BY id DESC LIMIT ?) x"
        " JOIN events e ON e.execution = x.id WHERE e.type = 'StepSucceeded' AND e.step = ?"
        " ORDER BY e.execution DESC, e.id DESC LIMIT 1",
        *(row["flow"], row["id"], _LAST_EXECUTIONS, step),
    )
    output = {} if found is None else json.loads(components.store.masked(found["detail"])).get("output")
    return output if isinstance(output, dict) else {}


def _choices(runs: Sequence[StepRun], waits: frozenset[int], *, is_ended: bool) -> list[RunChoice]:
    seen: dict[str, int] = {}
    choices = []
    for run in runs:
        label = ", ".join(reversed(list(_iterations(run))))
        seen[label] = seen.get(label, 0) + 1
        if seen[label] > 1 or not label:
            label = f"{label}, run {seen[label]}".removeprefix(", ")
        choices.append(RunChoice(id=run.id, label=label, state=run_state(run, waits, is_ended=is_ended)))
    return sorted(choices, key=lambda choice: (URGENCY.index(choice.state), choice.id))


def _iterations(run: StepRun) -> list[str]:
    found = []
    within = run.within
    while within is not None:
        if within.kind == "iteration":
            found.append(f"iteration {within.number}")
        within = within.around.within
    return found


def _seconds(components: Components, begin: str, end: str) -> float | None:
    return seconds_between(begin, end or iso_milliseconds(components.clock.now()))


def _shown_attempts(
    components: Components, row: Row, run: StepRun, attempts: list[TaskAttempt], *, state: StepState
) -> list[ShownAttempt]:
    store = components.store
    events = [attempt.event_id for attempt in attempts]
    invocations = find_invocations(
        store, account=row["account"], execution=row["id"], attempts=events, limit=_MOST_INVOCATIONS
    )
    children = _children(components, row, run)
    return [
        ShownAttempt(
            attempt=attempt,
            state="retried" if attempt.is_retried else state,
            seconds=_seconds(components, attempt.begin, attempt.end),
            invocations=[each for each in reversed(invocations) if each.event_id == attempt.event_id],
            children=children.get(attempt.event_id, []),
        )
        for attempt in attempts
    ]


def _children(components: Components, row: Row, run: StepRun) -> dict[int, list[tuple[str, str]]]:
    """Return the executions that the attempts of a step have started, by the event that the attempt began with."""
    found: dict[int, list[tuple[str, str]]] = {}
    # Those whose end completes the task.
    for child in components.store.all(
        "SELECT t.event, c.flow_name, c.name FROM tasks t JOIN executions c ON c.reports_to = t.id"
        " WHERE t.execution = ? ORDER BY c.id",
        row["id"],
    ):
        found.setdefault(child["event"], []).append((child["flow_name"], child["name"]))
    first = next((event for event in run.events if event.type == "TaskScheduled"), None)
    # Those that nothing waits for: the output of the task names them. Any other output is the child's own.
    for scheduled, ended in itertools.pairwise(event for event in run.events if event.type in _CALL_EVENTS):
        event = run.id if scheduled is first else scheduled.id
        target = parse_target(str(scheduled.detail.get("resourceArn", "")))
        output = ended.detail.get("output") or {}
        name = output.get("ExecutionName") or output.get("Name")
        if target is not None and target.kind == "flow" and isinstance(name, str):
            found.setdefault(event, [(target.name, name)])
    return found


@attrs.frozen(kw_only=True)
class ParentStep:
    """The step that waits for the end of an execution.

    Attributes:
        flow: The flow of the execution that the step is in.
        execution: The execution's name.
        step: The step's name.
        address: The address of the page that shows it.
    """

    flow: str
    execution: str
    step: str
    address: str


def parent_of(components: Components, row: Row) -> ParentStep | None:
    """Return the step that waits, or waited, for the end of an execution; None if there is none."""
    task = components.store.one(
        "SELECT t.event, t.step, e.* FROM tasks t JOIN executions e ON e.id = t.execution WHERE t.id = ?",
        row["reports_to"],
    )
    if task is None:
        return None
    runs = step_runs(read_history(components.store, task["id"]))
    run = next((each for each in runs if any(event.id == task["event"] for event in each.events)), None)
    page = PageAddress.read(task, {})
    return ParentStep(
        flow=task["flow_name"],
        execution=task["name"],
        step=task["step"],
        address=page.path if run is None else page.link(step=run.path, run=run.id),
    )
