"""One execution, driven from step to step within one transaction.

The code is the same for both languages; the `Flow` defines the inputs and outputs. Every method runs inside
`ServiceStore.transaction`. Afterwards the execution has ended, or each of its lists waits for a task, a time, a retry or
the lists inside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fc_callback.flows.definition import TASK_TIMEOUT, FlowError
from fc_callback.flows.express import timeout_of
from fc_callback.local.execution_record import ExecutionRecord, TooManyEvents
from fc_callback.local.step_ends import complete_step_safely, end_list, fail_step
from fc_callback.local.step_starts import begin_step, enter_step, mark_submitted

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.flows.definition import JsonObject
    from fc_callback.local.frames import Frame

# About a tenth of a second of work.
MAX_WRITTEN_CHARACTERS = 4 * 1024 * 1024


class ExecutionRun(ExecutionRecord):
    """An execution that was loaded to be continued; for the arguments see `ExecutionRecord`."""

    def begin(self) -> None:
        """Start with the first step."""
        self._continue(self._begin)

    def task_succeeded(self, frame_id: int, output: JsonObject) -> int:
        """End a running task with its result, and continue; return the event's id."""
        frame = self.frame(frame_id)
        return self._continue(lambda: self._task_succeeded(frame, output))

    def task_failed(self, frame_id: int, error: str, cause: str) -> int:
        """End a running task with an error: retry it, catch the error, or fail; return the event's id."""
        frame = self.frame(frame_id)
        return self._continue(lambda: self._task_failed(frame, error, cause, "TaskFailed"))

    def task_timed_out(self, frame_id: int) -> None:
        """End a running task because of its timeout."""
        frame = self.frame(frame_id)
        self._continue(lambda: self._task_timed_out(frame))

    def task_submitted(self, frame_id: int) -> None:
        """Record that the call of a task has been accepted."""
        frame = self.frame(frame_id)
        self._continue(lambda: mark_submitted(self, frame))

    def task_returned(self, frame_id: int, response: str) -> None:
        """End a running task with the response of its function."""
        frame = self.frame(frame_id)
        try:
            result = self.flow.function_result(frame.step, response)
        except FlowError as error:
            self.task_failed(frame_id, error.error, error.cause)
        else:
            self.task_succeeded(frame_id, result)

    def wait_ended(self, frame_id: int) -> None:
        """Continue after a wait."""
        frame = self.frame(frame_id)
        self._continue(lambda: complete_step_safely(self, frame, None))

    def retry_due(self, frame_id: int) -> None:
        """Run a step again."""
        frame = self.frame(frame_id)
        self._continue(lambda: begin_step(self, frame))

    def go_on(self, frame_id: int) -> None:
        """Continue the lists that were interrupted; `frame_id` is the first of them, whose timer is deleted already."""
        self.ready.append(self.frame(frame_id))
        self.ready.extend(self.interrupted())
        self._continue(lambda: None)

    def stop(self, error: str, cause: str) -> None:
        """End the execution because of StopExecution."""
        self.end("Stopped", {"error": error, "cause": cause}, error=error, cause=cause)
        self.save()

    def time_out(self) -> None:
        """End the execution because of its own timeout."""
        self.end("TimedOut", {})
        self.save()

    def _continue(self, action: Callable[[], int | None]) -> int:
        """Do `action`, then run steps until each list waits; return the id of the event that `action` added.

        After many characters of events the rest is left to another transaction, so that the store is free for others.
        """
        event = None
        try:
            event = action()
            while self.ready and self.written <= MAX_WRITTEN_CHARACTERS:
                frame = self.ready.popleft()
                if frame.following is None:
                    end_list(self, frame)
                else:
                    enter_step(self, frame, frame.following)
        except TooManyEvents:
            last = self.fail_for_events()
            event = last if event is None else event
        self.interrupt()
        self.save()
        return event or 0

    def _begin(self) -> None:
        frame = self.open_frame(None, body=0, position=0, scope={})
        self.add_event(frame, "ExecutionStarted", {"input": self.input}, step="")
        timeout_seconds = timeout_of(self.flow) if self.row["express"] else self.flow.timeout_seconds
        if timeout_seconds is not None:
            self.add_timer("execution", self.clock.now() + timeout_seconds)
        try:
            frame.scope = self.flow.begin(self.context(frame))
        except FlowError as error:
            self.fail(error.error, error.cause)

    def _task_succeeded(self, frame: Frame, output: JsonObject) -> int:
        self.close_task(frame)
        event = self.add_event(frame, "TaskSucceeded", {"output": output})
        complete_step_safely(self, frame, output)
        return event

    def _task_timed_out(self, frame: Frame) -> int:
        # A function is not ended: FC does not know the timeout of the step. Its late report is refused.
        if frame.task is not None:
            self.calls.stop_flow(frame.task)
        return self._task_failed(frame, TASK_TIMEOUT, "The task has timed out.", "TaskTimedOut")

    def _task_failed(self, frame: Frame, error: str, cause: str, event_type: str) -> int:
        self.close_task(frame)
        event = self.add_event(frame, event_type, {"error": error, "cause": cause})
        fail_step(self, frame, error, cause)
        return event
