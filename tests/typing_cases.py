"""What type checkers see of a decorated function; read by them, never run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from typing_extensions import assert_type

from fc_callback import CloudFlowClient, FcContext, ReportResult, Task, event_parser, layers, task_callback
from fc_callback.callback.decorator import TaskHandler
from fc_callback.callback.plain_handler import PlainHandler
from fc_callback.idempotency import idempotent, once
from fc_callback.middleware import Call, CallNext, after, before, invocation, on_error


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
    """Something with methods."""

    @task_callback
    def method(self, event: bytes, context: Any) -> int:
        """Decorated in a class."""
        return 1

    @staticmethod
    @event_parser
    def static(event: bytes, context: Any) -> int:
        """Decorated without an instance."""
        return 1

    @layers(invocation)
    def layered(self, event: bytes, context: Any) -> int:
        """Decorated with layers."""
        return 1


@event_parser
def parsed(event: dict[str, Any], context: FcContext) -> Receipt:
    """Typed, and no task."""
    return Receipt()


@event_parser
async def parsed_later(event: dict[str, Any]) -> Receipt:
    """Typed and async."""
    return Receipt()


@idempotent(once(key="id"))
def once_only(event: dict[str, Any], context: FcContext) -> Receipt:
    """Run once."""
    return Receipt()


@layers(invocation)
def layered(event: bytes, context: Any, *, db: str = "") -> Receipt:
    """Inside of layers."""
    return Receipt()


def timed(call: Call, call_next: CallNext) -> Any:
    """Run the handler."""
    return call_next(call.with_event(call.event))


async def timed_later(call: Call, call_next: CallNext) -> Any:
    """Run an async handler."""
    return await call_next(call)


def check(call: Call) -> None:
    """Run before the handler."""


def size(call: Call, result: dict[str, int]) -> int:
    """Run after the handler."""
    return len(result)


def apologise(call: Call, error: Exception) -> str:
    """Run after an exception."""
    return type(error).__name__


@layers(timed_later, before(check), after(size), on_error(apologise))
async def layered_later(event: bytes, context: Any) -> Receipt:
    """Inside of async layers."""
    return Receipt()


@task_callback(on_failure="report")
@layers(invocation)
def both(event: bytes, context: Any) -> Receipt:
    """A task inside of which there are layers."""
    return Receipt()


# The handler is FC's: event and context in, text out.
assert_type(bare(b"{}", None), str)
assert_type(with_options(b"{}", None), str)
assert_type(later(b"{}", None), str)
assert_type(bare.__name__, str)

# The plain function keeps its types, for unit tests.
assert_type(bare.__wrapped__(b"{}", None), dict[str, int])
assert_type(with_options.__wrapped__({}, FcContext(), Task.__new__(Task)), Receipt)


assert_type(Service().method(b"{}", None), str)
assert_type(Service.method.__wrapped__(Service(), b"{}", None), int)
assert_type(Service.static.__wrapped__(b"{}", None), int)
assert_type(Service().layered(b"{}", None), int)
assert_type(Service.layered.__wrapped__(Service(), b"{}", None), int)
assert_type(parsed.__wrapped__({}, FcContext()), Receipt)
assert_type(once_only(b"{}", None), str)
assert_type(once_only.__wrapped__({}, FcContext()), Receipt)
assert_type(layered(b"{}", None, db="fake"), Receipt)
assert_type(layered.__wrapped__(b"{}", None), Receipt)
assert_type(layers(timed, timed)(layered)(b"{}", None), Receipt)
assert_type(both.__wrapped__(b"{}", None), Receipt)
assert_type(both(b"{}", None), str)


async def unit_test() -> None:
    """An async function's plain form is awaited."""
    assert_type(await later.__wrapped__(b"{}", None), int)
    assert_type(await parsed_later.__wrapped__({}), Receipt)
    assert_type(await layered_later(b"{}", None), Receipt)
    assert_type(await layered_later.__wrapped__(b"{}", None), Receipt)


# By name, and with more names for a function's own parameters.
assert_type(bare(event=b"{}", context=None), str)
assert_type(bare(b"{}", context=None, db="fake"), str)
parsed(event=b"{}", context=None, db="fake")
assert_type(once_only(event=b"{}", context=None), str)


def takes_a_handler(handler: Callable[[Any, Any], str]) -> None:
    """Anything that calls a handler."""


takes_a_handler(bare)
takes_a_handler(with_options)
takes_a_handler(parsed)
takes_a_handler(once_only)
handler: TaskHandler[[bytes, Any], dict[str, int]] = bare
parser: PlainHandler[[dict[str, Any], FcContext], Receipt, Any] = parsed
plain: PlainHandler[[dict[str, Any], FcContext], Receipt, str] = once_only

# The client and what it returns.
result = CloudFlowClient(region="cn-hangzhou").report_task_succeeded("token", {"a": 1})
assert_type(result, ReportResult)
assert_type(result.event_id, "int | None")

# What must be found wrong: mypy and pyright say when one of these is not.
with_options.__wrapped__(b"{}", None)  # type: ignore[arg-type, call-arg]  # pyright: ignore[reportCallIssue, reportArgumentType]
bare(b"{}")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
parsed(b"{}")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
parsed.__wrapped__(b"{}", FcContext())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
once_only.__wrapped__({}, None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
layered(b"{}", None, db=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
layers(check)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
before(timed)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
after(check)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Service().layered(b"{}")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
task_callback(missing_token="never")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
task_callback(no_such_option=1)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
task_callback(3)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
CloudFlowClient().report_task_failed("token", 5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
