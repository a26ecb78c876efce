"""What a person's own tests do with the fixtures."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback import CloudFlowClient, FcContext, TaskFailed, task_callback
from fc_callback.testing import Fault, RandomFaults, TaskCloudFlow, WaitingTask, events, make_context

if TYPE_CHECKING:
    from collections.abc import Callable

    Contexts = Callable[..., Any]


@task_callback
def pay(order: dict[str, Any], context: FcContext) -> dict[str, Any]:
    """The handler under test."""
    if "orderId" not in order:
        raise TaskFailed("EmptyOrder", cause="order has no id")
    return {"orderId": order["orderId"], "status": "paid", "by": context.function_name}


@pytest.mark.parametrize("language", ["cloudflow", "legacy"])
@pytest.mark.parametrize("runtime", ["python3.10", "python3.12", "custom"])
def test_a_handler_completes_its_task_under_every_runtime(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts, language: Any, runtime: str
) -> None:
    task = local_cloudflow.new_task({"orderId": 1}, language=language)
    task.assert_waiting()

    pay(task.event, fc_context(runtime, function_name="pay"))

    task.assert_succeeded_with({"orderId": 1, "status": "paid", "by": "pay"})


def test_a_handler_fails_its_task_by_name(local_cloudflow: TaskCloudFlow, fc_context: Contexts) -> None:
    task = local_cloudflow.new_task()

    pay(task.event, fc_context())

    task.assert_failed_with("EmptyOrder")
    task.assert_failed_with("EmptyOrder", cause="no id")
    assert task.output is None


def test_an_exception_leaves_the_task_waiting(local_cloudflow: TaskCloudFlow, fc_context: Contexts) -> None:
    @task_callback
    def broken(event: bytes, context: object) -> None:
        raise KeyError

    task = local_cloudflow.new_task()

    with pytest.raises(KeyError):
        broken(task.event, fc_context())

    task.assert_waiting()


@pytest.mark.parametrize("trigger", events.WITH_PAYLOAD, ids=lambda trigger: trigger.__name__)
def test_the_task_comes_through_every_trigger(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts, trigger: Callable[..., bytes]
) -> None:
    task = local_cloudflow.new_task({"orderId": 7})

    pay(task.event_as(trigger), fc_context())

    task.assert_succeeded()
    assert task.output is not None
    assert task.output["orderId"] == 7


def test_faults_make_calls_go_wrong(local_cloudflow: TaskCloudFlow, fc_context: Contexts) -> None:
    task = local_cloudflow.new_task({"orderId": 1})
    local_cloudflow.inject(Fault("error-after"), Fault("close"))

    pay(task.event, fc_context())

    task.assert_succeeded()
    assert local_cloudflow.calls["ReportTaskSucceeded", "fault:error-after"] == 1


def test_chance_can_be_repeated(local_cloudflow: TaskCloudFlow, fc_context: Contexts) -> None:
    local_cloudflow.inject(RandomFaults(seed=1, rate=0.3, faults=[Fault("error-before")]))
    task = local_cloudflow.new_task({"orderId": 1})

    pay(task.event, fc_context())

    task.assert_succeeded()


def test_the_clock_can_be_moved_past_a_task_s_timeout(local_cloudflow: TaskCloudFlow) -> None:
    task = local_cloudflow.new_task(timeout_seconds=60)

    local_cloudflow.advance(30)
    task.assert_waiting()
    local_cloudflow.advance(30)

    task.assert_timed_out()


def test_a_report_from_elsewhere_can_be_waited_for(local_cloudflow: TaskCloudFlow) -> None:
    task = local_cloudflow.new_task()
    client = CloudFlowClient()  # the fixture has put all it needs into the environment
    thread = threading.Thread(target=client.report_task_succeeded, args=(task.token, {"approved": True}))
    thread.start()

    task.wait().assert_succeeded_with({"approved": True})
    thread.join()


def test_the_token_may_have_another_name(local_cloudflow: TaskCloudFlow, fc_context: Contexts) -> None:
    @task_callback(token="ticket")
    def handler(event: bytes, context: object) -> dict[str, Any]:
        return {}

    task = local_cloudflow.new_task({"a": 1}, key="ticket")
    handler(task.event, fc_context())

    assert json.loads(task.event).keys() == {"a", "ticket"}
    task.assert_succeeded_with({})


def test_many_tasks_wait_side_by_side(local_cloudflow: TaskCloudFlow) -> None:
    tasks = [local_cloudflow.new_task({"n": number}) for number in range(5)]
    CloudFlowClient().report_task_succeeded(tasks[3].token, {})

    assert len({task.token.reveal() for task in tasks}) == 5
    assert [task.status for task in tasks] == ["Running"] * 3 + ["Succeeded", "Running"]


@pytest.mark.parametrize(
    ("assertion", "said"),
    [
        (
            lambda task: task.assert_succeeded(),
            "Expected a task that has succeeded, but it waits: it has not been reported.",
        ),
        (lambda task: task.assert_failed_with("Bad"), "has failed with 'Bad', but it waits"),
        (lambda task: task.assert_timed_out(), "has timed out, but it waits"),
    ],
)
def test_an_assertion_about_a_waiting_task_says_that_it_waits(
    local_cloudflow: TaskCloudFlow, assertion: Callable[[WaitingTask], None], said: str
) -> None:
    with pytest.raises(AssertionError, match=said):
        assertion(local_cloudflow.new_task())


def test_an_assertion_says_what_the_task_was_reported_with(local_cloudflow: TaskCloudFlow) -> None:
    done, failed = local_cloudflow.new_task(), local_cloudflow.new_task()
    CloudFlowClient().report_task_succeeded(done.token, {"a": 1})
    CloudFlowClient().report_task_failed(failed.token, "Bad", "a cause")

    with pytest.raises(AssertionError, match=r'with \{"a": 2\}, but it has succeeded with \{"a": 1\}'):
        done.assert_succeeded_with({"a": 2})
    with pytest.raises(AssertionError, match="waits, but it has failed with 'Bad': a cause"):
        failed.assert_waiting()
    with pytest.raises(AssertionError, match="'other' in it"):
        failed.assert_failed_with("Bad", cause="other")
    with pytest.raises(AssertionError, match="has failed with 'Worse'"):
        failed.assert_failed_with("Worse")


def test_no_text_form_of_a_task_shows_its_token(local_cloudflow: TaskCloudFlow) -> None:
    task = local_cloudflow.new_task({"orderId": 1})

    assert task.token.reveal() not in f"{task!r} {task}"


def test_a_context_without_a_service_has_made_up_credentials(fc_context: Contexts) -> None:
    context = FcContext.read(fc_context())

    assert context.credentials is not None
    assert context.request_id


@pytest.mark.parametrize("runtime", ["python3.10", "python3.12", "custom"])
def test_a_function_without_a_role_has_no_credentials(fc_context: Contexts, runtime: str) -> None:
    assert FcContext.read(fc_context(runtime, credentials=None)).credentials is None


@pytest.mark.parametrize("runtime", ["python3.10", "python3.12", "custom"])
def test_what_a_test_says_of_the_context_is_what_the_handler_reads(fc_context: Contexts, runtime: str) -> None:
    context = FcContext.read(
        fc_context(
            runtime, request_id="r-1", function_name="pay", timeout_seconds=30, memory_mb=256, region="cn-beijing"
        )
    )

    assert (context.request_id, context.function_name, context.region) == ("r-1", "pay", "cn-beijing")
    assert (context.timeout_seconds, context.memory_mb) == (30, 256)


@pytest.mark.parametrize(("runtime", "told"), [("python3.10", 2), ("python3.12", 0), ("custom", 2)])
def test_a_redelivery_shows_where_the_runtime_tells(fc_context: Contexts, runtime: str, told: int) -> None:
    assert FcContext.read(fc_context(runtime, retry_count=2)).retry_count == told


def test_each_runtime_s_context_has_its_own_shape(fc_context: Contexts) -> None:
    assert fc_context("python3.10").service.name == ""
    assert not hasattr(fc_context("python3.12"), "credentials")
    assert not hasattr(fc_context("python3.12"), "service")


def test_an_unknown_runtime_is_refused() -> None:
    with pytest.raises(ValueError, match=r"python3\.10, python3\.12, custom"):
        make_context("python2.7")  # type: ignore[arg-type]  # what is tested
