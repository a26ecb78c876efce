"""The ten steps of an invocation, from the event to the text that FC gets.

1. Read the context. 2. Find the task token. 3. Bind the task. 4. Look whether `once` knows that the work is done. 5. Build
the arguments. 6. Run the function. 7. Make the Output, and record it. 8. Report. 9. Record that it is reported. 10. Return
the Output's text.
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
from fc_callback.callback.run_and_record import Recording, Run, run_plain
from fc_callback.callback.service import Service
from fc_callback.errors import EventNotUtf8, TaskTokenNotFound, TokenAmbiguous
from fc_callback.idempotency.unremembered import NO_WORK
from fc_callback.metrics import task_record, timed_step
from fc_callback.payload.arguments import Delivery, decoded_event, without_token
from fc_callback.payload.token_search import Finder
from fc_callback.values.invocation import context_of, invocation_scope, task_scope
from fc_callback.values.task import Deferred, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fc_callback.callback.options import Options
    from fc_callback.callback.outcome import Succeeded
    from fc_callback.cloudflow.client import CloudFlowClient
    from fc_callback.idempotency.unremembered import Unremembered
    from fc_callback.idempotency.work import Work
    from fc_callback.metrics import TaskRecord
    from fc_callback.payload.arguments import ArgumentBinding
    from fc_callback.payload.token_search import Found
    from fc_callback.values.context import Credentials, Deadline, FcContext
    from fc_callback.values.token import TaskToken

logger = logging.getLogger("fc_callback")

_NO_WATCH = nullcontext()


class Steps:
    """Serves the events of one decorated function.

    Args:
        function: The function.
        binding: How to call it.
        options: The options of `task_callback`.
    """

    def __init__(self, function: Callable[..., Any], binding: ArgumentBinding, options: Options) -> None:
        self._function = function
        self._binding = binding
        self._options = options
        self._finder = Finder(options.token)
        self._service: Service | None = None

    def serve(self, bound: tuple[Any, ...], event: Any, raw_context: Any, further: Mapping[str, Any]) -> str:
        """Serve one invocation of FC.

        Args:
            bound: The instance, in a tuple, where the function is a method.
            event: What FC delivered.
            raw_context: FC's context.
            further: The further arguments of a direct call, by name.

        Returns:
            The text that FC gets: the Output.
        """
        context = context_of(raw_context)  # 1. Read the context.
        delivery = Delivery(event=event, raw_context=raw_context, context=context, bound=bound, further=further)
        with invocation_scope(context, event):
            elements = None
            if self._options.batch is not None:
                elements = self._finder.elements(event)
            if elements is None:
                return self._serve_task(delivery, deadline=context.deadline)
            return self._serve_each(delivery, elements, limit=self._options.batch or 1)

    def _serve_task(self, delivery: Delivery, *, deadline: Deadline | None, place: str = "$") -> str:
        context = delivery.context
        with task_record(delivery.event) as record:
            with timed_step(record, "find"):
                found = self._find(delivery.event)  # 2. Find the token.
            if found is None:
                return self._serve_without_task(delivery, record)
            payload, token_keys = without_token(found.payload, found.token.secret)
            task = Task(
                token=found.token,
                payload=payload,
                context=context,
                path=place + found.path[1:],
                deadline=deadline,
                token_keys=token_keys,
            )
            delivery.takes(payload, task=task)
            record.begins(task)
            # Before the work: what cannot be reported is not begun.
            service = self._service_for(context)
            credentials = context.require_credentials() if service.client.credentials is None else None
            with task_scope(task):  # 3. Bind the task: logs name it, `current_task()` returns it.
                # 4. Is the work done? Outside of the watch: a delivery that waits for another one's result does not run.
                work = self._enter_once(payload, context, token=task.token, token_keys=token_keys)
                recording = Recording(work, context.deadline)
                record.replayed = recording.stored is not None
                run = Run(
                    function=self._function,
                    binding=self._binding,
                    delivery=delivery,
                    options=self._options,
                    limit_bytes=service.limit_bytes,
                    record=record,
                )
                with self._watch(task, service.client, credentials, record) as watch:
                    outcome = run.run_and_record(recording, watch)  # 5., 6., 7.
                    if isinstance(outcome, Unwritable):
                        recording.finish()
                        raise outcome.error
                    is_ended = watch is not None and watch.has_reported()
                    if isinstance(outcome, Deferred):
                        recording.finish()
                        if not is_ended:
                            record.outcome = "deferred"
                            logger.info("Task %s is deferred: another process reports it.", task.token)
                        return DEFERRED
                    try:
                        if not is_ended:
                            record.ended(outcome.text, error=outcome.error)
                            self._report(service.client, credentials, task, outcome, recording, record)  # 8. Report.
                    except Exception:
                        recording.settle(outcome, is_reported=False)
                        raise
                    recording.settle(outcome, is_reported=True)  # 9. Record that it is reported.
                    return outcome.text  # 10. Return the Output.

    def _find(self, event: Any) -> Found | None:
        """Find the token; None where there is none and none is needed."""
        try:
            return self._finder.find(event)
        except (TokenAmbiguous, EventNotUtf8):
            raise
        except TaskTokenNotFound:
            if self._options.missing_token == "raise":  # noqa: S105 - a policy, not a password
                raise
            return None

    def _service_for(self, context: FcContext) -> Service:
        """Return the client of this function, which is kept as long as the settings stay the same."""
        key = (context.region, context.cloudflow_endpoint, *map(os.environ.get, settings.CLIENT_VARIABLES))
        service = self._service
        if service is None or service.key != key:
            service = self._service = Service.made_for(self._options, context, key)
        return service

    def _enter_once(
        self,
        payload: Mapping[str, Any],
        context: FcContext,
        *,
        token: TaskToken | None,
        token_keys: tuple[str, ...] = (),
    ) -> Work | Unremembered:
        once = self._options.once
        if once is None:
            return NO_WORK
        if token is not None:  # with its keys, so that a key= that names one of them is refused
            payload = {**payload, **dict.fromkeys(token_keys, token.secret)}
        # The invocation's deadline, not the task's: FC delivers the event again when the invocation has ended.
        scope = once.scope_of(self._function, context)
        return once.enter(payload, scope=scope, deadline=context.deadline, token=token)

    def _watch(
        self, task: Task, client: CloudFlowClient, credentials: Credentials | None, record: TaskRecord
    ) -> SoftDeadline | nullcontext[None]:
        """Return the watch for the task's deadline; without one where failures are not reported."""
        if self._options.on_failure == "raise" or task.deadline is None:
            return _NO_WATCH
        return SoftDeadline(
            task=task,
            client=client,
            credentials=credentials,
            margin=self._options.deadline_margin_seconds,
            record=record,
        )

    @staticmethod
    def _report(
        client: CloudFlowClient,
        credentials: Credentials | None,
        task: Task,
        outcome: Succeeded | Failed,
        recording: Recording,
        record: TaskRecord,
    ) -> None:
        """Report a task, unless an earlier delivery of the same event has."""
        work, token = recording.work, task.token
        if work.is_reported:  # the quota is 2 calls a second, and a batch comes again whole
            logger.info("Task %s has its report already, from an earlier delivery.", token)
            return
        if work.came_before:  # an earlier delivery of ours may have ended the task
            client = client.evolve(already_completed="accept")
        until = recording.report_until()
        with timed_step(record, "report"):
            if isinstance(outcome, Failed):
                result = client.report_task_failed(
                    token, outcome.error, outcome.cause, deadline=until, credentials=credentials
                )
            else:
                result = client.report_task_succeeded(token, outcome.text, deadline=until, credentials=credentials)
            record.reported(result)
        if result.already_completed:
            logger.warning("Task %s had an end already: this report changed nothing.", token)
        elif result.attempts > 1:
            logger.info("Task %s is reported, with %d calls (%d throttled).", token, result.attempts, result.throttled)

    def _serve_without_task(self, delivery: Delivery, record: TaskRecord) -> str:
        """Serve a plain call, which `missing_token="ignore"` allows: nothing is reported."""
        decoded = decoded_event(delivery.event)
        payload = decoded if isinstance(decoded, dict) else None
        delivery.takes(payload)
        work = self._enter_once(payload or {}, delivery.context, token=None)
        return str(run_plain(self._function, self._binding, delivery, work, record=record))

    def _serve_each(self, whole: Delivery, elements: list[Any], *, limit: int) -> str:
        """Serve an event that carries many tasks: each one as if it had come alone, with its share of the time."""
        budget = TimeBudget(tasks=len(elements), limit=limit, deadline=whole.context.deadline)
        jobs = [functools.partial(self._serve_element, whole, index, one, budget) for index, one in enumerate(elements)]
        return joined(run_all(jobs, limit=limit))

    def _serve_element(self, whole: Delivery, index: int, element: Any, budget: TimeBudget) -> str:
        deadline = budget.next()
        return self._serve_task(whole.of_element(element_bytes(element)), deadline=deadline, place=f"$[{index}]")
