"""Events in the formats of FC's triggers, with a payload and a task token.

Each builder takes the payload, a mapping (sent as JSON) or a text (sent unchanged); `token`, which is added to a mapping
under `key`; and its own options. It returns the bytes that FC passes to a handler. Ids, names and times are fixed, so the
same call gives the same bytes.
Source of the shapes: FC documentation, "Formats of event for different triggers" and the page of each trigger.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import attrs

from fc_callback.errors import SettingsError
from fc_callback.local.trigger_events import MnsMessage, base64_text, cloud_event
from fc_callback.testing.record_events import ACCOUNT, ID, REGION, TIME_SECONDS, cdn, json_bytes, oss, sls, tablestore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fc_callback.values.token import TaskToken

    Payload = Mapping[str, Any] | str
    Token = str | TaskToken | None

__all__ = [
    "WITHOUT_PAYLOAD", "WITH_PAYLOAD", "api_gateway", "cdn", "direct", "eventbridge", "http", "kafka", "mns_queue",
    "mns_topic", "mqtt", "oss", "rabbitmq", "rocketmq", "sls", "tablestore", "timer",
]  # fmt: skip

_TIME = "2025-01-02T03:04:05.678Z"


def direct(payload: Payload, *, token: Token = None, key: str = "taskToken") -> bytes:
    """A direct call by a flow or an SDK: the payload itself."""
    return _message(payload, token, key).encode()


def http(
    payload: Payload,
    *,
    token: Token = None,
    key: str = "taskToken",
    base64: bool = False,
    method: str = "POST",
    path: str = "/",
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """An HTTP request to FC's built-in HTTP trigger, format `v1`.

    Args:
        payload: The body.
        token: The task token.
        key: The token's key in the body.
        base64: Whether the body is base64, as for binary content types.
        method: The request's method.
        path: The request's path.
        query: The query's parameters.
        headers: Further headers.
    """
    kind = "application/octet-stream" if base64 else "application/json"
    body = _message(payload, token, key)
    return json_bytes(
        {
            "version": "v1",
            "rawPath": path,
            "body": base64_text(body) if base64 else body,
            "isBase64Encoded": base64,
            "headers": {"Content-Type": kind, "Host": "name-abc.cn-hangzhou.fcapp.run", **(headers or {})},
            "queryParameters": dict(query or {}),
            "requestContext": {
                "accountId": ACCOUNT,
                "domainName": "name-abc.cn-hangzhou.fcapp.run",
                "domainPrefix": "name-abc",
                "http": {
                    "method": method,
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.10",
                    "userAgent": "curl/8.0",
                },
                "requestId": "1-00000000-000000000000-000000000000",
                "time": "2025-01-02T03:04:05Z",
                "timeEpoch": f"{TIME_SECONDS}000",
            },
        }
    )


def api_gateway(
    payload: Payload, *, token: Token = None, key: str = "taskToken", method: str = "POST", path: str = "/"
) -> bytes:
    """A request that comes through API Gateway; the body is base64."""
    return json_bytes(
        {
            "path": path,
            "httpMethod": method,
            "headers": {"X-Ca-Request-Id": "0"},
            "queryParameters": {},
            "pathParameters": {},
            "body": base64_text(_message(payload, token, key)),
            "isBase64Encoded": True,
        }
    )


def mns_topic(
    payload: Payload,
    *,
    token: Token = None,
    key: str = "taskToken",
    form: Literal["stream", "json", "http"] = "stream",
    attributes: Mapping[str, str] | None = None,
    base64: bool = False,
) -> bytes:
    """A message of an MNS (SMQ) topic.

    Args:
        payload: The message.
        token: The task token.
        key: The token's key in the message.
        form: The trigger's format, `stream` or `json`; `http` for a subscription that posts to an HTTP trigger.
        attributes: The message's attributes.
        base64: Whether the message is base64, as MNS SDKs publish it by default.
    """
    message = _mns_message("topics/topic", _message(payload, token, key), base64=base64)
    if form == "stream":
        return message.event(attributes=attributes).encode()
    event = attrs.evolve(message, form="json").event(attributes=attributes)
    return http(event, path="/notifications") if form == "http" else event.encode()


def mns_queue(
    payload: Payload, *, token: Token = None, key: str = "taskToken", base64: bool = False, array: bool = True
) -> bytes:
    """A message of an MNS (SMQ) queue; `array=False` for a trigger that delivers one event at a time."""
    event = _mns_message("queues/queue", _message(payload, token, key), base64=base64).event()
    return event.encode() if array else json_bytes(json.loads(event)[0])


def eventbridge(
    payload: Payload,
    *,
    token: Token = None,
    key: str = "taskToken",
    array: bool = False,
    strings: bool = False,
    data_as_text: bool = False,
    source: str = "orders",
    event_type: str = "order:ApprovalRequested",
) -> bytes:
    """An event of EventBridge (CloudEvents 1.0).

    Args:
        payload: The event's `data`.
        token: The task token.
        key: The token's key in the data.
        array: Whether the event is in an array, as from an event stream.
        strings: Whether the array holds JSON texts, as in older streams.
        data_as_text: Whether `data` is a JSON text.
        source: The event's `source`.
        event_type: The event's `type`.
    """
    text = _message(payload, token, key)
    data = text if data_as_text or isinstance(payload, str) else json.loads(text)
    return _batch(_envelope(source, event_type, data), array=array or strings, strings=strings)


def timer(
    payload: Payload = "", *, token: Token = None, key: str = "taskToken", trigger_name: str = "nightly"
) -> bytes:
    """An event of a timer; its payload is a text."""
    text = _message(payload, token, key)
    return json_bytes({"triggerTime": "2025-01-02T03:04:05Z", "triggerName": trigger_name, "payload": text})


def rocketmq(payload: Payload, *, token: Token = None, key: str = "taskToken", base64: bool = False) -> bytes:
    """A message of a RocketMQ topic."""
    text = _message(payload, token, key)
    data = {
        "topic": "topic",
        "systemProperties": {"UNIQ_KEY": "0000", "TAGS": "a", "INSTANCE_ID": "MQ_INST_x"},
        "userProperties": {},
        "body": base64_text(text) if base64 else text,
    }
    return _batch(_envelope("RocketMQ-fn-trigger", "mq:Topic:SendMessage", data))


def rabbitmq(payload: Payload, *, token: Token = None, key: str = "taskToken", text: bool = False) -> bytes:
    """A message of a RabbitMQ queue; with `text=True` the body is a JSON text instead of an object."""
    message = _message(payload, token, key)
    data = {
        "envelope": {"deliveryTag": 98, "exchange": "", "redeliver": False, "routingKey": "key"},
        "body": message if text or isinstance(payload, str) else json.loads(message),
        "props": {"contentEncoding": "UTF-8", "messageId": "0000"},
    }
    return _batch(_envelope("RabbitMQ-fn-trigger", "amqp:Queue:SendMessage", data))


def kafka(payload: Payload, *, token: Token = None, key: str = "taskToken", message_key: str = "k") -> bytes:
    """A message of a Kafka topic."""
    data = {
        "topic": "topic",
        "partition": 7,
        "offset": 25,
        "timestamp": TIME_SECONDS * 1000,
        "headers": {"headers": [], "isReadOnly": False},
        "key": message_key,
        "value": _message(payload, token, key),
    }
    return _batch(_envelope("acs:alikafka", "alikafka:Topic:Message", data))


def mqtt(payload: Payload, *, token: Token = None, key: str = "taskToken") -> bytes:
    """A message of an MQTT topic."""
    props = {"firstTopic": "a", "secondTopic": "/b", "clientId": "GID@@@c"}
    return json_bytes([{"props": props, "body": _message(payload, token, key)}])


# The builders with a payload, which may carry a task token.
WITH_PAYLOAD: Sequence[Callable[..., bytes]] = (
    direct, http, api_gateway, mns_topic, mns_queue, eventbridge, timer, rocketmq, rabbitmq, kafka, mqtt,
)  # fmt: skip
WITHOUT_PAYLOAD: Sequence[Callable[..., bytes]] = (oss, sls, cdn, tablestore)


def _message(payload: Payload, token: Token, key: str) -> str:
    if isinstance(payload, str):
        if token is not None:
            raise SettingsError("A token can only be added to a mapping. Add it to the text yourself.")
        return payload
    secret = token if token is None or isinstance(token, str) else token.reveal()
    return json.dumps({**payload, **({} if secret is None else {key: secret})}, ensure_ascii=False)


def _envelope(source: str, kind: str, data: Any) -> dict[str, Any]:
    subject = f"acs:{source}:{REGION}:{ACCOUNT}"
    return cloud_event(source, kind, data, event_id=ID, subject=subject, time=_TIME, region=REGION, account=ACCOUNT)


def _mns_message(resource: str, text: str, *, base64: bool) -> MnsMessage:
    return MnsMessage(
        resource=resource,
        text=text,
        message_id="0" * 32,
        request_id=ID,
        account=ACCOUNT,
        region=REGION,
        sent=TIME_SECONDS,
        base64=base64,
        subscription="subscription",
    )


def _batch(event: Mapping[str, Any], *, array: bool = True, strings: bool = False) -> bytes:
    one = json.dumps(event, ensure_ascii=False) if strings else event
    return json_bytes([one] if array else one)
