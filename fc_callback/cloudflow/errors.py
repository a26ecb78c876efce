"""The service's error answers as exceptions: one class for each documented code.

Source: the API metadata of fnf 2019-03-15. ReportTaskSucceeded and ReportTaskFailed list the same fifteen codes; the other
operations have more. The hints name the known causes of each.
"""

from __future__ import annotations

from typing import ClassVar

from fc_callback.errors import FcCallbackError


class CloudFlowError(FcCallbackError):
    """An error answer of the service. An answer without a documented code is an instance of this class itself.

    Attributes:
        code: The service's `Code`, such as `TaskAlreadyCompleted`; empty if the answer has none.
        status: The HTTP status.
        service_message: The service's `Message`, masked; or an excerpt of a body that is no error document.
        request_id: The service's `RequestId`, for a ticket; empty if the answer has none.
        retry_after_seconds: How long the service asked to wait; None if it did not ask.
        retryable: Whether the same call may succeed later.
        throttled: Whether the account made more calls than its quota allows.
        clock_differs: Whether the service found this machine's clock wrong.
        ambiguous: Whether the call may have taken effect: the request was sent twice because a connection broke, or the
            answer is not the service's own refusal.
    """

    documented_code: ClassVar[str] = ""
    documented_status: ClassVar[int] = 0
    template: ClassVar[str] = ""
    retryable: bool = False
    throttled: bool = False
    clock_differs: bool = False
    ambiguous: bool = False

    def __init_subclass__(cls, *, status: int = 0) -> None:
        """Keep the status that the metadata documents for the code that is the class's name."""
        cls.documented_code, cls.documented_status = cls.__name__, status

    def __init__(
        self,
        *,
        action: str,
        status: int,
        code: str,
        service_message: str,
        request_id: str,
        retry_after_seconds: float | None = None,
    ) -> None:
        said = f"HTTP {status}" + (f" {code}" if code else "") + (f": {service_message}" if service_message else "")
        super().__init__(f"{action} was answered with {said}" + (f" (RequestId {request_id})." if request_id else "."))
        self.action = action
        self.status = status
        self.code = code
        self.service_message = service_message
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds
        if type(self) is CloudFlowError:
            self._judge()

    def _judge(self) -> None:
        """Judge an answer without a documented code by its code, else by its status."""
        status, code = self.status, self.code
        # A gateway before the service may throttle with codes of its own, so the status counts as well.
        self.throttled = status == 429 or code == "Throttling" or code.startswith("Throttling.")  # noqa: PLR2004
        self.clock_differs = code in _CLOCK_DIFFERS
        self.retryable = (
            self.throttled
            or code == _NONCE_USED
            or status in _RETRYABLE_STATUS
            or (not code and status not in FINAL_WITHOUT_DOCUMENT)
        )
        # Each call has a new nonce. A used one means that the call arrived twice, and the first may have taken effect.
        self.ambiguous = not self.throttled and (
            status >= 500 or status < 400 or status == 408 or code == _NONCE_USED  # noqa: PLR2004
        )
        if self.retryable:
            self.hint = _HINT_RETRYABLE
        elif self.clock_differs:
            self.hint = _HINT_CLOCK
        else:
            self.hint = FINAL_WITHOUT_DOCUMENT.get(status, _HINT_UNKNOWN) if not code else _HINT_UNKNOWN


_RETRYABLE_STATUS = frozenset({408, 429, 500, 502, 503, 504})
# Codes of Alibaba Cloud's API gateway that fnf does not document. Source: the gateway's common error codes, error center.
_NONCE_USED = "SignatureNonceUsed"
_CLOCK_DIFFERS = frozenset({"IllegalTimestamp", "InvalidTimeStamp.Expired"})

_HINT_RETRYABLE = "The service, or a gateway before it, has a temporary problem: repeat the call."
_HINT_UNKNOWN = "This is no documented answer of CloudFlow: check that the endpoint is one (CLOUDFLOW_ENDPOINT)."
_HINT_CLOCK = "Set the machine's clock."
# A body that is no error document comes from a proxy or a gateway. With these statuses it answers every retry the same.
FINAL_WITHOUT_DOCUMENT = {
    400: _HINT_UNKNOWN,
    401: (
        "A proxy or gateway before the service asks for a login of its own: check the endpoint (CLOUDFLOW_ENDPOINT) and "
        "the proxy (HTTPS_PROXY)."
    ),
    403: (
        "A proxy or gateway before the service refuses the call: check the proxy (HTTPS_PROXY), the rules of the "
        "function's network, and that the endpoint is CloudFlow (CLOUDFLOW_ENDPOINT)."
    ),
    404: "This address is not CloudFlow: check the endpoint (CLOUDFLOW_ENDPOINT), which has no path.",
    407: "The proxy asks for a login: put user and password into HTTPS_PROXY (http://user:password@host:port).",
    413: (
        "A proxy or gateway before the service refuses a request of this size: raise its limit, or store the Output and "
        "return a reference to it (large_output=)."
    ),
}


class ActionNotSupported(CloudFlowError, ValueError, status=400):
    """400: there is no such operation."""

    template = "The requested API operation '%s' is incorrect. Please check."
    hint = "Check that the endpoint is a CloudFlow one: <region>.fnf.aliyuncs.com."


class APIVersionNotSupported(CloudFlowError, ValueError, status=400):
    """400: the version is not 2019-03-15."""

    template = "The requested API version '%s' is not supported yet. Please check."
    hint = "CloudFlow has one version, 2019-03-15; check that the endpoint is a CloudFlow one."


class EntityTooLarge(CloudFlowError, ValueError, status=400):
    """400: the Output is larger than the flow takes."""

    template = "The payload size exceeds maximum allowed size (%s bytes)."
    hint = "A flow's data may be 64 KiB (32 KiB in Serverless Workflow). Store the data and return a reference to it."


class InvalidArgument(CloudFlowError, ValueError, status=400):
    """400: a parameter cannot be used, often the token."""

    template = "Parameter error."
    hint = (
        "Check that the token reached the function unchanged ($context.task.token, or taskToken.$: "
        "$Context.Current.TaskToken) and belongs to this region, and that the Output is a JSON object."
    )


class MissingRequiredHeader(CloudFlowError, ValueError, status=400):
    """400: the request lacks a header."""

    template = "The HTTP header '%s' must be specified."
    hint = "A proxy between the function and the service removes headers: check its rules."


class MissingRequiredParams(CloudFlowError, ValueError, status=400):
    """400: the request lacks a parameter."""

    template = "The HTTP query '%s' must be specified."
    hint = "A proxy between the function and the service changes requests: check its rules."


class TaskAlreadyCompleted(CloudFlowError, status=400):
    """400: the task has already ended, by an earlier report, a timeout or a stop."""

    template = "Task %s has already completed."
    hint = "If this function alone reports the task, the step's timeout is shorter than the function's: see the execution's history."


class AccessDenied(CloudFlowError, PermissionError, status=403):
    """403: the role may not report, or the task belongs to another account."""

    template = "The resources doesn't belong to you."
    hint = (
        "Allow fnf:ReportTaskSucceeded and fnf:ReportTaskFailed on '*' in the function's own role (s.yaml: role), check "
        "that the task belongs to the same account, and that CloudFlow is activated in it."
    )


class InvalidAccessKeyID(CloudFlowError, PermissionError, status=403):
    """403: the access key is unknown, disabled or expired."""

    template = "The AccessKey ID %s is invalid."
    hint = "Read the credentials at every invocation: those of an earlier one expire. Check that the key is enabled."


class RequestTimeTooSkewed(CloudFlowError, status=403):
    """403: the clock of this machine is too far from the service's."""

    template = "The difference between the request time %s and the current time %s is too large."
    clock_differs = True
    hint = _HINT_CLOCK


class SignatureNotMatch(CloudFlowError, PermissionError, status=403):
    """403: the secret does not belong to the key, or a proxy changed the request."""

    template = (
        "The request signature we calculated does not match the signature you provided. "
        "Check your access key and signing method."
    )
    hint = "Check that key, secret and security token are of one set, and that no proxy changes the request."


class TaskInvalidState(CloudFlowError, status=409):
    """409: the task is not waiting yet."""

    template = "Task is in an invalid state, please retry."
    retryable = True
    hint = "The report came before the step was waiting: invoke the function with invocationType Async."


class UnsupportedMediaType(CloudFlowError, ValueError, status=415):
    """415: the service does not read this content type."""

    template = 'The content type must be "application/json".'
    hint = "A proxy between the function and the service changes requests: check its rules."


class ResourceThrottled(CloudFlowError, status=429):
    """429: the account made more calls than its quota allows (10 at once, then 2 a second)."""

    template = "The request is throttled. Please try again later."
    retryable = True
    throttled = True
    hint = (
        "An account may report about 2 tasks a second after a burst of 10: give the functions time to wait and retry."
    )


class InternalServerError(CloudFlowError, status=500):
    """500: the service failed."""

    template = "An internal error has occurred. Please retry."
    retryable = True
    ambiguous = True
    hint = _HINT_RETRYABLE


# Codes of other operations; the reports never get them. Source: the same metadata. It gives no status for the three
# *NotExists; 404 is what Function Compute's own table has for the same.


class FlowNotExists(CloudFlowError, LookupError, status=404):
    """404: there is no such flow."""

    template = "Flow %s does not exist."
    hint = "Check the flow's name, the region and the account: each region and each account has flows of its own."


class FlowAlreadyExists(CloudFlowError, status=409):
    """409: a flow of this name exists."""

    template = "Flow %s already exists."
    hint = "Update the flow, or choose another name."


class ExecutionNotExists(CloudFlowError, LookupError, status=404):
    """404: the flow has no such execution."""

    template = "Execution %s for flow %s does not exist."
    hint = "Check the names of the execution and the flow. Executions are deleted with their flow."


class ExecutionAlreadyExists(CloudFlowError, status=400):
    """400: an execution of this name has already ended."""

    template = "Execution %s for flow %s already exists."
    hint = "A name starts one execution: choose another name, or give none and the service makes one."


class ExecutionAlreadyCompleted(CloudFlowError, status=400):
    """400: the execution that should stop has already ended."""

    template = "Execution '%s' for flow '%s' has already completed."
    hint = "There is nothing to stop: DescribeExecution shows how it ended."


class ScheduleNotExists(CloudFlowError, LookupError, status=404):
    """404: the flow has no such schedule."""

    template = "Schedule %s for flow %s does not exist."
    hint = "Check the names of the schedule and the flow."


class ScheduleAlreadyExists(CloudFlowError, status=409):
    """409: a schedule of this name exists."""

    template = "Schedule %s for flow %s already exists."
    hint = "Update the schedule, or choose another name."


class ConcurrentUpdateError(CloudFlowError, status=409):
    """409: another call is changing the same resource."""

    template = "Update conflict, please retry."
    retryable = True
    hint = _HINT_RETRYABLE


class PreconditionFailed(CloudFlowError, status=412):
    """412: another call changed the resource after it was read."""

    template = "The resource to be modified has been changed."
    hint = "Read the resource again, and change its current version."


BY_CODE: dict[str, type[CloudFlowError]] = {cls.documented_code: cls for cls in CloudFlowError.__subclasses__()}
