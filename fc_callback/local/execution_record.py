"""What the database holds about one execution: its state, its lists of steps, its history, its tasks and its timers.

Every method runs inside `ServiceStore.transaction`.
"""

from __future__ import annotations

import functools
import json
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from fc_callback.errors import FcCallbackError
from fc_callback.flows import EvaluationContext, Flow, parse_flow
from fc_callback.flows.definition import RUNTIME_ERROR, compact
from fc_callback.local.frames import Frame, Path, create_frame, load_frame, save_frame
from fc_callback.local.tokens import token_digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.flows.definition import JsonObject
    from fc_callback.flows.flow import StepEnd, TaskCall
    from fc_callback.local.clock import Clock
    from fc_callback.local.store import Row, ServiceStore

_LOG = logging.getLogger("fc_callback.local")
# Source: CloudFlow documentation, "Limits": events in one execution.
MAX_EVENTS = 5_000

parsed_flow = functools.lru_cache(maxsize=256)(parse_flow)


class TooManyEvents(FcCallbackError):
    """The execution has no room for another event."""


class SubmitFailed(FcCallbackError):
    """A task's call is refused before it runs, with this error name and cause."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


class TaskCalls(Protocol):
    """Makes the calls of tasks."""

    def submit(self, call: TaskCall, *, account: str, execution: int, task: int, task_token: str) -> JsonObject | None:
        """Store a call, which starts after the commit of the transaction.

        Returns:
            The result of a call that has ended already; None if `Engine` is told of its end.

        Raises:
            SubmitFailed: What it calls does not exist, or refuses it.
        """

    def stop_flow(self, task: int) -> None:
        """Stop the child flow that a task waited for."""

    def cancel(self, task: int) -> None:
        """End everything that still runs for a task: the child flow that it waits for, and its invocations."""


@attrs.frozen(kw_only=True)
class RunContext:
    """The parts of the service that an execution uses."""

    store: ServiceStore
    clock: Clock
    calls: TaskCalls
    on_end: Callable[[ServiceStore, Clock, Row], None]


class ExecutionRecord:
    """An execution, loaded from its row in the database.

    Attributes:
        globals: The members of `$Global`, which all lists share.
        ready: The lists whose next step can begin now.
        written: How many characters the events of this transaction have.
    """

    def __init__(self, context: RunContext, row: Row) -> None:
        self.store = context.store
        self.clock = context.clock
        self.calls = context.calls
        self._on_end = context.on_end
        self.id: int = row["id"]
        self.row = row
        self.flow: Flow = parsed_flow(row["definition"])
        self.status: str = row["status"]
        self.events: int = row["events"]
        self.input: JsonObject = json.loads(self.store.restore_tokens(row["input"]))
        self.globals: JsonObject = json.loads(self.store.restore_tokens(row["globals"]))
        self.ready: deque[Frame] = deque()
        self.written = 0
        self._frames: dict[int, Frame] = {}

    def context(self, frame: Frame, **changes: Any) -> EvaluationContext:
        """Return what the expressions of a list can read."""
        return EvaluationContext(
            flow_name=self.row["flow_name"],
            execution_name=self.row["name"],
            execution_input=self.input,
            scope=frame.scope,
            globals=self.globals,
            step_input=frame.step_input,
            role_arn=self.row["role_arn"],
            event_id=frame.entered,
            retry_count=sum(frame.retries.values()),
            missing=lambda path: self._warn_of_path(frame, path),
            **changes,
        )

    def _warn_of_path(self, frame: Frame, path: str) -> None:
        place = "" if frame.step_name is None else f", step {frame.step_name}"
        _LOG.warning(
            "Flow %s, execution %s%s: %s leads nowhere, so its value is null.",
            *(self.row["flow_name"], self.row["name"], place, path),
        )

    def frame(self, frame_id: int) -> Frame:
        """Return a list of steps by its row."""
        if frame_id not in self._frames:
            row = self.store.one("SELECT * FROM frames WHERE id = ?", frame_id)
            assert row is not None
            self._frames[frame_id] = load_frame(self.store, row, self.flow.body)
        return self._frames[frame_id]

    def open_frame(self, parent: Frame | None, *, body: int, position: int, scope: Any) -> Frame:
        """Begin a list of steps: the flow's own, or one inside the current step of `parent`."""
        path: Path = ()
        steps = self.flow.body
        if parent is not None:
            path, steps = (*parent.path, parent.step.name, body), parent.step.bodies[body]
        frame = create_frame(self.store, self.id, parent=parent, position=position, path=path, body=steps, scope=scope)
        self._frames[frame.id] = frame
        self.ready.append(frame)
        return frame

    def close_frame(self, frame: Frame, output: Any) -> None:
        """Store the output of a list that has ended; `frame_outputs` returns it."""
        self._frames.pop(frame.id, None)
        masked = self.store.mask_tokens(compact(output))
        self.store.update("frames", frame.id, state="{}", output=masked)

    def frame_outputs(self, parent: Frame) -> list[Any]:
        """Return the outputs of the lists inside the current step, in their order, and forget the lists."""
        rows = self.store.all("SELECT output FROM frames WHERE parent = ? ORDER BY position", parent.id)
        self.store.run("DELETE FROM frames WHERE parent = ?", parent.id)
        return [json.loads(self.store.restore_tokens(row["output"])) for row in rows]

    def cancel_inside(self, parent: Frame) -> None:
        """End everything that runs inside the current step of a list, without events."""
        if not parent.running:
            return
        for row in self.store.all("SELECT id FROM frames WHERE parent = ? AND output = ''", parent.id):
            frame = self.frame(row["id"])
            self.cancel_inside(frame)
            if frame.task is not None:
                self.calls.cancel(frame.task)
            self.close_task(frame)
            if frame in self.ready:
                self.ready.remove(frame)
            self._frames.pop(frame.id)
            self.store.run("DELETE FROM timers WHERE frame = ?", frame.id)
        self.store.run("DELETE FROM frames WHERE parent = ?", parent.id)
        parent.items, parent.opened, parent.running, parent.goto = [], 0, 0, None

    def save(self) -> None:
        """Store the current state."""
        for frame in self._frames.values():
            save_frame(self.store, frame)
        masked = self.store.mask_tokens(compact(self.globals))
        self.store.update("executions", self.id, status=self.status, events=self.events, globals=masked)

    def leave(self, frame: Frame, end: StepEnd) -> None:
        """Take over what a step leaves: the scope of its list and the globals."""
        frame.scope, self.globals = end.scope, end.globals

    def add_event(self, frame: Frame, event_type: str, detail: JsonObject, *, step: str | None = None) -> int:
        """Add an event of a list to the history; return its id. `step` is by default the list's current step.

        Raises:
            TooManyEvents: Only the execution's last event has room.
        """
        if self.events >= MAX_EVENTS - 1:
            raise TooManyEvents(f"The execution has reached the limit of {MAX_EVENTS} events.")
        name = frame.step_name if step is None else step
        frame.last_event = self._insert_event(event_type, name or "", frame.last_event, detail)
        return frame.last_event

    def _insert_event(self, event_type: str, step: str, cause: int, detail: JsonObject) -> int:
        self.events += 1
        text = self.store.mask_tokens(compact(detail))
        self.written += len(text)
        self.store.insert(
            "events",
            execution=self.id,
            id=self.events,
            type=event_type,
            step=step,
            cause=cause,
            time=self.clock.now(),
            detail=text,
        )
        return self.events

    def add_timer(self, kind: str, due: float, *, frame: Frame | None = None) -> None:
        """Add a timer of the execution, of a list, or of the task of a list (`kind` is then `task`)."""
        task = frame.task if frame is not None and kind == "task" else None
        frame_id = None if frame is None else frame.id
        self.store.insert("timers", due=due, kind=kind, execution=self.id, frame=frame_id, task=task)

    def interrupt(self) -> None:
        """Let the lists that are ready go on in another transaction: one timer for each, due at once."""
        while self.ready:
            self.add_timer("next", self.clock.now(), frame=self.ready.popleft())

    def interrupted(self) -> list[Frame]:
        """Return the lists that were interrupted, in their order, and forget their timers."""
        rows = self.store.all("SELECT frame FROM timers WHERE execution = ? AND kind = 'next' ORDER BY id", self.id)
        self.store.run("DELETE FROM timers WHERE execution = ? AND kind = 'next'", self.id)
        return [self.frame(row["frame"]) for row in rows]

    def open_task(self, frame: Frame, event: int) -> str:
        """Create the task of the current step of a list; return its token."""
        token = self.store.issuer.task_token(
            flow=self.row["flow_name"], execution=self.row["name"], event_id=event, execution_id=self.id
        )
        frame.task = self.store.insert(
            "tasks",
            execution=self.id,
            frame=frame.id,
            event=event,
            step=frame.step_name,
            opened=self.clock.now(),
            attempt=1 + sum(frame.retries.values()),
            waits_for="",
            digest=token_digest(token),
        )
        return token

    def close_task(self, frame: Frame) -> None:
        """Mark the running task of a list as ended."""
        if frame.task is None:
            return
        self.store.update("tasks", frame.task, status="ended")
        self.store.run("DELETE FROM timers WHERE task = ?", frame.task)
        frame.task = None

    def end(self, status: str, detail: JsonObject, *, output: str = "", error: str = "", cause: str = "") -> int:
        """End the execution with a status, and everything that runs in it; return the last event's id."""
        self.status = status
        tasks = self.store.all("SELECT id FROM tasks WHERE execution = ? AND status != 'ended'", self.id)
        self.store.run("UPDATE tasks SET status = 'ended' WHERE execution = ? AND status != 'ended'", self.id)
        for task in tasks:
            self.calls.cancel(task["id"])
        self.store.run("DELETE FROM timers WHERE execution = ?", self.id)
        self.store.run("DELETE FROM frames WHERE execution = ?", self.id)
        self._frames.clear()
        self.ready.clear()
        event = self._insert_event(f"Execution{status}", "", self.events, detail)
        mask = self.store.mask_tokens
        self.store.update(
            "executions",
            self.id,
            output=mask(output),
            error=mask(error),
            cause=mask(cause),
            stopped=self.clock.now(),
        )
        self._on_end(self.store, self.clock, self.row)
        return event

    def fail(self, error: str, cause: str) -> int:
        """End the execution as failed; return the last event's id."""
        return self.end("Failed", {"error": error, "cause": cause}, error=error, cause=cause)

    def fail_for_events(self) -> int:
        """End the execution because its history is full; return the last event's id."""
        return self.fail(RUNTIME_ERROR, f"The execution has reached the limit of {MAX_EVENTS} events.")
