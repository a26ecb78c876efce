"""The official Python SDK, as it is, against the local CloudFlow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from alibabacloud_fnf20190315 import models
from alibabacloud_fnf20190315.client import Client
from alibabacloud_tea_openapi.models import Config

from tests.local.raw_client import CALLBACK_FLOW, DATA, Inbox, RawClient

if TYPE_CHECKING:
    from fc_callback.local import LocalCloudFlow
    from fc_callback.values.context import Credentials

# The SDK closes no connections by itself; its garbage is not this project's to collect.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


def client_of(service: LocalCloudFlow, credentials: Credentials | None = None) -> Any:
    credentials = credentials or service.credentials
    return Client(
        Config(
            access_key_id=credentials.access_key_id,
            access_key_secret=credentials.access_key_secret,
            security_token=credentials.security_token,
            endpoint=service.endpoint.removeprefix("http://"),
            protocol="http",
            region_id="cn-hangzhou",
        )
    )


@pytest.mark.parametrize("language", ["legacy", "CloudFlow"])
def test_the_official_sdk_takes_a_flow_from_its_creation_to_its_history(
    service: LocalCloudFlow, inbox: Inbox, language: str
) -> None:
    client = client_of(service)
    definition = CALLBACK_FLOW if language == "legacy" else (DATA / "flows" / "C7.yaml").read_text()
    created = client.create_flow(
        models.CreateFlowRequest(name="orders", definition=definition, description="a test", type="FDL")
    ).body
    assert (created.name, created.definition, created.execution_mode) == ("orders", definition, "Standard")
    started = client.start_execution(
        models.StartExecutionRequest(flow_name="orders", execution_name="run-1", input='{"order": 7}')
    ).body
    assert (started.name, started.status, started.output) == ("run-1", "", "")
    described = client.describe_execution(
        models.DescribeExecutionRequest(flow_name="orders", execution_name="run-1")
    ).body
    assert (described.status, json.loads(described.input)) == ("Running", {"order": 7})

    reporter = client_of(service, service.session())
    answer = reporter.report_task_succeeded(
        models.ReportTaskSucceededRequest(task_token=inbox.token(), output='{"decision": "approved", "text": "ü ~ *"}')
    )
    assert answer.status_code == 200
    ended = client.describe_execution(
        models.DescribeExecutionRequest(flow_name="orders", execution_name="run-1", wait_time_seconds=20)
    ).body
    assert ended.status == "Succeeded"
    assert json.loads(ended.output)["decision"] == "approved"
    assert ended.stopped_time.endswith("Z")

    history = client.get_execution_history(
        models.GetExecutionHistoryRequest(flow_name="orders", execution_name="run-1")
    ).body
    types = [event.type for event in history.events]
    assert types[:7] == [
        "ExecutionStarted",
        "StepEntered",
        "StepStarted",
        "TaskScheduled",
        "TaskStarted",
        "TaskSubmitted",
        "TaskSucceeded",
    ]
    assert types[-1] == "ExecutionSucceeded"
    assert history.events[6].event_id == answer.body.event_id == 7
    assert [event.event_id for event in history.events] == list(range(1, len(types) + 1))
    assert history.events[1].schedule_event_id == 1
    assert history.events[1].step_name == ("ask" if language == "legacy" else "Ask")


def test_the_official_sdk_reports_a_failure(service: LocalCloudFlow, waiting: str) -> None:
    client = client_of(service)
    request = models.ReportTaskFailedRequest(task_token=waiting, error="Rejected", cause="why & how = 100%")
    assert client.report_task_failed(request).status_code == 200
    execution = service.wait("approve", "ask")
    assert (execution.status, execution.error, execution.cause) == ("Failed", "Rejected", "why & how = 100%")


def test_the_official_sdk_reads_code_and_status_of_an_error(service: LocalCloudFlow, waiting: str) -> None:
    client = client_of(service)
    request = models.ReportTaskSucceededRequest(task_token=waiting, output="{}")
    client.report_task_succeeded(request)
    with pytest.raises(Exception, match="TaskAlreadyCompleted") as refused:
        client.report_task_succeeded(request)
    error: Any = refused.value
    assert (error.code, error.status_code) == ("TaskAlreadyCompleted", 400)
    assert error.request_id


def test_the_official_sdk_updates_lists_and_deletes_flows(service: LocalCloudFlow) -> None:
    client = client_of(service)
    for name in ("one", "two", "three"):
        service.create_flow(name, CALLBACK_FLOW)
    first = client.list_flows(models.ListFlowsRequest(limit=2)).body
    rest = client.list_flows(models.ListFlowsRequest(limit=2, next_token=first.next_token)).body
    assert [flow.name for flow in [*first.flows, *rest.flows]] == ["one", "three", "two"]
    assert not rest.next_token
    client.update_flow(models.UpdateFlowRequest(name="one", description="changed"))
    assert client.describe_flow(models.DescribeFlowRequest(name="one")).body.description == "changed"
    client.delete_flow(models.DeleteFlowRequest(name="one"))
    with pytest.raises(Exception, match="FlowNotExists"):
        client.describe_flow(models.DescribeFlowRequest(name="one"))


def test_the_official_sdk_lists_executions_and_stops_one(service: LocalCloudFlow, inbox: Inbox) -> None:
    client = client_of(service)
    service.create_flow("orders", CALLBACK_FLOW)
    for name in ("a1", "a2", "b1"):
        service.start("orders", {}, execution_name=name)
    stopped = client.stop_execution(
        models.StopExecutionRequest(flow_name="orders", execution_name="a2", error="Enough", cause="a test")
    ).body
    assert stopped.status == "Stopped"
    assert service.describe("orders", "a2").error == "Enough"

    def names(**options: Any) -> Any:
        request = models.ListExecutionsRequest(flow_name="orders", **options)
        return [execution.name for execution in client.list_executions(request).body.executions]

    assert names() == ["b1", "a2", "a1"]
    assert names(status="Running") == ["b1", "a1"]
    assert names(execution_name_prefix="a") == ["a2", "a1"]
    assert names(limit=1) == ["b1"]


def test_the_history_comes_in_pages(service: LocalCloudFlow, raw: RawClient, waiting: str) -> None:
    client = client_of(service)
    raw.report(waiting)
    service.wait("approve", "ask")
    collected, token = [], None
    while True:
        page = client.get_execution_history(
            models.GetExecutionHistoryRequest(flow_name="approve", execution_name="ask", limit=4, next_token=token)
        ).body
        collected += [event.event_id for event in page.events]
        token = page.next_token
        if not token:
            break
    assert collected == [event.id for event in service.history("approve", "ask")]


def test_a_name_that_runs_is_started_once_and_one_that_has_ended_not_again(
    service: LocalCloudFlow, raw: RawClient, waiting: str
) -> None:
    client = client_of(service)
    request = models.StartExecutionRequest(flow_name="approve", execution_name="ask")
    assert client.start_execution(request).body.status == "Running"
    raw.report(waiting)
    service.wait("approve", "ask")
    with pytest.raises(Exception, match="ExecutionAlreadyExists"):
        client.start_execution(request)
