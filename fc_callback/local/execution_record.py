"""What the database holds about one execution: its state, its history, its tasks and its timers.

Every method runs inside `ServiceStore.transaction`.
"""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Protocol

import attrs

from fc_callback.flows import Flow, parse_flow
from fc_callback.flows.definition import compact
from fc_callback.local.tokens import token_digest

if TYPE_CHECKING:
    from fc_callback.flows.definition import JsonObject
    from fc_callback.local.clock import Clock
    from fc_callback.local.store import Row, ServiceStore

parsed_flow = functools.lru_cache(maxsize=256)(parse_flow)


class FunctionQueue(Protocol):
    """Takes the invocations of tasks."""

    def find(self, resource_arn: str) -> str | None:
        """Return the name of the function that an ARN names; None if it does not exist."""

    def submit(self, *, function: str, event: str, asynchronous: bool, account: str, execution: int, task: int) -> None:
        """Store an invocation; it starts after the commit of the transaction."""


@attrs.frozen(kw_only=True)
class RunContext:
    """The parts of the service that an execution uses."""

    store: ServiceStore
    clock: Clock
    functions: FunctionQueue


class ExecutionRecord:
    """An execution, loaded from its row in the database.

    Attributes:
        step_name: The current step; None after the end.
        entered: The id of the current step's StepEntered event.
        retries: The used retries of the current step, by the index of the retry rule.
        task: The row of the running task; None if there is none.
    """

    def __init__(self, context: RunContext, row: Row) -> None:
        self.store = context.store
        self.clock = context.clock
        self.functions = context.functions
        self.id: int = row["id"]
        self.row = row
        self.flow: Flow = parsed_flow(row["definition"])
        self.status: str = row["status"]
        self.events: int = row["events"]
        self.input: JsonObject = json.loads(self.store.restore_tokens(row["input"]))
        state = json.loads(self.store.restore_tokens(row["state"]))
        self.scope: JsonObject = state.get("scope", {})
        self.step_name: str | None = state.get("step")
        self.entered: int = state.get("entered", 0)
        self.step_input: JsonObject = state.get("input", {})
        self.retries: dict[str, int] = state.get("retries", {})
        self.task: int | None = state.get("task")

    def save(self) -> None:
        """Store the current state."""
        state = {
            "scope": self.scope,
            "step": self.step_name,
            "entered": self.entered,
            "input": self.step_input,
            "retries": self.retries,
            "task": self.task,
        }
        masked = self.store.mask_tokens(compact(state))
        self.store.update("executions", self.id, status=self.status, events=self.events, state=masked)

    def add_event(self, event_type: str, step: str, detail: JsonObject) -> int:
        """Add an event to the history; return its id."""
        self.events += 1
        self.store.insert(
            "events",
            execution=self.id,
            id=self.events,
            type=event_type,
            step=step,
            cause=self.events - 1,
            time=self.clock.now(),
            detail=self.store.mask_tokens(compact(detail)),
        )
        return self.events

    def add_timer(self, kind: str, due: float, *, task: int | None = None) -> None:
        """Add a timer, which the engine acts on when it is due."""
        self.store.insert("timers", due=due, kind=kind, execution=self.id, task=task)

    def open_task(self, step: str, event: int) -> str:
        """Create the task of a step; return its token."""
        token = self.store.issuer.task_token(
            flow=self.row["flow_name"], execution=self.row["name"], event_id=event, execution_id=self.id
        )
        self.task = self.store.insert(
            "tasks", execution=self.id, event=event, step=step, waits_for="", digest=token_digest(token)
        )
        return token

    def close_task(self) -> None:
        """Mark the running task as ended, and remove its timers."""
        if self.task is None:
            return
        self.store.update("tasks", self.task, status="ended")
        self.store.run("DELETE FROM timers WHERE task = ?", self.task)
        self.task = None

    def end(self, status: str, detail: JsonObject, *, output: str = "", error: str = "", cause: str = "") -> None:
        """End the execution with a status, and remove its timers."""
        self.close_task()
        self.status = status
        self.step_name = None
        self.add_event(f"Execution{status}", "", detail)
        self.store.run("DELETE FROM timers WHERE execution = ?", self.id)
        mask = self.store.mask_tokens
        self.store.update(
            "executions",
            self.id,
            output=mask(output),
            error=mask(error),
            cause=mask(cause),
            stopped=self.clock.now(),
        )

    def fail(self, error: str, cause: str) -> None:
        """End the execution as failed."""
        self.end("Failed", {"error": error, "cause": cause}, error=error, cause=cause)
