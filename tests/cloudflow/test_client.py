"""The client against the local CloudFlow, over a real socket."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from typing import Any

import pytest

from fc_callback import CloudFlowClient, Credentials, CredentialsNotFound, OutputError, SettingsError, TaskToken
from fc_callback.cloudflow.errors import AccessDenied, InvalidAccessKeyID, InvalidArgument, SignatureNotMatch
from fc_callback.testing import MockAnswer, MockTransport, make_credentials
from tests.cloudflow.quick import KEY, QUICK, TOKEN
from tests.waiting import Language, WaitingTasks


def made(tasks: WaitingTasks, before: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    return tasks.service.calls - before


@pytest.mark.parametrize("flow", ["legacy", "cloudflow"])
@pytest.mark.parametrize("signature", ["v1", "v3"])
def test_a_task_reported_as_succeeded_has_its_output(tasks: WaitingTasks, flow: Language, signature: str) -> None:
    task = tasks.new(flow)
    CloudFlowClient(signature=signature).report_task_succeeded(task.token, {"paid": True, "note": "a b+c*~中"})
    assert task.output == {"paid": True, "note": "a b+c*~中"}


@pytest.mark.parametrize("flow", ["legacy", "cloudflow"])
def test_a_task_reported_as_failed_fails_by_name(tasks: WaitingTasks, flow: Language) -> None:
    task = tasks.new(flow)
    CloudFlowClient().report_task_failed(task.token, "EmptyOrder", "no lines & 100%")
    assert task.failure == ("EmptyOrder", "no lines & 100%")


def test_a_failure_needs_no_cause(tasks: WaitingTasks) -> None:
    task = tasks.new()
    CloudFlowClient().report_task_failed(task.token, "E")
    assert task.failure == ("E", "")


def test_the_result_names_the_event_that_the_report_made(tasks: WaitingTasks) -> None:
    task = tasks.new()
    result = CloudFlowClient().report_task_succeeded(task.token, {})
    (event,) = [one for one in tasks.service.history(task.flow, task.execution) if one.type == "TaskSucceeded"]
    assert result.event_id == event.id
    assert result.request_id
    assert (result.attempts, result.throttled, result.already_completed) == (1, 0, False)


@pytest.mark.parametrize("output", [None, "{}", {"a": 1}, b'{"a":1}'])
def test_an_output_is_what_encode_output_takes(tasks: WaitingTasks, output: Any) -> None:
    task = tasks.new()
    CloudFlowClient().report_task_succeeded(task.token, output)
    assert task.output == (json.loads(output) if isinstance(output, (str, bytes)) else output or {})


def test_a_token_as_a_value_is_as_good_as_its_text(tasks: WaitingTasks) -> None:
    task = tasks.new()
    CloudFlowClient().report_task_succeeded(TaskToken(task.token), {})
    assert task.status == "Succeeded"


def test_sts_credentials_report_as_well(tasks: WaitingTasks) -> None:
    task = tasks.new()
    CloudFlowClient(credentials=tasks.service.session()).report_task_succeeded(task.token, {})
    assert task.status == "Succeeded"


def test_credentials_from_a_callable_are_asked_for_at_every_call(tasks: WaitingTasks) -> None:
    asked: list[int] = []

    def current() -> Credentials:
        asked.append(1)
        return tasks.service.session()

    client = CloudFlowClient(credentials=current)
    for _ in range(2):
        client.report_task_succeeded(tasks.new().token, {})
    assert len(asked) == 2


def test_rotated_variables_are_read_at_every_call(tasks: WaitingTasks, monkeypatch: pytest.MonkeyPatch) -> None:
    client = CloudFlowClient()
    client.report_task_succeeded(tasks.new().token, {})
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI-nobody")
    with pytest.raises(InvalidAccessKeyID):
        client.report_task_succeeded(tasks.new().token, {})


def test_credentials_of_one_report_go_before_those_of_the_client_and_of_the_environment(tasks: WaitingTasks) -> None:
    stranger = tasks.service.add_account("2000000000000003")
    client = CloudFlowClient(credentials=stranger, retry=QUICK)
    succeeded, failed = tasks.new(), tasks.new()
    client.report_task_succeeded(succeeded.token, {"n": 1}, credentials=tasks.service.session())
    client.report_task_failed(failed.token, "NoStock", credentials=tasks.service.session())
    assert (succeeded.output, failed.failure) == ({"n": 1}, ("NoStock", ""))
    with pytest.raises(AccessDenied):
        CloudFlowClient(retry=QUICK).report_task_succeeded(tasks.new().token, {}, credentials=stranger)


def test_credentials_of_one_report_are_not_kept_for_the_next(
    tasks: WaitingTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = CloudFlowClient()
    for name in ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"):
        monkeypatch.delenv(name)
    client.report_task_succeeded(tasks.new().token, {}, credentials=tasks.service.session())
    with pytest.raises(CredentialsNotFound):
        client.report_task_succeeded(tasks.new().token, {})


def test_every_attempt_of_a_report_is_signed_with_its_credentials() -> None:
    busy = MockAnswer({"Code": "InternalServerError", "Message": "m", "RequestId": "R"}, status=500)
    answers = [busy, busy, MockAnswer()]
    transport = MockTransport(lambda _request: answers.pop(0))
    client = CloudFlowClient(
        endpoint="cn-hangzhou.fnf.aliyuncs.com", transport=transport, signature="v3", retry=QUICK, credentials=KEY
    )
    of_the_call = Credentials(access_key_id="STS.ofTheCall", access_key_secret="s" * 30, security_token="t" * 30)
    client.report_task_succeeded(TOKEN, {}, credentials=of_the_call)
    assert [one.headers["x-acs-accesskey-id"] for one in transport.requests] == ["STS.ofTheCall"] * 3


@pytest.mark.parametrize("kept", [None, KEY, lambda: KEY], ids=["environment", "fixed", "callable"])
def test_a_report_never_brings_a_local_cloudflow_s_credentials_to_another_host(kept: Any) -> None:
    transport = MockTransport()
    client = CloudFlowClient(endpoint="cn-hangzhou.fnf.aliyuncs.com", transport=transport, credentials=kept)
    for report in (partial(client.report_task_succeeded, TOKEN, {}), partial(client.report_task_failed, TOKEN, "E")):
        with pytest.raises(SettingsError, match="made by a local CloudFlow"):
            report(credentials=make_credentials())
    assert transport.requests == []


def test_an_evolved_client_checks_the_credentials_of_a_report_against_its_own_endpoint() -> None:
    transport = MockTransport()
    local = CloudFlowClient(endpoint="http://127.0.0.1", transport=transport)
    local.report_task_succeeded(TOKEN, {}, credentials=make_credentials())
    with pytest.raises(SettingsError, match="made by a local CloudFlow"):
        local.evolve(endpoint="cn-hangzhou.fnf.aliyuncs.com").report_task_succeeded(
            TOKEN, {}, credentials=make_credentials()
        )
    assert len(transport.requests) == 1


def test_what_is_no_credentials_is_named_without_showing_it() -> None:
    transport = MockTransport()
    client = CloudFlowClient(endpoint="http://127.0.0.1", transport=transport, credentials=KEY)
    with pytest.raises(SettingsError, match="credentials= is a dict") as caught:
        client.report_task_succeeded(TOKEN, {}, credentials={"access_key_secret": "hidden"})  # type: ignore[arg-type]
    assert "hidden" not in str(caught.value)
    with pytest.raises(SettingsError, match="credentials= is a str"):
        client.evolve(credentials=lambda: "hidden").report_task_succeeded(TOKEN, {})
    assert transport.requests == []


def test_credentials_of_one_report_do_not_stand_in_its_error() -> None:
    secret = "ofTheCallOnly/Secret+30chars=="
    refusal = MockAnswer({"Code": "SignatureNotMatch", "Message": f"with {secret}", "RequestId": "R"}, status=403)
    client = CloudFlowClient(
        endpoint="http://127.0.0.1", transport=MockTransport(lambda _request: refusal), credentials=KEY
    )
    of_the_call = Credentials(access_key_id="STS.ofTheCall", access_key_secret=secret)
    with pytest.raises(SignatureNotMatch) as caught:
        client.report_task_succeeded(TOKEN, {}, credentials=of_the_call)
    assert "ofTheCallOnly" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "cause"), [("", "c"), ("e" * 129, "c"), ("E", "c" * 4097)], ids=["no error", "long error", "long cause"]
)
def test_lengths_that_the_service_refuses_are_never_sent(tasks: WaitingTasks, error: str, cause: str) -> None:
    task, before = tasks.new(), Counter(tasks.service.calls)
    with pytest.raises(ValueError, match="characters"):
        CloudFlowClient().report_task_failed(task.token, error, cause)
    assert not made(tasks, before)


def test_the_longest_error_and_cause_are_taken(tasks: WaitingTasks) -> None:
    task = tasks.new()
    CloudFlowClient().report_task_failed(task.token, "e" * 128, "中" * 4096)
    assert task.failure == ("e" * 128, "中" * 4096)


def test_an_output_that_is_no_json_is_never_sent(tasks: WaitingTasks) -> None:
    task, before = tasks.new(), Counter(tasks.service.calls)
    with pytest.raises(OutputError):
        CloudFlowClient().report_task_succeeded(task.token, {"a": object()})
    assert not made(tasks, before)


def test_without_credentials_nothing_is_sent(tasks: WaitingTasks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALIBABA_CLOUD_ACCESS_KEY_ID")
    task, before = tasks.new(), Counter(tasks.service.calls)
    with pytest.raises(CredentialsNotFound):
        CloudFlowClient().report_task_succeeded(task.token, {})
    assert not made(tasks, before)


def test_a_wrong_secret_is_a_signature_that_does_not_match(tasks: WaitingTasks) -> None:
    key = Credentials(access_key_id=tasks.service.credentials.access_key_id, access_key_secret="wrong-secret")
    with pytest.raises(SignatureNotMatch) as caught:
        CloudFlowClient(credentials=key).report_task_succeeded(tasks.new().token, {})
    assert (caught.value.status, caught.value.code) == (403, "SignatureNotMatch")
    assert "security token are of one set" in str(caught.value)


def test_a_token_cut_short_is_an_invalid_argument(tasks: WaitingTasks) -> None:
    token = tasks.new().token
    with pytest.raises(InvalidArgument) as caught:
        CloudFlowClient().report_task_succeeded(token[:-5], {})
    assert "unchanged" in str(caught.value)
    assert token[:40] not in str(caught.value)


def test_a_task_of_another_account_is_denied_with_the_action_and_the_role(tasks: WaitingTasks) -> None:
    stranger = tasks.service.add_account("2000000000000002")
    with pytest.raises(AccessDenied) as caught:
        CloudFlowClient(credentials=stranger, retry=QUICK).report_task_succeeded(tasks.new().token, {})
    assert "fnf:ReportTaskSucceeded" in str(caught.value)
    assert "role" in str(caught.value)
    assert caught.value.request_id


def test_any_other_operation_can_be_called(tasks: WaitingTasks) -> None:
    task = tasks.new()
    form = {"FlowName": task.flow, "ExecutionName": task.execution, "Error": "Enough"}
    assert CloudFlowClient().call("StopExecution", form=form)["Status"] == "Stopped"


def test_an_option_that_is_unknown_is_refused() -> None:
    with pytest.raises(SettingsError, match="already_completed"):
        CloudFlowClient(region="cn-hangzhou", already_completed="maybe")  # type: ignore[arg-type]  # wrong on purpose


def test_a_client_shows_no_secret() -> None:
    key = Credentials(access_key_id="LTAIabcd", access_key_secret="hidden-secret", security_token="hidden-token")
    shown = repr(CloudFlowClient(region="cn-hangzhou", credentials=key))
    assert "cn-hangzhou.fnf.aliyuncs.com" in shown
    assert "hidden" not in shown


def test_an_endpoint_that_was_not_given_follows_the_region_of_an_evolved_client() -> None:
    client = CloudFlowClient(region="cn-hangzhou", credentials=KEY)
    assert client.evolve(region="cn-shanghai").endpoint == "https://cn-shanghai.fnf.aliyuncs.com"
    assert client.evolve(network="internal").endpoint == "https://cn-hangzhou-internal.fnf.aliyuncs.com"
    assert client.evolve(region="cn-shanghai", endpoint="https://example.com").endpoint == "https://example.com"
    given = CloudFlowClient(region="cn-hangzhou", endpoint="https://example.com", credentials=KEY)
    assert given.evolve(region="cn-shanghai").endpoint == "https://example.com"


def test_an_evolved_client_still_knows_whether_its_endpoint_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFLOW_ENDPOINT", "http://127.0.0.1:9")
    named_by_the_environment = CloudFlowClient(credentials=KEY)
    assert not named_by_the_environment.evolve(already_completed="raise").is_local
    given = CloudFlowClient(endpoint="http://127.0.0.1:9", credentials=KEY)
    assert given.evolve(already_completed="raise").is_local
