"""The options of `task_callback`, checked, and what each of them decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from fc_callback import settings
from fc_callback.cloudflow.client import CloudFlowClient
from fc_callback.errors import (
    ERROR_MAX_CHARACTERS,
    EventNotUtf8,
    LeaseLost,
    OutputTooLarge,
    StoreUnavailable,
    TaskFailed,
    TaskTokenNotFound,
    TokenAmbiguous,
    WorkInProgress,
)
from fc_callback.payload.output import encode_output
from fc_callback.values import validators
from fc_callback.values.base import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fc_callback.cloudflow.client import AlreadyCompleted
    from fc_callback.idempotency import Once
    from fc_callback.payload.token_search import Finder, Found
    from fc_callback.values.context import FcContext
    from fc_callback.values.task import Task

MOST_AT_ONCE = 100  # tasks of a batch, a thread each
# What a handler with a `once` of its own raises inside of the function: the work has not failed, another delivery gets on.
_NO_FAILURES = (LeaseLost, StoreUnavailable, WorkInProgress)
_LARGE_OUTPUT = "Use 'raise', or give a function (text, task) that stores the text and returns the task's Output."


class Options(Value):
    """The options of one decorated function; `task_callback` says what each means.

    Raises:
        SettingsError: One of them cannot be used.
    """

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

    def __post_init__(self) -> None:
        """Refuse what cannot be used, when a function is decorated and not when its first event comes."""
        validators.one_of("missing_token", self.missing_token, ("raise", "ignore"))
        validators.one_of("on_failure", self.on_failure, ("raise", "report"))
        validators.one_of("already_completed", self.already_completed, ("accept", "raise"))
        if self.large_output != "raise":
            validators.function("large_output", self.large_output, gets=("text", "task"), give=_LARGE_OUTPUT)
        if self.output_limit_bytes is not None:
            validators.whole_number("output_limit_bytes", self.output_limit_bytes, least=1)
        vars(self)["transient"] = validators.exception_classes("transient", self.transient)
        vars(self)["error_names"] = validators.names_of_exceptions(
            "error_names", self.error_names, most=ERROR_MAX_CHARACTERS
        )
        validators.number("deadline_margin_seconds", self.deadline_margin_seconds, least=0)
        if self.once is not None:
            from fc_callback.idempotency.options import Once

            validators.instance_of("once", self.once, Once, validators.ONCE_EXAMPLE)
        if self.batch is not None:
            validators.whole_number("batch", self.batch, least=1, most=MOST_AT_ONCE)
        if self.client is not None:
            validators.instance_of(
                "client", self.client, CloudFlowClient, "Give a client: client=CloudFlowClient(...)."
            )

    @property
    def margin_seconds(self) -> float | None:
        """How long before its deadline a task is given up; None where failures are not reported."""
        return self.deadline_margin_seconds if self.on_failure == "report" else None

    @property
    def limit_bytes(self) -> int:
        """What an Output may have."""
        return settings.byte_count(
            "CLOUDFLOW_OUTPUT_LIMIT", self.output_limit_bytes, default=settings.CLOUDFLOW_OUTPUT_LIMIT_BYTES
        )

    def find(self, event: Any) -> Found | None:
        """Find the token; None where there is none and none is needed."""
        try:
            return self.finder.find(event)
        except (TokenAmbiguous, EventNotUtf8):
            raise
        except TaskTokenNotFound:
            if self.missing_token == "raise":  # noqa: S105 - a policy, not a password
                raise
            return None

    def reports(self, problem: BaseException) -> bool:
        """Say whether an exception of the function is reported, rather than passed through."""
        if isinstance(problem, TaskFailed):
            return True
        passed = (*self.transient, *_NO_FAILURES)
        return self.on_failure == "report" and isinstance(problem, Exception) and not isinstance(problem, passed)

    def encode(self, result: Any, task: Task) -> str:
        """Make the Output of what the function returned."""
        text = encode_output(result)
        try:
            return encode_output(text, limit_bytes=self.limit_bytes)
        except OutputTooLarge:
            if self.large_output == "raise":
                raise
        return encode_output(self.large_output(text, task), limit_bytes=self.limit_bytes)

    def client_for(self, context: FcContext) -> CloudFlowClient:
        """Return who reports the tasks of an invocation, with its credentials.

        A context of a local CloudFlow leads back there: its tasks are known nowhere else.
        """
        local = context.cloudflow_endpoint
        if self.client is not None:
            changed: dict[str, Any] = {}
            if self.client.credentials is None:
                changed["credentials"] = context.require_credentials()
            if self.already_completed == "raise":
                changed["already_completed"] = "raise"
            if local and not self.client.is_local:
                changed["endpoint"] = local
            return self.client.evolve(**changed) if changed else self.client
        return CloudFlowClient(
            region=settings.text("CLOUDFLOW_REGION") or context.region,
            endpoint=local or "",
            credentials=context.require_credentials(),
            already_completed=self.already_completed,
        )
