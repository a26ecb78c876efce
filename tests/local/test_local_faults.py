"""What callers see of each fault, and what the service has done all the same."""

from __future__ import annotations

import subprocess
import sys

import pytest
import requests

from fc_callback.local import Fault, LocalCloudFlow, RandomFaults
from tests.local.raw_client import DATA, RawClient, error_of


def status(service: LocalCloudFlow) -> str:
    return service.describe("approve", "ask").status


def test_an_error_before_the_commit_leaves_the_task_waiting(
    service: LocalCloudFlow, raw: RawClient, waiting: str
) -> None:
    service.inject(Fault("error-before"))
    assert error_of(raw.report(waiting)) == (500, "InternalServerError")
    assert status(service) == "Running"


def test_an_error_after_the_commit_is_a_lost_answer(service: LocalCloudFlow, raw: RawClient, waiting: str) -> None:
    service.inject(Fault("error-after"))
    assert error_of(raw.report(waiting)) == (500, "InternalServerError")
    assert status(service) == "Succeeded"
    assert error_of(raw.report(waiting)) == (400, "TaskAlreadyCompleted")


def test_a_throttled_call_can_say_when_to_come_again(service: LocalCloudFlow, raw: RawClient, waiting: str) -> None:
    service.inject(Fault("throttle", seconds=2))
    answer = raw.report(waiting)
    assert error_of(answer) == (429, "ResourceThrottled")
    assert answer.headers["retry-after"] == "2"
    assert status(service) == "Running"


def test_a_slow_answer_runs_into_the_callers_time_out_and_still_counts(
    service: LocalCloudFlow, raw: RawClient, waiting: str
) -> None:
    service.inject(Fault("slow", seconds=0.3))
    assert raw.report(waiting).status_code == 200
    assert status(service) == "Succeeded"


@pytest.mark.parametrize(("kind", "after"), [("reset", "Succeeded"), ("close", "Running")])
def test_a_broken_connection_is_no_answer(
    service: LocalCloudFlow, raw: RawClient, waiting: str, kind: str, after: str
) -> None:
    service.inject(Fault(kind))
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        raw.report(waiting)
    assert status(service) == after


def test_a_connection_can_be_closed_after_the_commit_too(service: LocalCloudFlow, raw: RawClient, waiting: str) -> None:
    service.inject(Fault("close", takes_effect=True))
    with pytest.raises(requests.ConnectionError):
        raw.report(waiting)
    assert status(service) == "Succeeded"


@pytest.mark.parametrize(
    ("kind", "http_status", "after"),
    [("garbage", 200, "Succeeded"), ("html", 502, "Running"), ("empty", 200, "Succeeded")],
)
def test_an_answer_can_be_no_json(
    service: LocalCloudFlow, raw: RawClient, waiting: str, kind: str, http_status: int, after: str
) -> None:
    service.inject(Fault(kind))
    answer = raw.report(waiting)
    assert answer.status_code == http_status
    with pytest.raises((ValueError, UnicodeDecodeError)):
        answer.json()
    assert status(service) == after


def test_a_skewed_service_refuses_the_callers_time_and_tells_its_own(
    service: LocalCloudFlow, raw: RawClient, waiting: str
) -> None:
    service.inject(Fault("skew", seconds=7200))
    answer = raw.report(waiting)
    assert error_of(answer) == (403, "RequestTimeTooSkewed")
    assert raw.report(waiting).status_code == 200


def test_a_dead_service_comes_back(service: LocalCloudFlow, raw: RawClient, waiting: str) -> None:
    service.inject(Fault("dead", seconds=60))
    for _ in range(3):
        with pytest.raises(requests.ConnectionError):
            raw.report(waiting)
    assert raw.v1("ListFlows").status_code == 200, "the fault is about reports"
    service.advance(61)
    assert raw.report(waiting).status_code == 200


def test_faults_befall_the_calls_they_are_meant_for_in_their_order(
    service: LocalCloudFlow, raw: RawClient, waiting: str
) -> None:
    service.inject(Fault("throttle", action="ListFlows", after=1, times=2), Fault("error-before", action="ListFlows"))
    codes = [raw.v1("ListFlows").status_code for _ in range(5)]
    assert sorted(codes) == [200, 200, 429, 429, 500]
    assert codes[-1] == 200
    assert raw.report(waiting).status_code == 200


def test_faults_by_chance_are_the_same_for_the_same_seed(service: LocalCloudFlow, raw: RawClient) -> None:
    def outcomes() -> list[object]:
        service.clear_faults()
        service.inject(RandomFaults(seed=7, rate=0.5, action="*", faults=(Fault("throttle"), Fault("error-before"))))
        return [raw.v1("ListFlows").status_code for _ in range(20)]

    first = outcomes()
    assert first == outcomes()
    assert {200, 429, 500} == set(first)


def test_every_call_is_counted_by_what_it_ended_in(service: LocalCloudFlow, raw: RawClient, waiting: str) -> None:
    service.inject(Fault("throttle"))
    raw.report(waiting)
    raw.report(waiting)
    raw.report(waiting)
    raw.v1("Nonsense")
    assert service.calls == {
        ("ReportTaskSucceeded", "fault:throttle"): 1,
        ("ReportTaskSucceeded", "ok"): 1,
        ("ReportTaskSucceeded", "TaskAlreadyCompleted"): 1,
        ("unknown", "ActionNotSupported"): 1,
    }


def test_a_fault_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="There is no fault 'boom'"):
        Fault("boom")
    with pytest.raises(ValueError, match="needs seconds"):
        Fault("slow")


def test_faults_the_clock_and_the_counts_can_be_had_over_http(service: LocalCloudFlow, raw: RawClient) -> None:
    base = f"{service.endpoint}/_local"
    assert raw.session.post(f"{base}/faults", json=[{"kind": "throttle", "action": "*"}]).json() == {"faults": 1}
    assert raw.v1("ListFlows").status_code == 429
    assert raw.session.get(f"{base}/calls").json() == [{"action": "ListFlows", "outcome": "fault:throttle", "count": 1}]
    before = service.now
    assert raw.session.post(f"{base}/clock", json={"seconds": 600, "skew": False}).status_code == 200
    assert service.now >= before + 600
    assert raw.v1("ListFlows").status_code == 200
    raw.session.post(f"{base}/faults", json={"seed": 1, "rate": 1, "action": "*", "faults": [{"kind": "html"}]})
    assert raw.v1("ListFlows").status_code == 502
    raw.session.delete(f"{base}/faults")
    assert raw.v1("ListFlows").status_code == 200
    assert raw.session.get(f"{base}/health").json()["status"] == "ok"
    assert raw.session.get(f"{base}/invocations?function=none").json() == []
    assert raw.session.post(f"{base}/faults", json={"kind": "boom"}).status_code == 400


def test_a_waiting_task_is_to_be_had_from_another_process(service: LocalCloudFlow, raw: RawClient) -> None:
    made = raw.session.post(f"{service.endpoint}/_local/tasks", json={"payload": {"order": 1}}).json()
    assert service.describe(made["flow"], made["execution"]).input == {"order": 1}
    assert raw.report(made["token"], {"done": True}).status_code == 200
    assert service.wait(made["flow"], made["execution"]).output == {"done": True}
    for payload in ("text", [1]):
        assert raw.session.post(f"{service.endpoint}/_local/tasks", json={"payload": payload}).status_code == 400


@pytest.mark.parametrize(
    "headers", [{"Host": "attacker.example"}, {"Origin": "https://attacker.example"}, {"Content-Type": "text/plain"}]
)
def test_a_page_in_a_browser_cannot_set_faults_or_make_tasks(
    service: LocalCloudFlow, raw: RawClient, headers: dict[str, str]
) -> None:
    answer = raw.session.post(f"{service.endpoint}/_local/tasks", data="{}", headers=headers)
    assert (answer.status_code in {400, 403}, "token" in answer.json()) == (True, False)
    answer = raw.session.post(f"{service.endpoint}/_local/faults", data='{"kind": "html"}', headers=headers)
    assert answer.status_code in {400, 403}
    assert raw.report("x").status_code == 400


def test_the_service_listens_on_loopback_only() -> None:
    with pytest.raises(ValueError, match=r"only loopback is allowed: use 127\.0\.0\.1"):
        LocalCloudFlow(host="0.0.0.0")


def test_a_port_that_is_taken_is_refused_with_words(service: LocalCloudFlow) -> None:
    with pytest.raises(ValueError, match="Choose another port, or 0"):
        LocalCloudFlow(port=int(service.endpoint.rpartition(":")[2])).start_service()


def test_a_service_that_is_not_running_says_so() -> None:
    with pytest.raises(Exception, match="not running"):
        LocalCloudFlow().endpoint  # noqa: B018 - reading it is the point


def test_nothing_is_written_to_the_terminal() -> None:
    done = subprocess.run(
        [sys.executable, str(DATA / "report_once.py")], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")
