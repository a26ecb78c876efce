"""The context of a custom runtime, built from the `x-fc-*` headers of a request.

It has the attributes of a built-in runtime's context, so one handler runs everywhere.
Source: FC documentation, "Context and log format" (custom runtime); header names as in FC's own Go runtime.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING

from fc_callback.runtime.worker import ContextCredentials, ContextPart, RequestLogHandler

if TYPE_CHECKING:
    from collections.abc import Mapping

# Threads share a process here, so the state of a request is in its own contextvars context.
current_request_id: ContextVar[str] = ContextVar("fc_callback_request_id", default="-")


class HeaderContext:
    """The context of one request. Missing headers give an empty string or 0.

    Args:
        headers: The request's headers by name in lower case.
        handler: The handler's name, used if FC does not send it.
    """

    def __init__(self, headers: Mapping[str, str], *, handler: str = "") -> None:
        def given(name: str) -> str:
            return headers.get(f"x-fc-{name}", "")

        self.request_id = given("request-id")
        self.region = given("region")
        self.account_id = given("account-id")
        self.retry_count = _int_header(given("retry-count"))
        self.credentials = ContextCredentials(
            given("access-key-id"), given("access-key-secret"), given("security-token")
        )
        self.function = ContextPart(
            name=given("function-name"),
            handler=given("function-handler") or handler,
            memory=_int_header(given("function-memory")),
            timeout=_int_header(given("function-timeout")),
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
        # Each request has its own logger, as on FC with concurrent requests. It is also right in the handler's threads.
        self.logger = logging.Logger(f"fc.{self.request_id}")  # noqa: LOG001 - a registered logger is never freed
        self.logger.parent = logging.getLogger()
        self.logger.addFilter(_RequestIdFilter(self.request_id))

    @property
    def requestId(self) -> str:  # noqa: N802 - FC's name
        """The same as `request_id`."""
        return self.request_id

    def getLogger(self) -> logging.Logger:  # noqa: N802 - FC's name
        """Return this request's logger; the root logger's handlers write its records."""
        return self.logger


class _RequestIdFilter(logging.Filter):
    def __init__(self, request_id: str) -> None:
        super().__init__()
        self._request_id = request_id

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = self._request_id
        return True


class SharedLogHandler(RequestLogHandler):
    """The root logger's handler for concurrent requests: writes each record with the id of its own request."""

    def id_for(self, record: logging.LogRecord) -> str:
        """Return the record's own request id, else the id of the thread's current request."""
        return getattr(record, "request_id", None) or current_request_id.get()


def _int_header(text: str) -> int:
    return int(text) if text.isdecimal() else 0
