"""One execution, taken from step to step within one transaction.

The driver is the same for both languages; a `Flow` says what goes in and comes out. Every method runs inside of
`Store.transaction`, and leaves the execution ended or waiting: for a task, a time, or a retry.
"""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from fc_callback.flows import EvaluationContext, Flow, FlowError, Step, TaskCall, parse_flow
from fc_callback.flows.definition import (
    INVALID_LOCAL,
    RUNTIME_ERROR,
    JsonObject,
    compact,
    first_match,
    parse_object,
)
from fc_callback.local.tokens import token_digest

if TYPE_CHECKING:
    from fc_callback.local.clock import Clock
    from fc_callback.local.store import Row, Store

# Source: CloudFlow documentation, "Limits": events in one execution.
MAX_EVENTS = 5_000
parsed = functools.lru_cache(maxsize=256)(parse_flow)


class Submits(Protocol):
    """What takes a task's invocation."""

    def knows(self, resource_arn: str) -> str | None:
        """Return the name of the function that an ARN leads to; None where there is none."""

    def submit(self, *, function: str, event: str, asynchronous: bool, account: str, execution: int, task: int) -> None:
        """Put an invocation into the store; it starts when the transaction is committed."""


@attrs.frozen(kw_only=True)
class RunContext:
    """What a run needs of the service."""

    store: Store
    clock: Clock
    functions: Submits


class Run:
    """An execution, loaded.

    Args:
        place: The service.
        row: Its row in `executions`.
    """

    def __init__(self, place: RunContext, row: Row) -> None:
        self.store = place.store
        self.clock = place.clock
        self.functions = place.functions
        self.id: int = row["id"]
        self.row = row
        self.flow: Flow = parsed(row["definition"])
        self.status: str = row["status"]
        self.events: int = row["events"]
        self.input: JsonObject = json.loads(place.store.restore_tokens(row["input"]))
        state = json.loads(place.store.restore_tokens(row["state"]))
        self.scope: JsonObject = state.get("scope", {})
        self.step_name: str | None = state.get("step")
        self.entered: int = state.get("entered", 0)
        self.step_input: JsonObject = state.get("input", {})
        self.retries: dict[str, int] = state.get("retries", {})
        self.task: int | None = state.get("task")
        self.next_name: str | None = None

    @property
    def step(self) -> Step:
        """The step it stands at."""
        assert self.step_name is not None
        return self.flow.steps[self.step_name]

    def begin(self) -> None:
        """Start at the first step."""
        self.record("ExecutionStarted", "", {"input": self.input})
        if self.flow.timeout_seconds is not None:
            self._timer("execution", self.clock.now() + self.flow.timeout_seconds)
        try:
            self.scope = self.flow.begin(self.input, self._evaluation_context())
        except FlowError as error:
            self._fail(error.error, error.cause)
        else:
            self._advance(self.flow.first)
        self.save()

    def task_succeeded(self, output: JsonObject) -> int:
        """End the running task with its result, and go on; return the event's id."""
        self._close_task()
        event = self.record("TaskSucceeded", self.step.name, {"output": output})
        self._complete_and_go_on(output)
        self.save()
        return event

    def task_failed(self, error: str, cause: str, *, event_type: str = "TaskFailed") -> int:
        """End the running task with an error: retry, catch, or fail; return the event's id."""
        event, goes_on = self._task_failed(error, cause, event_type)
        if goes_on:
            self._advance(self.next_name)
        self.save()
        return event

    def task_submitted(self) -> None:
        """Note that a synchronous invocation of a callback task has returned."""
        self.store.run("UPDATE tasks SET status = 'waiting' WHERE id = ?", self.task)
        self.record("TaskSubmitted", self.step.name, {})
        self.save()

    def task_returned(self, body: str) -> None:
        """End the running task with what its function returned, which must be a JSON object."""
        result = parse_object(body)
        if result is None:
            self.task_failed(INVALID_LOCAL, "The function returned no JSON object.")
        else:
            self.task_succeeded(result)

    def wait_ended(self) -> None:
        """Go on behind a wait."""
        self._complete_and_go_on(None)
        self.save()

    def retry_due(self) -> None:
        """Run the task again."""
        if self._guarded(self._begin_task):
            self._advance(self.next_name)
        self.save()

    def stop(self, error: str, cause: str) -> None:
        """End it by StopExecution."""
        self._end("Stopped", {"error": error, "cause": cause}, error=error, cause=cause)
        self.save()

    def time_out(self) -> None:
        """End it by its own time-out."""
        self._end("TimedOut", {})
        self.save()

    def record(self, event_type: str, step: str, detail: JsonObject) -> int:
        """Write an event of the history; return its id."""
        self.events += 1
        self.store.run(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)",
            *(self.id, self.events, event_type, step, self.events - 1, self.clock.now()),
            self.store.mask_tokens(compact(detail)),
        )
        return self.events

    def save(self) -> None:
        """Write where it stands."""
        state = {
            "scope": self.scope,
            "step": self.step_name,
            "entered": self.entered,
            "input": self.step_input,
            "retries": self.retries,
            "task": self.task,
        }
        self.store.run(
            "UPDATE executions SET status = ?, events = ?, state = ? WHERE id = ?",
            *(self.status, self.events, self.store.mask_tokens(compact(state)), self.id),
        )

    def _evaluation_context(self, **changes: Any) -> EvaluationContext:
        return EvaluationContext(
            flow_name=self.row["flow_name"],
            execution_name=self.row["name"],
            execution_input=self.input,
            role_arn=self.row["role_arn"],
            event_id=self.entered,
            retry_count=sum(self.retries.values()),
            **changes,
        )

    def _advance(self, name: str | None) -> None:
        """Run steps until one has to wait or the execution ends."""
        while self.status == "Running":
            if name is None:
                self._succeed()
                return
            self.step_name = name
            self.retries = {}
            if self.events >= MAX_EVENTS - 10:
                self._fail(RUNTIME_ERROR, f"The execution has reached the limit of {MAX_EVENTS} events.")
                return
            self.entered = self.record("StepEntered", name, self.flow.entered(self.scope))
            if not self._guarded(self._enter):
                return
            name = self.next_name

    def _guarded(self, action: Any) -> bool:
        """Call what may fail by the flow's own data; such an error is not caught by the flow."""
        try:
            return bool(action())
        except FlowError as error:
            self._close_task()
            self.record("StepFailed", self.step.name, {"error": error.error, "cause": error.cause})
            self._fail(error.error, error.cause)
            return False

    def _enter(self) -> bool:
        """Begin the step; say whether it has ended already, so that the one of `next_name` can begin."""
        step = self.step
        if step.kind == "task":
            return self._begin_task()
        if step.kind == "fail":
            self.record("StepStarted", step.name, {"input": self.flow.entered(self.scope)["input"]})
            self.record("StepFailed", step.name, {"error": step.error, "cause": step.cause})
            self._fail(step.error, step.cause)
            return False
        context = self._evaluation_context()
        self.step_input = self.flow.step_input(step, self.scope, context)
        self.record("StepStarted", step.name, {"input": self.step_input})
        if step.kind == "wait":
            now = self.clock.now()
            due = self.flow.wait_until(step, self.scope, self.step_input, context, now)
            if due > now:
                self._timer("wait", due)
                return False
        self._complete(None)
        return True

    def _begin_task(self) -> bool:
        """Invoke the task's function; say whether the step has ended already."""
        step = self.step
        again = bool(self.retries)
        # A token seen in the wild carries the id of its step's StepEntered; a further attempt must have another one.
        event = self.events + 1 if again else self.entered
        token = self._open_task(event)
        context = self._evaluation_context(task_token=token if step.callback else None)
        self.step_input = self.flow.step_input(step, self.scope, context)
        if not again:
            self.record("StepStarted", step.name, {"input": self.step_input})
        call = self.flow.task_call(step, self.scope, self.step_input, context)
        self.store.run("UPDATE tasks SET waits_for = ? WHERE id = ?", call.waits_for, self.task)
        self.record("TaskScheduled", step.name, {"input": self.step_input, "resourceArn": call.resource_arn})
        self.record("TaskStarted", step.name, {})
        if call.timeout_seconds is not None:
            self._timer("task", self.clock.now() + call.timeout_seconds, task=self.task)
        return self._submit(call)

    def _submit(self, call: TaskCall) -> bool:
        function = self.functions.knows(call.resource_arn)
        if function is None:
            cause = f"There is no function for {call.resource_arn}."
            return self._task_failed("FC.FunctionNotFound", cause, "TaskSubmitFailed")[1]
        assert self.task is not None
        self.functions.submit(
            function=function,
            event=call.event,
            asynchronous=call.asynchronous,
            account=self.row["account"],
            execution=self.id,
            task=self.task,
        )
        if not call.asynchronous:
            return False
        self.store.run("UPDATE tasks SET status = 'waiting' WHERE id = ?", self.task)
        self.record("TaskSubmitted", self.step.name, {})
        if call.waits_for != "call":
            return False
        # FC has taken the event, and that is all such a task waits for.
        self._close_task()
        self.record("TaskSucceeded", self.step.name, {"output": {}})
        self._complete({})
        return True

    def _open_task(self, event: int) -> str:
        token = self.store.issuer.task_token(
            flow=self.row["flow_name"], execution=self.row["name"], event_id=event, execution_id=self.id
        )
        self.task = self.store.run(
            "INSERT INTO tasks (execution, event, step, waits_for, digest) VALUES (?, ?, ?, '', ?)",
            *(self.id, event, self.step.name, token_digest(token)),
        )
        return token

    def _close_task(self) -> None:
        if self.task is None:
            return
        self.store.run("UPDATE tasks SET status = 'ended' WHERE id = ?", self.task)
        self.store.run("DELETE FROM timers WHERE task = ?", self.task)
        self.task = None

    def _task_failed(self, error: str, cause: str, event_type: str) -> tuple[int, bool]:
        """Return the event's id, and whether the step was left by a catch."""
        self._close_task()
        step = self.step
        event = self.record(event_type, step.name, {"error": error, "cause": cause})
        if self._retry(error):
            return event, False
        place = first_match(step.catch, error)
        if place is None:
            self.record("StepFailed", step.name, {"error": error, "cause": cause})
            self._fail(error, cause)
            return event, False
        rule = step.catch[place]
        context = self._evaluation_context(error=error, cause=cause)

        def go_on() -> bool:
            _output, self.scope = self.flow.caught(step, rule, self.scope, self.step_input, context)
            self.record("StepExited", step.name, self.flow.exited(self.scope))
            self.next_name = rule.goto
            return True

        return event, self._guarded(go_on)

    def _retry(self, error: str) -> bool:
        place = first_match(self.step.retry, error)
        if place is None or self.events >= MAX_EVENTS - 10:
            return False
        rule = self.step.retry[place]
        used = self.retries.get(str(place), 0)
        if used >= rule.max_attempts:
            return False
        self.retries[str(place)] = used + 1
        self._timer("retry", self.clock.now() + rule.delay_seconds(used + 1))
        return True

    def _complete(self, result: JsonObject | None) -> None:
        output, scope = self.flow.complete(self.step, self.scope, self.step_input, result, self._evaluation_context())
        self.scope = scope
        self.record("StepSucceeded", self.step.name, {"output": output})
        self.record("StepExited", self.step.name, self.flow.exited(scope))
        self.next_name = self.step.following

    def _complete_and_go_on(self, result: JsonObject | None) -> None:
        def complete() -> bool:
            self._complete(result)
            return True

        if self._guarded(complete):
            self._advance(self.next_name)

    def _succeed(self) -> None:
        try:
            output = self.flow.output(self.scope, self._evaluation_context())
        except FlowError as error:
            self._fail(error.error, error.cause)
        else:
            self._end("Succeeded", {"output": output}, output=compact(output))

    def _fail(self, error: str, cause: str) -> None:
        self._end("Failed", {"error": error, "cause": cause}, error=error, cause=cause)

    def _end(self, status: str, detail: JsonObject, *, output: str = "", error: str = "", cause: str = "") -> None:
        self._close_task()
        self.status = status
        self.step_name = None
        self.record(f"Execution{status}", "", detail)
        self.store.run("DELETE FROM timers WHERE execution = ?", self.id)
        seal = self.store.mask_tokens
        self.store.run(
            "UPDATE executions SET output = ?, error = ?, cause = ?, stopped = ? WHERE id = ?",
            *(seal(output), seal(error), seal(cause), self.clock.now(), self.id),
        )

    def _timer(self, kind: str, due: float, *, task: int | None = None) -> None:
        self.store.run("INSERT INTO timers (due, kind, execution, task) VALUES (?, ?, ?, ?)", due, kind, self.id, task)
