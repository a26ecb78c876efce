"""`@task_callback`: an ordinary FC function becomes a CloudFlow callback task.

This module is the story of one invocation, in ten steps: read the context, find the token, bind the task, look whether
the work is done already, build the arguments, run the function, make the Output, report it, remember that, return it.
"""

from __future__ import annotations

import functools
import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, Protocol, TypeVar, overload

import attrs

from fc_callback import settings
from fc_callback.context import FcContext
from fc_callback.errors import (
    ERROR_MAX_CHARACTERS,
    OutputTooLarge,
    SettingsError,
    StoreUnavailable,
    TaskFailed,
    TaskTokenNotFound,
    TokenAmbiguous,
)
from fc_callback.failure import Failure, failure_of
from fc_callback.finding import Finder
from fc_callback.forms import Delivery, Form, form_of
from fc_callback.invocation import begin
from fc_callback.metrics import measured, recorded
from fc_callback.output import encode_output
from fc_callback.task import Deferred, Task, running

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fc_callback.cloudflow.client import AlreadyCompleted, CloudFlowClient
    from fc_callback.cloudflow.delivery import ReportResult
    from fc_callback.context import Deadline
    from fc_callback.finding import Found, TokenOption
    from fc_callback.idempotency import Once, Stored, Work
    from fc_callback.metrics import TaskRecord
    from fc_callback.token import TaskToken

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)

logger = logging.getLogger("fc_callback")


class TaskHandler(Protocol, Generic[P, R_co]):
    """A handler made by `task_callback`: called by FC with the event and the context, it returns the Output's text.

    `__wrapped__` is the function as it was written, for unit tests.
    """

    __name__: str
    __qualname__: str

    @property
    def __wrapped__(self) -> Callable[P, R_co]:
        """The plain function."""

    def __call__(self, event: Any, context: Any, /) -> str:
        """Run the task."""


# attrs writes and compiles what a class has when it is imported: slots, eq and repr, which nobody needs of these, are half
# a millisecond of every cold start. So it is with the other classes that only pass through an invocation.
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class _Succeeded:
    text: str


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class _Failed:
    failure: Failure

    @property
    def text(self) -> str:
        return encode_output({"error": self.failure.error, "cause": self.failure.cause})


_DEFERRED = '{"deferred":true}'


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class _Callback:
    """One decorated function, and how its tasks are found, run and reported."""

    function: Callable[..., Any]
    form: Form
    finder: Finder
    missing_token: Literal["raise", "ignore"]
    on_failure: Literal["raise", "report"]
    already_completed: AlreadyCompleted
    large_output: Literal["raise"] | Callable[[str, Task], object]
    output_limit_bytes: int | None
    transient: tuple[type[BaseException], ...]
    error_names: Mapping[type[BaseException], str]
    deadline_margin_seconds: float
    once: Once | None
    batch: int | None
    client: CloudFlowClient | None

    def invoke(self, bound: tuple[Any, ...], event: Any, raw_context: Any) -> str:
        """Serve one invocation of FC and return the text that FC gets."""
        context = FcContext.read(raw_context)
        with begin(context, event):
            if self.batch is not None:
                return self._serve_each(self.batch, bound, event, context, raw_context)
            return self._serve(bound, event, context, raw_context, deadline=context.deadline)

    def _serve(
        self,
        bound: tuple[Any, ...],
        event: Any,
        context: FcContext,
        raw_context: Any,
        *,
        deadline: Deadline | None,
        place: str = "$",
    ) -> str:
        with recorded(event) as record:
            with measured("find"):
                found = self._find(event)
            if found is None:
                return self._serve_without_task(bound, event, context, raw_context)
            path = place + found.path[1:]
            task = Task(token=found.token, payload=found.payload, path=path, context=context, deadline=deadline)
            record.begins(task)
            delivery = Delivery(event=event, raw_context=raw_context, context=context, payload=found.payload, task=task)
            return self._run(bound, delivery, task, record)

    def _serve_each(self, limit: int, bound: tuple[Any, ...], event: Any, context: FcContext, raw_context: Any) -> str:
        """Serve an event that carries many tasks: each one as if it had come alone, with its share of the time."""
        from fc_callback.batch import Shares, element_bytes, joined, run_all
        from fc_callback.warmup import load_client

        elements = self.finder.elements(event)
        if elements is None:
            return self._serve(bound, event, context, raw_context, deadline=context.deadline)
        load_client()  # before there are threads: several that import the same at once may see it half done
        shares = Shares(tasks=len(elements), limit=limit, deadline=context.deadline)

        def serve(index: int, element: Any) -> str:
            deadline, place = shares.next(), f"$[{index}]"
            return self._serve(bound, element_bytes(element), context, raw_context, deadline=deadline, place=place)

        jobs = [functools.partial(serve, index, element) for index, element in enumerate(elements)]
        return joined(run_all(jobs, limit=limit))

    def _run(self, bound: tuple[Any, ...], delivery: Delivery, task: Task, record: TaskRecord) -> str:
        """Work on one task and report it."""
        client = self._client_for(task.context)  # before the work: what cannot be reported is not begun
        self._limit_bytes()
        from fc_callback.softdeadline import SoftDeadline
        from fc_callback.warmup import load_in_background

        margin = self.deadline_margin_seconds if self.on_failure == "report" else None
        loaded = load_in_background(client)
        with running(task), ExitStack() as watched:
            # Before the watch: a delivery that waits for another's work is no function that runs too long.
            work = self._enter_once(task.payload, task.context, token=task.token)
            record.replayed = bool(work and work.stored)
            soft = watched.enter_context(SoftDeadline(task=task, client=client, margin=margin))
            outcome = _stored(work.stored) if work and work.stored else self._outcome_of(bound, delivery, task, work)
            if outcome is None:
                record.outcome = "deferred"
                soft.claim()
                logger.info("Task %s is deferred: somebody else reports it.", task.token)
                return _DEFERRED
            loaded()
            record.ended(outcome.text, error=outcome.failure.error if isinstance(outcome, _Failed) else "")
            if not soft.claim():
                record.outcome = "deadline_exceeded"
            elif work is not None and work.is_reported:  # the quota is 2 calls a second, and a batch comes again whole
                logger.info("Task %s has its report already, from an earlier delivery.", task.token)
            else:
                if work is not None and work.came_before:  # an end that the task has may well be of our making
                    client = attrs.evolve(client, already_completed="accept")
                with measured("report"):
                    record.reported(self._report(client, task, outcome))
            _remember(work, "reported")
            return outcome.text

    def _find(self, event: Any) -> Found | None:
        try:
            return self.finder.find(event)
        except TokenAmbiguous:
            raise
        except TaskTokenNotFound:
            if self.missing_token == "raise":  # noqa: S105 - a policy, not a password
                raise
            return None

    def _serve_without_task(self, bound: tuple[Any, ...], event: Any, context: FcContext, raw_context: Any) -> str:
        from fc_callback.decoding import NotJson, read_json

        try:
            decoded = read_json(event) if isinstance(event, (bytes, bytearray, str)) else event
        except NotJson:
            decoded = None
        payload = decoded if isinstance(decoded, dict) else None
        delivery = Delivery(event=event, raw_context=raw_context, context=context, payload=payload)
        work = self._enter_once(payload or {}, context, token=None)
        if work is not None and work.stored is not None:
            if work.stored.failure is not None:
                error, cause = work.stored.failure
                raise TaskFailed(error, cause=cause)
            return work.stored.output or "{}"
        try:
            text = encode_output(self._call(bound, delivery))
        except TaskFailed as failure:
            _remember(work, "failed", failure.error, failure.cause)
            raise
        except BaseException:
            _remember(work, "abandon")
            raise
        _remember(work, "done", text)
        return text

    def _outcome_of(
        self, bound: tuple[Any, ...], delivery: Delivery, task: Task, work: Work | None
    ) -> _Succeeded | _Failed | None:
        """Run the function; None for a deferred task."""
        try:
            with measured("run"):
                result = self._call(bound, delivery)
            with measured("encode"):
                text = None if isinstance(result, Deferred) else self._encode(result, task)
        except BaseException as problem:
            if not self._is_reported(problem):
                _remember(work, "abandon")
                raise
            failure = failure_of(
                problem, names=self.error_names, request_id=task.context.request_id, secrets=_secrets_of(task)
            )
            _remember(work, "abandon") if failure.technical else _remember(work, "failed", failure.error, failure.cause)
            return _Failed(failure=failure)
        if text is None:
            _remember(work, "deferred")
            return None
        _remember(work, "done", text)
        return _Succeeded(text=text)

    def _call(self, bound: tuple[Any, ...], delivery: Delivery) -> Any:
        positional, named = self.form.arguments(delivery)
        result = self.function(*bound, *positional, **named)
        if hasattr(result, "__await__"):
            from fc_callback.waiting import run_to_end

            return run_to_end(result)
        return result

    def _is_reported(self, problem: BaseException) -> bool:
        if isinstance(problem, TaskFailed):
            return True
        return (
            self.on_failure == "report" and isinstance(problem, Exception) and not isinstance(problem, self.transient)
        )

    def _limit_bytes(self) -> int:
        return settings.byte_count(
            "CLOUDFLOW_OUTPUT_LIMIT", self.output_limit_bytes, default=settings.CLOUDFLOW_OUTPUT_LIMIT_BYTES
        )

    def _encode(self, result: Any, task: Task) -> str:
        limit = self._limit_bytes()
        try:
            return encode_output(result, limit_bytes=limit)
        except OutputTooLarge:
            if self.large_output == "raise":
                raise
        return encode_output(self.large_output(encode_output(result), task), limit_bytes=limit)

    def _client_for(self, context: FcContext) -> CloudFlowClient:
        if self.client is not None:
            changed: dict[str, Any] = {}
            if self.client.credentials is None:
                changed["credentials"] = context.require_credentials()
            if self.already_completed == "raise":
                changed["already_completed"] = "raise"
            return attrs.evolve(self.client, **changed) if changed else self.client
        from fc_callback.cloudflow.client import CloudFlowClient

        return CloudFlowClient(
            region=settings.text("CLOUDFLOW_REGION") or context.region,
            credentials=context.require_credentials(),
            already_completed=self.already_completed,
        )

    def _report(self, client: CloudFlowClient, task: Task, outcome: _Succeeded | _Failed) -> ReportResult:
        # Not the task's own: what is worked out after its share of a batch's time is reported all the same.
        until = task.context.deadline
        if isinstance(outcome, _Failed):
            failure = outcome.failure
            result = client.report_task_failed(task.token, failure.error, failure.cause, deadline=until)
        else:
            result = client.report_task_succeeded(task.token, outcome.text, deadline=until)
        _log_report(task, result)
        return result

    def _enter_once(self, payload: Mapping[str, Any], context: FcContext, *, token: TaskToken | None) -> Work | None:
        if self.once is None:
            return None
        from fc_callback.idempotency.key import scope_of

        # The invocation's deadline, not the task's: FC delivers the event again when the invocation has ended.
        scope = scope_of(self.function, context)
        return self.once.enter(payload, scope=scope, deadline=context.deadline, token=token)


def _stored(stored: Stored) -> _Succeeded | _Failed | None:
    """Return the outcome of work that was done before; None where its task is deferred."""
    if stored.failure is not None:
        error, cause = stored.failure
        return _Failed(failure=Failure(error=error, cause=cause, technical=False))
    return None if stored.output is None else _Succeeded(text=stored.output)


def _remember(work: Work | None, step: str, *what: str) -> None:
    """Take a step in the record of `once`; a store that is down must not cost a finished result."""
    if work is None:
        return
    try:
        getattr(work, step)(*what)
    except StoreUnavailable as error:
        logger.warning("The work is not recorded as %s, so a second delivery may run it again: %s", step, error)


def _secrets_of(task: Task) -> tuple[str, ...]:
    credentials = task.context.credentials
    known = (credentials.access_key_secret, credentials.security_token or "") if credentials else ()
    return (task.token.reveal(), *known)


def _log_report(task: Task, result: ReportResult) -> None:
    if result.already_completed:
        logger.warning("Task %s had an end already: this report changed nothing.", task.token)
    elif result.attempts > 1:
        logger.info("Task %s is reported, with %d calls (%d throttled).", task.token, result.attempts, result.throttled)


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
        ReportUndelivered: The time was up before the service had taken the report.
    """
    _check("missing_token", missing_token, ("raise", "ignore"))
    _check("on_failure", on_failure, ("raise", "report"))
    _check("already_completed", already_completed, ("accept", "raise"))
    if large_output != "raise" and not callable(large_output):
        raise SettingsError("large_output= is neither 'raise' nor a callable.", hint="Pass a callable (text, task).")
    for kind, name in (error_names or {}).items():
        if not 1 <= len(name) <= ERROR_MAX_CHARACTERS:
            raise SettingsError(
                f"error_names= gives {kind.__name__} a name of {len(name)} characters.",
                hint=f"An Error has 1 to {ERROR_MAX_CHARACTERS}.",
            )
    finder = Finder(token)
    if batch is not None:
        from fc_callback.batch import checked_limit

        checked_limit(batch)

    def decorate(plain: Callable[..., Any]) -> Any:
        if not callable(plain):
            raise TypeError(
                f"task_callback decorates functions, not {type(plain).__name__}: put @classmethod or @property above it."
            )
        callback = _Callback(
            function=plain,
            form=form_of(plain),
            finder=finder,
            missing_token=missing_token,
            on_failure=on_failure,
            already_completed=already_completed,
            large_output=large_output,
            output_limit_bytes=output_limit_bytes,
            transient=tuple(transient),
            error_names=dict(error_names or {}),
            deadline_margin_seconds=deadline_margin_seconds,
            once=once,
            batch=batch,
            client=client,
        )

        # A function, because FC's runtimes expect one; and so that a method gets its instance, which comes first.
        @functools.wraps(plain)
        def handler(*arguments: Any) -> str:
            *bound, event, context = arguments
            return callback.invoke(tuple(bound), event, context)

        handler.__annotations__ = {"event": bytes, "context": Any, "return": str}
        return handler

    return decorate if function is None else decorate(function)


def _check(option: str, given: object, words: tuple[str, ...]) -> None:
    if given not in words:
        raise SettingsError(f"{option}={given!r} is not known.", hint=f"Use one of {', '.join(map(repr, words))}.")
