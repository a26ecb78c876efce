"""Records of things that happened: objects, logs, rows, timers."""

import json
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from typing import Any

import cbor2
import pytest

from fc_callback.errors import PayloadInvalid
from fc_callback.events import CdnEvent, DtsEvents, OssEvent, SlsEvent, TablestoreEvent, TimerEvent
from fc_callback.events.dts import decode_value
from tests.events.event_samples import SAMPLES, decoded, sample

NOON = datetime(2025, 1, 2, 3, 4, 5, tzinfo=timezone.utc)

# Timers


def test_a_timer_s_payload_is_a_text_or_json() -> None:
    assert TimerEvent.parse(sample("timer")).json() == {"report": "daily"}
    event = TimerEvent.parse(sample("timer-text-payload"))
    assert event.text == "wake up"
    with pytest.raises(PayloadInvalid, match="not JSON"):
        event.json()


def test_a_timer_goes_by_its_name_and_the_time_it_was_due() -> None:
    event = TimerEvent.parse(sample("timer"))
    assert event.trigger_time == NOON
    assert event.dedup_key == '["timer","nightly","2025-01-02T03:04:05+00:00"]'


def test_a_timer_without_a_payload_has_an_empty_one() -> None:
    assert TimerEvent.parse({"triggerTime": "2025-01-02T03:04:05Z", "triggerName": "n", "payload": None}).text == ""


def test_a_time_without_a_zone_is_utc() -> None:
    assert TimerEvent.parse({"triggerTime": "2025-01-02T03:04:05", "triggerName": "n"}).trigger_time == NOON


# OSS and CDN


def test_an_object_s_event_gives_bucket_key_and_sizes() -> None:
    [record] = OssEvent.parse(sample("oss")).events
    assert (record.bucket, record.key, record.event_name) == ("bkt", "dir/a.png", "ObjectCreated:PutObject")
    assert (record.oss.object.size, record.oss.object.delta_size, record.oss.object.e_tag) == (7, 7, "0" * 32)
    assert record.oss.object.object_meta["mimeType"] == "image/png"
    assert record.event_time == NOON


def test_an_object_s_event_goes_by_object_version_and_request() -> None:
    fields = decoded("oss")
    first = OssEvent.parse(fields).dedup_key
    fields["events"][0]["responseElements"]["requestId"] = "other"
    assert first != OssEvent.parse(fields).dedup_key


def test_the_optional_fields_of_an_object_may_be_missing() -> None:
    fields = decoded("oss")
    del fields["events"][0]["oss"]["object"]["objectMeta"]
    del fields["events"][0]["oss"]["bucket"]["virtualBucket"]
    [record] = OssEvent.parse(fields).events
    assert record.oss.object.object_meta == {}


def test_a_cdn_event_has_times_with_their_zones() -> None:
    [record] = CdnEvent.parse(sample("cdn")).events
    assert record.event_time == NOON
    assert record.event_time is not None
    assert record.event_time.utcoffset() == timedelta(hours=8)
    start, end = record.event_parameter.start_time, record.event_parameter.end_time
    assert start is not None
    assert end is not None
    assert end - start == timedelta(minutes=5)


@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        (
            "CachedObjectsRefreshed",
            {"objectPath": ["/a"], "createTime": 1735783200, "objectType": "File", "taskId": 17},
        ),
        ("CdnDomainStarted", {"domain": "example.com", "status": "online"}),
        ("CdnDomainAdded", {"domain": "example.com"}),
    ],
)
def test_the_other_events_of_cdn_are_read(name: Any, parameter: Any) -> None:
    fields = decoded("cdn")
    fields["events"][0].update(eventName=name, eventParameter=parameter)
    [record] = CdnEvent.parse(fields).events
    assert record.event_name == name


def test_an_event_of_oss_is_not_taken_for_one_of_cdn() -> None:
    with pytest.raises(PayloadInvalid, match="eventSource"):
        CdnEvent.parse(sample("oss"))


# Log Service


def test_a_log_event_says_which_logs_to_read() -> None:
    event = SlsEvent.parse(sample("sls"))
    assert (event.source.project_name, event.source.logstore_name, event.source.shard_id) == ("p", "l", 0)
    assert (event.source.begin_cursor, event.source.end_cursor) == ("MTcwMA==", "MTcwMQ==")
    assert event.parameter == {"k": "v"}
    assert event.cursor_time == NOON
    assert event.dedup_key == '["sls","p","l","0000",0,"MTcwMA=="]'


# Tablestore


def test_cbor_and_the_console_s_json_give_the_same_event() -> None:
    fields = decoded("tablestore-decoded")
    assert TablestoreEvent.parse(cbor2.dumps(fields)) == TablestoreEvent.parse(sample("tablestore-decoded"))


def test_a_changed_row_gives_its_key_its_values_and_when() -> None:
    [record] = TablestoreEvent.parse(sample("tablestore-decoded")).records
    assert (record.type, record.key, record.values) == ("PutRow", {"pk": 1}, {"a": "x"})
    assert record.info.timestamp == record.columns[0].timestamp == NOON


def test_a_deleted_column_is_no_value() -> None:
    fields = decoded("tablestore-decoded")
    fields["Records"][0]["Columns"] = [{"Type": "DeleteAllVersions", "ColumnName": "a"}]
    [record] = TablestoreEvent.parse(cbor2.dumps(fields)).records
    assert record.values == {}
    assert record.columns[0].type == "DeleteAllVersions"


def test_bytes_in_a_row_stay_bytes_and_make_a_key_all_the_same() -> None:
    fields = decoded("tablestore-decoded")
    fields["Records"][0]["PrimaryKey"][0]["Value"] = b"\x00\xff"
    event = TablestoreEvent.parse(cbor2.dumps(fields))
    assert event.records[0].key == {"pk": b"\x00\xff"}
    assert event.dedup_key == '["tablestore",[["pk","AP8="]],"2025-01-02 03:04:05+00:00"]'


@pytest.mark.parametrize(
    "event",
    [
        b"\xa1",
        b"\x9b" + b"\xff" * 8,
        b"\x5b\x00\x00\x00\x7f\xff\xff\xff\xff",
        b"\x81" * 100_000,
        b"\xd8\x23\x61(",
        b"\xf6",
    ],
    ids=["cut", "huge-array", "huge-bytes", "deep", "bad-pattern", "null"],
)
def test_cbor_that_means_harm_is_refused(event: Any) -> None:
    with pytest.raises(PayloadInvalid, match="TablestoreEvent"):
        TablestoreEvent.parse(event)


def test_without_cbor2_the_error_says_what_to_install() -> None:
    script = (
        "import sys; sys.modules['cbor2'] = None\n"
        "from fc_callback.errors import PayloadInvalid\n"
        "from fc_callback.events import TablestoreEvent\n"
        f"TablestoreEvent.parse(open({str(SAMPLES / 'tablestore-decoded.json')!r}, 'rb').read())\n"
        "try: TablestoreEvent.parse(bytes([0xa1]))\n"
        "except PayloadInvalid as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, timeout=60, capture_output=True, text=True)
    assert "fc-callback[cbor]" in done.stdout


# DTS


def test_a_changed_row_of_a_database_is_read_before_and_after() -> None:
    [event] = DtsEvents.parse(sample("dts"))
    record = event.data
    assert (record.operation_type, record.table.database_name, record.table.table_name) == ("UPDATE", "db", "orders")
    assert record.before == {"id": 115, "note": "hi"}
    assert record.after == {"id": 115, "note": "hello"}
    assert record.source_timestamp == NOON
    assert '"cn_hangzhou_dts_x",0,3218099' in event.dedup_key


def test_a_row_that_was_not_there_before_is_none() -> None:
    fields = decoded("dts")
    fields[0]["data"]["beforeImage"] = None
    [event] = DtsEvents.parse(fields)
    assert event.data.before is None


def buffer(held: Any, charset: Any = "utf8mb4", **bounds: Any) -> dict[str, Any]:
    return {"data": {"hb": held, "offset": 0, "position": 0, "limit": len(held), **bounds}, "charset": charset}


@pytest.mark.parametrize(
    ("dump", "value"),
    [
        (buffer([104, 105]), "hi"),
        (buffer([104, 105], limit=4000), "hi"),
        (buffer([104, 105, 33], limit=2), "hi"),
        (buffer([33, 104, 105], position=1), "hi"),
        (buffer([33, 104, 105], offset=1, limit=2), "hi"),
        (buffer([-28, -72, -83]), "中"),
        (buffer([-42, -48], "gbk"), "中"),
        (buffer([-128], "latin1"), "€"),
        (buffer([-1, -2], "klingon"), b"\xff\xfe"),
        (buffer([-1, -2]), b"\xff\xfe"),
        (buffer([1, 2], None), b"\x01\x02"),
        ({"data": 115}, 115),
        ({"data": None}, None),
        (None, None),
        ("plain", "plain"),
        ({"year": 2025, "month": 1}, {"year": 2025, "month": 1}),
        (buffer(["x"]), buffer(["x"])),
        (buffer([1000]), buffer([1000])),
        (buffer([104, 105], limit="2", position=None), "hi"),
    ],
)
def test_a_dump_of_a_java_buffer_becomes_the_value_it_was(dump: Any, value: Any) -> None:
    assert decode_value(json.loads(json.dumps(dump))) == value
