"""A transport that a test's own function answers, and retries without waiting."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import attrs

from fc_callback.cloudflow.throttle import pauses_skipped
from fc_callback.errors import ServiceUnreachable, SettingsError
from fc_callback.transport import Answer
from fc_callback.values import validators
from fc_callback.values.token import TaskToken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fc_callback.transport import SignedRequest
    from fc_callback.values.context import Deadline

# Parameters that every call has beside those of its operation. Signature V1 sends them in the form.
_COMMON = {
    "Action", "Version", "Format", "AccessKeyId", "SecurityToken", "Timestamp",
    "Signature", "SignatureMethod", "SignatureNonce", "SignatureVersion",
}  # fmt: skip
_RETURN = 'Return a MockAnswer, like MockAnswer({"RequestId": "r-1", "EventId": 7}) or MockAnswer(status=429).'


@attrs.frozen(kw_only=True)
class MockRequest:
    """One request of a client, the same for both signatures.

    Attributes:
        action: The operation, such as `ReportTaskSucceeded`.
        parameters: The operation's own parameters. `TaskToken` is a `TaskToken`, whose text forms hide it; `Output`,
            `Error` and `Cause` are texts.
        headers: The HTTP headers, by lower-case name.
    """

    action: str
    parameters: Mapping[str, Any]
    headers: Mapping[str, str] = attrs.field(repr=False)

    @classmethod
    def read(cls, request: SignedRequest) -> MockRequest:
        """Return the request that a client built for the wire."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        texts = (urlsplit(request.path).query, request.body.decode())
        sent = dict(pair for text in texts for pair in parse_qsl(text, keep_blank_values=True))
        action = headers.get("x-acs-action") or sent.get("Action", "")
        own: dict[str, Any] = {name: value for name, value in sent.items() if name not in _COMMON}
        if "TaskToken" in own:
            own["TaskToken"] = TaskToken(own["TaskToken"])
        return cls(action=action, parameters=own, headers=headers)


def _a_success() -> dict[str, Any]:
    return {"RequestId": "00000000-0000-0000-0000-000000000001", "EventId": 1}


@attrs.frozen
class MockAnswer:
    """An answer of a `MockTransport`; without arguments, the service's answer to a report that it took.

    Args:
        document: The body: a dict is sent as JSON, a text or bytes unchanged. An error of the service is
            `{"Code": "TaskAlreadyCompleted", "Message": "...", "RequestId": "..."}` with its status.
        status: The HTTP status.
        headers: HTTP headers, such as `{"Retry-After": "2"}`.
    """

    document: Mapping[str, Any] | str | bytes = attrs.field(factory=_a_success)
    status: int = attrs.field(default=200, kw_only=True)
    headers: Mapping[str, str] = attrs.field(factory=dict, kw_only=True)

    def to_answer(self) -> Answer:
        """Return the answer in the form that a client gets."""
        document = self.document
        kind = "text/plain" if isinstance(document, (str, bytes)) else "application/json"
        text = document if isinstance(document, (str, bytes)) else json.dumps(document, ensure_ascii=False)
        headers = {"content-type": kind, **{name.lower(): value for name, value in self.headers.items()}}
        return Answer(status=self.status, headers=headers, body=text.encode() if isinstance(text, str) else text)


class MockTransport:
    """A transport without a network, for `CloudFlowClient(transport=...)`: a function answers each request.

    The client signs, retries and reads answers as it does with the service.

    Args:
        handler: Gets the `MockRequest` of each attempt, in the thread that reports, and returns a `MockAnswer` or raises.
            `ServiceUnreachable` and the errors of a socket (`ConnectionError`, `TimeoutError`, any other `OSError`) mean
            that no answer came, so the client retries. Any other exception ends the report and reaches the test. Without
            a handler, each request is answered with success.

    Attributes:
        requests: The requests so far, one for each attempt, in order.

    Raises:
        SettingsError: `handler` is not a function of one argument, or it returned something other than a `MockAnswer`.
    """

    def __init__(self, handler: Callable[[MockRequest], MockAnswer] | None = None) -> None:
        if handler is not None:
            validators.function("handler", handler, gets=("request",), give=_RETURN)
        self.requests: list[MockRequest] = []
        self._handler = handler

    def post(
        self,
        request: Callable[[], SignedRequest],
        /,
        *,
        connect: float,  # noqa: ARG002 - nothing here takes time
        read: float,  # noqa: ARG002
        deadline: Deadline | None = None,  # noqa: ARG002
    ) -> Answer:
        """Pass the request to the handler and return its answer, as `fc_callback.transport.Transport` says."""
        asked = MockRequest.read(request())
        self.requests.append(asked)
        if self._handler is None:
            return MockAnswer().to_answer()
        try:
            answer = self._handler(asked)
        except ServiceUnreachable:
            raise
        except OSError as error:
            unreachable = ServiceUnreachable(
                f"No answer from the MockTransport: its handler raised {type(error).__name__}.",
                endpoint="mock",
                ambiguous=not isinstance(error, ConnectionRefusedError),
            )
        else:
            if not isinstance(answer, MockAnswer):
                raise SettingsError(f"The handler returned {validators.kind_of(answer)}.", hint=_RETURN)
            return answer.to_answer()
        raise unreachable


@contextmanager
def no_waiting() -> Iterator[list[float]]:
    """Skip the pauses between the attempts of reports, and return how long each would have been.

        with no_waiting() as waits:
            client.report_task_succeeded(token, {"paid": True})
        assert len(waits) == 2

    The pytest fixture `no_waiting` returns the same list. The block holds for the whole process, with the threads of a
    batch and the queue after a 429, so use one block at a time. A skipped pause counts as passed time for its own report:
    a report that never succeeds ends after as many attempts as with real pauses. Threads do not wait for each other's
    turns in the queue, so their pauses may differ from real ones. A service whose quota refills with time, such as a local
    CloudFlow, gets the attempts at once.

    Yields:
        The pauses, in seconds, in the order in which they began.
    """
    with pauses_skipped() as waits:
        yield waits
