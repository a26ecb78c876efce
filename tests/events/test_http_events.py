"""HTTP requests, through FC's own trigger and through API Gateway, and the answers to them."""

import json
from base64 import b64decode
from datetime import datetime, timezone
from typing import Any

import pytest
from pydantic import BaseModel

from fc_callback.errors import PayloadInvalid
from fc_callback.events import ApiGatewayEvent, HttpEvent, HttpResponse
from tests.events.event_samples import decoded, sample


def request(**fields: Any) -> HttpEvent:
    return HttpEvent.parse({**decoded("http-v1-no-body"), **fields})


def test_a_request_gives_method_path_query_and_where_it_came_from() -> None:
    event = HttpEvent.parse(sample("http-v1"))
    assert (event.method, event.path, event.raw_path) == ("POST", "/orders/中", "/orders/%E4%B8%AD")
    assert event.query == {"k": "v1,v2"}
    assert event.request_context.http.source_ip == "192.0.2.10"
    assert event.request_context.request_id == "1-00000000-000000000000-000000000000"


def test_the_time_that_comes_as_a_text_of_milliseconds_is_a_time() -> None:
    context = HttpEvent.parse(sample("http-v1")).request_context
    assert context.time_epoch == context.time == datetime(2025, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


def test_a_header_is_found_whatever_the_case_of_its_name() -> None:
    event = HttpEvent.parse(sample("http-v1"))
    assert event.header("content-type") == event.header("CONTENT-TYPE") == "application/json"
    assert event.header("x-multi") == "a,b"
    assert event.header("absent") is None


def test_a_body_is_read_as_bytes_text_and_json() -> None:
    event = HttpEvent.parse(sample("http-v1"))
    assert event.body_bytes == b'{"hello":"world"}'
    assert event.text == '{"hello":"world"}'
    assert event.json() == {"hello": "world"}


def test_a_body_in_base64_is_decoded() -> None:
    event = HttpEvent.parse(sample("http-v1-base64"))
    assert event.body_bytes == b"hello"
    assert event.text == "hello"


def test_a_text_that_looks_like_base64_and_is_not_marked_so_stays_as_it_is() -> None:
    assert request(body="aGVsbG8=").text == "aGVsbG8="


def test_a_request_without_a_body_or_headers_has_empty_ones() -> None:
    event = HttpEvent.parse({key: value for key, value in decoded("http-v1-no-body").items() if key != "headers"})
    assert (event.body_bytes, event.text, event.headers) == (b"", "", {})
    with pytest.raises(PayloadInvalid, match="it is empty"):
        event.json()


def test_a_body_that_is_an_object_already_is_taken() -> None:
    assert request(body={"a": 1}).json() == {"a": 1}


def test_a_body_in_the_charset_of_its_content_type_is_read_so() -> None:
    event = request(body="1tDOxA==", isBase64Encoded=True, headers={"content-type": 'text/plain; charset="gbk"'})
    assert event.text == "中文"


def test_a_charset_that_nobody_knows_is_read_as_utf_8() -> None:
    event = request(body="5Lit", isBase64Encoded=True, headers={"Content-Type": "text/plain; charset=klingon"})
    assert event.text == "中"


def test_a_body_that_is_marked_as_base64_and_is_none_says_so_without_showing_it() -> None:
    with pytest.raises(PayloadInvalid, match="marked as base64") as caught:
        _ = request(body="sesame!", isBase64Encoded=True).body_bytes
    assert "sesame" not in str(caught.value)


def test_a_body_that_is_not_json_says_so_without_showing_it() -> None:
    with pytest.raises(PayloadInvalid, match="not JSON") as caught:
        request(body="open sesame").json()
    assert "sesame" not in f"{caught.value} {caught.value.__context__}"


@pytest.mark.parametrize(
    ("name", "text"), [("api-gateway", "hi"), ("api-gateway-string-flag", "hi")], ids=["true", "text-false"]
)
def test_api_gateway_s_flag_may_be_a_boolean_or_a_text(name: Any, text: Any) -> None:
    event = ApiGatewayEvent.parse(sample(name))
    assert event.text == text
    assert (event.method, event.path, event.path_parameters) == ("POST", "/p", {"id": "9"})
    assert event.query_parameters == {"a": "1"}


def test_api_gateway_s_maps_may_be_null() -> None:
    event = ApiGatewayEvent.parse({"path": "/", "httpMethod": "GET", "headers": None, "queryParameters": None})
    assert event.headers == event.query_parameters == {}


class Greeting(BaseModel):
    hello: str


@pytest.mark.parametrize(
    ("body", "rendered", "content_type"),
    [
        ("grüß", "grüß", "text/plain; charset=utf-8"),
        ({"hello": "中"}, '{"hello":"中"}', "application/json"),
        (Greeting(hello="world"), '{"hello":"world"}', "application/json"),
        ([datetime(2025, 1, 2, tzinfo=timezone.utc)], '["2025-01-02T00:00:00Z"]', "application/json"),
        (0, "0", "application/json"),
        ("", "", "text/plain; charset=utf-8"),
    ],
)
def test_an_answer_is_text_or_json_as_its_body_is(body: Any, rendered: Any, content_type: Any) -> None:
    answer = HttpResponse(body).render()
    assert answer == {
        "statusCode": 200,
        "headers": {"Content-Type": content_type},
        "isBase64Encoded": False,
        "body": rendered,
    }
    json.dumps(answer)


def test_an_answer_of_bytes_is_sent_in_base64() -> None:
    answer = HttpResponse(b"\x00\xff", status_code=201).render()
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (201, True)
    assert b64decode(answer["body"]) == b"\x00\xff"


@pytest.mark.parametrize("body", [None, b"", ""])
def test_an_empty_answer_is_not_marked_as_base64_which_the_gateway_refuses(body: Any) -> None:
    answer = HttpResponse(body, status_code=204).render()
    assert (answer["body"], answer["isBase64Encoded"]) == ("", False)


def test_a_content_type_that_is_given_stays() -> None:
    assert HttpResponse({}, headers={"content-type": "application/problem+json"}).render()["headers"] == {
        "content-type": "application/problem+json"
    }


@pytest.mark.parametrize("headers", [{"X": "a\r\nSet-Cookie: b"}, {"X\n": "a"}, {"": "a"}])
def test_a_header_that_would_break_the_answer_is_refused(headers: Any) -> None:
    with pytest.raises(ValueError, match="header"):
        HttpResponse(headers=headers)


@pytest.mark.parametrize("status_code", [0, 99, 600])
def test_a_status_that_http_does_not_have_is_refused(status_code: Any) -> None:
    with pytest.raises(ValueError, match="100 to 599"):
        HttpResponse(status_code=status_code)


def test_an_answer_s_text_form_shows_no_body() -> None:
    assert repr(HttpResponse("secret")) == "<HttpResponse 200>"
