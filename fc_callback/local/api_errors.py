"""Error answers, from the service's own table."""

from __future__ import annotations

from fc_callback.cloudflow.errors import BY_CODE
from fc_callback.errors import FcCallbackError


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
        documented = BY_CODE[code]
        message = documented.template % values
        super().__init__(f"{code}: {message}" + (f" {detail}" if detail else ""))
        self.code = code
        self.status = documented.documented_status
        self.message = f"{message} {detail}" if detail else message


class StillRunning(FcCallbackError, TimeoutError):
    """An execution has not ended in the time that `wait` was given."""


class NoWaitingTask(FcCallbackError, LookupError):
    """An execution waits for no report."""


def invalid(detail: str) -> ApiError:
    """Return an InvalidArgument that says what is wrong."""
    return ApiError("InvalidArgument", detail=detail)
