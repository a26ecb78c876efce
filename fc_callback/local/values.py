"""Executions and invocations, as the Python interface returns them. Task tokens are masked in all of them."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.local.clock import iso_milliseconds
from fc_callback.local.history import HistoryEvent, read_history, read_step
from fc_callback.local.trigger_events import MnsMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fc_callback.local.history import ExecutedStep
    from fc_callback.local.store import Row, ServiceStore


@attrs.frozen(kw_only=True)
class Execution:
    """One execution of a flow.

    Attributes:
        flow: The flow's name.
        name: The execution's name.
        status: `Running`, `Succeeded`, `Failed`, `Stopped` or `TimedOut`.
        input: The input that it was started with.
        output: The output; None unless it succeeded.
        error: The name of its error; empty unless it failed.
        cause: The error's description.
        started: The time, like `2020-09-22T23:43:40.073Z`.
        stopped: The time; empty while it runs.
    """

    flow: str
    name: str
    status: str
    input: dict[str, Any]
    output: dict[str, Any] | None
    error: str
    cause: str
    started: str
    stopped: str
    _history: Callable[[], list[HistoryEvent]] = attrs.field(repr=False, eq=False, alias="history")

    def step(self, name: str) -> ExecutedStep:
        """Return what has happened to a step until now.

        Raises:
            LookupError: The step has not begun.
        """
        found = read_step(name, self._history())
        if found is None:
            begun = dict.fromkeys(event.step for event in self._history() if event.step)
            raise LookupError(f"The step {name!r} has not begun; begun are: {', '.join(begun) or 'none'}.")
        return found

    def assert_succeeded_with(self, output: Mapping[str, Any]) -> None:
        """Check that the execution has succeeded, and with this output.

        Raises:
            AssertionError: It has not; the text says how it ended, or what it does.
        """
        __tracebackhide__ = True
        if self.status != "Succeeded":
            raise AssertionError(self._story())
        assert self.output == dict(output), f"The output is {self.output!r}, and not {dict(output)!r}."

    def assert_failed_with(self, error: str) -> None:
        """Check that the execution has failed, and with an error of this name.

        Raises:
            AssertionError: It has not; the text says how it ended, or what it does.
        """
        __tracebackhide__ = True
        if (self.status, self.error) != ("Failed", error):
            raise AssertionError(self._story())

    def _story(self) -> str:
        """Say how the execution ended, and after which events."""
        end = {
            "Succeeded": f"It succeeded with {self.output!r}",
            "Running": "It still runs",
            "Failed": f"It failed with {self.error}: {self.cause}",
        }.get(self.status, f"It ended as {self.status} {self.error} {self.cause}".rstrip())
        events = [f"  {event.id} {event.type} {event.step}".rstrip() for event in self._history()[-8:]]
        return "\n".join([f"Execution {self.name} of flow {self.flow}: {end}. Its last events:", *events])

    @classmethod
    def read(cls, row: Row, store: ServiceStore) -> Execution:
        """Build an instance from a row of the store."""
        output = store.masked(row["output"])
        return cls(
            flow=row["flow_name"],
            name=row["name"],
            status=row["status"],
            input=json.loads(store.masked(row["input"])),
            output=json.loads(output) if output else None,
            error=store.masked(row["error"]),
            cause=store.masked(row["cause"]),
            started=iso_milliseconds(row["started"]),
            stopped=iso_milliseconds(row["stopped"]),
            history=functools.partial(read_history, store, row["id"]),
        )


@attrs.frozen(kw_only=True)
class FunctionInvocation:
    """One invocation of a function, or one call of an action, with all its attempts.

    Attributes:
        request_id: FC's request id.
        function: The name of the function or the action; of a queue whose message has no function yet, like `queues/orders`.
        asynchronous: Whether FC invoked the function from its queue.
        status: `queued`, `running` or `ended`.
        retry_count: How often FC has retried it.
        event: The event that the function received; the parameters of an action, as JSON text.
        result: The result of the last attempt, or its error document.
        log: The log of all attempts.
        error_type: Like `UnhandledInvocationError`; `InvocationCancelled` if the execution, or the branch, ended while the
            invocation was queued or running; empty if it succeeded.
        error_name: The error's name, as a flow sees it.
        error_message: The error's description.
        queued: The time, like `2020-09-22T23:43:40.073Z`.
        ended: The time; empty before the end of the first attempt.
    """

    request_id: str
    function: str
    asynchronous: bool
    status: str
    retry_count: int
    event: str
    result: str
    log: str
    error_type: str
    error_name: str
    error_message: str
    queued: str
    ended: str

    @classmethod
    def read(cls, row: Row, store: ServiceStore) -> FunctionInvocation:
        """Build an instance from a row of the store."""
        values = {field.name: row[field.name] for field in attrs.fields(cls)}
        if row["kind"] == "message":
            values["event"] = MnsMessage(**json.loads(store.masked(row["event"]))).event()
        for name in ("event", "result", "log", "error_name", "error_message"):
            values[name] = store.masked(values[name])
        for name in ("queued", "ended"):
            values[name] = iso_milliseconds(values[name])
        return cls(**{**values, "asynchronous": bool(values["asynchronous"])})


def read_invocations(store: ServiceStore, function: str | None) -> list[FunctionInvocation]:
    """Return the invocations of one function, or of all functions for None, the oldest first."""
    rows = store.all("SELECT * FROM invocations WHERE ? IS NULL OR function = ? ORDER BY id", function, function)
    return [FunctionInvocation.read(row, store) for row in rows]
