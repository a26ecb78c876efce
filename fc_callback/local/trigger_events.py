"""Builds the events of FC's MNS triggers, and the CloudEvents that most other triggers deliver.

Source: FC documentation, "MNS topic triggers", "MNS queue triggers" and "Formats of event for different triggers".
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.local.clock import iso_milliseconds

if TYPE_CHECKING:
    from collections.abc import Mapping


def base64_text(text: str) -> str:
    """Return the base64 of a text's UTF-8 bytes."""
    return b64encode(text.encode()).decode()


def body_md5(text: str) -> str:
    """Return the MD5 of a message as MNS writes it."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()


def cloud_event(
    source: str, kind: str, data: Any, *, event_id: str, subject: str, time: str, region: str, account: str
) -> dict[str, Any]:
    """Return an event of EventBridge (CloudEvents 1.0)."""
    return {
        "id": event_id,
        "source": source,
        "specversion": "1.0",
        "type": kind,
        "datacontenttype": "application/json; charset=utf-8",
        "subject": subject,
        "time": time,
        "aliyunaccountid": account,
        "aliyunpublishtime": time,
        "aliyunoriginalaccountid": account,
        "aliyuneventbusname": source,
        "aliyunregionid": region,
        "aliyunpublishaddr": "192.0.2.1",
        "data": data,
    }


@attrs.frozen(kw_only=True)
class MnsMessage:
    """A message of an MNS topic or queue, on its way to one function.

    Attributes:
        resource: `topics/NAME` or `queues/NAME`.
        text: The message.
        message_id: Its id.
        request_id: The id of the call that sent it.
        account: The account that owns the resource.
        region: The region of the resource.
        sent: The time, in seconds since the epoch.
        tag: A topic's message may have one.
        form: The format of a topic's trigger, `stream` or `json`.
        base64: Whether the message is base64 in the event, as MNS SDKs publish it by default.
        subscription: The name of the subscription.
    """

    resource: str
    text: str
    message_id: str
    request_id: str
    account: str
    region: str
    sent: float
    tag: str = ""
    form: str = "stream"
    base64: bool = False
    subscription: str = ""

    @property
    def is_queued(self) -> bool:
        """Whether it is in a queue."""
        return self.resource.startswith("queues/")

    def event(self, *, attributes: Mapping[str, str] | None = None) -> str:
        """Return the event of the resource's trigger; a topic's message may have attributes."""
        text = base64_text(self.text) if self.base64 else self.text
        if self.is_queued:
            return json.dumps([self._queue_event(text)], ensure_ascii=False)
        if self.form == "json":
            return json.dumps({**self._topic_fields(text), **(attributes or {})}, ensure_ascii=False)
        if attributes is None:
            return text
        attrs_member = {"Extend": json.dumps(dict(attributes))}
        return json.dumps({"body": text, "attrs": attrs_member}, ensure_ascii=False)

    def _topic_fields(self, text: str) -> dict[str, Any]:
        fields = {
            "TopicOwner": self.account,
            "Message": text,
            "Subscriber": self.account,
            "PublishTime": int(self.sent * 1000),
            "SubscriptionName": self.subscription,
            "MessageMD5": body_md5(text),
            "TopicName": self.resource.removeprefix("topics/"),
            "MessageId": self.message_id,
        }
        return {**fields, "MessageTag": self.tag} if self.tag else fields

    def _queue_event(self, text: str) -> dict[str, Any]:
        return cloud_event(
            "MNS-fn-trigger",
            "mns:Queue:SendMessage",
            {"requestId": self.request_id, "messageId": self.message_id, "messageBody": text},
            event_id=self.request_id,
            subject=f"acs:mns:{self.region}:{self.account}:{self.resource}",
            time=iso_milliseconds(self.sent),
            region=self.region,
            account=self.account,
        )
