"""Events of triggers that describe a change and carry no payload: OSS, SLS, CDN, Tablestore. See `events`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCOUNT = "1000000000000001"
REGION = "cn-hangzhou"
ID = "11111111-2222-3333-4444-555555555555"
TIME_SECONDS = 1735787045


def json_bytes(value: Any) -> bytes:
    """Return a value as JSON text in UTF-8."""
    return json.dumps(value, ensure_ascii=False).encode()


def oss(
    *, bucket: str = "bucket", object_key: str = "dir/a.png", event_name: str = "ObjectCreated:PutObject", size: int = 7
) -> bytes:
    """A change of an object in OSS."""
    described = {
        "bucket": {"arn": f"acs:oss:{REGION}:{ACCOUNT}:{bucket}", "name": bucket, "ownerIdentity": ACCOUNT},
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
        "region": REGION,
        "requestParameters": {"sourceIPAddress": "192.0.2.1"},
        "responseElements": {"requestId": "0" * 24},
        "userIdentity": {"principalId": ACCOUNT},
    }
    return json_bytes({"events": [record]})


def sls(*, project: str = "project", logstore: str = "logstore", parameter: Mapping[str, str] | None = None) -> bytes:
    """A range of a log store; it does not contain the logs."""
    return json_bytes(
        {
            "parameter": dict(parameter or {}),
            "source": {
                "endpoint": f"http://{REGION}-intranet.log.aliyuncs.com",
                "projectName": project,
                "logstoreName": logstore,
                "shardId": 0,
                "beginCursor": "MTcwMA==",
                "endCursor": "MTcwMQ==",
            },
            "jobName": "0000",
            "taskId": ID,
            "cursorTime": TIME_SECONDS,
        }
    )


def cdn(*, domain: str = "example.com", file_path: str = "http://example.com/x.gz") -> bytes:
    """A new log file of CDN."""
    parameters = {
        "domain": domain,
        "startTime": TIME_SECONDS - 3845,
        "endTime": TIME_SECONDS - 3545,
        "fileSize": 123,
        "filePath": file_path,
    }
    record = {
        "eventName": "LogFileCreated",
        "eventSource": "cdn",
        "region": REGION,
        "eventVersion": "1.0.0",
        "eventTime": "2025-01-02T11:04:05+08:00",
        "traceId": ID,
        "userIdentity": {"aliUid": ACCOUNT},
        "resource": {"domain": domain},
        "eventParameter": parameters,
    }
    return json_bytes({"events": [record]})


def tablestore(*records: Mapping[str, Any], cbor: bool = True) -> bytes:
    """Changed rows of a Tablestore table.

    Args:
        records: Each with `Type`, `Info`, `PrimaryKey` and `Columns`; by default one new row.
        cbor: Whether to encode it as CBOR (extra `cbor`), as the trigger does; otherwise as the console's test events.
    """
    row = {
        "Type": "PutRow",
        "Info": {"Timestamp": TIME_SECONDS * 1_000_000},
        "PrimaryKey": [{"ColumnName": "pk", "Value": 1}],
        "Columns": [{"Type": "Put", "ColumnName": "a", "Value": "x", "Timestamp": TIME_SECONDS * 1000}],
    }
    event = {"Version": "Sync-v1", "Records": list(records) or [row]}
    if not cbor:
        return json_bytes(event)
    from cbor2 import dumps

    encoded: bytes = dumps(event)
    return encoded
