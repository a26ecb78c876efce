"""`@task_callback`: an ordinary FC function becomes a CloudFlow callback task.

This module is the story of one invocation, in ten steps: read the context, find the token, bind the task, look whether
the work is done already, build the arguments, run the function, make the Output, report it, remember that, return it.
"""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, Protocol, TypeVar, overload

from fc_callback.callback.batch import Shares, element_bytes, joined, run_all
from fc_callback.callback.coroutines import load_asyncio_for, run_to_end
from fc_callback.callback.deadline import SoftDeadline
from fc_callback.callback.failure import Failure, failure_of
from fc_callback.callback.options import Options
from fc_callback.callback.outcome import (
    DEFERRED,
    Failed,
    Succeeded,
    Unwritable,
    log_failure,
    report,
    secrets_of,
)
from fc_callback.callback.run_and_record import Recording, is_technical, run_once
from fc_callback.errors import OutputError
from fc_callback.metrics import measured, recorded
from fc_callback.payload.arguments import HANDLER_MARK, ArgumentBinding, Delivery, bind, decoded_event, without_token
from fc_callback.payload.token_search import Finder
from fc_callback.values.base import Value
from fc_callback.values.invocation import begin, context_of
from fc_callback.values.task import Deferred, Task, running

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fc_callback.callback.outcome import Outcome
    from fc_callback.cloudflow.client import AlreadyCompleted, CloudFlowClient
    from fc_callback.idempotency import Once, Stored, Work
    from fc_callback.metrics import TaskRecord
    from fc_callback.payload.token_search import TokenOption
    from fc_callback.values.context import Deadline, FcContext
    from fc_callback.values.token import TaskToken

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)

logger = logging.getLogger("fc_callback")


class TaskHandler(Protocol, Generic[P, R_co]):
    """A handler made by `task_callback`: called by FC with the event and the context, it returns the Output's text.

    `__wrapped__` is the function as it was written, for unit tests. `__task_callback__` is the mark by which tools know a
    decorated handler, under other decorators too: what its `on_failure` is.
    """

    __name__: str
    __qualname__: str
    __task_callback__: Literal["raise", "report"]

    @property
    def __wrapped__(self) -> Callable[P, R_co]:
        """The plain function."""

    def __call__(self, event: Any, context: Any, **further: Any) -> str:
        """Run the task; further arguments, by name, go to the function."""


class _Arrival(Value, hidden=("bound", "event", "further", "raw_context")):
    """An event as it came, or one element of a batch of them."""

    bound: tuple[Any, ...]  # the instance, where the function is a method
    further: dict[str, Any]  # what a direct call gives by name, beside the event and the context
    event: Any
    context: FcContext
    raw_context: Any
    deadline: Deadline | None
    place: str = "$"


class _Callback(Value):
    """One decorated function, and what becomes of its invocations."""

    function: Callable[..., Any]
    binding: ArgumentBinding
    options: Options

    def invoke(self, bound: tuple[Any, ...], event: Any, raw_context: Any, further: dict[str, Any]) -> str:
        """Serve one invocation of FC and return the text that FC gets."""
        context = context_of(raw_context)
        arrival = _Arrival(
            bound=bound,
            event=event,
            context=context,
            raw_context=raw_context,
            deadline=context.deadline,
            further=further,
        )
        with begin(context, event):
            return self._serve(arrival) if self.options.batch is None else self._serve_each(arrival, self.options.batch)

    def _serve(self, arrival: _Arrival) -> str:
        """Find the task of an event, and work on it."""
        with recorded(arrival.event) as record:
            with measured("find"):
                found = self.options.find(arrival.event)
            if found is None:
                return self._serve_without_task(arrival)
            payload, token_keys = without_token(found.payload, found.token.reveal())
            task = Task(
                token=found.token,
                payload=payload,
                token_keys=token_keys,
                path=arrival.place + found.path[1:],
                context=arrival.context,
                deadline=arrival.deadline,
            )
            record.begins(task)
            return self._work_on(task, arrival, record)

    def _work_on(self, task: Task, arrival: _Arrival, record: TaskRecord) -> str:
        """Run the function for a task, unless the work is done already, and report what it ended in."""
        # Before the work: what cannot be reported is not begun.
        client = self.options.client_for(task.context)
        _ = self.options.limit_bytes
        with running(task):
            # Before the watch: a delivery that waits for another's work is not a function that runs too long.
            work = self._enter_once(task.payload, task.context, token=task.token, token_keys=task.token_keys)
            recording = Recording(work, task.context.deadline)
            record.replayed = recording.stored is not None
            with SoftDeadline(task=task, client=client, margin=self.options.margin_seconds, record=record) as watch:
                try:
                    with recording:
                        outcome = self._outcome_of(task, arrival, recording)
                except BaseException as error:
                    watch.claim()
                    recording.abandon()
                    if isinstance(error, Exception):  # FC ends the process after a SystemExit of its own
                        recording.finish()
                    raise
                # The result stands. From here on nothing may turn it into a failure, or into a second run.
                watch.claim()
                recording.keep(outcome)
                if isinstance(outcome, Unwritable):
                    recording.finish()
                    raise outcome.error
                if isinstance(outcome, Deferred):
                    recording.finish()
                    if not watch.has_reported():
                        record.outcome = "deferred"
                        logger.info("Task %s is deferred: somebody else reports it.", task.token)
                    return DEFERRED
                try:
                    if not watch.has_reported():
                        record.ended(outcome.text, error=outcome.error)
                        self._report(client, task, outcome, recording, record)
                except Exception:
                    self._settle(outcome, recording, is_reported=False)
                    raise
                self._settle(outcome, recording, is_reported=True)
                return outcome.text

    def _outcome_of(self, task: Task, arrival: _Arrival, recording: Recording) -> Outcome:
        """Return what the work ended in: it was remembered, or the function runs now."""
        if recording.stored is not None:
            return self._stored_outcome(recording.stored, task)
        try:
            with measured("run"):
                result = self._call(arrival, task.payload, task)
            return self._written(result, task, recording)
        except BaseException as problem:
            if not self.options.reports(problem):
                raise
            failure = self._failure_of(problem, task)
            log_failure(failure, problem, task.token)
            return Failed(failure=failure)

    def _written(self, result: Any, task: Task, recording: Recording) -> Outcome:
        """Make the Output. Where that cannot be done, the function has run all the same: with `once` it will not run again."""
        if isinstance(result, Deferred):
            return result
        try:
            with measured("encode"):
                return Succeeded(text=self.options.encode(result, task))
        except OutputError as error:
            if not recording.refuse(error):
                raise
            if not self.options.reports(error):
                return Unwritable(error=error)
            failure = self._failure_of(error, task)
            log_failure(failure, error, task.token)
            return Failed(failure=failure.evolve(technical=False))

    def _stored_outcome(self, stored: Stored, task: Task) -> Outcome:
        if stored.refusal is not None and self.options.on_failure == "raise":
            return Unwritable.from_json(stored.refusal)
        if stored.failure is not None:
            error, cause = stored.failure
            return Failed(failure=Failure(error=error, cause=cause, technical=False))
        return Deferred(token=task.token) if stored.output is None else Succeeded(text=stored.output)

    def _failure_of(self, problem: BaseException, task: Task) -> Failure:
        return failure_of(
            problem, names=self.options.error_names, request_id=task.context.request_id, secrets=secrets_of(task)
        )

    @staticmethod
    def _report(
        client: CloudFlowClient,
        task: Task,
        outcome: Succeeded | Failed,
        recording: Recording,
        record: TaskRecord,
    ) -> None:
        """Report a task, unless an earlier delivery of the same event has."""
        if recording.is_reported:  # the quota is 2 calls a second, and a batch comes again whole
            logger.info("Task %s has its report already, from an earlier delivery.", task.token)
            return
        if recording.came_before:  # an end that the task has may well be of our making
            client = client.evolve(already_completed="accept")
        with measured("report"):
            record.reported(report(client, task, outcome, until=recording.report_until()))

    @staticmethod
    def _settle(outcome: Outcome, recording: Recording, *, is_reported: bool) -> None:
        """Bring the record to its end, after the report: it must not delay one."""
        if is_technical(outcome):
            recording.abandon()
        if is_reported and not is_technical(outcome):
            recording.reported()
        else:
            recording.finish()

    def _call(self, arrival: _Arrival, payload: Mapping[str, Any] | None, task: Task | None = None) -> Any:
        """Give the function what it asks for, and wait for what it returns."""
        delivery = Delivery(
            event=arrival.event, raw_context=arrival.raw_context, context=arrival.context, payload=payload, task=task
        )
        positional, named = self.binding.arguments(delivery)
        result = self.function(*arrival.bound, *positional, **{**named, **arrival.further})
        if hasattr(result, "__await__"):
            return run_to_end(result)
        return result

    def _enter_once(
        self,
        payload: Mapping[str, Any],
        context: FcContext,
        *,
        token: TaskToken | None,
        token_keys: tuple[str, ...] = (),
    ) -> Work | None:
        once = self.options.once
        if once is None:
            return None
        if token is not None:  # with its keys, so that a key= that names one of them is refused
            payload = {**payload, **dict.fromkeys(token_keys, token.reveal())}
        # The invocation's deadline, not the task's: FC delivers the event again when the invocation has ended.
        scope = once.scope_of(self.function, context)
        return once.enter(payload, scope=scope, deadline=context.deadline, token=token)

    def _serve_without_task(self, arrival: _Arrival) -> str:
        """Serve a plain call, which `missing_token="ignore"` allows: nothing is reported."""
        decoded = decoded_event(arrival.event)
        payload = decoded if isinstance(decoded, dict) else None
        work = self._enter_once(payload or {}, arrival.context, token=None)
        return str(run_once(work, arrival.context.deadline, lambda: self._call(arrival, payload)))

    def _serve_each(self, arrival: _Arrival, limit: int) -> str:
        """Serve an event that carries many tasks: each one as if it had come alone, with its share of the time."""
        elements = self.options.finder.elements(arrival.event)
        if elements is None:
            return self._serve(arrival)
        shares = Shares(tasks=len(elements), limit=limit, deadline=arrival.deadline)

        def serve(index: int, element: Any) -> str:
            deadline, place = shares.next(), f"$[{index}]"
            return self._serve(arrival.evolve(event=element_bytes(element), deadline=deadline, place=place))

        jobs = [functools.partial(serve, index, element) for index, element in enumerate(elements)]
        return joined(run_all(jobs, limit=limit))


@overload
def task_callback(function: Callable[P, R_co], /) -> TaskHandler[P, R_co]: ...


@overload
def task_callback(
    *,
    token: TokenOption = None,
    missing_token: Literal["raise", "ignore"] = "raise",
    on_failure: Literal["raise", "report"] = "raise",
    already_completed: AlreadyCompleted = "accept",
    large_output: Literal["raise"] | Callable[[str, Task], object] = "raise",
    output_limit_bytes: int | None = None,
    transient: tuple[type[BaseException], ...] = (),
    error_names: Mapping[type[BaseException], str] | None = None,
    deadline_margin_seconds: float = 3.0,
    once: Once | None = None,
    batch: int | None = None,
    client: CloudFlowClient | None = None,
) -> Callable[[Callable[P, R_co]], TaskHandler[P, R_co]]: ...


def task_callback(
    function: Callable[..., Any] | None = None,
    /,
    *,
    token: TokenOption = None,
    missing_token: Literal["raise", "ignore"] = "raise",
    on_failure: Literal["raise", "report"] = "raise",
    already_completed: AlreadyCompleted = "accept",
    large_output: Literal["raise"] | Callable[[str, Task], object] = "raise",
    output_limit_bytes: int | None = None,
    transient: tuple[type[BaseException], ...] = (),
    error_names: Mapping[type[BaseException], str] | None = None,
    deadline_margin_seconds: float = 3.0,
    once: Once | None = None,
    batch: int | None = None,
    client: CloudFlowClient | None = None,
) -> Any:
    """Make an FC function a CloudFlow callback task.

    The task token is taken out of the event, the function runs, its return value becomes the task's `Output`, and
    `ReportTaskSucceeded` is called, signed with the credentials of this invocation. The Output's text is also what FC
    gets. An exception passes through, and nothing is reported: FC's own retries see it.

    Args:
        function: The function; left out when there are options.
        token: Where the token is: a path such as `"data.ticket"`, several to try, or a callable that gets the decoded
            event. By default `taskToken`, `TaskToken` or `task_token` is looked for, through what triggers wrap around
            a message.
        missing_token: `raise`, or `ignore`: without a token the function is served as a plain one.
        on_failure: `raise`: an exception passes through. `report`: it becomes ReportTaskFailed, and the invocation ends
            well; a function still running shortly before its timeout is reported as `DeadlineExceeded`.
        already_completed: What a task that somebody else has completed is: `accept` (logged), or `raise`.
        large_output: `raise`, or a callable that gets an Output over the limit and the task, stores it, and returns
            what the task's Output is instead.
        output_limit_bytes: What an Output may have, in bytes of UTF-8; 65536 by default, 32768 for Serverless Workflow.
        transient: With `on_failure="report"`: exceptions that pass through all the same, so that FC retries.
        error_names: The Error for exceptions of these classes and their subclasses; by default the class's name.
        deadline_margin_seconds: With `on_failure="report"`: how long before the timeout `DeadlineExceeded` is reported.
        once: Work that is done once, whatever is delivered twice: see `fc_callback.idempotency`.
        batch: For events that carry many tasks (arrays of EventBridge and MNS): the function runs once for each
            element, so many at a time, each reports on its own, and what failed is raised together as `BatchFailed`.
        client: Who reports, where retrying or the endpoint are set by hand; one without credentials gets those of each
            invocation. By default a client with the region and the credentials of each invocation.

    Raises:
        SettingsError: An option cannot be used.
        TypeError: The function's annotations ask for something that cannot be given.

    The decorated handler raises:
        TaskTokenNotFound: The event holds no token.
        PayloadInvalid: The payload is not what the function's annotation asks for.
        OutputError, OutputTooLarge: The result cannot be the task's Output.
        CredentialsNotFound: The function has no role.
        CloudFlowError: The service refuses the report for good.
        ServiceUnreachable: No report can reach the service: its certificate is not trusted, or a proxy refuses.
        ReportUndelivered: The time was up before the service had taken the report.
        StoreUnavailable: `once`: the store does not answer before the work; nothing ran.
    """
    options = Options(
        finder=Finder(token),
        missing_token=missing_token,
        on_failure=on_failure,
        already_completed=already_completed,
        large_output=large_output,
        output_limit_bytes=output_limit_bytes,
        transient=transient,
        error_names={} if error_names is None else error_names,
        deadline_margin_seconds=deadline_margin_seconds,
        once=once,
        batch=batch,
        client=client,
    )

    def decorate(plain: Callable[..., Any]) -> Any:
        binding = bind(plain, decorator="task_callback")
        load_asyncio_for(plain)
        callback = _Callback(function=plain, binding=binding, options=options)

        # A function, because FC's runtimes expect one; and so that a method gets its instance, which comes first.
        @functools.wraps(plain)
        def handler(*arguments: Any, **named: Any) -> str:
            bound, event, context = binding.taken_apart(arguments, named)
            return str(callback.invoke(bound, event, context, named))  # a text of FC's own kind

        handler.__annotations__ = {"event": bytes, "context": Any, "return": str}
        setattr(handler, HANDLER_MARK, True)
        handler.__task_callback__ = on_failure  # type: ignore[attr-defined]  # TaskHandler declares it
        return handler

    return decorate if function is None else decorate(function)
