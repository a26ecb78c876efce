"""CloudEvents as EventBridge delivers them, with data of anybody's own."""

import json
from base64 import b64encode
from datetime import datetime, timezone
from typing import Any

import pytest
from pydantic import BaseModel

from fc_callback.errors import PayloadInvalid
from fc_callback.events import CloudEvent, EventBridgeEvent, EventBridgeEvents
from tests.events.event_samples import TOKEN, decoded, sample


class Order(BaseModel):
    id: str
    amount: float


class Approval(BaseModel):
    taskToken: str
    order: Order


def event_with(data: Any) -> dict[str, Any]:
    return {**decoded("eventbridge-single"), "data": data}


def test_an_event_gives_its_envelope_in_words() -> None:
    event = EventBridgeEvent.parse(sample("eventbridge-single-token"))
    assert (event.id, event.source, event.type) == ("0000", "cloudflow.demo", "order:ApprovalRequested")
    assert event.time == datetime(2025, 1, 2, 3, 4, 5, 678000, tzinfo=timezone.utc)
    assert (event.event_bus_name, event.region_id) == ("demo-bus", "cn-hangzhou")
    assert event.dedup_key == '["cloudflow.demo","0000"]'


def test_the_extras_of_aliyun_may_be_missing() -> None:
    event = EventBridgeEvent.parse(sample("eventbridge-single"))
    assert (event.event_bus_name, event.data) == (None, {"n": 1})


@pytest.mark.parametrize("name", ["eventbridge-single-token", "eventbridge-data-string-token"])
def test_data_becomes_a_model_of_one_s_own_even_from_a_text(name: Any) -> None:
    event = CloudEvent[Approval].parse(sample(name))
    assert event.data.order == Order(id="o-1", amount=12.5)


def test_data_becomes_a_model_even_from_base64() -> None:
    data = b64encode(b'{"id": "o-1", "amount": 1}').decode()
    assert CloudEvent[Order].parse(event_with(data)).data == Order(id="o-1", amount=1)


def test_data_that_is_a_text_stays_one_where_any_will_do_and_is_read_by_json() -> None:
    event = EventBridgeEvent.parse(sample("eventbridge-data-string-token"))
    assert isinstance(event.data, str)
    assert event.json()["taskToken"] == TOKEN
    assert json.loads(event.text)["taskToken"] == TOKEN


@pytest.mark.parametrize(
    "name",
    ["eventbridge-array-token", "eventbridge-array-of-strings-token", "eventbridge-single-token"],
)
def test_events_come_in_an_array_as_texts_or_alone(name: Any) -> None:
    [event] = EventBridgeEvents[Approval].parse(sample(name))
    assert event.data.taskToken == TOKEN


def test_an_array_keeps_its_order() -> None:
    events = EventBridgeEvents[Any].parse(sample("eventbridge-array"))
    assert [event.data["n"] for event in events] == [1, 2]
    assert len({event.dedup_key for event in events}) == 2
    assert events.dedup_key is None


def test_an_event_without_data_has_none() -> None:
    fields = decoded("eventbridge-single")
    del fields["data"]
    assert EventBridgeEvent.parse(fields).data is None
    with pytest.raises(PayloadInvalid, match=r"\$\.data"):
        CloudEvent[Order].parse(fields)


def test_bytes_in_data_base64_are_the_data() -> None:
    fields = decoded("eventbridge-single")
    del fields["data"]
    fields["data_base64"] = b64encode(b'{"id": "o-1", "amount": 1}').decode()
    event = EventBridgeEvent.parse(fields)
    assert event.data == b'{"id": "o-1", "amount": 1}'
    assert event.json() == {"id": "o-1", "amount": 1}
    assert CloudEvent[bytes].parse(fields).data == event.data


def test_data_of_another_shape_is_refused_where_it_stands_without_a_value() -> None:
    with pytest.raises(PayloadInvalid) as caught:
        EventBridgeEvents[Order].parse([event_with({"id": "o-1", "amount": "sesame"})])
    [(path, _)] = caught.value.problems
    assert path == "$.events[0].data.amount"
    assert "sesame" not in str(caught.value)


def test_an_id_that_is_a_number_is_taken_for_a_text() -> None:
    assert EventBridgeEvent.parse({**event_with(1), "id": 17}).id == "17"


def test_what_a_transform_made_of_an_event_is_no_cloudevent() -> None:
    with pytest.raises(PayloadInvalid, match="Field required"):
        EventBridgeEvents.parse([{"only": "data"}])
