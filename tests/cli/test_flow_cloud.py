"""`fc-callback flow` with a service that has the real one's API only: no control API, and its quotas."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback import CloudFlowClient
from fc_callback.cloudflow.errors import ResourceThrottled
from fc_callback.local import Fault
from tests.cli.commands import run_command
from tests.cli.flow_samples import flow_service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fc_callback.local import LocalCloudFlow

EXECUTIONS = 200


@pytest.fixture
def real() -> Iterator[LocalCloudFlow]:
    with flow_service(real=True) as service:
        yield service


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalCloudFlow]:
    """A service with quotas and 200 running executions; each pause of a command moves its clock instead."""
    with flow_service(real=True, quota=True) as service:
        for number in range(EXECUTIONS):
            service.start("approve", {"order": number}, execution_name=f"run-{number}")
        for number in range(EXECUTIONS):
            service.run_until_waiting("approve", f"run-{number}")

        def pause(seconds: float) -> float:
            service.advance(seconds, skew=False)
            return seconds

        monkeypatch.setattr("fc_callback.cli.flow_calls.pause", pause)
        yield service


def document(*arguments: str, code: int = 0) -> Any:
    ended = run_command("flow", *arguments, "--json")
    assert ended.returncode == code, ended.stderr
    return json.loads(ended.stdout)


def test_200_running_executions_are_listed_within_the_quota(crowded: LocalCloudFlow) -> None:
    found = document("waiting")["waiting"]

    assert [each["execution"] for each in found] == [f"run-{number}" for number in range(EXECUTIONS)]
    assert {name for name, outcome in crowded.calls if outcome == "ResourceThrottled"} == set()
    listed = document("list", "approve", "--limit", "500")["executions"]
    assert len(listed) == EXECUTIONS


def test_no_execution_is_lost_when_others_have_used_the_quota(crowded: LocalCloudFlow) -> None:
    client = CloudFlowClient()
    for action, names in (
        ("GetExecutionHistory", {"FlowName": "approve", "ExecutionName": "run-0"}),
        ("ListFlows", {}),
    ):
        with pytest.raises(ResourceThrottled):
            for _ in range(100):
                client.call(action, query=names)

    found = document("waiting", "--older-than", "0s", code=1)["waiting"]

    assert len(found) == EXECUTIONS
    throttled = {name for name, outcome in crowded.calls if outcome == "ResourceThrottled"}
    assert throttled >= {"GetExecutionHistory", "ListFlows"}
    # One is of the loop above, and each further one of the command.
    assert crowded.calls["GetExecutionHistory", "ResourceThrottled"] > 1


def test_a_waiting_task_is_read_from_the_history(real: LocalCloudFlow) -> None:
    real.start("approve", {"order": 7}, execution_name="one")
    real.run_until_waiting("approve", "one").fail("Flaky")
    real.advance(30)
    real.run_until_waiting("approve", "one")
    real.start("each", {"items": [1, 2, 3]}, execution_name="all")
    for _ in range(2):
        real.run_until_waiting("each", "all").succeed({})

    approve, ask = document("waiting")["waiting"]

    assert (approve["execution"], approve["step"], approve["attempt"]) == ("one", "Approve", 2)
    assert approve["input"]["order"] == 7
    assert (approve["id"], approve["seconds_left"]) == (None, None)
    assert (ask["flow"], ask["execution"], ask["step"], ask["attempt"]) == ("each", "all", "Ask", 1)
    assert document("describe", "one")["waiting"] == [{**approve, "age_seconds": pytest.approx(0, abs=60)}]
    assert document("waiting", "--step", "Ask")["waiting"][0]["execution"] == "all"


def test_a_task_that_waits_for_no_report_is_not_listed(real: LocalCloudFlow) -> None:
    steps = [{"type": "wait", "name": "nap", "duration": 100}]
    child = {
        "type": "task", "name": "child", "resourceArn": "acs:fnf:::flow/slow", "pattern": "sync",
    }  # fmt: skip
    real.create_flow("slow", {"version": "v1", "type": "flow", "steps": steps})
    real.create_flow("parent", {"version": "v1", "type": "flow", "steps": [child]})
    real.start("parent", execution_name="one")

    assert document("waiting")["waiting"] == []
    [step] = document("describe", "parent/one")["steps"]
    assert step["state"] == "running"


@pytest.mark.parametrize("command", [["complete", "one"], ["fail", "one", "--error", "Rejected"]])
def test_a_report_in_the_cloud_needs_the_token(real: LocalCloudFlow, command: list[str]) -> None:
    real.start("approve", {}, execution_name="one")

    ended = run_command("flow", *command)

    assert ended.returncode == 2
    assert "fc-callback report" in ended.stderr
    assert real.describe("approve", "one").status == "Running"


@pytest.mark.parametrize("kind", ["error-after", "close", "reset", "throttle"])
def test_a_start_whose_answer_is_lost_starts_one_execution(
    real: LocalCloudFlow, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("fc_callback.cli.flow_calls.pause", lambda seconds: seconds)
    real.inject(Fault(kind, action="StartExecution"))

    started = document("start", "approve")

    assert [each["name"] for each in document("list")["executions"]] == [started["name"]]


def test_following_and_pictures_work_without_the_control_api(real: LocalCloudFlow) -> None:
    real.start("approve", {}, execution_name="one")
    real.run_until_waiting("approve", "one")
    assert "class s1 waiting" in run_command("flow", "graph", "approve/one").stdout
    real.waiting()[0].succeed({})

    ended = run_command("flow", "history", "one", "--follow")

    assert ended.returncode == 0
    assert ended.stdout.splitlines()[-1].startswith("Succeeded after ")
