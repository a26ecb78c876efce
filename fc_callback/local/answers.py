"""Error answers, from the service's own table."""

from __future__ import annotations

from fc_callback.cloudflow.errors import BY_CODE
from fc_callback.errors import FcCallbackError

# What other operations answer, beside the common codes. Source: the API metadata of fnf 2019-03-15; it gives no status
# for the three *NotExists, and 404 is what Function Compute's table has in the same place.
_OTHERS = {
    "FlowAlreadyExists": (409, "Flow %s already exists."),
    "FlowNotExists": (404, "Flow %s does not exist."),
    "ExecutionAlreadyExists": (400, "Execution %s for flow %s already exists."),
    "ExecutionNotExists": (404, "Execution %s for flow %s does not exist."),
    "ExecutionAlreadyCompleted": (400, "Execution '%s' for flow '%s' has already completed."),
}


class ApiError(FcCallbackError):
    """An operation was refused.

    Args:
        code: The service's code, like `InvalidArgument`.
        values: What its message names, in order.
        detail: More words, behind the service's own.

    Attributes:
        code: The code.
        status: Its HTTP status.
        message: The whole message.
    """

    def __init__(self, code: str, *values: object, detail: str = "") -> None:
        if code in BY_CODE:
            status, template = BY_CODE[code].documented_status, BY_CODE[code].template
        else:
            status, template = _OTHERS[code]
        message = template % values
        super().__init__(f"{code}: {message}" + (f" {detail}" if detail else ""))
        self.code = code
        self.status = status
        self.message = f"{message} {detail}" if detail else message


def invalid(detail: str) -> ApiError:
    """Return an InvalidArgument that says what is wrong."""
    return ApiError("InvalidArgument", detail=detail)
