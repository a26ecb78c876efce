"""Each code of ReportTask*, answered for its true cause, over raw HTTP."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests

from fc_callback.local import Fault, LocalCloudFlow
from fc_callback.values.context import Credentials, FcContext
from tests.local.raw_client import CALLBACK_FLOW, Inbox, RawClient, error_of, until, utc_now

CLOUDFLOW_FLOW = """
Type: StateMachine
SpecVersion: v1
Name: big
StartAt: Ask
States:
  - Name: Ask
    Type: Task
    Action: FC:InvokeFunction
    TaskMode: WaitForCustomCallback
    Parameters:
      resourceArn: acs:fc:cn-hangzhou:1000000000000001:functions/notify/LATEST
      invocationType: Async
      body:
        taskToken.$: $Context.Current.TaskToken
    End: true
"""


def test_a_report_is_answered_with_an_event_id_and_completes_the_execution(
    service: LocalCloudFlow, raw: RawClient, waiting: str
) -> None:
    answer = raw.report(waiting, {"status": "paid"})
    assert answer.status_code == 200
    body = answer.json()
    assert service.history("approve", "ask")[body["EventId"] - 1].type == "TaskSucceeded"
    assert body["RequestId"]
    assert service.wait("approve", "ask").output == {"status": "paid"}


def test_a_v3_signature_is_taken_as_well(service: LocalCloudFlow, raw: RawClient, waiting: str) -> None:
    assert raw.v3("ReportTaskSucceeded", {"TaskToken": waiting}, {"Output": '{"k":"v *~ 中"}'}).status_code == 200
    assert service.wait("approve", "ask").output == {"k": "v *~ 中"}


def test_an_error_comes_in_the_services_own_form(raw: RawClient) -> None:
    answer = raw.report("nonsense")
    assert answer.headers["content-type"].startswith("application/json")
    body = answer.json()
    assert set(body) == {"Code", "Message", "RequestId", "HostId"}
    assert body["HostId"] == raw.endpoint.removeprefix("http://")


def test_an_unknown_action_is_action_not_supported(raw: RawClient) -> None:
    answer = raw.v1("ReportTaskSucceded")
    assert error_of(answer) == (400, "ActionNotSupported")
    assert "'ReportTaskSucceded'" in answer.json()["Message"]


def test_another_version_is_api_version_not_supported(raw: RawClient) -> None:
    assert error_of(raw.v1("ListFlows", change={"Version": "2020-01-01"})) == (400, "APIVersionNotSupported")


def test_a_legacy_output_over_32_kib_is_entity_too_large(service: LocalCloudFlow, raw: RawClient, waiting: str) -> None:
    answer = raw.report(waiting, {"x": "a" * 32_768})
    assert error_of(answer) == (400, "EntityTooLarge")
    assert "32768 bytes" in answer.json()["Message"]
    assert service.describe("approve", "ask").status == "Running"


def test_a_cloudflow_output_may_have_64_kib_and_no_more(service: LocalCloudFlow, raw: RawClient, inbox: Inbox) -> None:
    service.create_flow("big", CLOUDFLOW_FLOW)
    service.start("big", execution_name="e")
    token = inbox.token()
    fitting = '{"x":"' + "a" * (65_536 - 8) + '"}'
    assert error_of(raw.report(token, fitting + " ")) == (400, "EntityTooLarge")
    assert raw.report(token, fitting).status_code == 200
    assert service.wait("big", "e").status == "Succeeded"


@pytest.mark.parametrize(
    "token", ["nonsense", "djEjYSNiIzIj", "", "djEjZGVtby1mbG93I3J1bi0xIzUjNit6dDd1L3c4Zkx6OVBYMjkvajUrdnY4L2Y0PQ=="]
)
def test_a_token_of_nobody_is_invalid_argument(raw: RawClient, waiting: str, token: str) -> None:
    assert error_of(raw.report(token)) == ((400, "InvalidArgument") if token else (400, "MissingRequiredParams"))


def test_a_token_with_one_letter_changed_is_invalid_argument(raw: RawClient, waiting: str) -> None:
    forged = waiting[:-4] + ("A" if waiting[-4] != "A" else "B") + waiting[-3:]
    assert error_of(raw.report(forged)) == (400, "InvalidArgument")


@pytest.mark.parametrize("output", ["", "null", "[1]", '"text"', "{", '{"a": NaN}', '{"a": "\\ud800"}', "[" * 5000])
def test_an_output_that_is_no_json_object_is_invalid_argument(
    service: LocalCloudFlow, raw: RawClient, waiting: str, output: Any
) -> None:
    assert error_of(raw.report(waiting, output)) == (400, "InvalidArgument")
    assert service.describe("approve", "ask").status == "Running"


def test_a_v3_call_without_a_date_lacks_a_required_header(raw: RawClient) -> None:
    answer = raw.v3("ListFlows", change={"x-acs-date": None})
    assert error_of(answer) == (400, "MissingRequiredHeader")
    assert "'x-acs-date'" in answer.json()["Message"]


def test_a_body_without_a_content_type_lacks_a_required_header(service: LocalCloudFlow) -> None:
    answer = requests.post(f"{service.endpoint}/?Action=ListFlows&Version=2019-03-15", data=b"a=b", timeout=10)
    assert error_of(answer) == (400, "MissingRequiredHeader")


@pytest.mark.parametrize("name", ["AccessKeyId", "Timestamp", "SignatureNonce", "Action", "Version"])
def test_a_v1_call_without_a_common_parameter_lacks_it(raw: RawClient, name: str) -> None:
    answer = raw.v1("ListFlows", change={name: None})
    assert error_of(answer) == (400, "MissingRequiredParams")
    assert f"'{name}'" in answer.json()["Message"]


@pytest.mark.parametrize(
    ("action", "given", "missing"),
    [
        ("ReportTaskSucceeded", {"Output": "{}"}, "TaskToken"),
        ("ReportTaskSucceeded", {"TaskToken": "t"}, "Output"),
        ("ReportTaskFailed", {"TaskToken": "t", "Cause": "c"}, "Error"),
        ("StartExecution", {}, "FlowName"),
        ("CreateFlow", {"Name": "n", "Definition": "d", "Type": "FDL"}, "Description"),
    ],
)
def test_an_operation_without_its_parameter_lacks_it(raw: RawClient, action: str, given: Any, missing: str) -> None:
    answer = raw.v1(action, given)
    assert error_of(answer) == (400, "MissingRequiredParams")
    assert f"'{missing}'" in answer.json()["Message"]


def test_a_second_report_is_task_already_completed_and_names_no_token(raw: RawClient, waiting: str) -> None:
    assert raw.report(waiting).status_code == 200
    answer = raw.report(waiting)
    assert error_of(answer) == (400, "TaskAlreadyCompleted")
    assert "approve/ask/2" in answer.json()["Message"]
    assert waiting not in answer.text
    assert error_of(raw.v1("ReportTaskFailed", {"TaskToken": waiting}, {"Error": "E"})) == (400, "TaskAlreadyCompleted")


def test_a_report_after_the_time_out_is_task_already_completed(
    service: LocalCloudFlow, raw: RawClient, inbox: Inbox
) -> None:
    service.create_flow("slow", CALLBACK_FLOW + "    timeoutSeconds: 30\n")
    service.start("slow", {}, execution_name="e")
    token = inbox.token()
    service.advance(31)
    execution = service.wait("slow", "e")
    assert (execution.status, execution.error) == ("Failed", "FnF.TaskTimeout")
    assert error_of(raw.report(token)) == (400, "TaskAlreadyCompleted")


def test_a_report_after_a_stop_is_task_already_completed(service: LocalCloudFlow, raw: RawClient, waiting: str) -> None:
    service.stop("approve", "ask", error="Enough")
    assert error_of(raw.report(waiting)) == (400, "TaskAlreadyCompleted")


def test_a_token_of_another_account_is_access_denied(service: LocalCloudFlow, raw: RawClient, waiting: str) -> None:
    stranger = RawClient(service.endpoint, service.add_account("2000000000000002"))
    assert error_of(stranger.report(waiting)) == (403, "AccessDenied")
    stranger.session.close()
    assert service.describe("approve", "ask").status == "Running"


def test_an_unknown_key_is_invalid_access_key_id(service: LocalCloudFlow) -> None:
    client = RawClient(service.endpoint, Credentials(access_key_id="LTAInobody", access_key_secret="s"))
    answer = client.v1("ListFlows")
    client.session.close()
    assert error_of(answer) == (403, "InvalidAccessKeyID")
    assert answer.json()["Message"] == "The AccessKey ID LTAInobody is invalid."


@pytest.mark.parametrize("send", ["v1", "v3"])
@pytest.mark.parametrize(("offset", "status"), [(-1000, 403), (1000, 403), (-800, 200), (800, 200)])
def test_a_clock_more_than_15_minutes_off_is_request_time_too_skewed(
    raw: RawClient, send: str, offset: int, status: int
) -> None:
    moment = utc_now(offset)
    answer = raw.v1("ListFlows", timestamp=moment) if send == "v1" else raw.v3("ListFlows", date=moment)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["Code"] == "RequestTimeTooSkewed"
        assert moment in answer.json()["Message"]


def test_a_moved_clock_shows_in_the_date_header_and_skews_the_callers(service: LocalCloudFlow, raw: RawClient) -> None:
    service.advance(3600)
    answer = raw.v1("ListFlows")
    assert error_of(answer) == (403, "RequestTimeTooSkewed")
    corrected = parsedate_to_datetime(answer.headers["date"]).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert raw.v1("ListFlows", timestamp=corrected).status_code == 200


@pytest.mark.parametrize("send", ["v1", "v3"])
def test_a_wrong_secret_is_signature_not_match(raw: RawClient, send: str) -> None:
    answer = getattr(raw, send)("ListFlows", secret="wrong")
    assert error_of(answer) == (403, "SignatureNotMatch")


@pytest.mark.parametrize(
    "change",
    [
        {"x-acs-content-sha256": "0" * 64},
        {"x-acs-extra": "not signed"},
        {"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
    ],
)
def test_a_v3_request_that_was_changed_on_its_way_is_signature_not_match(raw: RawClient, change: Any) -> None:
    assert error_of(raw.v3("ListFlows", change=change)) == (403, "SignatureNotMatch")


def test_a_nonce_cannot_be_used_twice(raw: RawClient) -> None:
    assert raw.v1("ListFlows", nonce="once").status_code == 200
    answer = raw.v1("ListFlows", nonce="once")
    assert error_of(answer) == (400, "InvalidArgument")
    assert "SignatureNonce" in answer.json()["Message"]


def _function_that_reports_itself(service: LocalCloudFlow, answers: list[Any]) -> Any:
    def notify(event: bytes, context: Any) -> Any:
        client = RawClient(service.endpoint, FcContext.read(context).require_credentials())
        answers.append(client.report(json.loads(event)["taskToken"], {"by": "itself"}))
        client.session.close()

    return notify


SYNC_FLOW = CALLBACK_FLOW.replace("Async", "Sync")


def test_a_report_from_within_a_sync_invocation_can_be_a_conflict() -> None:
    answers: list[Any] = []
    with LocalCloudFlow(sync_report="conflict") as service:
        service.add_function(_function_that_reports_itself(service, answers), name="notify")
        service.create_flow("sync", SYNC_FLOW)
        service.start("sync", execution_name="e")
        client = RawClient(service.endpoint, service.credentials)
        until(lambda: any(event.type == "TaskSubmitted" for event in service.history("sync", "e")))
        assert error_of(answers[0]) == (409, "TaskInvalidState")
        assert service.describe("sync", "e").status == "Running"
        client.session.close()


def test_a_report_from_within_a_sync_invocation_is_accepted_by_default(service: LocalCloudFlow) -> None:
    answers: list[Any] = []
    service.add_function(_function_that_reports_itself(service, answers), name="notify")
    service.create_flow("sync", SYNC_FLOW)
    service.start("sync", execution_name="e")
    assert service.wait("sync", "e").output == {"by": "itself"}
    until(lambda: answers)
    assert answers[0].status_code == 200


def test_another_content_type_is_unsupported_media_type(raw: RawClient) -> None:
    answer = raw.v1("ListFlows", headers={"content-type": "text/plain"})
    assert error_of(answer) == (415, "UnsupportedMediaType")


def test_the_documented_quota_is_ten_calls_and_then_two_a_second(inbox: Inbox) -> None:
    with LocalCloudFlow(quota=True) as service:
        raw = RawClient(service.endpoint, service.credentials)
        assert [raw.v1("ListFlows").status_code for _ in range(10)] == [200] * 10
        while raw.v1("ListFlows").status_code == 200:  # half a second buys one more
            pass
        service.advance(1)
        assert [raw.v1("ListFlows").status_code for _ in range(2)] == [200, 200]
        while (answer := raw.report("x")).status_code == 400:
            pass
        assert error_of(answer) == (429, "ResourceThrottled")
        other = RawClient(service.endpoint, service.add_account("2000000000000002"))
        assert other.v1("ListFlows").status_code == 200
        assert error_of(raw.v1("StartExecution", {"FlowName": "none"})) == (404, "FlowNotExists")
        raw.session.close()
        other.session.close()


def test_an_internal_error_comes_when_asked_for(service: LocalCloudFlow, raw: RawClient, waiting: str) -> None:
    service.inject(Fault("error-before"))
    assert error_of(raw.report(waiting)) == (500, "InternalServerError")
    assert raw.report(waiting).status_code == 200


def test_a_request_over_1024_kib_is_entity_too_large(raw: RawClient, waiting: str) -> None:
    assert error_of(raw.report(waiting, {"x": "a" * 1_100_000})) == (400, "EntityTooLarge")


def test_expired_credentials_are_an_invalid_key(service: LocalCloudFlow) -> None:
    client = RawClient(service.endpoint, service.session(seconds=60))
    assert client.v1("ListFlows").status_code == 200
    assert client.v3("ListFlows").status_code == 200
    service.advance(61)
    assert error_of(client.v1("ListFlows")) == (403, "InvalidAccessKeyID")
    client.session.close()


def test_sts_credentials_need_their_own_security_token(service: LocalCloudFlow) -> None:
    one, other = service.session(), service.session()
    mixed = Credentials(
        access_key_id=one.access_key_id, access_key_secret=one.access_key_secret, security_token=other.security_token
    )
    bare = Credentials(access_key_id=one.access_key_id, access_key_secret=one.access_key_secret)
    for credentials, code in ((mixed, "SignatureNotMatch"), (bare, "InvalidAccessKeyID")):
        client = RawClient(service.endpoint, credentials)
        assert error_of(client.v1("ListFlows")) == (403, code)
        client.session.close()


def test_the_old_sdks_blank_signature_type_is_part_of_what_is_signed(
    service: LocalCloudFlow, raw: RawClient, waiting: str
) -> None:
    extra = {
        "SignatureType": "",
        "RegionId": "cn-hangzhou",
        "Format": "JSON",
        "TaskToken": waiting,
        "RequestId": "my-own-id",
    }
    answer = raw.v1("ReportTaskSucceeded", extra, {"Output": "{}"})
    assert answer.status_code == 200
    assert answer.json()["RequestId"] == "my-own-id"


def test_the_node_sdk_may_put_everything_into_the_form(service: LocalCloudFlow, raw: RawClient, waiting: str) -> None:
    from fc_callback.cloudflow.signature import canonical_query, sign_v1

    given = {**raw.common_v1("ReportTaskSucceeded"), "TaskToken": waiting, "Output": '{"a": "b c"}'}
    given["Signature"] = sign_v1("POST", given, raw.credentials.access_key_secret)
    # pop-core writes a space as %20 where the Python SDK writes +.
    answer = requests.post(
        service.endpoint,
        data=canonical_query(given),
        headers={"content-type": "application/x-www-form-urlencoded"},
        timeout=10,
    )
    assert answer.status_code == 200
    assert service.wait("approve", "ask").output == {"a": "b c"}


def test_a_get_call_has_everything_in_the_query(service: LocalCloudFlow, raw: RawClient) -> None:
    assert raw.v1("ListFlows", {"Limit": "1"}, method="GET").json()["Flows"] == []


@pytest.mark.parametrize("moment", ["yesterday", "2024-01-01 00:00:00", "2024-13-01T00:00:00Z"])
def test_a_timestamp_that_is_none_is_invalid_argument(raw: RawClient, moment: str) -> None:
    assert error_of(raw.v1("ListFlows", timestamp=moment)) == (400, "InvalidArgument")


def test_another_signature_method_is_invalid_argument(raw: RawClient) -> None:
    assert error_of(raw.v1("ListFlows", change={"SignatureMethod": "HMAC-SHA256"})) == (400, "InvalidArgument")


def test_an_authorization_header_that_cannot_be_read_is_invalid_argument(raw: RawClient) -> None:
    answer = raw.v3("ListFlows", change={"Authorization": "ACS3-HMAC-SHA256 Credential=x"})
    assert error_of(answer) == (400, "InvalidArgument")


@pytest.mark.parametrize("token", ["CAIS", "nonsense", "CAISAAAA", "CAIS" + "A" * 200])
def test_a_security_token_that_is_none_is_signature_not_match(service: LocalCloudFlow, token: str) -> None:
    session = service.session()
    for key in (session, service.credentials):
        forged = Credentials(
            access_key_id=key.access_key_id, access_key_secret=key.access_key_secret, security_token=token
        )
        client = RawClient(service.endpoint, forged)
        assert error_of(client.v1("ListFlows")) == (403, "SignatureNotMatch")
        client.session.close()


def test_an_error_name_that_is_too_long_is_invalid_argument(raw: RawClient, waiting: str) -> None:
    for form in ({"Error": "E" * 129}, {"Error": "E", "Cause": "c" * 4097}):
        assert error_of(raw.v1("ReportTaskFailed", {"TaskToken": waiting}, form)) == (400, "InvalidArgument")
    fitting = {"Error": "E" * 128, "Cause": "c" * 4096}
    assert raw.v1("ReportTaskFailed", {"TaskToken": waiting}, fitting).status_code == 200
