"""A waiting task on the `fc-callback local` that CLOUDFLOW_ENDPOINT names."""

from __future__ import annotations

import json
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.cli.control import control_request
from fc_callback.errors import FcCallbackError, SettingsError, TaskTokenNotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fc_callback.cloudflow.client import CloudFlowClient
    from fc_callback.values.context import Credentials
    from fc_callback.values.token import TaskToken

_EXPORT = "export all the variables that `fc-callback local` prints"
_UNSET = "Unset CLOUDFLOW_ENDPOINT to use a temporary local CloudFlow, or pass an event that has a token."
# What the control API shows in place of a task token, and the function of the tasks that it starts.
MASKED_TOKEN = "<task-token>"  # noqa: S105 - not a token
NEW_TASK_FUNCTION = "fc-callback-new-task"


@attrs.frozen(kw_only=True)
class RemoteTask:
    """A task that waits in another process.

    Attributes:
        client: Asks for its state.
        token: The task token.
        flow: The flow's name.
        execution: The execution's name.
        payload: The event's payload, without the token.
    """

    client: CloudFlowClient = attrs.field(repr=False)
    token: TaskToken
    flow: str
    execution: str
    payload: Mapping[str, Any] = attrs.field(repr=False)

    def event_as(self, trigger: Callable[..., bytes]) -> bytes:
        """Return the event that a trigger delivers."""
        return trigger(self.payload, token=self.token)

    def describe(self) -> str:
        """Return a description of the task's state.

        Raises:
            CloudFlowError: The service does not know the key, or the task belongs to another account.
            ServiceUnreachable: The service has ended.
        """
        from fc_callback.local.history import HistoryEvent
        from fc_callback.testing.tasks import describe_task

        query = {"FlowName": self.flow, "ExecutionName": self.execution, "Limit": "999"}
        events = self.client.call("GetExecutionHistory", query=query)["Events"]
        return describe_task(
            [
                HistoryEvent(
                    id=event["EventId"],
                    type=event["Type"],
                    step=event["StepName"],
                    schedule_event_id=event["ScheduleEventId"],
                    time=event["Time"],
                    detail=json.loads(event["EventDetail"]),
                )
                for event in events
            ]
        )

    def __str__(self) -> str:
        try:
            return self.describe()
        except FcCallbackError as error:
            return f"its state is unknown: {error}"


def start_remote_task(
    endpoint: str, credentials: Credentials | None, payload: Mapping[str, Any] | None
) -> tuple[RemoteTask | None, str]:
    """Start a task if the event needs one.

    Args:
        endpoint: The value of CLOUDFLOW_ENDPOINT.
        credentials: The credentials of the ALIBABA_CLOUD_* variables.
        payload: The event's payload; None if the event cannot carry a token.

    Returns:
        The task or None; and the reason why a needed task was not started, otherwise an empty text.
    """
    from fc_callback.cloudflow.client import CloudFlowClient
    from fc_callback.cloudflow.endpoints import is_loopback
    from fc_callback.values.token import TaskToken

    if payload is None or _has_token(payload):
        return None, ""
    client = CloudFlowClient(endpoint=endpoint)
    if not is_loopback(client.endpoint):
        return None, f"CLOUDFLOW_ENDPOINT is {client.endpoint}, which is not a local CloudFlow. {_UNSET}"
    if credentials is None:
        return None, f"ALIBABA_CLOUD_ACCESS_KEY_ID and _SECRET are not set: {_EXPORT}."
    try:
        made = _request_task(client.endpoint, payload)
    except (OSError, HTTPException, ValueError) as error:
        return None, f"there is no local CloudFlow at {client.endpoint} ({error}). Start `fc-callback local`. {_UNSET}"
    if "token" not in made:
        return None, f"the local CloudFlow at {client.endpoint} refuses the task: {made.get('error')}"
    task = RemoteTask(
        client=client.evolve(credentials=credentials),
        token=TaskToken(made["token"]),
        flow=made["flow"],
        execution=made["execution"],
        payload=payload,
    )
    try:
        task.describe()
    except FcCallbackError as error:
        return (
            None,
            f"the local CloudFlow at {client.endpoint} does not accept this shell's key ({error}): {_EXPORT} now.",
        )
    return task, ""


def seen_event(endpoint: str, number: int) -> str:
    """Return an event that functions of a local CloudFlow got, with `MASKED_TOKEN` in place of its task token.

    Args:
        endpoint: The value of CLOUDFLOW_ENDPOINT.
        number: 1 for the last event, 2 for the one before it, and so on.

    Raises:
        SettingsError: There is no such event, or no local CloudFlow.
    """
    from fc_callback.cloudflow.endpoints import checked_endpoint, is_loopback

    address, how = checked_endpoint(endpoint), f"Start `fc-callback local`, and {_EXPORT}."
    if not is_loopback(address):
        raise SettingsError(f"CLOUDFLOW_ENDPOINT is {address}, which is not a local CloudFlow.", hint=how)
    try:
        functions = control_request(address, "GET", "/_local/health")[1]["functions"]
        seen = control_request(address, "GET", "/_local/invocations")[1]
        own = {*functions} - {NEW_TASK_FUNCTION}  # without actions
        events = [one["event"] for one in seen if one["function"] in own]
    except (OSError, HTTPException, ValueError, TypeError, KeyError) as error:
        raise SettingsError(f"There is no local CloudFlow at {address} ({error}).", hint=how) from None
    if not 1 <= number <= len(events):
        raise SettingsError(f"--replay {number}: the local CloudFlow has given functions {len(events)} events.")
    event: str = events[-number]
    return event


def _has_token(payload: Mapping[str, Any]) -> bool:
    from fc_callback.payload.token_search import Finder

    try:
        Finder().find(dict(payload))
    except TaskTokenNotFound as error:
        return type(error) is not TaskTokenNotFound  # more than one: the function reports that itself
    return True


def _request_task(endpoint: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Request a task from the control API; return its token and names, or an `error`.

    Raises:
        OSError, HTTPException, ValueError: No local CloudFlow listens there.
    """
    status, made = control_request(endpoint, "POST", "/_local/tasks", {"payload": payload})
    if not isinstance(made, dict) or not made.keys() & {"token", "error"}:
        raise ValueError(f"it answers {status}")
    return made
