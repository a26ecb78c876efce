"""The context of a custom runtime: made of the `x-fc-*` headers that FC sends with each request.

It looks like the context of a built-in runtime, so that one handler serves everywhere.
Source: FC documentation, "Context and log format" (custom runtime); header names seen in FC's own Go runtime.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING

from fc_callback.runtime.worker import ContextCredentials, ContextPart, RequestLogHandler

if TYPE_CHECKING:
    from collections.abc import Mapping

# Threads share a process here: what belongs to a request is in its own contextvars context.
current_request_id: ContextVar[str] = ContextVar("fc_callback_request_id", default="-")


class HeaderContext:
    """One request's context; what a header does not tell is an empty string, or 0.

    Args:
        headers: The request's headers by name in lower case.
        handler: The handler's name, where FC does not send it.
    """

    def __init__(self, headers: Mapping[str, str], *, handler: str = "") -> None:
        def given(name: str) -> str:
            return headers.get(f"x-fc-{name}", "")

        self.request_id = given("request-id")
        self.region = given("region")
        self.account_id = given("account-id")
        self.retry_count = _number(given("retry-count"))
        self.credentials = ContextCredentials(
            given("access-key-id"), given("access-key-secret"), given("security-token")
        )
        self.function = ContextPart(
            name=given("function-name"),
            handler=given("function-handler") or handler,
            memory=_number(given("function-memory")),
            timeout=_number(given("function-timeout")),
            version_id=given("version-id"),
            qualifier=given("qualifier"),
        )
        self.service = ContextPart(
            name=given("service-name"),
            log_project=given("service-logproject"),
            log_store=given("service-logstore"),
            qualifier=given("qualifier"),
            version_id=given("version-id"),
        )
        self.tracing = ContextPart(
            span_context=given("tracing-opentracing-span-context"),
            span_baggages=given("tracing-opentracing-span-baggages"),
            jaeger_endpoint=given("tracing-jaeger-endpoint"),
        )
        # A logger of its own, as FC gives where requests run side by side: right in threads that the handler starts, too.
        self.logger = logging.Logger(f"fc.{self.request_id}")  # noqa: LOG001 - a registered one would stay for ever
        self.logger.parent = logging.getLogger()
        self.logger.addFilter(_Stamp(self.request_id))

    @property
    def requestId(self) -> str:  # noqa: N802 - FC's name
        """The same as `request_id`."""
        return self.request_id

    def getLogger(self) -> logging.Logger:  # noqa: N802 - FC's name
        """Return this request's logger; the root logger's handlers write what it is given."""
        return self.logger


class _Stamp(logging.Filter):
    def __init__(self, request_id: str) -> None:
        super().__init__()
        self._request_id = request_id

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = self._request_id
        return True


class SharedLogHandler(RequestLogHandler):
    """The root logger's handler where requests run side by side: each record with the id of its own request."""

    def id_for(self, record: logging.LogRecord) -> str:
        """Return the id that the record carries already, else that of the thread's current request."""
        return getattr(record, "request_id", None) or current_request_id.get()


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
