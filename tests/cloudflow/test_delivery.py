"""A finished result is never lost: what each fault does to a report."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from email.utils import formatdate
from typing import Any

import pytest

from fc_callback import CloudFlowClient, CloudFlowError, ReportResult, ReportUndelivered, TaskAlreadyCompleted
from fc_callback.cloudflow import throttle
from fc_callback.cloudflow.errors import InternalServerError, RequestTimeTooSkewed, ResourceThrottled
from fc_callback.cloudflow.retry import RetryPolicy
from fc_callback.cloudflow.transport import transport_for
from fc_callback.errors import ServiceUnreachable
from fc_callback.local.faults import Fault
from fc_callback.values.context import Deadline
from tests.cloudflow.quick import QUICK, TOKEN, client_of
from tests.cloudflow.scripted import Reply, ScriptedService, error
from tests.waiting import WaitingTask, WaitingTasks


@pytest.fixture
def flaky(tasks: WaitingTasks) -> Iterator[WaitingTasks]:
    yield tasks
    tasks.service.clear_faults()


def report(task: WaitingTask, outcome: str, **options: Any) -> ReportResult:
    client = CloudFlowClient(retry=QUICK, **options)
    if outcome == "succeeded":
        return client.report_task_succeeded(task.token, {"n": 1})
    return client.report_task_failed(task.token, "Named", "why")


def assert_ended_once(task: WaitingTask, outcome: str) -> None:
    if outcome == "succeeded":
        assert task.output == {"n": 1}
    else:
        assert task.failure == ("Named", "why")
    assert task.reports() == 1


# Each fault befalls one call; what the next one needs, and how many calls it is in all.
CALLS = [
    (Fault("error-before"), 2, 0),
    (Fault("error-before", takes_effect=True), 2, 0),
    (Fault("error-after"), 2, 0),
    (Fault("throttle"), 2, 1),
    (Fault("slow", seconds=0.02), 1, 0),
    (Fault("reset"), 2, 0),
    (Fault("reset", takes_effect=False), 2, 0),
    (Fault("close"), 2, 0),
    (Fault("close", takes_effect=True), 2, 0),
    (Fault("garbage"), 2, 0),
    (Fault("garbage", takes_effect=False), 2, 0),
    (Fault("html"), 2, 0),
    (Fault("html", takes_effect=True), 2, 0),
    (Fault("empty"), 2, 0),
    (Fault("empty", takes_effect=False), 2, 0),
    (Fault("skew", seconds=3600, times=2), 2, 0),
    (Fault("skew", seconds=-3600, times=2), 2, 0),
    (Fault("error-before", times=7), 8, 0),
    (Fault("throttle", times=7), 8, 7),
]


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
@pytest.mark.parametrize(
    ("fault", "calls", "throttled"),
    CALLS,
    ids=lambda one: f"{one.kind}-{one.takes_effect}" if isinstance(one, Fault) else "",
)
def test_a_report_outlives_each_fault(
    flaky: WaitingTasks, fault: Fault, calls: int, throttled: int, outcome: str
) -> None:
    task, before = flaky.new(), Counter(flaky.service.calls)
    flaky.service.inject(fault)
    result = report(task, outcome)
    assert (result.attempts, result.throttled, result.already_completed) == (calls, throttled, False)
    assert sum((flaky.service.calls - before).values()) >= calls
    assert_ended_once(task, outcome)


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_a_service_that_is_dead_for_a_while_gets_the_report_afterwards(flaky: WaitingTasks, outcome: str) -> None:
    task = flaky.new()
    flaky.service.inject(Fault("dead", seconds=0.05))
    assert report(task, outcome).attempts > 1
    assert_ended_once(task, outcome)


@pytest.mark.parametrize("kind", ["error-after", "reset", "garbage", "empty"])
def test_a_lost_answer_followed_by_already_completed_counts_as_delivered(flaky: WaitingTasks, kind: str) -> None:
    task = flaky.new()
    flaky.service.inject(Fault(kind))
    result = report(task, "succeeded", already_completed="raise")
    assert (result.already_completed, result.event_id) == (False, None)


@pytest.mark.parametrize("kind", ["throttle", "skew"])
def test_an_answer_that_says_no_is_not_ambiguous(flaky: WaitingTasks, kind: str) -> None:
    task = flaky.new()
    report(task, "succeeded")
    flaky.service.inject(Fault(kind, seconds=3600, times=2) if kind == "skew" else Fault(kind))
    with pytest.raises(TaskAlreadyCompleted):
        report(task, "succeeded", already_completed="raise")


def test_a_task_that_somebody_else_completed_is_accepted_and_visible(tasks: WaitingTasks) -> None:
    task = tasks.new()
    report(task, "failed")
    result = report(task, "succeeded")
    assert (result.already_completed, result.attempts, result.event_id) == (True, 1, None)
    assert_ended_once(task, "failed")


def test_a_task_that_somebody_else_completed_is_an_error_where_asked_for(tasks: WaitingTasks) -> None:
    task = tasks.new()
    report(task, "succeeded")
    with pytest.raises(TaskAlreadyCompleted, match="timeout is shorter"):
        report(task, "succeeded", already_completed="raise")


def test_a_report_after_the_step_s_timeout_finds_it_completed() -> None:
    with WaitingTasks() as tasks:
        task = tasks.new()
        tasks.service.advance(601, skew=False)
        client = CloudFlowClient(endpoint=tasks.service.endpoint, credentials=tasks.service.credentials)
        assert client.report_task_succeeded(task.token, {}).already_completed


@pytest.mark.parametrize("flow", ["legacy", "cloudflow"])
def test_a_task_that_is_not_waiting_yet_is_tried_again(flow: str) -> None:
    with ScriptedService(error("TaskInvalidState", 409), error("TaskInvalidState", 409), Reply()) as service:
        assert client_of(service.endpoint).report_task_succeeded(TOKEN, {}).attempts == 3


# The clock


@pytest.mark.parametrize("signature", ["v1", "v3"])
def test_a_wrong_clock_is_corrected_from_the_answer_and_remembered(signature: str) -> None:
    with WaitingTasks() as tasks:
        tasks.service.advance(3600)
        client = CloudFlowClient(
            endpoint=tasks.service.endpoint,
            credentials=tasks.service.credentials,
            retry=QUICK,
            signature=signature,
        )
        first, second = tasks.new(), tasks.new()
        assert client.report_task_succeeded(first.token, {}).attempts == 2
        assert client.report_task_succeeded(second.token, {}).attempts == 1
        assert (first.reports(), second.reports()) == (1, 1)


def test_a_clock_that_stays_wrong_is_final() -> None:
    skewed = error("RequestTimeTooSkewed", 403, Date=formatdate(time.time() + 7200, usegmt=True))
    with ScriptedService(skewed) as service:
        with pytest.raises(RequestTimeTooSkewed, match="Set the machine's clock"):
            client_of(service.endpoint).report_task_succeeded(TOKEN, {})
        assert service.calls == 2


UNUSABLE_DATES = [
    "",
    "yesterday",
    "Mon, 99 Foo 2024 00:00:00 GMT",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Fri, 31 Dec 9999 23:59:59 -2359",
    "Mon, 01 Jan 0001 00:00:00 +2359",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Mon, 01 Jan 2001 00:00:00 -0000",
]


@pytest.mark.parametrize("date", UNUSABLE_DATES)
def test_a_date_that_cannot_be_read_corrects_nothing(date: str) -> None:
    with ScriptedService(error("RequestTimeTooSkewed", 403, Date=date)) as service:
        with pytest.raises(RequestTimeTooSkewed):
            client_of(service.endpoint).report_task_succeeded(TOKEN, {})
        assert transport_for(service.endpoint).clock_offset_seconds == 0.0


@pytest.mark.parametrize("date", UNUSABLE_DATES)
def test_a_date_that_cannot_be_used_spoils_no_later_report(date: str) -> None:
    with ScriptedService(error("RequestTimeTooSkewed", 403, Date=date), Reply()) as service:
        client = client_of(service.endpoint)
        assert client.report_task_succeeded(TOKEN, {}).attempts == 2
        assert client.report_task_succeeded(TOKEN, {}).attempts == 1


@pytest.mark.parametrize(("hours", "corrected"), [(-25, False), (-23, True), (23, True), (25, False)])
def test_a_clock_is_corrected_by_a_day_at_most(hours: int, corrected: bool) -> None:
    date = formatdate(time.time() + hours * 3600, usegmt=True)
    with ScriptedService(error("RequestTimeTooSkewed", 403, Date=date), Reply()) as service:
        client_of(service.endpoint).report_task_succeeded(TOKEN, {})
        offset = transport_for(service.endpoint).clock_offset_seconds
    assert offset == pytest.approx(hours * 3600 if corrected else 0, abs=30)


@pytest.mark.parametrize("code", ["IllegalTimestamp", "InvalidTimeStamp.Expired"])
def test_the_gateway_s_words_for_a_wrong_clock_correct_it_as_well(code: str) -> None:
    date = formatdate(time.time() + 7200, usegmt=True)
    with ScriptedService(error(code, 400, Date=date), Reply()) as service:
        assert client_of(service.endpoint).report_task_succeeded(TOKEN, {}).attempts == 2
        sent = [datetime.fromisoformat(one.parameters["Timestamp"].replace("Z", "+00:00")) for one in service.requests]
    assert (sent[1] - sent[0]).total_seconds() == pytest.approx(7200, abs=30)


@pytest.mark.parametrize("code", ["IllegalTimestamp", "InvalidTimeStamp.Expired"])
def test_where_the_gateway_finds_the_corrected_clock_wrong_as_well_that_is_final(code: str) -> None:
    with ScriptedService(error(code, 400)) as service:
        with pytest.raises(CloudFlowError, match="Set the machine's clock"):
            client_of(service.endpoint).report_task_succeeded(TOKEN, {})
        assert service.calls == 2


# Every attempt is a request of its own


def nonces(service: ScriptedService) -> list[str]:
    return [one.parameters["SignatureNonce"] for one in service.requests]


def test_every_attempt_has_a_fresh_nonce() -> None:
    failing = error("InternalServerError", 500)
    with ScriptedService(failing, "close", failing, Reply()) as service:
        client_of(service.endpoint).report_task_succeeded(TOKEN, {})
        assert len(set(nonces(service))) == len(service.requests)


def test_the_same_result_goes_out_with_every_attempt() -> None:
    with ScriptedService("close", "reset", error("ResourceThrottled", 429), Reply()) as service:
        client_of(service.endpoint).report_task_succeeded(TOKEN, {"n": 1})
        assert {one.parameters["Output"] for one in service.requests} == {'{"n":1}'}


# Waiting


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between attempts, noted and not waited."""
    noted: list[float] = []
    monkeypatch.setattr(time, "sleep", noted.append)
    return noted


@pytest.mark.parametrize("status", [("ResourceThrottled", 429), ("InternalServerError", 500)])
def test_retry_after_in_seconds_is_waited_for(waits: list[float], status: tuple[str, int]) -> None:
    code, number = status
    with ScriptedService(error(code, number, **{"Retry-After": "7"}), Reply()) as service:
        client_of(service.endpoint).report_task_succeeded(TOKEN, {})
    assert waits == [pytest.approx(7, abs=0.1)]


def test_retry_after_as_a_date_is_waited_for(waits: list[float]) -> None:
    date = formatdate(time.time() + 20, usegmt=True)
    with ScriptedService(error("ResourceThrottled", 429, **{"Retry-After": date}), Reply()) as service:
        client_of(service.endpoint).report_task_succeeded(TOKEN, {})
    assert 10 < waits[0] <= 20.1


@pytest.mark.parametrize("given", ["", "soon", "-5", "1e3", *UNUSABLE_DATES[-3:], "٣"])
def test_a_retry_after_that_says_nothing_is_passed_over(waits: list[float], given: str) -> None:
    with ScriptedService(
        error("ResourceThrottled", 429, **{"Retry-After": given} if given.isascii() else {}), Reply()
    ) as service:
        client_of(service.endpoint).report_task_succeeded(TOKEN, {})
    assert waits[0] < 0.1


def test_a_retry_after_beyond_the_time_left_leaves_one_last_attempt(waits: list[float]) -> None:
    with ScriptedService(error("ResourceThrottled", 429, **{"Retry-After": "3600"})) as service:
        with pytest.raises(ReportUndelivered) as caught:
            client_of(service.endpoint).report_task_succeeded(TOKEN, {}, deadline=Deadline.after(30))
        assert (service.calls, caught.value.attempts) == (2, 2)
    assert waits[0] < 30


def test_a_turn_among_other_threads_never_comes_before_what_the_service_asked_for(waits: list[float]) -> None:
    with ScriptedService(error("ResourceThrottled", 429, **{"Retry-After": "7"}), Reply()) as service:
        throttle.throttle_queue_for(service.endpoint).wait_seconds(1)  # another thread that waits
        client_of(service.endpoint).report_task_succeeded(TOKEN, {})
    assert waits[0] >= 7


def test_a_report_that_has_waited_no_longer_counts_as_waiting(waits: list[float]) -> None:
    with ScriptedService(error("ResourceThrottled", 429), Reply()) as service:
        client_of(service.endpoint).report_task_succeeded(TOKEN, {})
        assert throttle.throttle_queue_for(service.endpoint).wait_seconds(9.0) == 9.0


def test_any_429_is_taken_for_throttling_whatever_it_says() -> None:
    with ScriptedService(Reply(b"<p>slow down</p>", status=429), error("Throttling.User", 429), Reply()) as service:
        assert client_of(service.endpoint).report_task_succeeded(TOKEN, {}).throttled == 2


def test_without_a_deadline_the_policy_s_own_time_is_the_bound() -> None:
    policy = RetryPolicy(total_seconds=2, base_seconds=0.05, cap_seconds=0.1)
    with ScriptedService(error("InternalServerError", 500)) as service:
        with pytest.raises(ReportUndelivered) as caught:
            client_of(service.endpoint, retry=policy).report_task_succeeded(TOKEN, {})
        assert caught.value.attempts == service.calls > 1


# The deadline

RESERVED = RetryPolicy(base_seconds=0.001, cap_seconds=0.01, reserve_seconds=1)


@pytest.mark.parametrize("step", ["hang", "close", "reset", "trickle", error("InternalServerError", 500)])
def test_a_service_that_never_takes_it_leaves_time_to_say_so(step: Any) -> None:
    deadline = Deadline.after(2.3)
    with ScriptedService(step) as service:
        with pytest.raises(ReportUndelivered) as caught:
            client_of(service.endpoint, retry=RESERVED).report_task_succeeded(TOKEN, {}, deadline=deadline)
        assert deadline.remaining_seconds() > 0
        assert caught.value.attempts >= 1
        assert caught.value.ambiguous
        assert isinstance(caught.value.last_error, (ServiceUnreachable, InternalServerError))


def test_a_refused_connection_is_retried_until_the_time_is_up_and_never_ambiguous() -> None:
    with ScriptedService() as gone:
        pass
    with pytest.raises(ReportUndelivered) as caught:
        client_of(gone.endpoint).report_task_succeeded(TOKEN, {}, deadline=Deadline.after(3))
    assert caught.value.attempts > 1
    assert not caught.value.ambiguous
    assert "refused" in str(caught.value.last_error)


def test_an_endpoint_out_of_reach_is_told_with_what_to_do_about_the_network() -> None:
    with ScriptedService() as gone:
        pass
    with pytest.raises(ReportUndelivered) as caught:
        client_of(gone.endpoint).report_task_succeeded(TOKEN, {}, deadline=Deadline.after(2))
    assert f"No answer from {gone.endpoint}: the connection was refused. Check that the function may reach" in str(
        caught.value
    )


def test_the_error_says_how_often_and_why_and_carries_no_chain() -> None:
    with ScriptedService(error("ResourceThrottled", 429)) as service, pytest.raises(ReportUndelivered) as caught:
        client_of(service.endpoint).report_task_succeeded(TOKEN, {}, deadline=Deadline.after(1.02))
    calls = "1 call" if caught.value.attempts == 1 else f"{caught.value.attempts} calls"
    assert f"after {calls}." in str(caught.value)
    assert "429 ResourceThrottled" in str(caught.value)
    assert isinstance(caught.value.last_error, ResourceThrottled)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_with_no_time_left_nothing_is_sent() -> None:
    with ScriptedService() as service:
        with pytest.raises(ReportUndelivered) as caught:
            client_of(service.endpoint).report_task_succeeded(TOKEN, {}, deadline=Deadline.after(-1))
        assert (service.calls, caught.value.attempts) == (0, 0)


def test_a_single_call_is_bounded_by_its_deadline_as_well() -> None:
    with ScriptedService("hang") as service, pytest.raises(ServiceUnreachable, match="did not come in time"):
        client_of(service.endpoint).call("ReportTaskSucceeded", deadline=Deadline.after(1))


# Many at once


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_forty_throttled_threads_deliver_every_task_once(monkeypatch: pytest.MonkeyPatch, outcome: str) -> None:
    monkeypatch.setattr(throttle, "SECONDS_PER_CALL", 0.02)
    monkeypatch.setattr(throttle, "SLOWEST_SECONDS_PER_CALL", 0.5)
    with WaitingTasks(quota=True) as tasks:
        waiting = [tasks.new(timeout_seconds=86_400) for _ in range(40)]  # the clock runs 25 times as fast
        client = CloudFlowClient(
            endpoint=tasks.service.endpoint,
            credentials=tasks.service.credentials,
            retry=RetryPolicy(
                total_seconds=300, base_seconds=0.01, throttled_base_seconds=0.02, throttled_cap_seconds=0.2
            ),
        )
        ended = threading.Event()

        def let_time_pass() -> None:
            while not ended.wait(0.02):
                tasks.service.advance(0.5, skew=False)  # one call more, every 20 ms

        def deliver(task: WaitingTask) -> ReportResult:
            if outcome == "succeeded":
                return client.report_task_succeeded(task.token, {"n": 1})
            return client.report_task_failed(task.token, "Named", "why")

        clock = threading.Thread(target=let_time_pass)
        clock.start()
        try:
            with ThreadPoolExecutor(40) as threads:
                results = list(threads.map(deliver, waiting))
        finally:
            ended.set()
            clock.join()
        assert sum(result.throttled for result in results) > 0
        assert not any(result.already_completed for result in results)
        for task in waiting:
            assert_ended_once(task, outcome)


def test_a_report_that_fails_raises_what_the_service_said() -> None:
    with ScriptedService(error("NewCode", 418, "teapot")) as service, pytest.raises(CloudFlowError, match="teapot"):
        client_of(service.endpoint).report_task_failed(TOKEN, "E")
