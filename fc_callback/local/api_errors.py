"""The errors of the local CloudFlow: the service's own error responses, and those of its Python interface."""

from __future__ import annotations

from fc_callback.cloudflow.errors import BY_CODE
from fc_callback.errors import FcCallbackError


class ApiError(FcCallbackError):
    """The service refuses an operation.

    Args:
        code: The service's error code, like `InvalidArgument`.
        values: The values that the code's message names, in order.
        detail: An explanation that follows the service's own message.

    Attributes:
        code: The error code.
        status: Its HTTP status.
        message: The whole message.
    """

    def __init__(self, code: str, *values: object, detail: str = "") -> None:
        documented = BY_CODE[code]
        self.code = code
        self.status = documented.documented_status
        message = documented.template % values
        self.message = f"{message} {detail}" if detail else message
        super().__init__(f"{code}: {self.message}")


class StillRunning(FcCallbackError, TimeoutError):
    """An execution has not ended within the timeout of `wait`."""

    hint = "Report the task that its step waits for, move the clock with advance(), or give a longer timeout=."


class NoWaitingTask(FcCallbackError, LookupError):
    """An execution does not wait for a report."""

    hint = "The history of the execution shows what its steps did: history(), or `fc-callback flow history`."


def invalid_argument(detail: str) -> ApiError:
    """Return an InvalidArgument error with an explanation."""
    return ApiError("InvalidArgument", detail=detail)
