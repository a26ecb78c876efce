"""Tasks of a local CloudFlow are reported there and nowhere else, and its keys sign for no other machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback import CloudFlowClient, Credentials, FcContext, RetryPolicy, SettingsError, task_callback
from fc_callback.local import LocalCloudFlow
from fc_callback.testing import TaskCloudFlow, make_context, make_credentials
from tests.cloudflow.scripted import ScriptedService
from tests.local.raw_client import CALLBACK_FLOW, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLOUD = "https://cn-hangzhou.fnf.aliyuncs.com"


@task_callback
def pay(order: dict[str, Any], context: FcContext) -> dict[str, Any]:
    return {"order": order["order"], "at": context.cloudflow_endpoint}


def run(service: LocalCloudFlow, function: Callable[..., Any], **order: Any) -> Any:
    """Let a flow call a function of this process, and return the execution as it has ended."""
    service.add_function(function, name="notify")
    service.create_flow("f", CALLBACK_FLOW, replace=True)
    return service.wait("f", service.start("f", {"order": order}), timeout=20)


@pytest.fixture
def elsewhere() -> Iterator[ScriptedService]:
    """A service that no report is meant for."""
    with ScriptedService() as other:
        yield other
        assert other.connections == 0


def test_a_function_of_the_tests_own_process_reports_to_the_service_that_called_it(service: LocalCloudFlow) -> None:
    ended = run(service, pay, id=1)
    assert (ended.status, ended.output) == ("Succeeded", {"order": {"id": 1}, "at": service.endpoint})


def test_two_services_in_one_process_each_get_the_reports_of_their_own_tasks() -> None:
    with LocalCloudFlow() as one, LocalCloudFlow() as other:
        for service in (one, other):
            assert run(service, pay).output == {"order": {}, "at": service.endpoint}
            assert service.calls["ReportTaskSucceeded", "ok"] == 1


def test_the_service_that_called_wins_over_the_variable(
    service: LocalCloudFlow, elsewhere: ScriptedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDFLOW_ENDPOINT", elsewhere.endpoint)
    assert run(service, pay).status == "Succeeded"


@pytest.mark.parametrize("endpoint", ["", CLOUD])
def test_a_client_of_the_handlers_own_that_leads_to_the_cloud_is_led_back(
    service: LocalCloudFlow, endpoint: str
) -> None:
    client = CloudFlowClient(region="cn-hangzhou", endpoint=endpoint, retry=RetryPolicy(total_seconds=1))
    handler = task_callback(client=client)(lambda event, context: {"done": True})
    assert run(service, handler).output == {"done": True}


def test_a_client_made_while_the_variable_named_another_service_is_led_back(
    service: LocalCloudFlow, elsewhere: ScriptedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDFLOW_ENDPOINT", elsewhere.endpoint)
    handler = task_callback(client=CloudFlowClient())(lambda event, context: {"done": True})
    assert run(service, handler).output == {"done": True}


def test_an_endpoint_on_this_machine_that_a_client_was_given_is_kept(service: LocalCloudFlow) -> None:
    with ScriptedService() as proxy:
        client = CloudFlowClient(endpoint=proxy.endpoint)
        handler: Any = task_callback(client=client)(lambda event, context: {})
        service.add_function(handler, name="notify")
        service.create_flow("f", CALLBACK_FLOW)
        service.start("f", {})
        until(lambda: service.invocations("notify")[0].status == "ended")
        assert proxy.calls == 1


def test_a_failure_is_reported_to_the_service_that_called(service: LocalCloudFlow) -> None:
    @task_callback(on_failure="report")
    def refuse(event: bytes, context: Any) -> None:
        raise PermissionError("no")

    assert run(service, refuse).error == "PermissionError"


def test_a_function_of_the_tests_own_process_gets_fcs_own_context(service: LocalCloudFlow) -> None:
    seen: list[Any] = []

    def work(event: bytes, context: Any) -> dict[str, Any]:
        seen.append(context)
        return {}

    service.add_function(work, name="notify")
    service.create_flow("f", CALLBACK_FLOW.replace("waitForCallback", "requestResponse").replace("Async", "Sync"))
    service.wait("f", service.start("f", {}))
    (context,) = seen
    assert (context.request_id, context.requestId) == (service.invocations()[0].request_id,) * 2
    assert (context.function.name, context.function.memory, context.function.timeout) == ("notify", 512, 60)
    assert (context.region, context.account_id, context.service.qualifier) == (
        "cn-hangzhou",
        service.account_id,
        "LATEST",
    )
    assert context.credentials.securityToken == context.credentials.security_token
    assert context.credentials.access_key_id.startswith("STS.")
    assert type(context) is type(make_context())
    read = FcContext.read(context)
    assert (read.cloudflow_endpoint, read.retry_count) == (service.endpoint, 0)
    assert read.deadline is not None


def test_a_context_made_by_hand_leads_where_it_is_told() -> None:
    with TaskCloudFlow() as service:
        for runtime in ("python3.10", "custom"):
            task = service.new_task({"order": 1})
            context = make_context(runtime, credentials=service.session(), cloudflow_endpoint=service.endpoint)
            pay(task.event, context)
            task.assert_succeeded_with({"order": 1, "at": service.endpoint})


def test_a_context_as_fc_makes_it_leads_to_no_local_service() -> None:
    assert FcContext.read(make_context()).cloudflow_endpoint is None


# What a local CloudFlow's keys sign, and for whom.


def every_kind(service: LocalCloudFlow) -> list[Credentials]:
    return [service.credentials, service.session(), service.add_account("2000000000000002"), make_credentials()]


@pytest.mark.parametrize(
    "endpoint", [CLOUD, "https://10.0.0.1", "https://127.0.0.1.example.com", "https://[2001:db8::1]"]
)
def test_a_client_with_a_local_services_key_is_refused_for_any_other_machine(
    service: LocalCloudFlow, endpoint: str
) -> None:
    for key in every_kind(service):
        with pytest.raises(SettingsError, match=r"made by a local CloudFlow.*set CLOUDFLOW_ENDPOINT") as refused:
            CloudFlowClient(endpoint=endpoint, credentials=key)
        assert key.access_key_secret not in str(refused.value)


@pytest.mark.parametrize("signature", ["v1", "v3"])
@pytest.mark.parametrize("source", ["variables", "callable"])
def test_nothing_is_sent_that_a_local_services_key_would_sign_for_another_machine(
    service: LocalCloudFlow, monkeypatch: pytest.MonkeyPatch, signature: str, source: str
) -> None:
    key = service.credentials
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", key.access_key_id)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", key.access_key_secret)
    with ScriptedService() as proxy:  # stands for the other machine: whatever is sent there comes by
        monkeypatch.setenv("HTTPS_PROXY", proxy.endpoint)
        client = CloudFlowClient(
            region="cn-hangzhou", signature=signature, credentials=service.session if source == "callable" else None
        )
        for send in (
            lambda: client.report_task_succeeded("token", {}),
            lambda: client.report_task_failed("token", "E"),
            lambda: client.call("ListFlows"),
        ):
            with pytest.raises(SettingsError, match="made by a local CloudFlow"):
                send()
        assert proxy.connections == 0


def test_a_handler_is_not_run_where_its_report_would_be_refused(service: LocalCloudFlow) -> None:
    ran: list[object] = []

    @task_callback
    def handler(event: bytes, context: Any) -> None:
        ran.append(event)

    with pytest.raises(SettingsError, match="made by a local CloudFlow"):
        handler(json.dumps({"taskToken": "t" * 40}).encode(), make_context(credentials=service.session()))
    assert not ran


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_local_services_key_signs_for_this_machine(service: LocalCloudFlow, host: str) -> None:
    endpoint = service.endpoint.replace("127.0.0.1", host)
    for key in every_kind(service)[:3]:
        assert CloudFlowClient(endpoint=endpoint, credentials=key).call("ListFlows")["Flows"] == []


@pytest.mark.parametrize("key_id", ["LTAI5tEXAMPLEEXAMPLE1234", "STS.NTEXAMPLEEXAMPLE", "testid", "LTAILocal"])
def test_other_keys_are_nothing_that_this_is_about(key_id: str) -> None:
    key = Credentials(access_key_id=key_id, access_key_secret="s")
    assert not key.is_local
    assert CloudFlowClient(endpoint=CLOUD, credentials=key).endpoint == CLOUD
