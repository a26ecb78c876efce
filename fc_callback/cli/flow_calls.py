"""CloudFlow's operations as the commands of `fc-callback flow` use them: within the quota, repeated, with all pages."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import typer

from fc_callback.cli.control import control_request
from fc_callback.cloudflow.client import CloudFlowClient
from fc_callback.cloudflow.endpoints import is_loopback
from fc_callback.cloudflow.errors import (
    CloudFlowError,
    ExecutionAlreadyExists,
    ExecutionNotExists,
)
from fc_callback.cloudflow.throttle import pause
from fc_callback.errors import FcCallbackError, ServiceUnreachable
from fc_callback.local.clock import parse_time
from fc_callback.local.history import HistoryEvent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# A little less than the size and the refill a second of the account's quotas (CloudFlow documentation, "Limits"): a call
# never comes just before the refill. All other operations share one of 10 and 2, also the reports of functions: half of it
# is left to them.
_QUOTAS = {
    "StartExecution": (90, 90.0),
    "DescribeExecution": (45, 4.8),
    "GetExecutionHistory": (45, 4.8),
}
_OTHERS = (5, 1.0)
_FORM = frozenset({"StartExecution", "StopExecution"})  # every other operation here takes its parameters in the query
_MOST_THROTTLED = 20
_MOST_REPEATS = 3  # a person at a terminal would rather see the error
_EVENTS_PER_PAGE = 999
_EXECUTIONS_PER_PAGE = 99
_FLOWS_PER_PAGE = 999


class _Pace:
    """Keeps the calls of this process within one quota."""

    def __init__(self, size: int, refill_per_second: float) -> None:
        self._size, self._refill = size, refill_per_second
        self._level = float(size)
        self._filled_at = 0.0

    def wait_seconds(self, now: float) -> float:
        """Count one call; return how long to wait before it."""
        self._level = min(self._size, self._level + (now - self._filled_at) * self._refill) - 1
        self._filled_at = now
        return max(0.0, -self._level / self._refill)


class FlowCalls:
    """Calls one CloudFlow.

    Args:
        client: Signs and sends.
        is_local: Whether the service is a local CloudFlow with its control API.
        ahead_seconds: How far the service's clock is ahead of this machine's.
    """

    def __init__(self, client: CloudFlowClient, *, is_local: bool, ahead_seconds: float = 0.0) -> None:
        self.client = client
        self.is_local = is_local
        self._ahead_seconds = ahead_seconds
        self._paces: dict[str, _Pace] = {}
        self._skipped_seconds = 0.0

    @classmethod
    def open(cls, region: str | None, endpoint: str | None) -> FlowCalls:
        """Return the calls of the service that the options or the environment name.

        Raises:
            SettingsError: No service is named, or a setting cannot be used.
            FcCallbackError: The endpoint is on this machine, and nothing listens there.
        """
        client = CloudFlowClient(region=region, endpoint=endpoint or "")
        if not (is_loopback(client.endpoint) and client.endpoint.startswith("http://")):
            return cls(client, is_local=False)
        try:
            status, health = control_request(client.endpoint, "GET", "/_local/health")
        except (HTTPException, ValueError):
            return cls(client, is_local=False)
        except OSError as error:
            raise FcCallbackError(
                f"There is no local CloudFlow at {client.endpoint} ({error}).",
                hint="Start it with `fc-callback local`, and export the variables that it prints.",
            ) from None
        now = parse_time(health["now"]) if status == 200 and isinstance(health, dict) and "now" in health else None  # noqa: PLR2004 - OK
        return cls(client, is_local=now is not None, ahead_seconds=0.0 if now is None else now - time.time())

    @property
    def now(self) -> float:
        """The service's time, in seconds since the epoch."""
        return time.time() + self._ahead_seconds

    def control(self, method: str, path: str, content: Any = None, **query: str | None) -> Any:
        """Call the control API of a local CloudFlow; return its document.

        Raises:
            FcCallbackError: It refuses the call, or has ended.
        """
        given = urlencode({name: value for name, value in query.items() if value is not None})
        try:
            status, document = control_request(
                self.client.endpoint, method, f"{path}?{given}" if given else path, content
            )
        except (OSError, HTTPException, ValueError) as error:
            raise FcCallbackError(f"The local CloudFlow at {self.client.endpoint} does not answer: {error}.") from None
        if status != 200:  # noqa: PLR2004 - OK
            raise FcCallbackError(str(document.get("error", document)))
        return document

    def call(self, action: str, **parameters: str) -> dict[str, Any]:
        """Make one call; wait for the quota before it, and repeat it after a throttled or temporary error.

        Raises:
            CloudFlowError: The service refuses it.
            ServiceUnreachable: No answer came.
        """
        form, query = (parameters, None) if action in _FORM else (None, parameters)
        throttled = repeats = 0
        corrected = False
        while True:
            self._wait(self._pace_of(action).wait_seconds(time.monotonic() + self._skipped_seconds))
            try:
                return self.client.call(action, form=form, query=query)
            except (CloudFlowError, ServiceUnreachable) as error:
                if isinstance(error, CloudFlowError) and error.clock_differs and not corrected:
                    corrected = True  # the client has learned the difference
                    continue
                by_quota = isinstance(error, CloudFlowError) and error.throttled
                throttled, repeats = throttled + by_quota, repeats + (not by_quota)
                if not error.retryable or throttled > _MOST_THROTTLED or repeats > _MOST_REPEATS:
                    raise
                asked = getattr(error, "retry_after_seconds", None)
            count = throttled if by_quota else repeats
            seconds = self.client.retry.wait_seconds(count, throttled=by_quota, retry_after_seconds=asked)
            self._wait(seconds)

    def _pace_of(self, action: str) -> _Pace:
        name = action if action in _QUOTAS else ""
        return self._paces.setdefault(name, _Pace(*_QUOTAS.get(name, _OTHERS)))

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self._skipped_seconds += pause(seconds)

    def _pages(
        self, action: str, list_name: str, page: int, most: int | None, token: str = "", **parameters: str
    ) -> list[Any]:
        found: list[Any] = []
        while True:
            limit = page if most is None else min(page, most - len(found))
            given = {**parameters, "Limit": str(limit), **({"NextToken": token} if token else {})}
            document = self.call(action, **given)
            found += document.get(list_name) or []
            token = str(document.get("NextToken") or "")
            if not token or (most is not None and len(found) >= most):
                return found

    def flows(self) -> list[str]:
        """Return the names of all flows."""
        return [flow["Name"] for flow in self._pages("ListFlows", "Flows", _FLOWS_PER_PAGE, None)]

    def executions(
        self, flow: str, *, status: str = "", most: int | None = None, metadata_only: bool = False
    ) -> list[dict[str, Any]]:
        """Return executions of a flow, the newest first, as ListExecutions has them."""
        chosen = {"FlowName": flow, **({"Status": status} if status else {})}
        if metadata_only:
            chosen["MetadataOnly"] = "true"
        return self._pages("ListExecutions", "Executions", _EXECUTIONS_PER_PAGE, most, **chosen)

    def definition(self, flow: str) -> str:
        """Return the definition of a flow."""
        return str(self.call("DescribeFlow", Name=flow)["Definition"])

    def describe(self, flow: str, execution: str) -> dict[str, Any]:
        """Return an execution, as DescribeExecution has it."""
        return self.call("DescribeExecution", FlowName=flow, ExecutionName=execution)

    def history(self, flow: str, execution: str, *, after: int = 0) -> list[HistoryEvent]:
        """Return the events of an execution; those after the event `after`.

        The NextToken of this operation is the number of an event, so it can name the first event of any page.
        """
        names = {"FlowName": flow, "ExecutionName": execution}
        found = self._pages(
            "GetExecutionHistory", "Events", _EVENTS_PER_PAGE, None, token=str(after) if after else "", **names
        )
        return [_event(event) for event in found if event["EventId"] > after]

    def find(self, execution: str, *, what: str = "execution") -> tuple[str, str]:
        """Return the names of the flow and of the execution that a person named: `FLOW/NAME`, or `NAME` alone.

        Raises:
            typer.BadParameter: Executions of several flows have the name.
            FcCallbackError: No execution has it.
        """
        flow, slash, name = execution.partition("/")
        if slash:
            return flow, name
        found = [each for each in self.flows() if self._has(each, execution)]
        if len(found) > 1:
            names = ", ".join(f"{each}/{execution}" for each in found)
            raise typer.BadParameter(f"Executions of several flows have this name. Write one of {names}.")
        if not found:
            raise FcCallbackError(
                f"There is no {what} named {execution!r}.", hint="`fc-callback flow list` shows the executions."
            )
        return found[0], execution

    def _has(self, flow: str, execution: str) -> bool:
        with contextlib.suppress(ExecutionNotExists):
            self.describe(flow, execution)
            return True
        return False

    def start(self, flow: str, execution_input: Mapping[str, Any], *, name: str = "") -> str:
        """Start an execution; return its name.

        The name is chosen here if none is given, so that a repeated call starts no second execution.
        """
        chosen = name or str(uuid.uuid4())
        text = json.dumps(execution_input, ensure_ascii=False)
        try:
            started = self.call("StartExecution", FlowName=flow, ExecutionName=chosen, Input=text)
        except ExecutionAlreadyExists:
            if name:
                raise
            return chosen  # an earlier call whose answer was lost has started it, and it has ended
        return str(started.get("Name") or chosen)

    def stop(self, flow: str, execution: str, *, error: str, cause: str) -> None:
        """Stop an execution."""
        given = {"Error": error, "Cause": cause}
        filled = {key: value for key, value in given.items() if value}
        self.call("StopExecution", FlowName=flow, ExecutionName=execution, **filled)

    def follow(self, flow: str, execution: str) -> Iterator[HistoryEvent]:
        """Yield the events of an execution as they come, until it has ended."""
        seen = 0
        while True:
            for event in self.history(flow, execution, after=seen):
                seen = event.id
                yield event
                if event.type.startswith("Execution") and event.type != "ExecutionStarted":
                    return
            self._wait(0.2 if self.is_local else 1.0)


def _event(event: Mapping[str, Any]) -> HistoryEvent:
    try:
        detail = json.loads(event.get("EventDetail") or "{}")
    except ValueError:
        detail = {"text": event["EventDetail"]}
    return HistoryEvent(
        id=event["EventId"],
        type=event["Type"],
        step=event.get("StepName") or "",
        schedule_event_id=event.get("ScheduleEventId") or 0,
        time=event.get("Time") or "",
        detail=detail if isinstance(detail, dict) else {"value": detail},
    )
