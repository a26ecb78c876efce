"""The client of CloudFlow's two report operations.

`ReportTaskSucceeded` and `ReportTaskFailed`: RPC `POST /` with `TaskToken`, and `Output` or `Error` and `Cause`, fnf API
version 2019-03-15 (API reference of CloudFlow).
"""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, cast

from fc_callback import settings
from fc_callback.cloudflow.delivery import deliver
from fc_callback.cloudflow.endpoints import NETWORKS, checked_endpoint, endpoint_of, is_loopback
from fc_callback.cloudflow.errors import CloudFlowError
from fc_callback.cloudflow.request import build_request
from fc_callback.cloudflow.responses import checked_answer, clock_offset_seconds, read_document
from fc_callback.cloudflow.retry import RetryPolicy
from fc_callback.cloudflow.transport import transport_for
from fc_callback.errors import CAUSE_MAX_CHARACTERS, ERROR_MAX_CHARACTERS, CredentialsNotFound, SettingsError
from fc_callback.payload.output import OutputText, encode_output
from fc_callback.values import validators
from fc_callback.values.base import Value
from fc_callback.values.context import Credentials
from fc_callback.values.functions import is_async
from fc_callback.values.token import TaskToken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Self

    from fc_callback.cloudflow.delivery import ReportResult
    from fc_callback.transport import SignedRequest, Transport
    from fc_callback.values.context import Deadline

    Parameters = Mapping[str, str | TaskToken]

AlreadyCompleted = Literal["accept", "raise"]

SIGNATURES = ("v1", "v3")
_TRANSPORT = "Give an object with post(), as fc_callback.transport.Transport says."
_CREDENTIALS = "Give Credentials, or a function without arguments that returns the current ones."


class CloudFlowClient(Value, hidden=("network", "credentials", "retry", "transport")):
    """Reports tasks to CloudFlow. Threads and invocations can share one client.

    Every argument has a default. The endpoint follows from the region. The region comes from `CLOUDFLOW_REGION` or FC's own
    `FC_REGION`. The credentials come from the `ALIBABA_CLOUD_*` variables, which are read at every call because FC changes
    them.

    Args:
        region: The flow's region.
        endpoint: A host or URL in place of the region's endpoint. Plain http is only accepted for loopback.
        network: `public`, or `internal` for the `-internal` host.
        credentials: Fixed credentials, or a function that returns the current ones.
        signature: `v1` (HMAC-SHA1, the default): every parameter travels in the body. Or `v3` (ACS3-HMAC-SHA256): the
            task token travels in the URL, and tools that record URLs record it.
        connect_timeout: Seconds for opening a connection: name look-up, all addresses, proxy and TLS together.
        read_timeout: Seconds for an answer. If less than twice as much time is left, a report waits for its first answer
            for a third of it, so that a silent connection leaves time for a second attempt.
        retry: The rules for repeating a report.
        already_completed: What a report does if the task has already been completed by another reporter: `accept`, which
            the result shows, or `raise`.
        transport: Carries requests and answers, as `fc_callback.transport.Transport` says. The default is the process's
            transport for the endpoint, which keeps connections.

    Raises:
        SettingsError: A setting is invalid, there is no region, or the credentials were made by a local CloudFlow and
            the endpoint is not on this machine.
    """

    region: str | None = None
    endpoint: str = ""
    network: str | None = None
    credentials: Credentials | Callable[[], Credentials | None] | None = None
    signature: str = ""
    connect_timeout: float | None = None
    read_timeout: float | None = None
    retry: RetryPolicy = RetryPolicy()
    already_completed: AlreadyCompleted = "accept"
    transport: Transport | None = None

    def __post_init__(self) -> None:
        """Check the options, and fill in from the environment what was not given."""
        self._check_options()
        fields = vars(self)
        fields["signature"] = settings.choice("CLOUDFLOW_SIGNATURE", self.signature or None, of=SIGNATURES)
        fields["_endpoint_given"] = bool(self.endpoint)
        fields["endpoint"] = checked_endpoint(self.endpoint) if self.endpoint else _endpoint(self.region, self.network)
        fields["_is_loopback"] = is_loopback(self.endpoint)
        fields["connect_timeout"] = settings.seconds("CLOUDFLOW_CONNECT_TIMEOUT", self.connect_timeout, default=3)
        fields["read_timeout"] = settings.seconds("CLOUDFLOW_READ_TIMEOUT", self.read_timeout, default=10)
        if isinstance(self.credentials, Credentials):
            self.check_credentials(self.credentials)
        fields["_clock"] = _Clock()

    def evolve(self, **changes: Any) -> Self:
        """Return the client with some fields changed. An endpoint that was not given follows the region and the network."""
        keeps_endpoint = "endpoint" not in changes
        if keeps_endpoint and not vars(self)["_endpoint_given"] and changes.keys() & {"region", "network"}:
            changes["endpoint"] = ""
        made = super().evolve(**changes)
        if keeps_endpoint:
            vars(made)["_endpoint_given"] = vars(self)["_endpoint_given"]
        if made.transport is self.transport:
            vars(made)["_clock"] = vars(self)["_clock"]
        return made

    __replace__ = evolve

    def _check_options(self) -> None:
        for option in ("region", "endpoint", "network", "signature"):
            given = getattr(self, option)
            if not isinstance(given, (str, type(None))):
                validators.refuse(option, given, "Give a text, or leave it out.")
        if self.network is not None:
            validators.one_of("network", self.network, NETWORKS)
        if self.signature:
            validators.one_of("signature", self.signature, SIGNATURES)
        if self.credentials is not None and not isinstance(self.credentials, Credentials):
            validators.function("credentials", self.credentials, gets=(), give=_CREDENTIALS)
        for option in ("connect_timeout", "read_timeout"):
            given = getattr(self, option)
            if given is not None:
                validators.number(option, given, above=0)
        validators.instance_of("retry", self.retry, RetryPolicy, "Give a policy: retry=RetryPolicy(total_seconds=30).")
        validators.one_of("already_completed", self.already_completed, ("accept", "raise"))
        if self.transport is not None:
            _check_transport(self.transport)

    @property
    def is_local(self) -> bool:
        """Whether `endpoint=` names an endpoint on this machine; CLOUDFLOW_ENDPOINT does not count."""
        return bool(vars(self)["_endpoint_given"] and vars(self)["_is_loopback"])

    @property
    def connect_seconds(self) -> float:
        """Seconds for opening a connection."""
        return cast("float", self.connect_timeout)

    @property
    def read_seconds(self) -> float:
        """Seconds for an answer."""
        return cast("float", self.read_timeout)

    def report_task_succeeded(
        self,
        task_token: str | TaskToken,
        output: object = None,
        *,
        deadline: Deadline | None = None,
        credentials: Credentials | None = None,
    ) -> ReportResult:
        """Complete a task with an Output.

        Args:
            task_token: The waiting task's token.
            output: A JSON object as text, or anything that `encode_output` takes.
            deadline: Every call ends by then.
            credentials: Sign this report with these instead of the client's own. A client that many invocations share
                gets the credentials of each invocation here.

        Raises:
            OutputError: The Output is not JSON.
            SettingsError: The credentials were made by a local CloudFlow, and the endpoint is not on this machine.
            CloudFlowError: The service refuses the report; the subclass says why.
            ServiceUnreachable: No call can reach the service: its certificate is not trusted, or the proxy refuses.
            ReportUndelivered: The time was up before the service took the report.
            CredentialsNotFound: There are no credentials.
        """
        task_token = _as_token(task_token)
        # The plain argument may repeat the token: from here on no frame holds it.
        output = output if isinstance(output, OutputText) else encode_output(output)
        return self._report("ReportTaskSucceeded", task_token, {"Output": output}, deadline, credentials)

    def report_task_failed(
        self,
        task_token: str | TaskToken,
        error: str,
        cause: str = "",
        *,
        deadline: Deadline | None = None,
        credentials: Credentials | None = None,
    ) -> ReportResult:
        """Fail a task by name.

        Args:
            task_token: The waiting task's token.
            error: The name that the flow's Catch and Retry see, 1 to 128 characters.
            cause: What happened, for people, up to 4,096 characters.
            deadline: Every call ends by then.
            credentials: Sign this report with these instead of the client's own.

        Raises:
            SettingsError: `error` or `cause` has a length that the service does not take, or see `report_task_succeeded`,
                which raises the other errors as well.
        """
        task_token = _as_token(task_token)
        if not 1 <= len(error) <= ERROR_MAX_CHARACTERS:
            raise SettingsError(f"error must have 1 to {ERROR_MAX_CHARACTERS} characters, not {len(error)}.")
        if len(cause) > CAUSE_MAX_CHARACTERS:
            raise SettingsError(f"cause must have at most {CAUSE_MAX_CHARACTERS} characters, not {len(cause)}.")
        form = {"Error": error, **({"Cause": cause} if cause else {})}
        return self._report("ReportTaskFailed", task_token, form, deadline, credentials)

    def call(
        self,
        action: str,
        *,
        query: Parameters | None = None,
        form: Parameters | None = None,
        deadline: Deadline | None = None,
    ) -> dict[str, Any]:
        """Make one signed call of any operation, without repeating it, and return the answer's document.

        Args:
            action: The operation, such as `DescribeExecution`.
            query: The parameters that the operation takes in the query; with V1 they travel in the form as well.
            form: The parameters that it takes in the form.
            deadline: The call ends by then.

        Raises:
            CloudFlowError: The service answered with an error, or with something that is not its own.
            ServiceUnreachable: No answer came.
            CredentialsNotFound: There are no credentials.
            SettingsError: The credentials were made by a local CloudFlow, and the endpoint is not on this machine.
        """
        query, form = _with_tokens(query or {}), _with_tokens(form or {})
        return self._call(action, query, form, None, deadline, self.read_seconds)

    def _report(
        self,
        action: str,
        token: TaskToken,
        form: Mapping[str, str],
        deadline: Deadline | None,
        credentials: Credentials | None,
    ) -> ReportResult:
        return deliver(
            partial(self._call, action, {"TaskToken": token}, form, credentials),
            action=action,
            policy=self.retry,
            deadline=deadline,
            read_seconds=self.read_seconds,
            already_completed=self.already_completed,
            endpoint=self.endpoint,
        )

    def _call(
        self,
        action: str,
        query: Parameters,
        form: Parameters,
        given: Credentials | None,
        deadline: Deadline | None,
        read_seconds: float,
    ) -> dict[str, Any]:
        credentials, connect_seconds = self._credentials_of_call(given), self.connect_seconds
        own = self.transport
        transport: Transport = transport_for(self.endpoint) if own is None else own
        clock: Any = transport if own is None else vars(self)["_clock"]

        def request() -> SignedRequest:
            return build_request(
                action,
                endpoint=self.endpoint,
                query=query,
                form=form,
                credentials=credentials,
                signature=self.signature,
                now=time.time() + clock.clock_offset_seconds,
            )

        answer = transport.post(request, connect=connect_seconds, read=read_seconds, deadline=deadline)
        if own is not None:
            answer = checked_answer(answer)
        document = read_document(action, answer, sent={**query, **form}, credentials=credentials)
        if not isinstance(document, CloudFlowError):
            return document
        document.ambiguous = document.ambiguous or answer.resent
        if document.clock_differs:
            offset = clock_offset_seconds(answer.headers)
            if offset is not None:
                clock.clock_offset_seconds = offset
        raise document

    def _credentials_of_call(self, given: Credentials | None) -> Credentials:
        """Return the credentials of a call: those that it was given, else the client's own, else the environment's."""
        found: Credentials | None = given
        if given is None:
            own = self.credentials
            if isinstance(own, Credentials):
                return own  # checked when the client was made
            found = own() if own is not None else Credentials.from_environment()
        if found is None:
            raise CredentialsNotFound("There are no credentials to sign a report with.")
        if not isinstance(found, Credentials):
            validators.refuse("credentials", found, _CREDENTIALS)
        self.check_credentials(found)
        return found

    def check_credentials(self, credentials: Credentials) -> None:
        """Raise a SettingsError for credentials of a local CloudFlow, if the endpoint is not on this machine."""
        if not vars(self)["_is_loopback"] and credentials.is_local:
            raise SettingsError(
                f"These credentials were made by a local CloudFlow, and {self.endpoint} is not on this machine.",
                hint="To report to the local CloudFlow, set CLOUDFLOW_ENDPOINT as `fc-callback local` prints it, or pass "
                "endpoint= (of LocalCloudFlow: service.endpoint). To report to this endpoint, use an account's credentials.",
            )


class _Clock:
    """How far the service's clock is ahead, for a client with a transport of its own."""

    clock_offset_seconds = 0.0


def _check_transport(given: object) -> None:
    post = getattr(given, "post", None)
    if isinstance(given, type) or not callable(post):
        validators.refuse("transport", given, _TRANSPORT)
    if is_async(post):
        raise SettingsError("transport= has an async post(), whose result nothing awaits.", hint=_TRANSPORT)


def _as_token(given: str | TaskToken) -> TaskToken:
    """Return a token that no frame shows: tools that record an error record its frames' variables."""
    return given if isinstance(given, TaskToken) else TaskToken(given)


def _with_tokens(parameters: Parameters) -> dict[str, str | TaskToken]:
    """Return parameters with every token, also StartExecution's CallbackFnFTaskToken, as a `TaskToken`."""
    return {name: _as_token(value) if name.endswith("TaskToken") else value for name, value in parameters.items()}


def _endpoint(region: str | None, network: str | None) -> str:
    override = settings.text("CLOUDFLOW_ENDPOINT")
    if override:
        return checked_endpoint(override)
    name = settings.text("CLOUDFLOW_REGION", region) or os.environ.get("FC_REGION")
    if not name:
        raise SettingsError(
            "No region is known, so there is no CloudFlow to call.",
            hint="Pass region=, or set CLOUDFLOW_REGION or CLOUDFLOW_ENDPOINT. On FC the region is known.",
        )
    return endpoint_of(name, network=settings.choice("CLOUDFLOW_NETWORK", network, of=NETWORKS))
