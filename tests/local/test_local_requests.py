"""Requests as clients of any make put them together: what stands where, signed in either way."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pytest

from fc_callback.cloudflow.signature import sign_v1
from tests.local.raw_client import RawClient, error_of, utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

    from fc_callback.local import LocalCloudFlow

OUTPUT = '{"text": "a b+c*~/=&%中", "empty": ""}'
COMMON = ("Action", "Version", "Format", "Timestamp", "SignatureNonce", "SignatureMethod", "SignatureVersion")
KEYS = ("AccessKeyId", "SecurityToken", "Signature")
# Which parameters stand in the query; all others stand in the form.
PLACES: dict[str, tuple[str, ...]] = {
    "all in the form, as our client and Node's SDK": (),
    "all in the query": (*COMMON, *KEYS, "TaskToken", "Output"),
    "TaskToken in the query, as the API reference has it": (*COMMON, *KEYS, "TaskToken"),
    "the signature alone in the query": ("Signature",),
    "the token alone in the query": ("TaskToken",),
    "the operation alone in the query": ("Action", "Version"),
}


@pytest.fixture
def as_function(service: LocalCloudFlow) -> Iterator[RawClient]:
    """A client with STS credentials, as a function has them."""
    client = RawClient(service.endpoint, service.session())
    yield client
    client.session.close()


def signed_v1(
    client: RawClient, action: str, given: dict[str, str], *, without: tuple[str, ...] = ()
) -> dict[str, str]:
    """Return every parameter of a V1 call, its signature among them."""
    full = {name: value for name, value in client.common_v1(action).items() if name not in without} | given
    return {**full, "Signature": sign_v1("POST", full, client.credentials.access_key_secret)}


def send(client: RawClient, full: dict[str, str], in_query: tuple[str, ...], **headers: str) -> requests.Response:
    query = {name: value for name, value in full.items() if name in in_query}
    form = {name: value for name, value in full.items() if name not in in_query}
    return client.session.post(
        f"{client.endpoint}/" + (f"?{urlencode(query)}" if query else ""), data=form, headers=headers, timeout=30
    )


@pytest.mark.parametrize("place", PLACES)
def test_v1_takes_each_parameter_in_the_query_or_the_form(
    service: LocalCloudFlow, as_function: RawClient, waiting: str, place: str
) -> None:
    full = signed_v1(as_function, "ReportTaskSucceeded", {"TaskToken": waiting, "Output": OUTPUT})
    answer = send(as_function, full, PLACES[place])
    assert answer.status_code == 200, answer.text
    assert service.wait("approve", "ask").output == {"text": "a b+c*~/=&%中", "empty": ""}


@pytest.mark.parametrize("place", PLACES)
def test_a_failure_is_taken_from_the_query_or_the_form(
    service: LocalCloudFlow, as_function: RawClient, waiting: str, place: str
) -> None:
    full = signed_v1(as_function, "ReportTaskFailed", {"TaskToken": waiting, "Error": "E", "Cause": "a b & c"})
    assert send(as_function, full, PLACES[place]).status_code == 200
    ended = service.wait("approve", "ask")
    assert (ended.error, ended.cause) == ("E", "a b & c")


@pytest.mark.parametrize("space", ["+", "%20"])
def test_a_form_may_write_a_space_in_either_way(
    service: LocalCloudFlow, as_function: RawClient, waiting: str, space: str
) -> None:
    full = signed_v1(as_function, "ReportTaskSucceeded", {"TaskToken": waiting, "Output": OUTPUT})
    body = "&".join(f"{name}={quote(value, safe='~').replace('%20', space)}" for name, value in full.items())
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    assert as_function.session.post(as_function.endpoint, data=body, headers=headers, timeout=30).status_code == 200
    assert (service.wait("approve", "ask").output or {})["text"] == "a b+c*~/=&%中"


@pytest.mark.parametrize("name", ["x-acs-action", "X-Acs-Action"])
@pytest.mark.parametrize("place", ["all in the form, as our client and Node's SDK", "all in the query"])
def test_v1_takes_the_operation_from_the_headers(as_function: RawClient, place: str, name: str) -> None:
    full = signed_v1(as_function, "ListFlows", {"Limit": "1"}, without=("Action", "Version"))
    headers = {name: "ListFlows", "x-acs-version": "2019-03-15"}
    answer = send(as_function, full, (*PLACES[place], "Limit"), **headers)
    assert (answer.status_code, answer.json().get("Flows")) == (200, []), answer.text


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("blank", ["SignatureType", "Cause", "RegionId"])
def test_a_blank_value_is_part_of_what_is_signed(
    service: LocalCloudFlow, as_function: RawClient, waiting: str, place: str, blank: str
) -> None:
    given = {"TaskToken": waiting, "Error": "E", blank: ""}
    for in_query in (PLACES[place], (*PLACES[place], blank)):
        full = signed_v1(as_function, "ReportTaskFailed", given)
        unsigned = signed_v1(as_function, "ReportTaskFailed", {"TaskToken": waiting, "Error": "E"}) | {blank: ""}
        assert error_of(send(as_function, unsigned, in_query)) == (403, "SignatureNotMatch")
    assert send(as_function, full, in_query).status_code == 200
    assert service.wait("approve", "ask").error == "E"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("changed", ["Output", "TaskToken", "Action", "SecurityToken", "Timestamp"])
def test_a_v1_request_that_was_changed_on_its_way_is_refused_wherever_it_was(
    service: LocalCloudFlow, as_function: RawClient, waiting: str, place: str, changed: str
) -> None:
    full = signed_v1(as_function, "ReportTaskSucceeded", {"TaskToken": waiting, "Output": "{}"})
    other = {"Output": '{"a": 1}', "Action": "ReportTaskFailed", "Timestamp": utc_now(1)}.get(
        changed, full[changed][:-6]
    )
    answer = send(as_function, {**full, changed: other}, PLACES[place])
    assert error_of(answer) == (403, "SignatureNotMatch")
    assert service.describe("approve", "ask").status == "Running"


@pytest.mark.parametrize("in_form", [True, False])
@pytest.mark.parametrize("operation", ["in the headers", "in the parameters"])
def test_v3_takes_the_token_and_the_operation_in_either_place(
    service: LocalCloudFlow, as_function: RawClient, waiting: str, operation: str, in_form: bool
) -> None:
    named = {"TaskToken": waiting}
    if operation == "in the parameters":
        named |= {"Action": "ReportTaskSucceeded", "Version": "2019-03-15"}
    query, form = ({}, named) if in_form else (named, {})
    answer = as_function.v3("ReportTaskSucceeded", query, {**form, "Output": OUTPUT})
    assert answer.status_code == 200, answer.text
    assert (service.wait("approve", "ask").output or {})["text"] == "a b+c*~/=&%中"


def test_v3_signs_a_blank_value_as_well(as_function: RawClient) -> None:
    assert as_function.v3("ListFlows", {"Limit": "1", "NextToken": "", "RegionId": ""}).status_code == 200
