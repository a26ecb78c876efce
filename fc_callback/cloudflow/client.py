"""The client of CloudFlow's two report operations.

`ReportTaskSucceeded` and `ReportTaskFailed`: RPC `POST /`, `TaskToken` in the query, `Output` or `Error` and `Cause` in
the form, fnf API version 2019-03-15 (API reference of CloudFlow). A report is all the calls that it takes: it is
repeated until the service's answer is certain or the time is up.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Literal

import attrs

from fc_callback import settings
from fc_callback.cloudflow.endpoints import NETWORKS, checked_endpoint, endpoint_of
from fc_callback.cloudflow.errors import (
    EXCERPT_CHARACTERS,
    RequestTimeTooSkewed,
    error_for,
)
from fc_callback.cloudflow.retry import RetryPolicy
from fc_callback.context import Credentials
from fc_callback.errors import (
    CAUSE_MAX_CHARACTERS,
    ERROR_MAX_CHARACTERS,
    CredentialsNotFound,
    SettingsError,
)
from fc_callback.output import encode_output
from fc_callback.token import TaskToken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fc_callback.cloudflow.transport import Answer, Transport
    from fc_callback.context import Deadline

AlreadyCompleted = Literal["accept", "raise"]


def _optional_endpoint(given: str | None) -> str:
    return checked_endpoint(given) if given else ""


@attrs.frozen(kw_only=True)
class ReportResult:
    """What became of a report.

    Attributes:
        event_id: The id of the history event that the report made; None where its answer was lost.
        request_id: The service's id of the last call, for a ticket.
        attempts: How many calls it took.
        throttled: How many of them were answered with 429.
        already_completed: The task had an end before this report: somebody else's, or an earlier delivery's.
    """

    event_id: int | None
    request_id: str
    attempts: int = 1
    throttled: int = 0
    already_completed: bool = False


@attrs.frozen(kw_only=True)
class CloudFlowClient:
    """Reports tasks to CloudFlow.

    Every argument can be left out: the endpoint follows from the region, the region from `CLOUDFLOW_REGION` or FC's own
    `FC_REGION`, the credentials from the `ALIBABA_CLOUD_*` variables, read at every call because they rotate.

    Args:
        region: The flow's region.
        endpoint: A host or URL that overrides it; plain http only to loopback.
        network: `public`, or `internal` for the `-internal` host.
        credentials: Fixed ones, or a callable that returns those of the moment.
        signature: `v1` (HMAC-SHA1, the default) or `v3` (ACS3-HMAC-SHA256).
        connect_timeout: Seconds for opening a connection.
        read_timeout: Seconds for an answer.
        retry: How a report is repeated.
        already_completed: What a task that somebody else has completed is: `accept`, visible in the result, or `raise`.

    Raises:
        SettingsError: A setting cannot be used, or there is no region.
    """

    region: str | None = None
    endpoint: str = attrs.field(default="", converter=_optional_endpoint)
    network: str | None = attrs.field(default=None, repr=False)
    credentials: Credentials | Callable[[], Credentials | None] | None = attrs.field(default=None, repr=False)
    signature: str = ""
    connect_timeout: float | None = None
    read_timeout: float | None = None
    retry: RetryPolicy = attrs.field(factory=RetryPolicy, repr=False)
    already_completed: AlreadyCompleted = "accept"
    _connect: float = attrs.field(init=False, repr=False)
    _read: float = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Fill in from the environment what was not given."""
        fill = object.__setattr__
        fill(self, "signature", settings.choice("CLOUDFLOW_SIGNATURE", self.signature or None, of=("v1", "v3")))
        fill(self, "_connect", settings.seconds("CLOUDFLOW_CONNECT_TIMEOUT", self.connect_timeout, default=3))
        fill(self, "_read", settings.seconds("CLOUDFLOW_READ_TIMEOUT", self.read_timeout, default=10))
        if not self.endpoint:
            fill(self, "endpoint", _endpoint(self.region, self.network))
        if self.already_completed not in {"accept", "raise"}:
            raise SettingsError(f"already_completed is {self.already_completed!r}.", hint="Use 'accept' or 'raise'.")

    def report_task_succeeded(
        self, task_token: str | TaskToken, output: object = None, *, deadline: Deadline | None = None
    ) -> ReportResult:
        """Complete a task with an Output.

        Args:
            task_token: The waiting task's token.
            output: A JSON object as text, or anything that `encode_output` takes.
            deadline: No call outlives it.

        Raises:
            OutputError: The Output is no JSON.
            CloudFlowError: The service refuses the report; the subclass says why.
            ReportUndelivered: The time was up before the service had taken it.
            CredentialsNotFound: There is nothing to sign with.
        """
        form = {"Output": encode_output(output)}
        return self._report("ReportTaskSucceeded", task_token, form, deadline)

    def report_task_failed(
        self, task_token: str | TaskToken, error: str, cause: str = "", *, deadline: Deadline | None = None
    ) -> ReportResult:
        """Fail a task by name.

        Args:
            task_token: The waiting task's token.
            error: The name that the flow's Catch and Retry see, 1 to 128 characters.
            cause: What happened, for people, up to 4,096 characters.
            deadline: No call outlives it.

        Raises:
            ValueError: `error` or `cause` has a length that the service does not take.
            CloudFlowError: The service refuses the report; the subclass says why.
            ReportUndelivered: The time was up before the service had taken it.
            CredentialsNotFound: There is nothing to sign with.
        """
        if not 1 <= len(error) <= ERROR_MAX_CHARACTERS:
            raise ValueError(f"error must have 1 to {ERROR_MAX_CHARACTERS} characters, not {len(error)}.")
        if len(cause) > CAUSE_MAX_CHARACTERS:
            raise ValueError(f"cause must have at most {CAUSE_MAX_CHARACTERS} characters, not {len(cause)}.")
        form = {"Error": error, **({"Cause": cause} if cause else {})}
        return self._report("ReportTaskFailed", task_token, form, deadline)

    def call(
        self,
        action: str,
        *,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        deadline: Deadline | None = None,
    ) -> dict[str, Any]:
        """Make one signed call of any operation, without repeating it, and return the answer's document.

        Raises:
            CloudFlowError: The service answered with an error, or with something that is not its own.
            ServiceUnreachable: No answer came.
            CredentialsNotFound: There is nothing to sign with.
        """
        from fc_callback.cloudflow.request import build_request
        from fc_callback.cloudflow.transport import transport_for

        transport = transport_for(self.endpoint)
        request = build_request(
            action,
            endpoint=self.endpoint,
            query=query or {},
            form=form or {},
            credentials=self._current_credentials(),
            signature=self.signature,
            now=time.time() + transport.clock_offset_seconds,
        )
        left = deadline.remaining_seconds() if deadline else float("inf")
        answer = transport.post(
            request.path,
            headers=request.headers,
            body=request.body,
            connect=max(0.001, min(self._connect, left)),
            read=max(0.001, min(self._read, left)),
        )
        try:
            return _document(action, answer)
        except RequestTimeTooSkewed:
            _learn_clock(transport, answer)
            raise

    def _report(
        self, action: str, task_token: str | TaskToken, form: Mapping[str, str], deadline: Deadline | None
    ) -> ReportResult:
        from fc_callback.cloudflow.delivery import deliver

        token = task_token if isinstance(task_token, TaskToken) else TaskToken(task_token)
        query = {"TaskToken": token.reveal()}
        return deliver(
            lambda until: self.call(action, query=query, form=form, deadline=until),
            action=action,
            policy=self.retry,
            deadline=deadline,
            already_completed=self.already_completed,
            endpoint=self.endpoint,
        )

    def _current_credentials(self) -> Credentials:
        given = self.credentials
        found = given if isinstance(given, Credentials) else (given or Credentials.from_environment)()
        if found is None:
            raise CredentialsNotFound("There are no credentials to sign a report with.")
        return found


def _endpoint(region: str | None, network: str | None) -> str:
    override = settings.text("CLOUDFLOW_ENDPOINT")
    if override:
        return checked_endpoint(override)
    import os

    name = settings.text("CLOUDFLOW_REGION", region) or os.environ.get("FC_REGION")
    if not name:
        raise SettingsError(
            "No region is known, so there is no CloudFlow to call.",
            hint="Pass region=, or set CLOUDFLOW_REGION or CLOUDFLOW_ENDPOINT. On FC the region is known by itself.",
        )
    return endpoint_of(name, network=settings.choice("CLOUDFLOW_NETWORK", network, of=NETWORKS))


def _document(action: str, answer: Answer) -> dict[str, Any]:
    """Return the answer's JSON object, or raise the error that it is."""
    document = _json_object(answer.body)
    if answer.status == 200 and document is not None and ("RequestId" in document or "EventId" in document):  # noqa: PLR2004
        return document
    if document is None or not (code := _text(document, "Code", "code")):
        raise error_for(
            action=action,
            status=answer.status,
            code="",
            service_message=f"no error document of CloudFlow, but {_excerpt(answer)}",
            request_id=answer.headers.get("x-acs-request-id", ""),
            retry_after_seconds=retry_after_seconds(answer.headers),
        )
    raise error_for(
        action=action,
        status=answer.status,
        code=code,
        service_message=_masked(_text(document, "Message", "message")),
        request_id=_text(document, "RequestId", "requestId"),
        retry_after_seconds=retry_after_seconds(answer.headers),
    )


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _text(document: Mapping[str, Any], *names: str) -> str:
    return next((value for name in names if isinstance(value := document.get(name), str)), "")


def _excerpt(answer: Answer) -> str:
    text = " ".join(answer.body[: 4 * EXCERPT_CHARACTERS].decode("utf-8", "replace").split())
    if not text:
        return "an empty body"
    kind = answer.headers.get("content-type", "no content type").split(";")[0]
    return f"{kind}: {_masked(text)[:EXCERPT_CHARACTERS]!r}"


def _masked(text: str) -> str:
    """Mask what looks like a token or a key: long runs of the letters that base64 and key ids are made of."""
    import re

    return re.sub(r"[A-Za-z0-9+/_%.=-]{24,}", lambda run: f"{run[0][:4]}***", text)


def _learn_clock(transport: Transport, answer: Answer) -> None:
    from email.utils import parsedate_to_datetime

    try:
        theirs = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except (TypeError, ValueError):
        return
    transport.clock_offset_seconds = theirs - time.time()


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return what a `Retry-After` header asks for in seconds; None where there is none that can be read.

    Source: RFC 9110, section 10.2.3: a number of seconds or a date.
    """
    given = headers.get("retry-after", "").strip()
    if given.isdecimal():
        return float(given[:6])
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(given).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
