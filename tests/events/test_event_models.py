"""What holds for every class of event."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from fc_callback import events
from fc_callback.errors import PayloadInvalid
from tests.events.event_samples import CLASSES, SAMPLES, TOKEN, class_for, sample

NAMES = sorted(path.name for path in SAMPLES.iterdir() if class_for(path.name))


def test_every_sample_but_a_flow_s_direct_calls_has_a_class() -> None:
    assert {path.name for path in SAMPLES.iterdir()} - set(NAMES) == {path.name for path in SAMPLES.glob("cloudflow-*")}
    assert {class_for(name) for name in NAMES} == set(CLASSES.values())


@pytest.mark.parametrize("name", NAMES)
def test_every_sample_is_read_by_its_class(name: Any) -> None:
    cls = class_for(name)
    assert cls is not None
    event = cls.parse(sample(name))
    assert isinstance(event, cls)
    assert isinstance(event.dedup_key, str | None)


@pytest.mark.parametrize("name", NAMES)
def test_an_event_s_text_forms_show_no_value(name: Any) -> None:
    cls = class_for(name)
    assert cls is not None
    event = cls.parse(sample(name))
    assert TOKEN not in f"{event!r} {event} {list(event.__repr_args__())}"
    assert "1000000000000001" not in repr(event)


@pytest.mark.parametrize(
    "name", [name for name in NAMES if name.endswith(".json") and not re.search("stream|strings", name)]
)
def test_a_field_that_nobody_announced_is_kept(name: Any) -> None:
    cls = class_for(name)
    assert cls is not None
    fields = json.loads(sample(name))
    first = fields[0] if isinstance(fields, list) else fields
    first["brandNew"] = {"kept": 1}
    event: Any = cls.parse(json.dumps(fields))
    holder = event[0] if isinstance(event, events.Batch) else event
    assert holder.model_extra == {**{key: "value" for key in ("key",) if key in first}, "brandNew": {"kept": 1}}


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".json")])
def test_text_and_decoded_events_are_read_like_bytes(name: Any) -> None:
    cls = class_for(name)
    assert cls is not None
    raw = sample(name)
    expected = cls.parse(raw)
    assert cls.parse(raw.decode()) == cls.parse(bytearray(raw)) == cls.parse(memoryview(raw)) == expected
    if cls is not events.MnsTopicEvent:
        assert cls.parse(json.loads(raw)) == expected


@pytest.mark.parametrize("cls", sorted(set(CLASSES.values()) - {events.MnsTopicEvent}, key=str))
@pytest.mark.parametrize(
    "event", [b"", b"hello", b"{}", b"[[]]", b"17", b"null", b"\xff\xfe\xa0", b"[" * 100_000, None]
)
def test_an_event_of_another_shape_is_refused_with_the_class_s_name(cls: Any, event: Any) -> None:
    with pytest.raises(PayloadInvalid, match=cls.__name__) as caught:
        cls.parse(event)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_refusal_says_where_and_what_without_a_value() -> None:
    event = {
        "events": [{"eventName": "ObjectCreated:PutObject", "eventSource": TOKEN, "oss": {"bucket": {}, "object": 5}}]
    }
    with pytest.raises(PayloadInvalid) as caught:
        events.OssEvent.parse(event)
    assert dict(caught.value.problems) == {
        "$.events[0].eventSource": "Input should be 'acs:oss'",
        "$.events[0].oss.bucket.name": "Field required",
        "$.events[0].oss.object": "Input should be an object",
    }
    assert TOKEN not in str(caught.value)
    assert "$.events[0].oss.bucket.name: Field required" in str(caught.value)


def test_events_do_not_change() -> None:
    event = events.TimerEvent.parse(sample("timer"))
    with pytest.raises(ValueError, match="frozen"):
        event.trigger_name = "other"


def test_every_name_of_the_room_is_there_and_no_other() -> None:
    for name in events.__all__:
        assert getattr(events, name).__name__ == name
    assert dir(events) == sorted(events.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        events.Nothing  # noqa: B018 - looking it up is the test


def test_importing_the_room_loads_no_pydantic_until_a_class_is_used() -> None:
    script = (
        "import sys, fc_callback.events as events, fc_callback.payload.token_search\n"
        "heavy = {'pydantic', 'requests', 'asyncio', 'ssl', 'http', 'email', 'dataclasses'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "events.TimerEvent\n"
        "assert 'pydantic' in sys.modules and 'cbor2' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
