"""What a transport of `CloudFlowClient` is: it carries one signed request to the service and returns the answer.

    CloudFlowClient(transport=MyTransport())

The client does everything else: it checks credentials, signs, retries, reads answers and raises errors. Without
`transport=`, a client uses the process's own transport for its endpoint, which keeps connections. Tests use
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

    They hold the task token and the signature, so `repr` shows none of them.
    """

    path: str
    headers: dict[str, str]
    body: bytes


class Answer(Value, hidden=("headers", "body")):
    """The service's answer: status, headers, body.

    `resent` says that the request was sent twice and that the first one may have reached the service.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    resent: bool = False


class Transport(Protocol):
    """The method that `CloudFlowClient` calls. Threads share a transport, and it must not log what it carries."""

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
            request: Builds the request. A transport calls it before each sending: the service accepts a nonce once.
            connect: Seconds for opening a connection.
            read: Seconds for the whole answer.
            deadline: Everything ends by then, even if `connect` and `read` allow more.

        Raises:
            ServiceUnreachable: No answer came. With `ambiguous=True` if the request may have reached the service, and
                `retryable=False` if another attempt would fail as well. The client passes on any other exception and does
                not retry.
        """
        ...
