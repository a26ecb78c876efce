"""JSON that is not UTF-8 is refused: with replaced characters, different names would be the same text."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from fc_callback import PayloadInvalid, TaskTokenNotFound, event_parser, task_callback
from fc_callback.errors import BatchFailed, EventNotUtf8
from fc_callback.events import MnsTopicEvent
from fc_callback.idempotency import idempotent, once
from fc_callback.parser import parse
from fc_callback.payload.token_search import Finder
from tests.invoking import fc_context
from tests.payload.kinds import Allowing
from tests.waiting import WaitingTasks

GBK = b'{"taskToken":"t","name":"\xd5\xc5"}'
OTHER_GBK = b'{"taskToken":"t","name":"\xce\xe5"}'
WRAPPED = {
    "as it is": GBK,
    "after spaces": b" \n" + GBK,
    "after many spaces": b" " * 40 + GBK,
    "in an array": b"[" + GBK + b"]",
    "in base64": b64encode(GBK),
    "in base64 as text": b64encode(GBK).decode(),
    "in base64 in a message": json.dumps({"Message": b64encode(GBK).decode(), "TopicName": "t"}).encode(),
    "in base64 as the element of an array": json.dumps([b64encode(GBK).decode()]).encode(),
    "in base64 in a text of JSON": json.dumps(b64encode(GBK).decode()).encode(),
    "in base64 in an array in JSON in a text": json.dumps({"body": json.dumps([b64encode(GBK).decode()])}).encode(),
    "in base64 in an array": json.dumps([{"data": {"messageBody": b64encode(GBK).decode()}}]).encode(),
    "with a backslash as its second byte": '{"taskToken":"t","name":"俓"}'.encode("gbk"),
    "as latin-1": '{"taskToken":"t","name":"é"}'.encode("latin-1"),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_json_that_is_not_utf_8_is_refused_with_words_that_say_so(name: str) -> None:
    with pytest.raises(EventNotUtf8, match=r"not UTF-8.*Let the producer send UTF-8") as caught:
        Finder().find(WRAPPED[name])
    assert caught.value.__context__ is None or "\xd5" not in str(caught.value.__context__)


@pytest.mark.parametrize("name", WRAPPED)
def test_it_is_refused_where_a_task_is_not_needed_too(name: str, tasks: WaitingTasks) -> None:
    @task_callback(missing_token="ignore")
    def handler(event: bytes, context: Any) -> None:
        raise AssertionError("a task in it would never be reported")

    with pytest.raises(EventNotUtf8):
        handler(WRAPPED[name], fc_context(tasks))


@pytest.mark.parametrize("token", ["taskToken", ("data.ticket", "taskToken")])
def test_a_path_does_not_look_into_it_either(token: Any) -> None:
    with pytest.raises(EventNotUtf8):
        Finder(token).find(GBK)


def test_a_path_into_a_message_that_is_not_utf_8_is_no_plain_call(tasks: WaitingTasks) -> None:
    @task_callback(token="Message.taskToken", missing_token="ignore")
    def handler(event: bytes, context: Any) -> None:
        raise AssertionError("a task in it would never be reported")

    with pytest.raises(EventNotUtf8, match=r"\$\.Message is base64"):
        handler(json.dumps({"Message": b64encode(GBK).decode()}).encode(), fc_context(tasks))


def test_a_batch_is_refused_whole(tasks: WaitingTasks) -> None:
    ran: list[Any] = []
    good = tasks.new()

    @task_callback(batch=2)
    def handler(event: bytes, context: Any) -> None:
        ran.append(event)

    with pytest.raises(EventNotUtf8):
        handler(b"[" + good.event + b"," + GBK + b"]", fc_context(tasks))
    assert ran == []
    assert good.status == "Running"


def test_an_element_that_is_base64_of_such_json_fails_alone(tasks: WaitingTasks) -> None:
    good = tasks.new()

    @task_callback(batch=2)
    def handler(event: bytes, context: Any) -> None:
        assert event == good.event

    with pytest.raises(BatchFailed, match=r"1 of 2.*\[1\]: EventNotUtf8"):
        handler(json.dumps([good.event.decode(), b64encode(GBK).decode()]).encode(), fc_context(tasks))
    assert good.status == "Succeeded"


def test_a_plain_event_of_other_bytes_is_served_as_it_came(tasks: WaitingTasks) -> None:
    seen: list[Any] = []

    @task_callback(missing_token="ignore")
    def handler(event: bytes, context: Any) -> None:
        seen.append(event)

    handler(b"\xff\xd8\xff\xe0 a picture", fc_context(tasks))
    assert seen == [b"\xff\xd8\xff\xe0 a picture"]


def test_bytes_that_are_no_json_are_told_as_such() -> None:
    with pytest.raises(TaskTokenNotFound, match="are not JSON") as caught:
        Finder().find(b"\xff\xd8\xff")
    assert type(caught.value) is TaskTokenNotFound


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_the_encodings_that_json_may_have_are_read(encoding: str) -> None:
    event = json.dumps({"taskToken": "t", "name": "张"}, ensure_ascii=False).encode(encoding)
    assert Finder().find(event).payload["name"] == "张"


def test_base64_of_utf_8_is_read() -> None:
    event = b64encode('{"taskToken":"t","name":"张"}'.encode())
    assert Finder().find(event).payload["name"] == "张"


def test_event_parser_and_parse_refuse_it_for_a_model_and_not_for_bytes() -> None:
    @event_parser
    def model(event: Allowing) -> Any: ...

    @event_parser
    def raw(event: bytes) -> Any:
        return event

    with pytest.raises(PayloadInvalid, match="not UTF-8"):
        model(GBK, None)
    with pytest.raises(PayloadInvalid, match="not UTF-8"):
        parse(GBK, Allowing)
    with pytest.raises(PayloadInvalid, match="UTF-8"):
        MnsTopicEvent.parse(GBK)
    assert raw(GBK, None) == GBK


@pytest.mark.parametrize("pair", [(GBK, OTHER_GBK), ("张".encode("gbk"), "五".encode("gbk")), (b"\xff", b"\xfe")])
def test_two_events_of_other_bytes_are_never_one_work(pair: tuple[bytes, bytes]) -> None:
    ran: list[Any] = []

    @idempotent(once(key="event", store="memory:"))
    def handler(event: Any, context: Any) -> Any:
        ran.append(event)
        return {"n": len(ran)}

    answers = []
    for event in (*pair, *pair):
        try:
            answers.append(handler(event, None))
        except PayloadInvalid as error:
            answers.append(str(error))
    if "UTF-8" in answers[0]:
        assert ran == []
    else:
        assert (ran, answers) == (list(pair), ['{"n":1}', '{"n":2}'] * 2)
