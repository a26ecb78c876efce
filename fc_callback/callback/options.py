"""The options of `task_callback`, checked when a function is decorated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fc_callback.callback.outcome import ResultOptions
from fc_callback.cloudflow.client import CloudFlowClient
from fc_callback.errors import ERROR_MAX_CHARACTERS
from fc_callback.payload.token_search import Finder
from fc_callback.values import validators

if TYPE_CHECKING:
    from fc_callback.cloudflow.client import AlreadyCompleted
    from fc_callback.idempotency.options import Once
    from fc_callback.payload.token_search import TokenOption

MOST_AT_ONCE = 100  # tasks of a batch, with one thread each
_LARGE_OUTPUT = "Use 'raise', or give a function (text, task) that stores the text and returns the task's Output."


class Options(ResultOptions):
    """The options of one decorated function. The docstring of `task_callback` describes them.

    Raises:
        SettingsError: An option is invalid.
    """

    token: TokenOption = None
    missing_token: Literal["raise", "ignore"] = "raise"  # noqa: S105 - a policy, not a password
    already_completed: AlreadyCompleted = "accept"
    output_limit_bytes: int | None = None
    deadline_margin_seconds: float = 3.0
    once: Once | None = None
    batch: int | None = None
    client: CloudFlowClient | None = None

    def __post_init__(self) -> None:
        """Check the options when a function is decorated, and not at its first event."""
        Finder(self.token)
        validators.one_of("missing_token", self.missing_token, ("raise", "ignore"))
        validators.one_of("on_failure", self.on_failure, ("raise", "report"))
        validators.one_of("already_completed", self.already_completed, ("accept", "raise"))
        if self.large_output != "raise":
            validators.function("large_output", self.large_output, gets=("text", "task"), give=_LARGE_OUTPUT)
        if self.output_limit_bytes is not None:
            validators.whole_number("output_limit_bytes", self.output_limit_bytes, least=1)
        vars(self)["transient"] = validators.exception_classes("transient", self.transient)
        names: object = self.error_names
        vars(self)["error_names"] = validators.names_of_exceptions(
            "error_names", {} if names is None else names, most=ERROR_MAX_CHARACTERS
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
