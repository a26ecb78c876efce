"""The public seam below `CloudFlowClient`: a transport carries one signed request to the service, and its answer back.

    CloudFlowClient(transport=MyTransport())

Everything else stays above the seam: credentials and their checks, signing, retrying, the meaning of answers, the errors.
Without `transport=`, a client uses this process's own one for its endpoint, which keeps connections. Tests use
`fc_callback.testing.MockTransport`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fc_callback.values.base import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fc_callback.values.context import Deadline


class SignedRequest(Value, hidden=("path", "headers", "body")):
    """A POST to the client's endpoint: path with query, headers, body.

    The three hold the task token and the signature, so `repr` shows none of them.
    """

    path: str
    headers: dict[str, str]
    body: bytes


class Answer(Value, hidden=("headers", "body")):
    """The service's answer: status, headers, body.

    `resent` says that the request was sent twice, and that the first of them may have reached the service.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    resent: bool = False


class Transport(Protocol):
    """What `CloudFlowClient` asks of a transport. Threads share it; it must not log what it carries."""

    def post(
        self,
        request: Callable[[], SignedRequest],
        /,
        *,
        connect: float,
        read: float,
        deadline: Deadline | None = None,
    ) -> Answer:
        """Send one POST to the client's endpoint and return the answer, whatever its status.

        Args:
            request: Makes the request. A transport calls it before each time it sends: the service takes a nonce once.
            connect: Seconds for opening a connection.
            read: Seconds for the whole answer.
            deadline: All of it ends by then, whatever the other two say.

        Raises:
            ServiceUnreachable: No answer came. With `ambiguous=True` where the request may have reached the service, and
                `retryable=False` where another attempt would fail as well. The client does not retry after any other
                exception, and passes it on.
        """
        ...
