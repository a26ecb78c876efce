"""What CloudFlow answers when it does not take a call: one class for each documented code.

The classes are the table. Source: the API metadata of fnf 2019-03-15, ReportTaskSucceeded and ReportTaskFailed (both
list the same fifteen codes), then the other operations; the hints come from what is known to cause each of them.
"""

from __future__ import annotations

from typing import ClassVar

from fc_callback.errors import FcCallbackError

EXCERPT_CHARACTERS = 200


class CloudFlowError(FcCallbackError):
    """An error answer of the service; as itself, one whose code is not in the table, or that had no code at all.

    Attributes:
        code: The service's `Code`, such as `TaskAlreadyCompleted`; empty where the answer had none.
        status: The HTTP status.
        service_message: The service's `Message`, masked; or an excerpt of a body that was no error document.
        request_id: The service's `RequestId`, for a ticket; empty where the answer had none.
        retry_after_seconds: How long the service asked to wait; None where it did not.
        retryable: Whether the same call may succeed later.
        throttled: Whether the account's calls are over their quota.
        clock_differs: Whether the service finds this machine's clock wrong.
        ambiguous: Whether the call may have taken effect all the same: the request was sent twice, on a connection that
            broke, or this is not the service's own refusal.
    """

    documented_code: ClassVar[str] = ""
    documented_status: ClassVar[int] = 0
    template: ClassVar[str] = ""
    retryable: bool = False
    throttled: bool = False
    clock_differs: bool = False
    ambiguous: bool = False

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
        """Judge an answer that is in no table of fnf by its code, else by its status."""
        status, code = self.status, self.code
        # Something before the service may throttle in words of its own: the status counts as well.
        self.throttled = status == 429 or code == "Throttling" or code.startswith("Throttling.")  # noqa: PLR2004
        self.clock_differs = code in _CLOCK_DIFFERS
        self.retryable = (
            self.throttled
            or code in _NONCE_USED
            or status in RETRYABLE_STATUS
            or (not code and status not in FINAL_WITHOUT_DOCUMENT)
        )
        # Each call has a nonce of its own: one that was used before came twice, and the first may have been taken.
        self.ambiguous = not self.throttled and (
            status >= 500 or status < 400 or status == 408 or code in _NONCE_USED  # noqa: PLR2004
        )
        if self.retryable:
            self.hint = _HINT_RETRYABLE
        elif self.clock_differs:
            self.hint = _HINT_CLOCK
        else:
            self.hint = FINAL_WITHOUT_DOCUMENT.get(status, _HINT_UNKNOWN) if not code else _HINT_UNKNOWN


RETRYABLE_STATUS = frozenset({408, 429, 500, 502, 503, 504})
# Words of Alibaba Cloud's API gateway that fnf does not document. Source: the gateway's common error codes, error center.
_NONCE_USED = frozenset({"SignatureNonceUsed"})
_CLOCK_DIFFERS = frozenset({"IllegalTimestamp", "InvalidTimeStamp.Expired"})

_HINT_RETRYABLE = "The service or something before it is in trouble for the moment: the call is worth repeating."
_HINT_UNKNOWN = "This is no documented answer of CloudFlow: check that the endpoint is one (CLOUDFLOW_ENDPOINT)."
_HINT_CLOCK = "Set the machine's clock."
# A body that is no error document comes from something before the service, and with these statuses repeating is in vain.
FINAL_WITHOUT_DOCUMENT = {
    400: _HINT_UNKNOWN,
    401: (
        "Something before the service asks for a login of its own: check the endpoint (CLOUDFLOW_ENDPOINT) and the proxy "
        "(HTTPS_PROXY)."
    ),
    403: (
        "Something before the service refuses the call: check the proxy (HTTPS_PROXY) and the rules of the function's "
        "network, and that the endpoint is CloudFlow (CLOUDFLOW_ENDPOINT)."
    ),
    404: "This address is not CloudFlow: check the endpoint (CLOUDFLOW_ENDPOINT), which has no path.",
    407: "The proxy asks for a login: put user and password into HTTPS_PROXY (http://user:password@host:port).",
    413: (
        "Something before the service refuses a request of this size: raise the proxy's limit, or store the Output and "
        "return a reference to it (large_output=)."
    ),
}


class ActionNotSupported(CloudFlowError, ValueError):
    """400: there is no such operation."""

    documented_code = "ActionNotSupported"
    documented_status = 400
    template = "The requested API operation '%s' is incorrect. Please check."
    hint = "Check that the endpoint is a CloudFlow one: <region>.fnf.aliyuncs.com."


class APIVersionNotSupported(CloudFlowError, ValueError):
    """400: the version is not 2019-03-15."""

    documented_code = "APIVersionNotSupported"
    documented_status = 400
    template = "The requested API version '%s' is not supported yet. Please check."
    hint = "CloudFlow has one version, 2019-03-15; check that the endpoint is a CloudFlow one."


class EntityTooLarge(CloudFlowError, ValueError):
    """400: the Output is larger than the flow takes."""

    documented_code = "EntityTooLarge"
    documented_status = 400
    template = "The payload size exceeds maximum allowed size (%s bytes)."
    hint = "A flow's data may be 64 KiB (32 KiB in Serverless Workflow). Store the data and return a reference to it."


class InvalidArgument(CloudFlowError, ValueError):
    """400: a parameter cannot be used, often the token."""

    documented_code = "InvalidArgument"
    documented_status = 400
    template = "Parameter error."
    hint = (
        "Check that the token reached the function unchanged ($context.task.token, or taskToken.$: "
        "$Context.Current.TaskToken) and belongs to this region, and that the Output is a JSON object."
    )


class MissingRequiredHeader(CloudFlowError, ValueError):
    """400: the request lacks a header."""

    documented_code = "MissingRequiredHeader"
    documented_status = 400
    template = "The HTTP header '%s' must be specified."
    hint = "Something between the function and the service removes headers: check the proxy."


class MissingRequiredParams(CloudFlowError, ValueError):
    """400: the request lacks a parameter."""

    documented_code = "MissingRequiredParams"
    documented_status = 400
    template = "The HTTP query '%s' must be specified."
    hint = "Something between the function and the service rewrites requests: check the proxy."


class TaskAlreadyCompleted(CloudFlowError):
    """400: the task has an end already, from an earlier report, a time-out or a stop."""

    documented_code = "TaskAlreadyCompleted"
    documented_status = 400
    template = "Task %s has already completed."
    hint = "If nobody else reports this task, the step's time-out is shorter than the function's: see the execution's history."


class AccessDenied(CloudFlowError, PermissionError):
    """403: the role may not report, or the task belongs to another account."""

    documented_code = "AccessDenied"
    documented_status = 403
    template = "The resources doesn't belong to you."
    hint = (
        "Allow fnf:ReportTaskSucceeded and fnf:ReportTaskFailed on '*' in the function's own role (s.yaml: role), check "
        "that the task belongs to the same account, and that CloudFlow is activated in it."
    )


class InvalidAccessKeyID(CloudFlowError, PermissionError):
    """403: the access key is unknown, disabled or expired."""

    documented_code = "InvalidAccessKeyID"
    documented_status = 403
    template = "The AccessKey ID %s is invalid."
    hint = "Read the credentials at every invocation: those of an earlier one expire. Check that the key is enabled."


class RequestTimeTooSkewed(CloudFlowError):
    """403: the clock of this machine is too far from the service's."""

    documented_code = "RequestTimeTooSkewed"
    documented_status = 403
    template = "The difference between the request time %s and the current time %s is too large."
    clock_differs = True
    hint = _HINT_CLOCK


class SignatureNotMatch(CloudFlowError, PermissionError):
    """403: the secret does not fit the key, or the request was changed on its way."""

    documented_code = "SignatureNotMatch"
    documented_status = 403
    template = (
        "The request signature we calculated does not match the signature you provided. "
        "Check your access key and signing method."
    )
    hint = "Check that key, secret and security token are of one set, and that no proxy rewrites the request."


class TaskInvalidState(CloudFlowError):
    """409: the task is not waiting yet."""

    documented_code = "TaskInvalidState"
    documented_status = 409
    template = "Task is in an invalid state, please retry."
    retryable = True
    hint = "The report came before the step was waiting: invoke the function with invocationType Async."


class UnsupportedMediaType(CloudFlowError, ValueError):
    """415: the content type is not one that the service reads."""

    documented_code = "UnsupportedMediaType"
    documented_status = 415
    template = 'The content type must be "application/json".'
    hint = "Something between the function and the service rewrites requests: check the proxy."


class ResourceThrottled(CloudFlowError):
    """429: the account's calls are over the quota (10 at once, then 2 a second)."""

    documented_code = "ResourceThrottled"
    documented_status = 429
    template = "The request is throttled. Please try again later."
    retryable = True
    throttled = True
    hint = "An account may report about 2 tasks a second after a burst of 10: give the functions time to wait for their turn."


class InternalServerError(CloudFlowError):
    """500: the service failed."""

    documented_code = "InternalServerError"
    documented_status = 500
    template = "An internal error has occurred. Please retry."
    retryable = True
    ambiguous = True
    hint = _HINT_RETRYABLE


# What other operations answer as well; the reports never do. Source: the same metadata, which gives no status for the
# three *NotExists: 404 is what Function Compute's own table has in the same place.


class FlowNotExists(CloudFlowError, LookupError):
    """404: there is no such flow."""

    documented_code = "FlowNotExists"
    documented_status = 404
    template = "Flow %s does not exist."
    hint = "Check the flow's name, the region and the account: each region and each account has flows of its own."


class FlowAlreadyExists(CloudFlowError):
    """409: a flow of this name exists."""

    documented_code = "FlowAlreadyExists"
    documented_status = 409
    template = "Flow %s already exists."
    hint = "Update the flow, or choose another name."


class ExecutionNotExists(CloudFlowError, LookupError):
    """404: the flow has no such execution."""

    documented_code = "ExecutionNotExists"
    documented_status = 404
    template = "Execution %s for flow %s does not exist."
    hint = "Check the names of the execution and the flow. Executions are deleted with their flow."


class ExecutionAlreadyExists(CloudFlowError):
    """400: an execution of this name has ended already."""

    documented_code = "ExecutionAlreadyExists"
    documented_status = 400
    template = "Execution %s for flow %s already exists."
    hint = "A name starts one execution: choose another name, or leave it out and the service makes one."


class ExecutionAlreadyCompleted(CloudFlowError):
    """400: the execution that is to be stopped has ended."""

    documented_code = "ExecutionAlreadyCompleted"
    documented_status = 400
    template = "Execution '%s' for flow '%s' has already completed."
    hint = "There is nothing to stop: DescribeExecution says how it ended."


class ScheduleNotExists(CloudFlowError, LookupError):
    """404: the flow has no such schedule."""

    documented_code = "ScheduleNotExists"
    documented_status = 404
    template = "Schedule %s for flow %s does not exist."
    hint = "Check the names of the schedule and the flow."


class ScheduleAlreadyExists(CloudFlowError):
    """409: a schedule of this name exists."""

    documented_code = "ScheduleAlreadyExists"
    documented_status = 409
    template = "Schedule %s for flow %s already exists."
    hint = "Update the schedule, or choose another name."


class ConcurrentUpdateError(CloudFlowError):
    """409: another call changes the same resource."""

    documented_code = "ConcurrentUpdateError"
    documented_status = 409
    template = "Update conflict, please retry."
    retryable = True
    hint = _HINT_RETRYABLE


class PreconditionFailed(CloudFlowError):
    """412: the resource was changed since it was read."""

    documented_code = "PreconditionFailed"
    documented_status = 412
    template = "The resource to be modified has been changed."
    hint = "Read it again, and change what is there now."


BY_CODE: dict[str, type[CloudFlowError]] = {cls.documented_code: cls for cls in CloudFlowError.__subclasses__()}


def error_for(
    *,
    action: str,
    status: int,
    code: str,
    service_message: str,
    request_id: str,
    retry_after_seconds: float | None = None,
) -> CloudFlowError:
    """Return the error of the class that `code` names; `CloudFlowError` itself where there is none."""
    return BY_CODE.get(code, CloudFlowError)(
        action=action,
        status=status,
        code=code,
        service_message=service_message,
        request_id=request_id,
        retry_after_seconds=retry_after_seconds,
    )
