"""One execution, driven from step to step within one transaction.

The code is the same for both languages; the `Flow` defines the inputs and outputs. Every method runs inside
`ServiceStore.transaction`. Afterwards the execution has ended, or waits for a task, a time or a retry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fc_callback.flows import EvaluationContext, FlowError, Step, TaskCall
from fc_callback.flows.definition import INVALID_LOCAL, RUNTIME_ERROR, compact, first_match, parse_object
from fc_callback.local.execution_record import ExecutionRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.flows.definition import JsonObject

# Source: CloudFlow documentation, "Limits": events in one execution.
MAX_EVENTS = 5_000
_EVENTS_OF_A_STEP = 10  # at most; a step begins only if there is room for its events


class ExecutionRun(ExecutionRecord):
    """An execution that was loaded to be continued; for the arguments see `ExecutionRecord`."""

    next_name: str | None = None

    @property
    def step(self) -> Step:
        """The current step."""
        assert self.step_name is not None
        return self.flow.steps[self.step_name]

    def begin(self) -> None:
        """Start with the first step."""
        self.add_event("ExecutionStarted", "", {"input": self.input})
        if self.flow.timeout_seconds is not None:
            self.add_timer("execution", self.clock.now() + self.flow.timeout_seconds)
        try:
            self.scope = self.flow.begin(self._context())
        except FlowError as error:
            self.fail(error.error, error.cause)
        else:
            self._advance(self.flow.first)
        self.save()

    def task_succeeded(self, output: JsonObject) -> int:
        """End the running task with its result, and continue; return the event's id."""
        self.close_task()
        event = self.add_event("TaskSucceeded", self.step.name, {"output": output})
        self._continue_after(lambda: self._complete(output))
        return event

    def task_failed(self, error: str, cause: str, *, event_type: str = "TaskFailed") -> int:
        """End the running task with an error: retry it, catch the error, or fail; return the event's id."""
        event, is_caught = self._task_failed(error, cause, event_type)
        if is_caught:
            self._advance(self.next_name)
        self.save()
        return event

    def task_submitted(self) -> None:
        """Record that the synchronous invocation of a callback task has returned."""
        self._mark_submitted()
        self.save()

    def task_returned(self, body: str) -> None:
        """End the running task with the result of its function, which must be a JSON object."""
        result = parse_object(body)
        if result is None:
            self.task_failed(INVALID_LOCAL, "The function's result is not a JSON object.")
        else:
            self.task_succeeded(result)

    def wait_ended(self) -> None:
        """Continue after a wait."""
        self._continue_after(lambda: self._complete(None))

    def retry_due(self) -> None:
        """Run the task again."""
        self._continue_after(self._begin_task)

    def stop(self, error: str, cause: str) -> None:
        """End the execution because of StopExecution."""
        self.end("Stopped", {"error": error, "cause": cause}, error=error, cause=cause)
        self.save()

    def time_out(self) -> None:
        """End the execution because of its own timeout."""
        self.end("TimedOut", {})
        self.save()

    def _context(self, **changes: Any) -> EvaluationContext:
        return EvaluationContext(
            flow_name=self.row["flow_name"],
            execution_name=self.row["name"],
            execution_input=self.input,
            scope=self.scope,
            step_input=self.step_input,
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
            if self.events >= MAX_EVENTS - _EVENTS_OF_A_STEP:
                self.fail(RUNTIME_ERROR, f"The execution has reached the limit of {MAX_EVENTS} events.")
                return
            self.entered = self.add_event("StepEntered", name, self.flow.entered(self.scope))
            if not self._guarded(self._enter):
                return
            name = self.next_name

    def _continue_after(self, action: Callable[[], bool]) -> None:
        if self._guarded(action):
            self._advance(self.next_name)
        self.save()

    def _guarded(self, action: Callable[[], bool]) -> bool:
        """Call what the flow's own data may make fail; the flow cannot catch such an error."""
        try:
            return action()
        except FlowError as error:
            self.close_task()
            self.add_event("StepFailed", self.step.name, {"error": error.error, "cause": error.cause})
            self.fail(error.error, error.cause)
            return False

    def _enter(self) -> bool:
        """Begin the step; return whether it has ended already, so that `next_name` can begin."""
        step = self.step
        if step.kind == "task":
            return self._begin_task()
        if step.kind == "fail":
            self.add_event("StepStarted", step.name, {"input": self.flow.entered(self.scope)["input"]})
            self.add_event("StepFailed", step.name, {"error": step.error, "cause": step.cause})
            self.fail(step.error, step.cause)
            return False
        self.step_input = self.flow.step_input(step, self._context())
        self.add_event("StepStarted", step.name, {"input": self.step_input})
        if step.kind == "wait":
            now = self.clock.now()
            due = self.flow.wait_until(step, self._context(), now)
            if due > now:
                self.add_timer("wait", due)
                return False
        return self._complete(None)

    def _begin_task(self) -> bool:
        """Invoke the task's function; return whether the step has ended already."""
        step = self.step
        is_retry = bool(self.retries)
        # A published token carries the id of its step's StepEntered event. A retry must have another token.
        token = self.open_task(step.name, self.events + 1 if is_retry else self.entered)
        shown_token = token if step.callback else None
        self.step_input = self.flow.step_input(step, self._context(task_token=shown_token))
        if not is_retry:
            self.add_event("StepStarted", step.name, {"input": self.step_input})
        call = self.flow.task_call(step, self._context(task_token=shown_token))
        self.store.update("tasks", self.task, waits_for=call.waits_for)
        self.add_event("TaskScheduled", step.name, {"input": self.step_input, "resourceArn": call.resource_arn})
        self.add_event("TaskStarted", step.name, {})
        if call.timeout_seconds is not None:
            self.add_timer("task", self.clock.now() + call.timeout_seconds, task=self.task)
        return self._submit(call)

    def _submit(self, call: TaskCall) -> bool:
        function = self.functions.find(call.resource_arn)
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
        self._mark_submitted()
        if call.waits_for != "call":
            return False
        # FC has accepted the event. Such a task waits for nothing else.
        self.close_task()
        self.add_event("TaskSucceeded", self.step.name, {"output": {}})
        return self._complete({})

    def _mark_submitted(self) -> None:
        self.store.update("tasks", self.task, status="waiting")
        self.add_event("TaskSubmitted", self.step.name, {})

    def _task_failed(self, error: str, cause: str, event_type: str) -> tuple[int, bool]:
        """Return the event's id, and whether a catch rule continues the execution."""
        self.close_task()
        step = self.step
        event = self.add_event(event_type, step.name, {"error": error, "cause": cause})
        if self._schedule_retry(error):
            return event, False
        index = first_match(step.catch, error)
        if index is None:
            self.add_event("StepFailed", step.name, {"error": error, "cause": cause})
            self.fail(error, cause)
            return event, False
        rule = step.catch[index]
        context = self._context(error=error, cause=cause)

        def leave_step() -> bool:
            _output, self.scope = self.flow.caught(step, rule, context)
            self.add_event("StepExited", step.name, self.flow.exited(self.scope))
            self.next_name = rule.goto
            return True

        return event, self._guarded(leave_step)

    def _schedule_retry(self, error: str) -> bool:
        index = first_match(self.step.retry, error)
        if index is None or self.events >= MAX_EVENTS - _EVENTS_OF_A_STEP:
            return False
        rule = self.step.retry[index]
        used = self.retries.get(str(index), 0)
        if used >= rule.max_attempts:
            return False
        self.retries[str(index)] = used + 1
        self.add_timer("retry", self.clock.now() + rule.delay_seconds(used + 1))
        return True

    def _complete(self, result: JsonObject | None) -> bool:
        """End the step; `next_name` can begin."""
        output, self.scope = self.flow.complete(self.step, result, self._context())
        self.add_event("StepSucceeded", self.step.name, {"output": output})
        self.add_event("StepExited", self.step.name, self.flow.exited(self.scope))
        self.next_name = self.step.following
        return True

    def _succeed(self) -> None:
        try:
            output = self.flow.output(self._context())
        except FlowError as error:
            self.fail(error.error, error.cause)
        else:
            self.end("Succeeded", {"output": output}, output=compact(output))
