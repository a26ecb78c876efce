"""Messages: MNS topics and queues, RocketMQ, RabbitMQ, Kafka, MQTT."""

import json
from base64 import b64encode
from datetime import datetime, timezone
from typing import Any

import pytest

from fc_callback.errors import PayloadInvalid
from fc_callback.events import (
    CloudEvent,
    KafkaEvents,
    MnsQueueEvents,
    MnsTopicEvent,
    MqttEvents,
    RabbitMqEvents,
    RocketMqEvents,
    SelfManagedRocketMqEvents,
)
from tests.events.event_samples import TOKEN, decoded, sample

NOON = datetime(2025, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


def topic_message(**fields: Any) -> MnsTopicEvent:
    return MnsTopicEvent.parse(json.dumps({**decoded("mns-topic-json"), **fields}))


# MNS topics


def test_a_stream_message_is_the_event_itself() -> None:
    event = MnsTopicEvent.parse(sample("mns-topic-stream.txt"))
    assert (event.message, event.text, event.attributes) == ("hello", "hello", {})
    assert event.dedup_key is None


@pytest.mark.parametrize(
    "text", ['{"order": 7}', '{"Message": "x"}', '{"body": "x"}', "[1, 2]", "7", '"hello"', "null", ""]
)
def test_a_stream_message_that_happens_to_be_json_stays_as_it_was_sent(text: Any) -> None:
    assert MnsTopicEvent.parse(text.encode()).message == text


def test_a_stream_message_that_is_json_can_be_read_as_such() -> None:
    assert MnsTopicEvent.parse(sample("mns-topic-stream-token")).json()["taskToken"] == TOKEN


def test_a_stream_message_that_is_no_utf_8_is_read_all_the_same() -> None:
    assert MnsTopicEvent.parse(b"caf\xe9").message == "caf\ufffd"


def test_the_attributes_of_stream_format_are_unpacked_from_a_text() -> None:
    event = MnsTopicEvent.parse(sample("mns-topic-stream-attributes"))
    assert event.text == "hello"
    assert event.attributes == {"key": "value"}
    assert event.attrs == {"Extend": '{"key":"value"}'}


def test_an_extend_that_is_no_json_stays_an_attribute() -> None:
    assert MnsTopicEvent.parse('{"body": "x", "attrs": {"Extend": "plain"}}').attributes == {"Extend": "plain"}


def test_the_envelope_of_json_format_is_read() -> None:
    event = MnsTopicEvent.parse(sample("mns-topic-json"))
    assert (event.text, event.topic_name, event.subscription_name) == ("hello", "t", "sub")
    assert event.publish_time == NOON
    assert event.dedup_key == f'["mns","1000000000000001","t","{"0" * 32}"]'


def test_the_attributes_of_json_format_stand_among_the_envelope_s_fields() -> None:
    assert MnsTopicEvent.parse(sample("mns-topic-json-attributes")).attributes == {"key": "value"}


def test_an_attribute_that_hides_a_field_of_the_envelope_does_not_cost_the_message() -> None:
    event = topic_message(PublishTime="tomorrow", TopicName={"a": 1}, Subscriber=5)
    assert (event.text, event.publish_time, event.topic_name, event.subscriber) == ("hello", None, None, "5")


def test_a_message_in_base64_is_decoded() -> None:
    event = MnsTopicEvent.parse(sample("mns-topic-json-base64-token"))
    assert event.json()["taskToken"] == TOKEN
    assert json.loads(event.text)["taskToken"] == TOKEN
    assert not event.message.startswith("{")


@pytest.mark.parametrize("text", ["text", "hello world", "test1234", "", "OK", "a=b=", "你好"])
def test_a_message_that_only_looks_like_base64_stays_as_it_is(text: Any) -> None:
    assert topic_message(Message=text).text == text


def test_a_text_in_base64_with_umlauts_and_lines_is_decoded() -> None:
    assert topic_message(Message=b64encode("grüß\nGott".encode()).decode()).text == "grüß\nGott"


def test_a_message_that_is_not_json_says_so_without_showing_it() -> None:
    with pytest.raises(PayloadInvalid, match="not JSON") as caught:
        topic_message(Message="open sesame").json()
    assert "sesame" not in str(caught.value)


# MNS queues


@pytest.mark.parametrize("name", ["mns-queue-plain", "mns-queue-base64", "mns-queue-single"])
def test_a_queue_s_message_is_read_plain_or_in_base64_alone_or_in_an_array(name: Any) -> None:
    [event] = MnsQueueEvents.parse(sample(name))
    assert event.type == "mns:Queue:SendMessage"
    assert event.data.text == event.text == "text"


@pytest.mark.parametrize("name", ["mns-queue-plain-token", "mns-queue-base64-token"])
def test_a_queue_s_message_is_read_as_json(name: Any) -> None:
    [event] = MnsQueueEvents.parse(sample(name))
    assert event.data.json() == event.json() == {"key_1": "value_1", "key_2": "value", "taskToken": TOKEN}


def test_a_message_body_that_is_an_object_is_taken() -> None:
    fields = decoded("mns-queue-single")
    fields["data"]["messageBody"] = {"a": 1}
    [event] = MnsQueueEvents.parse(fields)
    assert event.data.json() == {"a": 1}
    assert event.data.text == '{"a": 1}'


# RocketMQ


def test_properties_of_rocketmq_may_mix_texts_and_numbers() -> None:
    [event] = RocketMqEvents.parse(sample("rocketmq"))
    message = event.data
    assert message.system_properties["CONSUME_START_TIME"] == 1735787045000
    assert (message.topic, message.text, message.tags, message.keys) == ("t", "text", "a", "k")
    assert message.unique_key == "0000"


def test_a_rocketmq_message_without_properties_has_empty_ones() -> None:
    fields = decoded("rocketmq")
    fields[0]["data"].update(systemProperties=None, userProperties=None)
    [event] = RocketMqEvents.parse(fields)
    assert event.data.tags is None
    assert event.dedup_key == '["RocketMQ-fn-trigger","11111111-2222-3333-4444-555555555555"]'


def test_rocketmq_goes_by_its_unique_key() -> None:
    assert RocketMqEvents.parse(sample("rocketmq")).dedup_key == (
        '["RocketMQ-fn-trigger","acs:mq:cn-hangzhou:1000000000000001:MQ_INST_x%t","t","0000"]'
    )


def test_messages_of_a_self_managed_rocketmq_are_no_cloudevents() -> None:
    [message] = SelfManagedRocketMqEvents.parse(sample("rocketmq-self-managed"))
    assert (message.text, message.msg_id, message.tags) == ("text", "0000", "a")
    assert message.dedup_key == '["rocketmq","DefaultCluster","t","0000"]'


# RabbitMQ


@pytest.mark.parametrize(("name", "body"), [("rabbitmq-object", {"Hello": "x"}), ("rabbitmq-string", "text")])
def test_a_body_of_rabbitmq_is_an_object_or_a_text(name: Any, body: Any) -> None:
    [event] = RabbitMqEvents.parse(sample(name))
    assert event.data.body == body
    assert event.data.envelope.delivery_tag == 98
    assert event.data.message_id == "0000"


# Kafka


def test_a_message_of_kafka_has_its_place_and_time() -> None:
    [event] = KafkaEvents.parse(sample("kafka"))
    message = event.data
    assert (message.topic, message.partition, message.offset, message.value) == ("t", 7, 25, "v")
    assert message.timestamp == NOON


def test_messages_of_kafka_that_share_an_event_id_are_told_apart_by_their_offsets() -> None:
    first, second = KafkaEvents.parse(sample("eventbridge-array-of-strings"))
    assert first.id == second.id
    assert first.dedup_key != second.dedup_key


def test_numbers_that_come_as_texts_are_numbers() -> None:
    fields = decoded("kafka")
    fields[0]["data"].update(partition="7", offset="25", timestamp="1735787045000")
    [event] = KafkaEvents.parse(fields)
    assert (event.data.partition, event.data.offset, event.data.timestamp) == (7, 25, NOON)


@pytest.mark.parametrize(
    "value", [{"a": 1}, '{"a": 1}', b64encode(b'{"a": 1}').decode()], ids=["json", "text", "binary"]
)
def test_a_value_of_kafka_is_read_in_each_setting_of_the_trigger(value: Any) -> None:
    fields = decoded("kafka")
    fields[0]["data"]["value"] = value
    [event] = KafkaEvents.parse(fields)
    assert event.data.json() == {"a": 1}


def test_a_tombstone_of_kafka_has_an_empty_text() -> None:
    fields = decoded("kafka")
    fields[0]["data"]["value"] = None
    [event] = KafkaEvents.parse(fields)
    assert (event.data.value, event.data.text) == (None, "")


# MQTT


def test_messages_of_mqtt_are_no_cloudevents() -> None:
    [message] = MqttEvents.parse(sample("mqtt"))
    assert (message.text, message.topic, message.props.client_id) == ("text", "a/b", "GID@@@c")


def test_a_batch_is_a_sequence() -> None:
    batch = MqttEvents.parse([{"body": "a"}, json.dumps({"body": "b"})])
    assert len(batch) == 2
    assert [message.text for message in batch] == ["a", "b"]
    assert batch[1].text == "b"
    assert batch.dedup_key is None


def test_a_time_out_of_range_is_refused_in_words() -> None:
    fields = decoded("kafka")
    fields[0]["data"]["timestamp"] = 10**30
    with pytest.raises(PayloadInvalid, match="not a time in milliseconds since 1970"):
        KafkaEvents.parse(fields)


def test_an_empty_time_is_no_time() -> None:
    assert CloudEvent.parse({"id": "1", "source": "s", "type": "t", "time": "", "data": None}).time is None
