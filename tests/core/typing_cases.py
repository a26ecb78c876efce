"""What type checkers see of a decorated function; read by them, never run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from typing_extensions import assert_type

from fc_callback import CloudFlowClient, FcContext, ReportResult, Task, task_callback
from fc_callback.callback import TaskHandler


class Receipt:
    """What a function gives."""


@task_callback
def bare(event: bytes, context: Any) -> dict[str, int]:
    """Decorated without options."""
    return {"size": len(event)}


@task_callback(on_failure="report", transient=(ConnectionError,), error_names={ValueError: "Bad"})
def with_options(event: dict[str, Any], context: FcContext, task: Task) -> Receipt:
    """Decorated with options."""
    return Receipt()


@task_callback()
async def later(event: bytes, context: Any) -> int:
    """An async one."""
    return 1


class Service:
    """Something with a method."""

    @task_callback
    def method(self, event: bytes, context: Any) -> int:
        """Decorated in a class."""
        return 1


# The handler is FC's: event and context in, text out.
assert_type(bare(b"{}", None), str)
assert_type(with_options(b"{}", None), str)
assert_type(later(b"{}", None), str)
assert_type(bare.__name__, str)

# The plain function keeps its types, for unit tests.
assert_type(bare.__wrapped__(b"{}", None), dict[str, int])
assert_type(with_options.__wrapped__({}, FcContext(), Task.__new__(Task)), Receipt)


def takes_a_handler(handler: Callable[[Any, Any], str]) -> None:
    """Anything that calls a handler."""


takes_a_handler(bare)
takes_a_handler(with_options)
handler: TaskHandler[[bytes, Any], dict[str, int]] = bare

# The client and what it returns.
result = CloudFlowClient(region="cn-hangzhou").report_task_succeeded("token", {"a": 1})
assert_type(result, ReportResult)
assert_type(result.event_id, "int | None")

# What must be found wrong: mypy says when one of these is not.
with_options.__wrapped__(b"{}", None)  # type: ignore[arg-type, call-arg]
bare(b"{}")  # type: ignore[call-arg]
task_callback(missing_token="never")  # type: ignore[call-overload]
task_callback(no_such_option=1)  # type: ignore[call-overload]
CloudFlowClient().report_task_failed("token", 5)  # type: ignore[arg-type]
