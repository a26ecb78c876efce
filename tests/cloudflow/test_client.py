"""The client against the local CloudFlow, over a real socket."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from fc_callback import CloudFlowClient, Credentials, CredentialsNotFound, OutputError, SettingsError, TaskToken
from fc_callback.cloudflow.errors import AccessDenied, InvalidAccessKeyID, InvalidArgument, SignatureNotMatch
from tests.cloudflow.quick import KEY, QUICK
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
