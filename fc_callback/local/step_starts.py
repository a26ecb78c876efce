"""How a step begins: it ends at once, or waits for a time, a call or the lists inside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fc_callback.flows.definition import FlowError
from fc_callback.flows.express import check_wait
from fc_callback.local.execution_record import SubmitFailed
from fc_callback.local.step_ends import complete_step, fail_list, fail_step, open_lists

if TYPE_CHECKING:
    from fc_callback.flows.flow import TaskCall
    from fc_callback.local.execution_record import ExecutionRecord
    from fc_callback.local.frames import Frame


def enter_step(run: ExecutionRecord, frame: Frame, name: str) -> None:
    """Begin the next step of a list."""
    frame.step_name, frame.following, frame.retries = name, None, {}
    frame.entered = run.add_event(frame, "StepEntered", run.flow.entered(frame.scope))
    begin_step(run, frame)


def begin_step(run: ExecutionRecord, frame: Frame) -> None:
    """Begin the current step, for the first time or again, after a retry."""
    try:
        _BEGIN.get(frame.step.kind, _begin_other)(run, frame)
    except FlowError as error:
        fail_list(run, frame, error)


def _start(run: ExecutionRecord, frame: Frame) -> None:
    frame.step_input = run.flow.step_input(frame.step, run.context(frame))
    if not frame.retries:
        run.add_event(frame, "StepStarted", {"input": frame.step_input})


def _begin_other(run: ExecutionRecord, frame: Frame) -> None:
    """Begin a `pass` or `succeed`, which end at once."""
    _start(run, frame)
    complete_step(run, frame, None)


def _begin_fail(run: ExecutionRecord, frame: Frame) -> None:
    run.add_event(frame, "StepStarted", {"input": run.flow.entered(frame.scope)["input"]})
    fail_step(run, frame, frame.step.error, frame.step.cause)


def _begin_wait(run: ExecutionRecord, frame: Frame) -> None:
    _start(run, frame)
    now = run.clock.now()
    due = run.flow.wait_until(frame.step, run.context(frame), now)
    if run.row["express"]:
        check_wait(frame.step.name, due - now)
    if due > now:
        run.add_timer("wait", due, frame=frame)
    else:
        complete_step(run, frame, None)


def _begin_choice(run: ExecutionRecord, frame: Frame) -> None:
    _start(run, frame)
    chosen = run.flow.choose(frame.step, run.context(frame))
    if chosen.body is None:
        complete_step(run, frame, None, goto=chosen.goto)
        return
    frame.goto, frame.items, frame.opened, frame.running = chosen.goto, [None], 1, 1
    scope = run.flow.child_scope(frame.step, frame.step_input, 0, None)
    run.open_frame(frame, body=chosen.body, position=0, scope=scope)


def _begin_lists(run: ExecutionRecord, frame: Frame) -> None:
    """Begin a `parallel` or a `map`."""
    _start(run, frame)
    try:
        children = run.flow.children(frame.step, run.context(frame))
    except FlowError as error:
        fail_step(run, frame, error.error, error.cause)
        return
    frame.items, frame.opened, frame.running = children.items, 0, 0
    if children.items:
        open_lists(run, frame, children.concurrency)
    else:
        complete_step(run, frame, run.flow.join(frame.step, []))


def _begin_task(run: ExecutionRecord, frame: Frame) -> None:
    step = frame.step
    # A published token carries the id of its step's StepEntered event. A retry must have another token.
    token = run.open_task(frame, run.events + 1 if frame.retries else frame.entered)
    shown_token = token if step.callback else None
    frame.step_input = run.flow.step_input(step, run.context(frame, task_token=shown_token))
    if not frame.retries:
        run.add_event(frame, "StepStarted", {"input": frame.step_input})
    call = run.flow.task_call(step, run.context(frame, task_token=shown_token))
    run.store.update("tasks", frame.task, waits_for=call.waits_for)
    run.add_event(frame, "TaskScheduled", {"input": frame.step_input, "resourceArn": call.resource_arn or call.action})
    run.add_event(frame, "TaskStarted", {})
    if call.timeout_seconds is not None:
        run.add_timer("task", run.clock.now() + call.timeout_seconds, frame=frame)
    _submit(run, frame, call, token)


def _submit(run: ExecutionRecord, frame: Frame, call: TaskCall, token: str) -> None:
    assert frame.task is not None
    try:
        result = run.calls.submit(call, account=run.row["account"], execution=run.id, task=frame.task, task_token=token)
    except SubmitFailed as refused:
        run.close_task(frame)
        run.add_event(frame, "TaskSubmitFailed", {"error": refused.error, "cause": refused.cause})
        fail_step(run, frame, refused.error, refused.cause)
        return
    if result is None:
        return
    mark_submitted(run, frame)
    if call.waits_for == "call":
        # Such a task waits for nothing else.
        run.close_task(frame)
        run.add_event(frame, "TaskSucceeded", {"output": result})
        complete_step(run, frame, result)


def mark_submitted(run: ExecutionRecord, frame: Frame) -> None:
    """Record that the call of a task has been accepted, and that the task waits for its end or its report."""
    run.store.update("tasks", frame.task, status="waiting")
    run.add_event(frame, "TaskSubmitted", {})


_BEGIN = {
    "task": _begin_task,
    "wait": _begin_wait,
    "choice": _begin_choice,
    "parallel": _begin_lists,
    "map": _begin_lists,
    "fail": _begin_fail,
}
