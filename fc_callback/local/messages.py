"""MNS (SMQ) on this machine: flows send messages to topics and queues, and functions are subscribed to these.

Source: CloudFlow documentation 2593184 (`MNS:SendMessage`), Serverless Workflow documentation 157027 (topics) and 159864
(queues).
"""

from __future__ import annotations

import json
import logging
import re
import uuid
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.errors import SettingsError
from fc_callback.flows.definition import DefinitionError, compact
from fc_callback.flows.fields import number_between
from fc_callback.flows.targets import parse_target
from fc_callback.local.execution_record import SubmitFailed
from fc_callback.local.trigger_events import MnsMessage, body_md5

if TYPE_CHECKING:
    from fc_callback.flows.definition import JsonObject
    from fc_callback.flows.flow import TaskCall
    from fc_callback.local.clock import Clock
    from fc_callback.local.invoker import Invoker
    from fc_callback.local.store import ServiceStore

_LOG = logging.getLogger("fc_callback.local")
_RESOURCE = re.compile(r"(?:acs:mns:[^:]*:[^:]*:)?/?((?:topics|queues)/[^/:]+)(?:/messages)?")
_MAX_DELAY_SECONDS = 604_800
_LOWEST_PRIORITY = 16
# Serverless Workflow's language names the parameters as the MNS API does.
_LEGACY_NAMES = {
    "MessageBody": "message",
    "MessageTag": "messageTag",
    "Priority": "priority",
    "DelaySeconds": "delaySeconds",
}


@attrs.frozen(kw_only=True)
class _Subscription:
    function: str
    form: str
    base64: bool


class Messages:
    """Takes the messages that flows send, and invokes the functions that are subscribed."""

    def __init__(self, store: ServiceStore, clock: Clock, invoker: Invoker, *, region: str) -> None:
        self._store = store
        self._clock = clock
        self._invoker = invoker
        self._region = region
        self._subscriptions: dict[str, list[_Subscription]] = {}

    def subscribe(self, topic_or_queue: str, function: str, *, form: str, base64: bool) -> None:
        """Subscribe a function, or replace its subscription; a queue's waiting messages go to it.

        Raises:
            SettingsError: The name or the form cannot be used.
        """
        named = _RESOURCE.fullmatch(topic_or_queue)
        if named is None:
            raise SettingsError(
                f"{topic_or_queue!r} is neither a topic nor a queue.",
                hint="Write topics/NAME, queues/NAME, or the ARN.",
            )
        if form not in {"stream", "json"}:
            raise SettingsError(f"form is {form!r}.", hint="Use 'stream' or 'json'.")
        resource = named[1]
        subscription = _Subscription(function=function, form=form, base64=base64)
        with self._store.transaction():
            others = [other for other in self._subscriptions.get(resource, ()) if other.function != function]
            self._subscriptions[resource] = [*others, subscription]
            waiting = self._store.all(
                "SELECT id, event FROM invocations WHERE kind = 'message' AND function = ? AND status != 'ended'",
                resource,
            )
            for row in waiting:
                message = MnsMessage(**json.loads(row["event"]))
                self._store.update(
                    "invocations", row["id"], function=function, event=_document(_addressed(message, subscription))
                )
        self._invoker.resume(function)

    def send(self, call: TaskCall, account: str) -> JsonObject:
        """Send the message of a task; return what MNS answers. Runs inside `ServiceStore.transaction`.

        Each function of a topic gets the message, and one function of a queue. A topic's message is lost without a function,
        and a queue's message waits. `priority` changes nothing, for a message never waits behind another; `messageAttributes`
        are for mail and SMS; and a topic has no delay.

        Raises:
            SubmitFailed: The task does not name a topic or queue, or a parameter cannot be used. The name of the error is
                inferred from those of other products.
        """
        given = {_LEGACY_NAMES.get(name, name): value for name, value in call.parameters.items()}
        message = self._message(call, given, account)
        _number(given, "priority", low=1, high=_LOWEST_PRIORITY)
        delay = _number(given, "delaySeconds", low=0, high=_MAX_DELAY_SECONDS)
        for addressed, function in self._addressed_to(message):
            self._invoker.submit(
                kind="message",
                function=function,
                event=_document(addressed),
                asynchronous=True,
                account=account,
                delay_seconds=delay if message.is_queued else 0,
            )
        return {
            "MessageId": message.message_id,
            "RequestId": message.request_id,
            "MessageBodyMD5": body_md5(message.text),
        }

    def _message(self, call: TaskCall, given: JsonObject, account: str) -> MnsMessage:
        arn = call.resource_arn or call.action
        target = parse_target(arn)
        if target is None or target.kind not in {"topic", "queue"}:
            raise _refused(f"The resourceArn {arn!r} is neither acs:mns:::/topics/NAME/messages nor a queue's.")
        content = given.get("message")
        if content is None:
            raise _refused("The message is missing or null.")
        return MnsMessage(
            resource=f"{target.kind}s/{target.name}",
            text=content if isinstance(content, str) else compact(content),
            message_id=uuid.uuid4().hex.upper(),
            request_id=str(uuid.uuid4()),
            account=target.account or account,
            region=target.region or self._region,
            sent=self._clock.now(),
            tag=str(given.get("messageTag") or ""),
        )

    def _addressed_to(self, message: MnsMessage) -> list[tuple[MnsMessage, str]]:
        """Return the message for each function that gets it, with the name of the function."""
        name = message.resource
        subscriptions = self._subscriptions.get(name, [])
        if not subscriptions:
            fate = "waits in the queue" if message.is_queued else "is lost"
            _LOG.warning(
                "No function is subscribed to %s, so the message %s. Subscribe one with service.subscribe(%r, function).",
                *(name, fate, name),
            )
            return [(message, name)] if message.is_queued else []
        if message.is_queued:
            subscriptions.append(subscriptions.pop(0))
            subscriptions = subscriptions[-1:]
        return [(_addressed(message, subscription), subscription.function) for subscription in subscriptions]


def _addressed(message: MnsMessage, subscription: _Subscription) -> MnsMessage:
    return attrs.evolve(message, form=subscription.form, base64=subscription.base64, subscription=subscription.function)


def _document(message: MnsMessage) -> str:
    return compact(attrs.asdict(message))


def _number(given: JsonObject, name: str, *, low: float, high: float) -> float:
    """Return a number; `low` if it is missing or null."""
    value: Any = given.get(name)
    try:
        return low if value is None else number_between(f"The parameter {name!r}", value, low=low, high=high)
    except DefinitionError as error:
        raise _refused(str(error)) from None


def _refused(cause: str) -> SubmitFailed:
    return SubmitFailed("MNS.InvalidArgument", cause)
