"""The control API for waiting tasks: listing and completing them from another process, without a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from fc_callback import CloudFlowClient
from tests.local.raw_client import CALLBACK_FLOW, Inbox

if TYPE_CHECKING:
    from fc_callback.local import LocalCloudFlow


def waiting_of(service: LocalCloudFlow, **chosen: str) -> Any:
    return requests.get(f"{service.endpoint}/_local/waiting", params=chosen, timeout=10).json()


def report(service: LocalCloudFlow, task: int, content: Any, **headers: str) -> requests.Response:
    return requests.post(f"{service.endpoint}/_local/waiting/{task}", json=content, headers=headers, timeout=10)


def test_waiting_tasks_are_listed_without_tokens(service: LocalCloudFlow, waiting: str) -> None:
    [task] = waiting_of(service)

    assert (task["flow"], task["execution"], task["step"], task["attempt"]) == ("approve", "ask", "ask", 1)
    assert task["input"] == {"taskToken": "<task-token>", "order": 7}
    assert task["seconds_left"] is None
    assert waiting_of(service, flow="other") == []
    assert waiting_of(service, flow="approve", execution="ask", step="ask") == [
        {**task, "age_seconds": pytest.approx(task["age_seconds"], abs=60)}
    ]


def test_a_task_is_completed_once(service: LocalCloudFlow, waiting: str) -> None:
    [task] = waiting_of(service)

    assert report(service, task["id"], {"output": {"ok": True}}).status_code == 200

    service.describe("approve", "ask").assert_succeeded_with({"ok": True})
    again = report(service, task["id"], {"output": {}})
    assert again.status_code == 400
    assert "TaskAlreadyCompleted" in again.json()["error"]


def test_a_task_is_failed(service: LocalCloudFlow, waiting: str) -> None:
    [task] = waiting_of(service)
    assert report(service, task["id"], {"error": "Rejected", "cause": "too dear"}).status_code == 200
    service.describe("approve", "ask").assert_failed_with("Rejected")


@pytest.mark.parametrize(
    "content", [{}, {"output": 3}, {"output": {}, "error": "x"}, {"cause": "x"}, {"error": 3}, {"error": ""}, [1]]
)
def test_content_of_another_form_is_refused(service: LocalCloudFlow, waiting: str, content: Any) -> None:
    [task] = waiting_of(service)

    assert report(service, task["id"], content).status_code == 400

    assert service.describe("approve", "ask").status == "Running"


def test_unknown_tasks_pages_and_forms_are_refused(service: LocalCloudFlow, waiting: str) -> None:
    [task] = waiting_of(service)
    assert report(service, task["id"] + 1, {"output": {}}).status_code == 400
    assert report(service, task["id"], {"output": {}}, Origin="http://page.example").status_code == 403
    form = requests.post(f"{service.endpoint}/_local/waiting/{task['id']}", data={"output": "{}"}, timeout=10)
    assert form.status_code == 400
    assert service.describe("approve", "ask").status == "Running"


def test_tasks_of_another_account_are_neither_listed_nor_completed(service: LocalCloudFlow, inbox: Inbox) -> None:
    other = CloudFlowClient(endpoint=service.endpoint, credentials=service.add_account("2000000000000002"))
    made = {"Name": "f", "Definition": CALLBACK_FLOW, "Description": "", "Type": "FDL"}
    other.call("CreateFlow", form=made)
    started = other.call("StartExecution", form={"FlowName": "f", "Input": "{}"})
    names = {"FlowName": "f", "ExecutionName": started["Name"]}
    events = other.call("GetExecutionHistory", query=names)["Events"]
    assert "TaskScheduled" in [event["Type"] for event in events]

    assert waiting_of(service) == []
    assert report(service, 1, {"output": {}}).status_code == 400


def test_invocations_show_no_token_of_this_service_or_another(service: LocalCloudFlow) -> None:
    foreign = "djEjb3RoZXItZmxvdyNydW4tMSM1IzYremR0N3Uvdzhmekx6OVBYMjkvajUrdnY4L2Y0PQ=="
    service.add_function(lambda event: {"event": event.decode(), "foreign": foreign}, name="notify")
    service.create_flow("approve", CALLBACK_FLOW)
    service.start("approve", {"order": foreign}, execution_name="ask")
    service.run_until_waiting("approve", "ask")
    token = service.waiting_token("approve", "ask").reveal()

    shown = requests.get(f"{service.endpoint}/_local/invocations", timeout=10).text

    assert "notify" in shown
    assert token not in shown
    assert foreign not in shown
