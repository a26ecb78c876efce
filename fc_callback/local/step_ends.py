"""How a step ends, and what follows: in its own list, and in the lists around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fc_callback.flows.definition import FlowError, compact, first_match

if TYPE_CHECKING:
    from fc_callback.local.execution_record import ExecutionRecord
    from fc_callback.local.frames import Frame

_INNER_EVENTS = {"parallel": "Branch", "map": "Iteration"}


def complete_step(run: ExecutionRecord, frame: Frame, result: Any, *, goto: str | None = None) -> None:
    """End the current step of a list with its result; the next step can begin.

    Raises:
        FlowError: The data of the flow do not allow it.
    """
    end = run.flow.complete(frame.step, result, run.context(frame))
    run.leave(frame, end)
    run.add_event(frame, "StepSucceeded", {"output": end.output})
    run.add_event(frame, "StepExited", run.flow.exited(frame.scope))
    frame.following = goto or frame.step.following
    run.ready.append(frame)


def fail_step(run: ExecutionRecord, frame: Frame, error: str, cause: str) -> None:
    """End the current step of a list with an error: retry it, catch the error, or fail the list."""
    while not _schedule_retry(run, frame, error) and not _catch(run, frame, error, cause):
        run.add_event(frame, "StepFailed", {"error": error, "cause": cause})
        if frame.parent is None:
            run.fail(error, cause)
            return
        # The step around it fails with the same error, and ends what else runs in it.
        parent = run.frame(frame.parent)
        parent.last_event = frame.last_event
        run.cancel_inside(parent)
        frame = parent


def fail_list(run: ExecutionRecord, frame: Frame, error: FlowError) -> None:
    """End the current step because of the flow's own data: its own retry and catch rules do not apply."""
    run.cancel_inside(frame)
    run.close_task(frame)
    run.add_event(frame, "StepFailed", {"error": error.error, "cause": error.cause})
    if frame.parent is None:
        run.fail(error.error, error.cause)
        return
    parent = run.frame(frame.parent)
    parent.last_event = frame.last_event
    run.cancel_inside(parent)
    fail_step(run, parent, error.error, error.cause)


def _schedule_retry(run: ExecutionRecord, frame: Frame, error: str) -> bool:
    index = first_match(frame.step.retry, error)
    if index is None:
        return False
    rule = frame.step.retry[index]
    used = frame.retries.get(str(index), 0)
    if used >= rule.max_attempts:
        return False
    frame.retries[str(index)] = used + 1
    run.add_timer("retry", run.clock.now() + rule.delay_seconds(used + 1), frame=frame)
    return True


def _catch(run: ExecutionRecord, frame: Frame, error: str, cause: str) -> bool:
    index = first_match(frame.step.catch, error)
    if index is None:
        return False
    rule = frame.step.catch[index]
    try:
        end = run.flow.caught(frame.step, rule, run.context(frame, error=error, cause=cause))
    except FlowError as failure:
        fail_list(run, frame, failure)
        return True
    run.leave(frame, end)
    run.add_event(frame, "StepExited", run.flow.exited(frame.scope))
    frame.following = rule.goto
    run.ready.append(frame)
    return True


def open_lists(run: ExecutionRecord, frame: Frame, concurrency: int) -> None:
    """Begin as many branches or iterations of the current step as may run now."""
    step = frame.step
    while frame.running < concurrency and frame.opened < len(frame.items):
        position = frame.opened
        frame.opened += 1
        frame.running += 1
        scope = run.flow.child_scope(step, frame.step_input, position, frame.items[position])
        body = 0 if step.kind == "map" else position
        inner = run.open_frame(frame, body=body, position=position, scope=scope)
        detail = run.flow.entered(scope)
        run.add_event(inner, f"{_INNER_EVENTS[step.kind]}Entered", detail, step=step.name)


def end_list(run: ExecutionRecord, frame: Frame) -> None:
    """End a list after its last step: the execution, a branch, an iteration or an alternative."""
    if frame.parent is None:
        try:
            output = run.flow.output(run.context(frame))
        except FlowError as error:
            run.fail(error.error, error.cause)
        else:
            run.end("Succeeded", {"output": output}, output=compact(output))
        return
    parent = run.frame(frame.parent)
    if parent.step.kind in _INNER_EVENTS:
        detail = run.flow.exited(frame.scope)
        run.add_event(frame, f"{_INNER_EVENTS[parent.step.kind]}Exited", detail, step=parent.step.name)
    run.close_frame(frame, run.flow.child_output(frame.scope))
    parent.last_event = frame.last_event
    parent.running -= 1
    if parent.opened < len(parent.items):
        open_lists(run, parent, parent.running + 1)
    elif parent.running == 0:
        parent.items, parent.opened = [], 0
        goto, parent.goto = parent.goto, None
        complete_step_safely(run, parent, run.flow.join(parent.step, run.frame_outputs(parent)), goto=goto)


def complete_step_safely(run: ExecutionRecord, frame: Frame, result: Any, *, goto: str | None = None) -> None:
    """End the current step with its result; if the flow's own data do not allow it, fail its list."""
    try:
        complete_step(run, frame, result, goto=goto)
    except FlowError as error:
        fail_list(run, frame, error)
