"""The options of `task_callback`, checked, and what each of them decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from fc_callback import settings
from fc_callback.errors import (
    ERROR_MAX_CHARACTERS,
    EventNotUtf8,
    OutputTooLarge,
    SettingsError,
    TaskFailed,
    TaskTokenNotFound,
    TokenAmbiguous,
)
from fc_callback.output import encode_output
from fc_callback.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fc_callback.cloudflow.client import AlreadyCompleted, CloudFlowClient
    from fc_callback.context import FcContext
    from fc_callback.finding import Finder, Found
    from fc_callback.idempotency import Once
    from fc_callback.task import Task


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
        _one_of("missing_token", self.missing_token, ("raise", "ignore"))
        _one_of("on_failure", self.on_failure, ("raise", "report"))
        _one_of("already_completed", self.already_completed, ("accept", "raise"))
        if self.large_output != "raise" and not callable(self.large_output):
            raise SettingsError(
                "large_output= is neither 'raise' nor a callable.", hint="Pass a callable (text, task)."
            )
        for kind, name in self.error_names.items():
            if not 1 <= len(name) <= ERROR_MAX_CHARACTERS:
                raise SettingsError(
                    f"error_names= gives {kind.__name__} a name of {len(name)} characters.",
                    hint=f"An Error has 1 to {ERROR_MAX_CHARACTERS}.",
                )
        if self.batch is not None:
            from fc_callback.batch import checked_limit

            checked_limit(self.batch)

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
        return (
            self.on_failure == "report" and isinstance(problem, Exception) and not isinstance(problem, self.transient)
        )

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
        """Return who reports the tasks of an invocation, with its credentials."""
        if self.client is not None:
            changed: dict[str, Any] = {}
            if self.client.credentials is None:
                changed["credentials"] = context.require_credentials()
            if self.already_completed == "raise":
                changed["already_completed"] = "raise"
            return self.client.evolve(**changed) if changed else self.client
        from fc_callback.cloudflow.client import CloudFlowClient

        return CloudFlowClient(
            region=settings.text("CLOUDFLOW_REGION") or context.region,
            credentials=context.require_credentials(),
            already_completed=self.already_completed,
        )


def _one_of(option: str, given: object, words: tuple[str, ...]) -> None:
    if given not in words:
        raise SettingsError(f"{option}={given!r} is not known.", hint=f"Use one of {', '.join(map(repr, words))}.")
