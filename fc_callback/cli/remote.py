"""A waiting task on the `fc-callback local` that the shell's variables lead to."""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import attrs

from fc_callback.errors import FcCallbackError, TaskTokenNotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fc_callback.cloudflow.client import CloudFlowClient
    from fc_callback.values.context import Credentials
    from fc_callback.values.token import TaskToken

_SECONDS = 10.0
_EXPORT = "export all the variables that `fc-callback local` prints"
_UNSET = "Unset CLOUDFLOW_ENDPOINT to have a local CloudFlow started for the time, or give an event that has a token."


@attrs.frozen(kw_only=True)
class TaskThere:
    """A task that waits in another process.

    Attributes:
        client: Asks what became of it.
        token: Its task token.
        flow: The flow's name.
        execution: The execution's name.
        payload: What the event carries, the token left out.
    """

    client: CloudFlowClient = attrs.field(repr=False)
    token: TaskToken
    flow: str
    execution: str
    payload: Mapping[str, Any] = attrs.field(repr=False)

    def event_as(self, trigger: Callable[..., bytes]) -> bytes:
        """Return the event that a trigger would deliver."""
        return trigger(self.payload, token=self.token)

    def ask(self) -> str:
        """Say what became of it.

        Raises:
            CloudFlowError: The service does not know the key, or the task is not of its account.
            ServiceUnreachable: It has ended.
        """
        from fc_callback.local.values import HistoryEvent
        from fc_callback.testing.tasks import told

        query = {"FlowName": self.flow, "ExecutionName": self.execution, "Limit": "999"}
        events = self.client.call("GetExecutionHistory", query=query)["Events"]
        return told(
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
            return self.ask()
        except FcCallbackError as error:
            return f"the local CloudFlow does not say what became of it: {error}"


def task_there(
    endpoint: str, credentials: Credentials | None, payload: Mapping[str, Any] | None
) -> tuple[TaskThere | None, str]:
    """Make a task, where an event needs one.

    Args:
        endpoint: What CLOUDFLOW_ENDPOINT says.
        credentials: What the ALIBABA_CLOUD_* variables say.
        payload: What the event carries; None where it has no place for a token.

    Returns:
        The task, or None; and why there is none, empty where none is needed.
    """
    from fc_callback.cloudflow.client import CloudFlowClient
    from fc_callback.cloudflow.endpoints import is_loopback
    from fc_callback.values.token import TaskToken

    if payload is None or _has_token(payload):
        return None, ""
    client = CloudFlowClient(endpoint=endpoint)
    if not is_loopback(client.endpoint):
        return None, f"CLOUDFLOW_ENDPOINT is {client.endpoint}, which is no local CloudFlow. {_UNSET}"
    if credentials is None:
        return None, f"ALIBABA_CLOUD_ACCESS_KEY_ID and _SECRET are not set: {_EXPORT}."
    try:
        made = _post(client.endpoint, payload)
    except (OSError, HTTPException, ValueError) as error:
        return None, f"there is no local CloudFlow at {client.endpoint} ({error}). Start `fc-callback local`. {_UNSET}"
    if "token" not in made:
        return None, f"the local CloudFlow at {client.endpoint} refuses: {made.get('error')}"
    task = TaskThere(
        client=client.evolve(credentials=credentials),
        token=TaskToken(made["token"]),
        flow=made["flow"],
        execution=made["execution"],
        payload=payload,
    )
    try:
        task.ask()
    except FcCallbackError as error:
        return (
            None,
            f"the local CloudFlow at {client.endpoint} does not take this shell's key ({error}): {_EXPORT} now.",
        )
    return task, ""


def _has_token(payload: Mapping[str, Any]) -> bool:
    from fc_callback.payload.token_search import Finder

    try:
        Finder().find(dict(payload))
    except TaskTokenNotFound as error:
        return type(error) is not TaskTokenNotFound  # more than one are for the function to tell
    return True


def _post(endpoint: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Ask for a task; return the token and the names, or an `error`.

    Raises:
        OSError, HTTPException, ValueError: What listens there is no local CloudFlow, or nothing does.
    """
    place = urlsplit(endpoint)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=_SECONDS)
    try:
        body = json.dumps({"payload": payload})
        connection.request("POST", "/_local/tasks", body=body, headers={"Content-Type": "application/json"})
        answer = connection.getresponse()
        made = json.loads(answer.read())
    finally:
        connection.close()
    if not isinstance(made, dict) or not made.keys() & {"token", "error"}:
        raise ValueError(f"it answers {answer.status}")
    return made
