"""Events as FC's triggers deliver them, with a payload and a task token in them.

Every builder takes the payload, a mapping that goes out as JSON or a text that goes out as it is; `token`, which joins a
mapping under `key`; and options of its own. It returns the bytes that FC hands to a handler. Ids, names and times are
fixed, so that the same call gives the same bytes.
Source of the shapes: FC documentation, "Formats of event for different triggers" and the page of each trigger.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any, Literal

from fc_callback.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fc_callback.values.token import TaskToken

    Payload = Mapping[str, Any] | str
    Token = str | TaskToken | None

_ACCOUNT = "1000000000000001"
_REGION = "cn-hangzhou"
_ID = "11111111-2222-3333-4444-555555555555"
_TIME = "2025-01-02T03:04:05.678Z"
_TIME_SECONDS = 1735787045


def direct(payload: Payload, *, token: Token = None, key: str = "taskToken") -> bytes:
    """A direct call, by a flow or an SDK: the payload itself."""
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
        key: The token's name in the body.
        base64: Whether the body is encoded, as for content types that FC takes for binary.
        method: The request's method.
        path: The request's path.
        query: The query's parameters.
        headers: Further headers.
    """
    kind = "application/octet-stream" if base64 else "application/json"
    body = _message(payload, token, key)
    return _json(
        {
            "version": "v1",
            "rawPath": path,
            "body": _base64(body) if base64 else body,
            "isBase64Encoded": base64,
            "headers": {"Content-Type": kind, "Host": "name-abc.cn-hangzhou.fcapp.run", **(headers or {})},
            "queryParameters": dict(query or {}),
            "requestContext": {
                "accountId": _ACCOUNT,
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
                "timeEpoch": f"{_TIME_SECONDS}000",
            },
        }
    )


def api_gateway(
    payload: Payload, *, token: Token = None, key: str = "taskToken", method: str = "POST", path: str = "/"
) -> bytes:
    """A request that comes through API Gateway; the body is base64."""
    return _json(
        {
            "path": path,
            "httpMethod": method,
            "headers": {"X-Ca-Request-Id": "0"},
            "queryParameters": {},
            "pathParameters": {},
            "body": _base64(_message(payload, token, key)),
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
        key: The token's name in the message.
        form: `stream` or `json`, as the trigger is set; `http` for a subscription that posts to an HTTP trigger.
        attributes: The message's attributes.
        base64: Whether the publisher encoded the message, as MNS SDKs do by default.
    """
    text = _message(payload, token, key)
    text = _base64(text) if base64 else text
    if form == "stream":
        if attributes is None:
            return text.encode()
        return _json({"body": text, "attrs": {"Extend": json.dumps(dict(attributes))}})
    envelope = {
        "TopicOwner": _ACCOUNT,
        "Message": text,
        "Subscriber": _ACCOUNT,
        "PublishTime": _TIME_SECONDS * 1000,
        "SubscriptionName": "subscription",
        "MessageMD5": "0" * 32,
        "TopicName": "topic",
        "MessageId": "0" * 32,
        **(attributes or {}),
    }
    return http(envelope, path="/notifications") if form == "http" else _json(envelope)


def mns_queue(
    payload: Payload, *, token: Token = None, key: str = "taskToken", base64: bool = False, array: bool = True
) -> bytes:
    """A message of an MNS (SMQ) queue; `array=False` for a trigger that delivers one event at a time."""
    text = _message(payload, token, key)
    data = {"requestId": "0000", "messageId": "0000", "messageBody": _base64(text) if base64 else text}
    return _batch(_envelope("MNS-fn-trigger", "mns:Queue:SendMessage", data), array=array)


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
        key: The token's name in the data.
        array: Whether it comes in an array, as from an event stream.
        strings: Whether the array holds texts of JSON, as older streams do.
        data_as_text: Whether `data` is a text of JSON.
        source: The event's `source`.
        event_type: The event's `type`.
    """
    text = _message(payload, token, key)
    data = text if data_as_text or isinstance(payload, str) else json.loads(text)
    return _batch(_envelope(source, event_type, data), array=array or strings, strings=strings)


def timer(
    payload: Payload = "", *, token: Token = None, key: str = "taskToken", trigger_name: str = "nightly"
) -> bytes:
    """A timer that fired; its payload is a text."""
    text = _message(payload, token, key)
    return _json({"triggerTime": "2025-01-02T03:04:05Z", "triggerName": trigger_name, "payload": text})


def rocketmq(payload: Payload, *, token: Token = None, key: str = "taskToken", base64: bool = False) -> bytes:
    """A message of a RocketMQ topic."""
    text = _message(payload, token, key)
    data = {
        "topic": "topic",
        "systemProperties": {"UNIQ_KEY": "0000", "TAGS": "a", "INSTANCE_ID": "MQ_INST_x"},
        "userProperties": {},
        "body": _base64(text) if base64 else text,
    }
    return _batch(_envelope("RocketMQ-fn-trigger", "mq:Topic:SendMessage", data))


def rabbitmq(payload: Payload, *, token: Token = None, key: str = "taskToken", text: bool = False) -> bytes:
    """A message of a RabbitMQ queue; `text=True` for a body that is a text of JSON and not an object."""
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
        "timestamp": _TIME_SECONDS * 1000,
        "headers": {"headers": [], "isReadOnly": False},
        "key": message_key,
        "value": _message(payload, token, key),
    }
    return _batch(_envelope("acs:alikafka", "alikafka:Topic:Message", data))


def mqtt(payload: Payload, *, token: Token = None, key: str = "taskToken") -> bytes:
    """A message of an MQTT topic."""
    props = {"firstTopic": "a", "secondTopic": "/b", "clientId": "GID@@@c"}
    return _json([{"props": props, "body": _message(payload, token, key)}])


def oss(
    *, bucket: str = "bucket", object_key: str = "dir/a.png", event_name: str = "ObjectCreated:PutObject", size: int = 7
) -> bytes:
    """A change of an object in OSS. It carries no payload of anybody's, so no token either."""
    described = {
        "bucket": {"arn": f"acs:oss:{_REGION}:{_ACCOUNT}:{bucket}", "name": bucket, "ownerIdentity": _ACCOUNT},
        "object": {"deltaSize": size, "eTag": "0" * 32, "key": object_key, "size": size},
        "ossSchemaVersion": "1.0",
        "ruleId": "0000",
    }
    record = {
        "eventName": event_name,
        "eventSource": "acs:oss",
        "eventTime": "2025-01-02T03:04:05.000Z",
        "eventVersion": "1.0",
        "oss": described,
        "region": _REGION,
        "requestParameters": {"sourceIPAddress": "192.0.2.1"},
        "responseElements": {"requestId": "0" * 24},
        "userIdentity": {"principalId": _ACCOUNT},
    }
    return _json({"events": [record]})


def sls(*, project: str = "project", logstore: str = "logstore", parameter: Mapping[str, str] | None = None) -> bytes:
    """A stretch of a log store to be read; the logs themselves are not in it."""
    return _json(
        {
            "parameter": dict(parameter or {}),
            "source": {
                "endpoint": f"http://{_REGION}-intranet.log.aliyuncs.com",
                "projectName": project,
                "logstoreName": logstore,
                "shardId": 0,
                "beginCursor": "MTcwMA==",
                "endCursor": "MTcwMQ==",
            },
            "jobName": "0000",
            "taskId": _ID,
            "cursorTime": _TIME_SECONDS,
        }
    )


def cdn(*, domain: str = "example.com", file_path: str = "http://example.com/x.gz") -> bytes:
    """A log file of CDN that was written."""
    parameters = {
        "domain": domain,
        "startTime": _TIME_SECONDS - 3845,
        "endTime": _TIME_SECONDS - 3545,
        "fileSize": 123,
        "filePath": file_path,
    }
    record = {
        "eventName": "LogFileCreated",
        "eventSource": "cdn",
        "region": _REGION,
        "eventVersion": "1.0.0",
        "eventTime": "2025-01-02T11:04:05+08:00",
        "traceId": _ID,
        "userIdentity": {"aliUid": _ACCOUNT},
        "resource": {"domain": domain},
        "eventParameter": parameters,
    }
    return _json({"events": [record]})


def tablestore(*records: Mapping[str, Any], cbor: bool = True) -> bytes:
    """Changed rows of a Tablestore table, as CBOR (extra `cbor`); `cbor=False` for the console's test events.

    Args:
        records: Each with `Type`, `Info`, `PrimaryKey` and `Columns`; one new row, by default.
        cbor: Whether it is CBOR, as from the trigger.
    """
    row = {
        "Type": "PutRow",
        "Info": {"Timestamp": _TIME_SECONDS * 1_000_000},
        "PrimaryKey": [{"ColumnName": "pk", "Value": 1}],
        "Columns": [{"Type": "Put", "ColumnName": "a", "Value": "x", "Timestamp": _TIME_SECONDS * 1000}],
    }
    event = {"Version": "Sync-v1", "Records": list(records) or [row]}
    if not cbor:
        return _json(event)
    from cbor2 import dumps

    encoded: bytes = dumps(event)
    return encoded


# Those that carry somebody's payload, and so may carry a task token.
WITH_PAYLOAD: Sequence[Callable[..., bytes]] = (
    direct, http, api_gateway, mns_topic, mns_queue, eventbridge, timer, rocketmq, rabbitmq, kafka, mqtt,
)  # fmt: skip


def _message(payload: Payload, token: Token, key: str) -> str:
    if isinstance(payload, str):
        if token is not None:
            raise SettingsError("A token joins a mapping, not a text: put it into the text yourself.")
        return payload
    secret = token if token is None or isinstance(token, str) else token.reveal()
    return json.dumps({**payload, **({} if secret is None else {key: secret})}, ensure_ascii=False)


def _envelope(source: str, kind: str, data: Any) -> dict[str, Any]:
    return {
        "id": _ID,
        "source": source,
        "specversion": "1.0",
        "type": kind,
        "datacontenttype": "application/json; charset=utf-8",
        "subject": f"acs:{source}:{_REGION}:{_ACCOUNT}",
        "time": _TIME,
        "aliyunaccountid": _ACCOUNT,
        "aliyunpublishtime": _TIME,
        "aliyunoriginalaccountid": _ACCOUNT,
        "aliyuneventbusname": source,
        "aliyunregionid": _REGION,
        "aliyunpublishaddr": "192.0.2.1",
        "data": data,
    }


def _batch(event: Mapping[str, Any], *, array: bool = True, strings: bool = False) -> bytes:
    one = json.dumps(event, ensure_ascii=False) if strings else event
    return _json([one] if array else one)


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
