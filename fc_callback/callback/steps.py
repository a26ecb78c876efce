"""The ten steps of an invocation, from the event to the text that FC gets.

1. Read the context. 2. Find the task token. 3. Bind the task. 4. Ask `once` whether the work is done. 5. Build the arguments.
6. Run the function. 7. Encode the Output, and record it. 8. Report. 9. Record that it is reported. 10. Return the text of the
Output.
"""

from __future__ import annotations

import functools
import logging
import os
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from fc_callback import settings
from fc_callback.callback.batch import TimeBudget, element_bytes, joined, run_all
from fc_callback.callback.deadline import SoftDeadline
from fc_callback.callback.outcome import DEFERRED, Failed, Unwritable
from fc_callback.callback.run_and_record import Recording, Run, log_failure, run_plain
from fc_callback.callback.service import Service
from fc_callback.errors import (
    EventNotUtf8,
    IdempotencyKeyMissing,
    PayloadInvalid,
    ReportUndelivered,
    TaskTokenNotFound,
    TokenAmbiguous,
)
from fc_callback.idempotency.unremembered import NO_WORK
from fc_callback.metrics import task_record, timed_step
from fc_callback.payload.arguments import Delivery
from fc_callback.payload.token_search import Finder
from fc_callback.values.context import FcContext
from fc_callback.values.invocation import invocation_scope, task_scope
from fc_callback.values.safe_log import log_safely
from fc_callback.values.task import Deferred

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fc_callback.callback.options import Options
    from fc_callback.callback.outcome import Succeeded
    from fc_callback.cloudflow.client import CloudFlowClient
    from fc_callback.idempotency.options import Once
    from fc_callback.idempotency.unremembered import Unremembered
    from fc_callback.idempotency.work import Work
    from fc_callback.metrics import TaskRecord
    from fc_callback.payload.arguments import ArgumentBinding
    from fc_callback.values.context import Credentials, Deadline
    from fc_callback.values.task import Task

logger = logging.getLogger("fc_callback")

_NO_WATCH = nullcontext()


class Steps:
    """Serves the events of one decorated function.

    Args:
        binding: The function and its parameters.
        options: The options of `task_callback`.
    """

    def __init__(self, binding: ArgumentBinding, options: Options) -> None:
        self._binding = binding
        self._options = options
        self._finder = Finder(options.token)
        self._service: Service | None = None

    def serve(self, bound: tuple[Any, ...], event: Any, raw_context: Any, further: Mapping[str, Any]) -> str:
        """Serve one invocation of FC.

        Args:
            bound: The instance in a tuple, if the function is a method.
            event: The event that FC delivered.
            raw_context: FC's context.
            further: Further keyword arguments of a direct call.

        Returns:
            The text for FC: the Output.
        """
        with invocation_scope(raw_context, event) as invocation:  # 1. Read the context.
            # A handler above this one may have changed the context that it passes on.
            context = raw_context if isinstance(raw_context, FcContext) else invocation.context
            limit = self._options.batch
            delivery = Delivery(event=event, raw_context=raw_context, context=context, bound=bound, further=further)
            elements = None if limit is None else self._finder.elements(event)
            if elements is None:
                return self._serve_task(delivery, deadline=context.deadline)
            return self._serve_each(delivery, elements, limit=limit or 1)

    def _serve_task(self, delivery: Delivery, *, deadline: Deadline | None, place: str = "$") -> str:
        options, context = self._options, delivery.context
        with task_record(delivery.event) as record:
            with timed_step(record, "find"):
                try:
                    found = self._finder.find(delivery.event)  # 2. Find the token.
                except TaskTokenNotFound as error:
                    if options.missing_token == "raise" or isinstance(error, (TokenAmbiguous, EventNotUtf8)):  # noqa: S105 - a policy
                        raise
                    found = None
            if found is None:
                return self._serve_without_task(delivery, record)
            task = delivery.begin_task(found, deadline=deadline, place=place)
            record.begins(task)
            with task_scope(task):  # 3. Bind the task: logs name it, `current_task()` returns it.
                # Before the work: if the task cannot be reported, the function must not run.
                client, limit_bytes = self._client_and_limit(context)
                credentials = None
                if client.credentials is None:
                    credentials = context.credentials or context.require_credentials()
                    client.check_credentials(credentials)
                # 4. Is the work done? The watch starts later, because waiting for another delivery is not running.
                work = NO_WORK if options.once is None else self._work_or_failure(options.once, context, task)
                if isinstance(work, Failed):
                    self._report(client, credentials, task, work, context.deadline, NO_WORK, record)
                    return work.text
                recording = Recording(work, context.deadline)
                record.replayed = recording.stored is not None
                run = Run(self._binding, delivery, options=options, limit_bytes=limit_bytes, record=record)
                watch = None
                if options.on_failure == "report" and deadline is not None:
                    watch = SoftDeadline(
                        task=task,
                        client=client,
                        credentials=credentials,
                        margin=options.deadline_margin_seconds,
                        record=record,
                    )
                with watch or _NO_WATCH:
                    outcome = run.run_and_record(recording, watch)  # 5., 6., 7.
                    if isinstance(outcome, Unwritable):
                        recording.finish()
                        raise outcome.error
                    is_ended = watch is not None and watch.has_reported()
                    if isinstance(outcome, Deferred):
                        recording.finish()
                        if not is_ended:
                            record.outcome = "deferred"
                            log_safely(
                                logger, logging.INFO, "Task %s is deferred: another process reports it.", task.token
                            )
                        return DEFERRED
                    try:
                        if not is_ended:  # 8. Report.
                            until = recording.report_until()
                            self._report(client, credentials, task, outcome, until, recording.work, record)
                    except Exception:
                        recording.settle(outcome, is_reported=False)
                        raise
                    recording.settle(outcome, is_reported=True)  # 9. Record that it is reported.
                    return str(outcome.text)  # 10. Return the Output, as a text of FC's own kind.

    def _client_and_limit(self, context: FcContext) -> tuple[CloudFlowClient, int]:
        """Return the client and the Output limit of this function. They are created again when the settings change."""
        key = (context.region, context.cloudflow_endpoint, *map(os.environ.get, settings.CLIENT_VARIABLES))
        service = self._service
        if service is None or service.key != key:
            service = self._service = Service.made_for(self._options, context, key)
        return service.client, service.limit_bytes

    def _work_or_failure(self, once: Once, context: FcContext, task: Task) -> Work | Failed:
        """Begin the work, or get its stored result. Return a failure if no delivery of this event can begin it."""
        try:
            return self._enter_once(once, context, task)
        except (IdempotencyKeyMissing, PayloadInvalid) as error:  # bad input, like a payload of another shape
            failure = self._options.failure_of(error, task)
            if failure is None:
                raise
            log_failure(failure, error, task)
            return failure

    def _enter_once(self, once: Once, context: FcContext, task: Task | None, payload: Mapping[str, Any] = {}) -> Work:
        """Begin the work, or get its stored result."""
        token = None
        if task is not None:  # with the keys of the token, so that a key= that names one of them is refused
            token, payload = task.token, {**task.payload, **dict.fromkeys(task.token_keys, task.token.secret)}
        # The deadline of the invocation, not of the task: FC delivers the event again after the invocation has ended.
        scope = once.scope_of(self._binding.function, context)
        return once.enter(payload, scope=scope, deadline=context.deadline, token=token)

    @staticmethod
    def _report(
        client: CloudFlowClient,
        credentials: Credentials | None,
        task: Task,
        outcome: Succeeded | Failed,
        until: Deadline | None,
        work: Work | Unremembered,
        record: TaskRecord,
    ) -> None:
        """Report a task, unless an earlier delivery of the same event has reported it."""
        token = task.token
        record.ended(outcome.text, error=outcome.error)
        if work.is_reported:  # a repeated batch would waste the quota of 2 calls per second
            log_safely(logger, logging.INFO, "Task %s was already reported by an earlier delivery.", token)
            return
        if work.came_before:  # our earlier delivery may have ended the task
            client = client.evolve(already_completed="accept")
        with timed_step(record, "report"):
            try:
                if isinstance(outcome, Failed):
                    result = client.report_task_failed(
                        token, outcome.error, outcome.cause, deadline=until, credentials=credentials
                    )
                else:
                    result = client.report_task_succeeded(token, outcome.text, deadline=until, credentials=credentials)
            except ReportUndelivered as error:
                record.report_attempts = error.attempts
                raise
            record.reported(result)
        if result.already_completed:
            log_safely(logger, logging.WARNING, "Task %s had already ended: this report changed nothing.", token)
        elif result.attempts > 1:
            text = "Task %s is reported, with %d calls (%d throttled)."
            log_safely(logger, logging.INFO, text, token, result.attempts, result.throttled)

    def _serve_without_task(self, delivery: Delivery, record: TaskRecord) -> str:
        """Serve an event without a token, which `missing_token="ignore"` allows. Nothing is reported."""
        once, payload = self._options.once, delivery.begin_plain()
        work = NO_WORK if once is None else self._enter_once(once, delivery.context, None, payload or {})
        return str(run_plain(self._binding, delivery, work, record=record))

    def _serve_each(self, whole: Delivery, elements: list[Any], *, limit: int) -> str:
        """Serve an event with several tasks: each as if it were an event of its own, with its share of the time."""
        budget = TimeBudget(tasks=len(elements), limit=limit, deadline=whole.context.deadline)
        jobs = [functools.partial(self._serve_element, whole, index, one, budget) for index, one in enumerate(elements)]
        return joined(run_all(jobs, limit=limit))

    def _serve_element(self, whole: Delivery, index: int, element: Any, budget: TimeBudget) -> str:
        deadline = budget.next()
        return self._serve_task(whole.of_element(element_bytes(element)), deadline=deadline, place=f"$[{index}]")
