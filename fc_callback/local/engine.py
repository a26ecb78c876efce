"""Runs all executions: starts, reports, stops and timers, also after a restart."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING

from fc_callback.flows.definition import parse_object
from fc_callback.flows.express import check_express
from fc_callback.local.api_errors import ApiError, invalid_argument
from fc_callback.local.execution import ExecutionRun
from fc_callback.local.execution_ends import complete_task, schedule_completion
from fc_callback.local.execution_record import RunContext, parsed_flow
from fc_callback.local.internal_errors import fail_internally
from fc_callback.local.starts import insert_execution
from fc_callback.local.timers import Timers
from fc_callback.local.tokens import token_digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.flows import Flow
    from fc_callback.local.attempts import InvocationEnd
    from fc_callback.local.clock import Clock
    from fc_callback.local.execution_record import TaskCalls
    from fc_callback.local.invoker import Invoker
    from fc_callback.local.store import Row, ServiceStore


class Engine(Timers):
    """Runs every execution of the database.

    With `conflict`, a report that comes before a synchronous invocation has returned is refused with TaskInvalidState.
    """

    def __init__(
        self, store: ServiceStore, clock: Clock, invoker: Invoker, calls: TaskCalls, *, conflict: bool
    ) -> None:
        super().__init__(store, clock)
        self._conflict = conflict
        self._context = RunContext(store=store, clock=clock, calls=calls, on_end=schedule_completion)
        self._invoker = invoker
        self._waiting: dict[int, list[Future[None]]] = {}
        # Called with the row of an execution that has changed, and with None at the end of the service.
        self.listeners: list[Callable[[int | None], None]] = []
        invoker.on_end = self.invocation_ended
        invoker.on_error = self.fail_internally
        invoker.on_change = self.wake_timers

    def start(self) -> None:
        """Resume the unfinished invocations of a former process, and start the timers."""
        self._invoker.resume()
        self._thread.start()

    def close(self) -> None:
        """Stop the timers, and cancel all waits for executions."""
        self.stop_timers()
        for futures in list(self._waiting.values()):
            for future in list(futures):
                future.cancel()

    def start_execution(
        self, flow: Row, *, name: str, execution_input: str, callback_token: str = "", express: bool = False
    ) -> str:
        """Start an execution, and run it until it has to wait; return its name.

        If one of the name runs already, nothing starts. The end of the execution completes the task of
        `callback_token`, if there is one. `express` is true for StartSyncExecution.

        Raises:
            ApiError: The flow, the name, the input or the token is refused.
        """
        with self._store.transaction():
            reports_to = None
            if callback_token:
                task = self._task_of(flow["account"], callback_token)
                _refuse_ended(task)
                reports_to = task["id"]
            name = insert_execution(
                self._store,
                self._clock,
                flow,
                name=name,
                execution_input=execution_input,
                reports_to=reports_to,
                express=express,
            )
            timer = self._store.one(
                "SELECT t.id, t.execution FROM timers t JOIN executions e ON e.id = t.execution"
                " WHERE t.kind = 'begin' AND e.flow = ? AND e.name = ?",
                *(flow["id"], name),
            )
            if timer is not None:
                self._store.run("DELETE FROM timers WHERE id = ?", timer["id"])
                self._load(timer["execution"]).begin()
                self._after_change(timer["execution"])
        return name

    def report_succeeded(self, account: str, task_token: str, output: str) -> int:
        """Complete a task with its Output; return the event's id.

        Raises:
            ApiError: The report is refused.
        """
        with self._store.transaction():
            task = self._task_of(account, task_token)
            run = self._load(task["execution"])
            if len(output.encode()) > run.flow.limit_bytes:
                raise ApiError("EntityTooLarge", run.flow.limit_bytes)
            result = parse_object(output)
            if result is None:
                raise invalid_argument("The Output is not a JSON object.")
            event = self._require_waiting(task, run) or run.task_succeeded(task["frame"], result)
            self._after_change(run.id)
        return event

    def report_failed(self, account: str, task_token: str, error: str, cause: str) -> int:
        """Complete a task with an error; return the event's id.

        Raises:
            ApiError: The report is refused.
        """
        with self._store.transaction():
            task = self._task_of(account, task_token)
            run = self._load(task["execution"])
            event = self._require_waiting(task, run) or run.task_failed(task["frame"], error, cause)
            self._after_change(run.id)
        return event

    def _task_of(self, account: str, task_token: str) -> Row:
        task = self._store.one(
            "SELECT t.*, e.account, e.flow_name, e.name FROM tasks t JOIN executions e ON e.id = t.execution"
            " WHERE digest = ?",
            token_digest(task_token),
        )
        if task is None or task["waits_for"] != "report":
            raise invalid_argument("The TaskToken does not belong to this service.")
        if task["account"] != account:
            raise ApiError("AccessDenied")
        return task

    def _require_waiting(self, task: Row, run: ExecutionRun) -> int | None:
        """Refuse a report to a task that does not wait. Return the last event if the report has ended the execution.

        This happens if its history has no room for the event that the task's call was accepted.
        """
        _refuse_ended(task)
        if task["status"] == "scheduled":
            if self._conflict:
                raise ApiError("TaskInvalidState")
            run.task_submitted(task["frame"])
        return None if run.status == "Running" else run.events

    def stop_execution(self, execution: int, error: str, cause: str) -> None:
        """Stop a running execution."""
        with self._store.transaction():
            self._load(execution).stop(error, cause)
            self._after_change(execution)

    def invocation_ended(self, end: InvocationEnd) -> None:
        """Pass a function's result to its task, if the task still waits for it."""
        with self._store.transaction():
            task = self._store.one("SELECT * FROM tasks WHERE id = ?", end.task)
            if task is None or task["status"] == "ended":
                return
            if end.asynchronous and task["waits_for"] == "report":
                return
            run = self._load(task["execution"])
            if end.error_name:
                run.task_failed(task["frame"], end.error_name, end.error_message)
            elif task["waits_for"] != "report":
                if end.result is None:
                    run.task_returned(task["frame"], end.body)
                else:
                    run.task_succeeded(task["frame"], end.result)
            elif task["status"] == "scheduled":
                run.task_submitted(task["frame"])
            self._after_change(run.id)

    def _load(self, execution: int) -> ExecutionRun:
        row = self._store.one("SELECT * FROM executions WHERE id = ?", execution)
        assert row is not None
        return ExecutionRun(self._context, row)

    def _after_change(self, execution: int) -> None:
        self._store.after_commit(lambda: self._notify(execution))

    def _notify(self, execution: int) -> None:
        self.wake_timers()
        for listener in self.listeners:
            listener(execution)
        if execution in self._waiting and not self._is_running(execution):
            for future in self._waiting.pop(execution, ()):
                if future.set_running_or_notify_cancel():
                    future.set_result(None)

    def _is_running(self, execution: int) -> bool:
        row = self._store.one("SELECT status FROM executions WHERE id = ?", execution)
        return row is not None and row["status"] == "Running"

    def give_up(self, timer: Row, error: Exception) -> None:
        """End the execution of a timer after an internal error."""
        self.fail_internally(timer["execution"], error)

    def fail_internally(self, execution: int | None, error: Exception) -> None:
        """Fail an execution after an internal error, in a transaction; None for an invocation without one."""
        if execution is not None:
            fail_internally(self._store, self._clock, execution, error, self._load)
            self._after_change(execution)

    def when_ended(self, execution: int) -> Future[None]:
        """Return a future that is done when the execution has ended."""
        future: Future[None] = Future()
        with self._store.transaction():
            if not self._is_running(execution):
                future.set_result(None)
            else:
                with self._changed:
                    self._waiting.setdefault(execution, []).append(future)
                future.add_done_callback(lambda done: self._forget(execution, done))
        return future

    def _forget(self, execution: int, future: Future[None]) -> None:
        """Forget a wait that was cancelled before the execution has ended."""
        with self._changed:
            waiting = self._waiting.get(execution, [])
            if future in waiting:
                waiting.remove(future)
                if not waiting:
                    del self._waiting[execution]

    def act(self, timer: Row) -> None:
        """Continue the execution, or launch the invocation, that a timer belongs to."""
        kind, frame = timer["kind"], timer["frame"]
        if kind == "invocation":
            self._invoker.launch(timer["invocation"])
            return
        run = self._load(timer["execution"])
        if kind == "begin":
            run.begin()
        elif kind == "stop":
            run.stop("", "The execution that waited for it has ended.")
        elif kind == "execution":
            run.time_out()
        elif kind == "task":
            run.task_timed_out(frame)
        elif kind == "wait":
            run.wait_ended(frame)
        elif kind == "next":
            run.go_on(frame)
        elif kind == "child":
            complete_task(run, timer)
        else:
            run.retry_due(frame)
        self._after_change(run.id)


def _refuse_ended(task: Row) -> None:
    if task["status"] == "ended":
        raise ApiError("TaskAlreadyCompleted", f"{task['flow_name']}/{task['name']}/{task['event']}")


def check_definition(definition: str, *, express: bool = False) -> Flow:
    """Return the flow of a definition.

    Raises:
        ApiError: The definition cannot be run, or not as an Express flow.
    """
    try:
        flow = parsed_flow(definition)
        if express:
            check_express(flow)
    except ValueError as error:
        raise invalid_argument(str(error)) from None
    return flow
