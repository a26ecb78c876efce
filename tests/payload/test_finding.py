"""Finding the task token: in every shape a trigger delivers, at random depth, and in events that mean harm."""

import base64
import json
import random
import string
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fc_callback.callback.batch import element_bytes
from fc_callback.errors import SettingsError, TaskTokenNotFound, TokenAmbiguous
from fc_callback.payload.event_walk import MAX_VALUES
from fc_callback.payload.json_layers import MAX_LAYERS
from fc_callback.payload.token_search import Finder, TokenMatch
from fc_callback.values.token import TaskToken
from tests.profiles import by_profile

EVENTS = Path(__file__).parents[1] / "data" / "events"
TOKEN = "djEjZGVtby1mbG93I3J1bi0xIzUjNit6dDd1L3c4Zkx6OVBYMjkvajUrdnY4L2Y0PQ=="
ORDER = {"taskToken": TOKEN, "order": {"id": "o-1", "amount": 12.5}}


def found_in(event: object, token: Any = None) -> TokenMatch:
    return Finder(token).find(event)


def refused(event: object, token: Any = None) -> TaskTokenNotFound:
    with pytest.raises(TaskTokenNotFound) as caught:
        Finder(token).find(event)
    said = "".join(traceback.format_exception(caught.value))
    assert TOKEN not in said
    return caught.value


# The shapes that triggers deliver

PATHS = {
    "cloudflow-token.json": "$.taskToken",
    "cloudflow-legacy-token.json": "$.taskToken",
    "cloudflow-legacy-flow-token.json": "$.taskToken",
    "cloudflow-legacy-snake-case-token.json": "$.task_token",
    "cloudflow-child-succeeded-token.json": "$.taskToken",
    "cloudflow-child-failed-token.json": "$.taskToken",
    "http-v1-token.json": "$.body.taskToken",
    "http-v1-base64-token.json": "$.body.taskToken",
    "mns-topic-http-push-token.json": "$.body.Message.taskToken",
    "mns-topic-json-token.json": "$.Message.taskToken",
    "mns-topic-json-attributes-token.json": "$.Message.taskToken",
    "mns-topic-json-base64-token.json": "$.Message.taskToken",
    "mns-topic-stream-token.json": "$.taskToken",
    "mns-topic-stream-attributes-token.json": "$.body.taskToken",
    "eventbridge-single-token.json": "$.data.taskToken",
    "eventbridge-data-string-token.json": "$.data.taskToken",
    "eventbridge-array-token.json": "$[0].data.taskToken",
    "eventbridge-array-of-strings-token.json": "$[0].data.taskToken",
    "mns-queue-plain-token.json": "$[0].data.messageBody.taskToken",
    "mns-queue-base64-token.json": "$[0].data.messageBody.taskToken",
}


def test_the_table_of_samples_with_a_token_is_complete() -> None:
    assert {path.name for path in EVENTS.glob("*-token.json")} == set(PATHS)


@pytest.mark.parametrize("name", sorted(PATHS))
def test_the_token_is_found_in_every_trigger_s_shape(name: Any) -> None:
    found = found_in((EVENTS / name).read_bytes())
    assert found.token.reveal() == TOKEN
    assert found.path == PATHS[name]
    assert TOKEN in found.payload.values()


@pytest.mark.parametrize("name", sorted(path.name for path in EVENTS.iterdir() if "-token" not in path.name))
def test_a_sample_without_a_token_is_refused(name: Any) -> None:
    refused((EVENTS / name).read_bytes())


@pytest.mark.parametrize(
    "wrapper",
    [
        lambda text: {"source": {"logstoreName": "l"}, "parameter": json.loads(text)},
        lambda text: {"source": {"logstoreName": "l"}, "parameter": {"input": text}},
        lambda text: {"triggerName": "nightly", "triggerTime": "2025-01-02T03:04:05Z", "payload": text},
        lambda text: [{"props": {"firstTopic": "a"}, "body": text}],
        lambda text: [{"msgId": "0", "topic": "t", "systemProperties": {"TAGS": "a"}, "body": text}],
        lambda text: [{"specversion": "1.0", "data": {"topic": "t", "value": json.loads(text)}}],
        lambda text: [{"specversion": "1.0", "data": {"envelope": {}, "body": json.loads(text), "props": {}}}],
        lambda text: {
            "httpMethod": "POST",
            "body": base64.b64encode(text.encode()).decode(),
            "isBase64Encoded": "true",
        },
        lambda text: {"input": {"child": {"event": json.loads(text)}}},
    ],
    ids=["sls", "sls-text", "timer", "mqtt", "rocketmq", "kafka", "rabbitmq", "api-gateway", "child-execution"],
)
def test_the_token_is_found_in_shapes_without_a_sample(wrapper: Any) -> None:
    assert found_in(json.dumps(wrapper(json.dumps(ORDER)))).payload == ORDER


def test_the_payload_of_a_wrapped_message_is_the_message_and_not_the_wrapper() -> None:
    assert found_in((EVENTS / "mns-topic-http-push-token.json").read_bytes()).payload == {
        "messageBody": "hello world",
        "taskToken": TOKEN,
    }


@pytest.mark.parametrize(
    "as_type", [bytes, bytearray, memoryview, bytes.decode, json.loads], ids=lambda one: one.__name__
)
def test_an_event_may_be_bytes_text_or_decoded_already(as_type: Any) -> None:
    assert found_in(as_type(json.dumps(ORDER).encode())).payload == ORDER


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_does_no_harm(encoding: Any) -> None:
    assert found_in(json.dumps(ORDER).encode(encoding)).payload == ORDER


def test_a_byte_order_mark_in_a_text_and_in_base64_does_no_harm() -> None:
    text = "\ufeff" + json.dumps(ORDER)
    assert found_in(text).payload == ORDER
    assert found_in({"body": text}).payload == ORDER
    assert found_in({"body": base64.b64encode(text.encode()).decode()}).payload == ORDER


@pytest.mark.parametrize(
    "encode",
    [
        lambda data: base64.b64encode(data).decode(),
        lambda data: base64.b64encode(data).decode().rstrip("="),
        lambda data: base64.urlsafe_b64encode(data).decode(),
        lambda data: base64.encodebytes(data).decode(),
        lambda data: "\n " + base64.b64encode(data).decode() + "\n",
    ],
    ids=["standard", "without-padding", "url-safe", "with-line-breaks", "with-space-around"],
)
def test_every_dialect_of_base64_is_read(encode: Any) -> None:
    payload = {**ORDER, "note": "???>>>~~~ÿÿÿ"}
    assert found_in({"Message": encode(json.dumps(payload, ensure_ascii=False).encode())}).payload == payload


def test_a_message_whose_whole_text_is_base64_is_read() -> None:
    assert found_in(base64.b64encode(json.dumps(ORDER).encode())).payload == ORDER


def test_a_text_encoded_twice_as_json_is_read() -> None:
    assert found_in({"body": json.dumps(json.dumps(ORDER))}).payload == ORDER
    assert found_in(json.dumps(json.dumps(ORDER))).payload == ORDER


# Which token


def test_a_token_at_the_top_wins_over_one_in_the_function_s_own_data() -> None:
    event = {"taskToken": "mine", "parent": {"taskToken": "the parent's"}}
    assert found_in(event).token.reveal() == "mine"


def test_two_different_tokens_side_by_side_are_refused_and_shown_by_fingerprint() -> None:
    other = "b3RoZXIgdG9rZW4="
    with pytest.raises(TokenAmbiguous) as caught:
        found_in([{"data": ORDER}, {"data": {"taskToken": other}}])
    assert caught.value.paths == ("$[0].data.taskToken", "$[1].data.taskToken")
    assert TaskToken(other).fingerprint in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert other not in str(caught.value)


def test_a_path_named_in_the_refusal_of_two_tokens_can_be_used_as_it_stands() -> None:
    event = [{"the data": ORDER}, {"the data": {"taskToken": "other"}}]
    with pytest.raises(TokenAmbiguous) as caught:
        found_in(event)
    assert found_in(event, caught.value.paths[1]).token.reveal() == "other"


def test_two_spellings_with_different_tokens_in_one_object_are_refused() -> None:
    with pytest.raises(TokenAmbiguous):
        found_in({"taskToken": "a", "task_token": "b"})


def test_the_same_token_twice_is_one_token() -> None:
    assert found_in({"taskToken": TOKEN, "TaskToken": TOKEN}).path == "$.taskToken"
    assert found_in([{"data": ORDER}, {"data": ORDER}]).path == "$[0].data.taskToken"


def test_a_key_that_holds_no_token_does_not_hide_one_that_does() -> None:
    assert found_in({"taskToken": None, "task_token": TOKEN}).path == "$.task_token"
    assert found_in({"taskToken": "", "body": json.dumps(ORDER)}).path == "$.body.taskToken"
    assert found_in({"taskToken": {"taskToken": TOKEN}}).path == "$.taskToken.taskToken"


# What is said when there is none


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (b"", "The event is empty"),
        (b" \n", "The event is empty"),
        (b"hello", "its 5 bytes are not JSON"),
        ("hello", "its 5 characters are not JSON"),
        (b"\xa2\x67Version", "are not JSON (its bytes are not UTF-8)"),
        (b"null", "it is null"),
        (b"17", "it is a number"),
        (b"true", "it is a boolean"),
        (b'"hello"', "it is a string"),
        (b"[]", "The event is an array."),
        (b"{}", "The event is an empty object."),
        (b'{"order": {"id": 1}}', "none of the keys taskToken, TaskToken, task_token is in the 2 objects searched"),
        (b'{"order": {"id": 1}}', "The event is an object with key order."),
        (b'{"taskToken": ""}', "$.taskToken is an empty string"),
        (b'{"taskToken": "  "}', "$.taskToken is an empty string"),
        (b'{"taskToken": 5}', "$.taskToken is a number"),
        (b'{"data": {"taskToken": null}}', "$.data.taskToken is null"),
        (b'{"taskToken": {"a": 1}}', "$.taskToken is an object"),
        (b'{"taskToken": "\\ud800"}', "broken characters"),
        (b'{"taskToken": "$Context.Current.TaskToken"}', "did not evaluate"),
        (json.dumps({"taskToken": "x" * 10_000}), "a string of 10000 characters"),
        (None, "it is null"),
    ],
)
def test_each_way_to_have_no_token_has_its_own_words(event: Any, words: Any) -> None:
    error = refused(event)
    assert words in str(error)
    assert "$Context.Current.TaskToken" in str(error)
    assert "$context.task.token" in str(error)


def test_no_value_of_the_event_is_shown() -> None:
    said = str(refused({"password": "hunter2", "nested": {"card": "4111"}, "list": ["alpha"]}))
    assert "password" in said
    assert not {"hunter2", "4111", "alpha"} & set(said.replace(",", " ").split())


def test_key_names_are_shown_few_short_and_only_where_they_are_plain() -> None:
    said = str(refused({TOKEN: 1, "a\nb": 2, **{f"key{number}": number for number in range(1000)}}))
    assert TOKEN[:20] not in said
    assert "<68 characters>" in said
    assert "a\nb" not in said
    assert "and 994 more" in said
    assert len(said) < 1500


def test_the_bytes_do_not_travel_with_the_error() -> None:
    error = refused(b'{"taskToken": "' + TOKEN.encode() + b'",}')
    assert error.__cause__ is None
    assert error.__context__ is None


def test_what_was_found_shows_no_token() -> None:
    assert TOKEN not in repr(found_in(ORDER))
    assert "taskToken" in repr(found_in(ORDER))


# Paths


@pytest.mark.parametrize(
    ("path", "event"),
    [
        ("ticket", {"ticket": TOKEN}),
        ("$.ticket", {"ticket": TOKEN}),
        ("data.order.ticket", {"data": {"order": {"ticket": TOKEN}}}),
        ("Records.0.ticket", {"Records": [{"ticket": TOKEN}]}),
        ("$.Records[0].ticket", {"Records": [{"ticket": TOKEN}]}),
        ("0.ticket", [{"ticket": TOKEN}]),
        ("[0].ticket", [{"ticket": TOKEN}]),
        ("by.0.ticket", {"by": {"0": {"ticket": TOKEN}}}),
        ('headers["x.task token"]', {"headers": {"x.task token": TOKEN}}),
        ("Message.ticket", {"Message": json.dumps({"ticket": TOKEN})}),
        ("Message.ticket", {"Message": base64.b64encode(json.dumps({"ticket": TOKEN}).encode()).decode()}),
        ("body.Message.ticket", {"body": json.dumps({"Message": json.dumps({"ticket": TOKEN})})}),
        ("0.data.ticket", [json.dumps({"data": {"ticket": TOKEN}})]),
    ],
)
def test_a_path_leads_through_objects_arrays_and_texts(path: Any, event: Any) -> None:
    found = found_in(json.dumps(event), path)
    assert found.token.reveal() == TOKEN
    assert TOKEN in found.payload.values()


def test_a_path_is_exact_and_does_not_search() -> None:
    assert "there is no $.taskToken" in str(refused({"data": {"taskToken": TOKEN}}, "taskToken"))


def test_a_path_takes_the_token_it_names_where_there_are_several() -> None:
    assert found_in({"taskToken": "a", "data": {"taskToken": "b"}}, "data.taskToken").token.reveal() == "b"


def test_several_paths_are_tried_in_order() -> None:
    paths = ["data.ticket", "ticket"]
    assert found_in({"ticket": "a"}, paths).path == "$.ticket"
    assert found_in({"ticket": "a", "data": {"ticket": "b"}}, paths).path == "$.data.ticket"
    assert found_in({"ticket": "a", "data": {"ticket": None}}, paths).path == "$.ticket"


def test_a_path_that_leads_nowhere_says_how_far_it_came() -> None:
    said = str(refused({"data": {"id": 1}}, ["data.order.ticket", "data.id"]))
    assert "there is no $.data.order.ticket, because $.data is an object with key id, without order" in said
    assert "$.data.id is a number, not a token" in said


def test_a_token_in_an_array_belongs_to_the_object_around_it() -> None:
    assert found_in({"id": 7, "tokens": [TOKEN]}, "tokens.0").payload == {"id": 7, "tokens": [TOKEN]}
    assert found_in([TOKEN], "0").payload == {}


@pytest.mark.parametrize("option", ["", ".", "a..b", "a.", ".a", "a[", "a[x]", "$.", [], ["a", ""], 5, ["a", 5], b"a"])
def test_an_option_that_cannot_be_meant_is_refused_when_the_function_is_decorated(option: Any) -> None:
    with pytest.raises(SettingsError, match="token="):
        Finder(option)


def test_a_token_given_where_its_place_was_asked_for_is_not_shown() -> None:
    refused(ORDER, TOKEN)
    with pytest.raises(SettingsError) as caught:
        Finder(TOKEN + "..")
    assert TOKEN not in str(caught.value)


# Callables


def test_a_callable_gets_the_decoded_event_and_the_payload_is_the_event() -> None:
    event = {"attributes": {"ticket": TOKEN}, "n": 1}
    found = found_in(json.dumps(event), lambda event: event["attributes"]["ticket"])
    assert found.token.reveal() == TOKEN
    assert found.payload == event


def test_a_callable_gets_the_bytes_where_they_are_not_json() -> None:
    found = found_in(b"token=" + TOKEN.encode(), lambda event: event.partition(b"=")[2].decode())
    assert found.token.reveal() == TOKEN
    assert found.payload == {}


def test_a_callable_may_return_a_token_s_own_type() -> None:
    assert found_in({}, lambda _: TaskToken(TOKEN)).token.reveal() == TOKEN


def test_the_payload_of_an_array_is_the_object_around_what_the_callable_chose() -> None:
    found = found_in([{"data": {"n": 1}}, {"data": {"n": 2, "ref": TOKEN}}], lambda event: event[1]["data"]["ref"])
    assert found.payload == {"n": 2, "ref": TOKEN}


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda event: event["absent"], "raised KeyError"),
        (lambda _: None, "returned None"),
        (lambda _: "", "returned an empty string"),
        (lambda _: 5, "returned a number"),
        (lambda _: b"bytes", "returned a bytes"),
    ],
)
def test_a_callable_that_finds_nothing_means_that_there_is_no_token(ask: Any, words: Any) -> None:
    assert words in str(refused({"id": 1}, ask))


def test_a_mistake_in_a_callable_is_not_taken_for_a_missing_token() -> None:
    with pytest.raises(AttributeError):
        found_in({}, lambda event: event.no_such_method())


# Batches


def each(event: str, finder: Finder | None = None) -> list[TokenMatch | TaskTokenNotFound]:
    found: list[TokenMatch | TaskTokenNotFound] = []
    for element in Finder.elements(event) or ():
        try:
            found.append((finder or Finder()).find(element_bytes(element)))
        except TaskTokenNotFound as error:
            found.append(error)
    return found


def test_a_batch_gives_each_element_s_token_in_order_and_an_error_in_the_place_of_a_missing_one() -> None:
    event = [{"data": {"taskToken": "a"}}, json.dumps({"data": json.dumps({"taskToken": "b"})}), {"data": 1}, "text"]
    first, second, third, fourth = each(json.dumps(event))
    assert isinstance(first, TokenMatch)
    assert isinstance(second, TokenMatch)
    assert (first.token.reveal(), first.path) == ("a", "$.data.taskToken")
    assert (second.token.reveal(), second.path) == ("b", "$.data.taskToken")
    assert isinstance(third, TaskTokenNotFound)
    assert isinstance(fourth, TaskTokenNotFound)


def test_a_path_and_a_callable_begin_at_the_element_of_a_batch() -> None:
    event = json.dumps([{"ref": "a"}, {"ref": "b"}])
    for option in ("ref", lambda element: element["ref"]):
        assert [one.token.reveal() for one in each(event, Finder(option)) if isinstance(one, TokenMatch)] == ["a", "b"]


def test_the_elements_of_a_batch_are_what_its_tokens_stand_in() -> None:
    assert Finder.elements(json.dumps([{"a": 1}, "text"])) == [{"a": 1}, "text"]
    assert Finder.elements(json.dumps(ORDER)) is None


def test_an_empty_batch_holds_nothing() -> None:
    assert Finder.elements(b"[]") == []


def test_a_batch_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(TaskTokenNotFound):
        Finder.elements(b"not json")


# Planted at random

_KEYS = st.text(st.characters(codec="utf-8"), max_size=12).filter(
    lambda key: key.lower().replace("_", "") != "tasktoken"
)
_SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8"))
)
_VALUES = st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3))
_LAYERS = st.lists(
    st.tuples(st.sampled_from(["object", "array", "json", "base64", "urlsafe"]), _KEYS, st.lists(_VALUES, max_size=2)),
    max_size=8,
)


@settings(max_examples=by_profile(30, 5000))
@given(
    name=st.sampled_from(["taskToken", "TaskToken", "task_token"]),
    token=st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=80),
    siblings=st.dictionaries(_KEYS, _VALUES, max_size=3),
    layers=_LAYERS,
)
def test_a_token_planted_anywhere_is_found_and_only_it(name: Any, token: Any, siblings: Any, layers: Any) -> None:
    payload = {**siblings, name: token}
    event: Any = payload
    for kind, key, others in layers:
        if kind == "object":
            event = {**{f"{key}{index}": other for index, other in enumerate(others)}, key: event}
        elif kind == "array":
            event = [*others, event]
        elif kind == "json":
            event = json.dumps(event)
        else:
            encode = base64.b64encode if kind == "base64" else base64.urlsafe_b64encode
            event = encode(json.dumps(event).encode()).decode()
    found = found_in(json.dumps(event))
    assert found.token.reveal() == token
    assert found.payload == payload


# Events that mean harm


def test_nesting_that_breaks_the_parser_is_an_event_that_is_not_json() -> None:
    assert "nested too deeply" in str(refused(b"[" * 200_000))
    assert "nested too deeply" in str(refused(b'{"a":' * 200_000))


def test_nesting_inside_a_text_does_not_hide_a_token_beside_it() -> None:
    assert found_in({"a": "[" * 200_000, "b": ORDER}).payload == ORDER


def test_an_event_that_refers_to_itself_ends() -> None:
    loop: dict[str, Any] = {}
    loop["a"] = [loop, loop]
    assert "too large to search" in str(refused(loop))


def test_a_number_of_100000_digits_is_refused_or_read_but_never_waited_for() -> None:
    event = b'{"n": ' + b"9" * 100_000 + b', "taskToken": "' + TOKEN.encode() + b'"}'
    try:
        assert found_in(event).token.reveal() == TOKEN
    except TaskTokenNotFound as error:
        assert "a number in it is too long" in str(error)  # noqa: PT017 - interpreters differ: 3.10.6 and older read it


def test_nan_and_infinity_are_read_as_python_reads_them() -> None:
    assert found_in(b'{"a": NaN, "b": -Infinity, "taskToken": "t"}').token.reveal() == "t"


def test_the_last_of_two_equal_keys_counts_as_it_does_for_the_function() -> None:
    assert found_in(b'{"taskToken": "a", "taskToken": "b"}').token.reveal() == "b"


def test_an_event_of_millions_of_values_is_not_searched_to_the_end() -> None:
    assert "too large to search" in str(refused([[]] * (MAX_VALUES + 1)))
    assert "too large to search" in str(refused(["{"] * (MAX_VALUES + 1)))


def test_a_large_event_with_its_token_at_the_top_or_at_a_path_costs_no_search() -> None:
    event = json.dumps({"rows": [[]] * (MAX_VALUES + 1), "taskToken": TOKEN, "data": {"ref": TOKEN}})
    assert found_in(event).path == "$.taskToken"
    assert found_in(event, "data.ref").path == "$.data.ref"


def test_texts_inside_texts_are_opened_so_deep_and_no_deeper() -> None:
    def wrapped(times: int) -> str:
        text = json.dumps(ORDER)
        for _ in range(times):
            text = base64.b64encode(json.dumps({"body": text}).encode()).decode()
        return text

    assert found_in({"body": wrapped(MAX_LAYERS - 1)}).payload == ORDER
    refused({"body": wrapped(MAX_LAYERS + 1)})


def test_five_megabytes_of_near_base64_are_an_ordinary_text() -> None:
    refused({"body": "eyJ" * 1_700_000 + "!"})


HOSTILE_SEED = 20250102
HOSTILE_EXAMPLES = by_profile(500, 20_000)


def hostile_events(seed: int, count: int) -> Iterator[bytes]:
    """Make events that are nearly right: cut, flipped, spliced, nested and stuffed around a token."""
    dice = random.Random(seed)
    samples = [path.read_bytes() for path in sorted(EVENTS.glob("*-token.json"))]
    pieces = [
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b"\\",
        b",",
        b":",
        b"\xff",
        b"\x00",
        b"NaN",
        b"1e999",
        b"\\ud800",
        b"\xef\xbb\xbf",
    ]
    pieces += [
        b"eyJ",
        b"W3si",
        b'"taskToken":',
        b'{"taskToken":{"a":"b"}}',
        b"9" * 5000,
        b"[" * 3000,
        b'\\"' * 50,
        b"null",
    ]
    for _ in range(count):
        event = bytearray(dice.choice(samples))
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(len(event) + 1)
            match dice.randrange(6):
                case 0:
                    del event[at:]
                case 1:
                    event[at:at] = dice.choice(pieces)
                case 2:
                    event[at : at + dice.randint(1, 20)] = dice.randbytes(dice.randint(0, 20))
                case 3:
                    event = bytearray(base64.b64encode(bytes(event)))
                case 4:
                    event = bytearray(json.dumps({dice.choice(string.ascii_letters): event.decode("latin-1")}).encode())
                case _:
                    event += dice.choice(samples)
        yield bytes(event)


@pytest.mark.thorough
def test_hostile_events_give_a_token_or_a_typed_error_that_shows_none() -> None:
    print(f"seed {HOSTILE_SEED}")
    finder, outcomes = Finder(), {"found": 0, "refused": 0}
    secrets = (TOKEN[:24], TOKEN[-24:])
    for event in hostile_events(HOSTILE_SEED, HOSTILE_EXAMPLES):
        try:
            said = repr(finder.find(event))
            outcomes["found"] += 1
        except TaskTokenNotFound as error:
            said = f"{error!r} {error} {error.__context__!r}"
            outcomes["refused"] += 1
        assert not any(secret in said for secret in secrets), event
        assert len(said) < 3000, event
    assert min(outcomes.values()) > HOSTILE_EXAMPLES // 10, outcomes


@settings(max_examples=by_profile(100, 10_000))
@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_bytes_of_any_kind_give_a_typed_error(event: Any) -> None:
    assume(b"oken" not in event)  # hypothesis also tries the words of the code: an event with a token is found

    with pytest.raises(TaskTokenNotFound):
        found_in(event)
