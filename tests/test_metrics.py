"""The record of each task."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback import ReportUndelivered, TaskFailed, TaskTokenNotFound, metrics, task_callback
from fc_callback.idempotency import once
from fc_callback.idempotency.memory import MemoryStore
from fc_callback.logs.logger import Logger
from fc_callback.metrics import TaskRecord
from fc_callback.redaction import RedactionFilter
from fc_callback.testing import Fault
from fc_callback.values.invocation import current_invocation
from fc_callback.values.record_text import LOG_FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.testing import TaskCloudFlow
    from tests.framed_log import FramedLog

    Contexts = Callable[..., Any]


@pytest.fixture
def records() -> list[TaskRecord]:
    found: list[TaskRecord] = []
    metrics.listen(found.append)
    return found


@task_callback
def pay(order: dict[str, Any], context: object) -> dict[str, Any]:
    if not order.get("id"):
        raise TaskFailed("EmptyOrder")
    return {"id": order["id"]}


def test_a_task_that_succeeds_tells_how_long_each_step_took(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts, records: list[TaskRecord]
) -> None:
    task = local_cloudflow.new_task({"id": 1})

    pay(task.event, fc_context(retry_count=1))

    [record] = records
    assert record.outcome == "succeeded"
    assert set(record.seconds) == {"find", "run", "encode", "report"}
    assert all(seconds >= 0 for seconds in record.seconds.values())
    assert record.total_seconds >= sum(record.seconds.values())
    assert record.event_bytes == len(task.event)
    assert record.output_bytes == len('{"id":1}')
    assert (record.attempt, record.report_attempts, record.throttled) == (2, 1, 0)


def test_attempts_and_throttling_are_counted(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts, records: list[TaskRecord]
) -> None:
    local_cloudflow.inject(Fault("error-before"), Fault("throttle"))

    pay(local_cloudflow.new_task({"id": 1}).event, fc_context())

    assert (records[0].report_attempts, records[0].throttled) == (3, 1)


def test_the_record_of_an_undelivered_report_counts_its_calls(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts, records: list[TaskRecord]
) -> None:
    local_cloudflow.inject(Fault("error-before", times=None))

    with pytest.raises(ReportUndelivered) as raised:
        pay(local_cloudflow.new_task({"id": 1}).event, fc_context(timeout_seconds=1))

    assert (records[0].outcome, records[0].error) == ("raised", "ReportUndelivered")
    assert records[0].report_attempts == raised.value.attempts > 0


def test_a_task_that_fails_tells_its_error(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts, records: list[TaskRecord]
) -> None:
    pay(local_cloudflow.new_task().event, fc_context())

    assert (records[0].outcome, records[0].error, records[0].output_bytes) == ("failed", "EmptyOrder", None)


def test_an_exception_that_passes_through_is_told(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts, records: list[TaskRecord]
) -> None:
    @task_callback
    def broken(event: bytes, context: object) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        broken(local_cloudflow.new_task().event, fc_context())

    assert (records[0].outcome, records[0].error) == ("raised", "KeyError")
    assert "report" not in records[0].seconds


def test_an_event_without_a_token_is_told(fc_context: Contexts, records: list[TaskRecord]) -> None:
    with pytest.raises(TaskTokenNotFound):
        pay(b"{}", fc_context())

    assert (records[0].outcome, records[0].error, records[0].task) == ("raised", "TaskTokenNotFound", None)


def test_a_plain_call_without_a_task_has_no_record(fc_context: Contexts, records: list[TaskRecord]) -> None:
    @task_callback(missing_token="ignore")
    def handler(event: bytes, context: object) -> None: ...

    handler(b"{}", fc_context())

    assert records == []


def test_a_deferred_task_is_told(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts, records: list[TaskRecord]
) -> None:
    from fc_callback.values.invocation import current_task

    @task_callback
    def ask(event: bytes, context: object) -> Any:
        return current_task().defer()

    ask(local_cloudflow.new_task().event, fc_context())

    assert records[0].outcome == "deferred"
    assert "report" not in records[0].seconds


def test_a_function_that_outlives_its_time_is_told(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts, records: list[TaskRecord]
) -> None:
    task = local_cloudflow.new_task()

    @task_callback(on_failure="report")
    def slow(event: bytes, context: object) -> None:
        task.wait()  # until DeadlineExceeded is reported, half-way through the time that there is

    slow(task.event, fc_context(timeout_seconds=2.5))

    task.assert_failed_with("DeadlineExceeded")
    assert (records[0].outcome, records[0].report_attempts) == ("deadline_exceeded", 0)


@pytest.mark.parametrize(
    "ending", [SystemExit(143), KeyboardInterrupt(), RuntimeError("late")], ids=lambda one: type(one).__name__
)
def test_a_function_that_is_ended_after_its_deadline_exceeded_was_reported_is_told_as_that(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts, records: list[TaskRecord], ending: BaseException
) -> None:
    task = local_cloudflow.new_task()
    known_while_it_ran: list[str] = []

    @task_callback(on_failure="report", transient=(RuntimeError,))
    def slow(event: bytes, context: object) -> None:
        task.wait()
        limit = time.monotonic() + 10
        while not records and time.monotonic() < limit:
            time.sleep(0.01)
        known_while_it_ran.extend(record.outcome for record in records)
        raise ending  # FC's timeout is a SIGTERM whose handler calls sys.exit

    with pytest.raises(type(ending)):
        slow(task.event, fc_context(timeout_seconds=2.5))

    assert known_while_it_ran == ["deadline_exceeded"]
    assert [record.outcome for record in records] == ["deadline_exceeded"]


def test_a_stored_outcome_is_told_as_replayed(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts, records: list[TaskRecord]
) -> None:
    @task_callback(once=once(key="id", store=MemoryStore()))
    def handler(order: dict[str, Any], context: object) -> dict[str, Any]:
        return {"id": order["id"]}

    for _ in range(2):
        handler(local_cloudflow.new_task({"id": 1}).event, fc_context())

    assert [record.replayed for record in records] == [False, True]
    assert "run" not in records[1].seconds


def test_the_tasks_of_a_batch_have_a_record_each(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts, records: list[TaskRecord]
) -> None:
    @task_callback(batch=4)
    def handler(order: dict[str, Any], context: object) -> dict[str, Any]:
        return {"id": order["id"]}

    tasks = [local_cloudflow.new_task({"id": number}) for number in (1, 2, 3)]
    handler(b"[" + b",".join(task.event for task in tasks) + b"]", fc_context())

    assert {record.task.token.reveal() for record in records if record.task} == {task.token.reveal() for task in tasks}
    assert all("report" in record.seconds for record in records)


def test_the_logger_writes_it_as_one_line_to_chart(
    local_cloudflow: TaskCloudFlow, fc_log: FramedLog, fc_context: Contexts
) -> None:
    Logger("orders")

    pay(local_cloudflow.new_task({"id": 1}).event, fc_context(request_id="r-1"))

    [line] = [one for one in fc_log.records if one.get("record") == "task"]
    assert line["message"] == "Task succeeded."
    assert line["outcome"] == "succeeded"
    assert line["report_ms"] > 0
    assert line["request_id"] == "r-1"
    assert line["task"]
    assert isinstance(line["cold_start"], bool)


def test_the_fields_say_what_happened_and_nothing_else() -> None:
    record = TaskRecord()
    assert record.fields() == {
        "record": "task",
        "outcome": "succeeded",
        "total_ms": 0.0,
        "attempt": 1,
        "report_attempts": 0,
    }

    record.seconds = {"find": 0.0012345, "run": 61.5, "encode": 0.0, "report": 1e-7}
    record.outcome, record.error, record.attempt, record.total_seconds = "failed", 'No "order" \n \ud800', 3, 61.6
    record.event_bytes, record.output_bytes, record.report_attempts = 0, 12, 2
    record.throttled, record.replayed, record.already_completed = 1, True, True
    assert record.fields() == {
        "record": "task",
        "outcome": "failed",
        "error": 'No "order" \n \ud800',
        "find_ms": 1.234,
        "run_ms": 61500.0,
        "encode_ms": 0.0,
        "report_ms": 0.0,
        "total_ms": 61600.0,
        "attempt": 3,
        "report_attempts": 2,
        "event_bytes": 0,
        "output_bytes": 12,
        "throttled": 1,
        "replayed": True,
        "already_completed": True,
    }
    assert record.fields().keys() == metrics.FIELDS


@pytest.mark.parametrize(
    ("options", "bound", "expected"),
    [
        ({"fields": {"attempt": "mine"}}, {}, {"attempt": "mine", "attempt_": 1}),
        ({"mask": ["total ms"]}, {}, {"total_ms": "***"}),
        ({}, {"outcome": "mine", "order_id": 7}, {"outcome": "succeeded", "order_id": 7}),
    ],
)
def test_names_that_somebody_else_has_are_told_apart(
    options: dict[str, Any],
    bound: dict[str, Any],
    expected: dict[str, Any],
    local_cloudflow: TaskCloudFlow,
    fc_log: FramedLog,
    fc_context: Contexts,
) -> None:
    log = Logger("orders", **options)

    @task_callback
    def handler(order: dict[str, Any], context: object) -> None:
        log.bind(**bound)

    handler(local_cloudflow.new_task({"id": 1}).event, fc_context())

    [line] = fc_log.lines
    pairs = json.loads(line, object_pairs_hook=list)
    assert len({name for name, _ in pairs}) == len(pairs)
    assert dict(pairs).items() >= expected.items()
    assert dict(pairs)["record"] == "task"


def test_the_error_of_a_task_is_masked_as_any_text(
    local_cloudflow: TaskCloudFlow, fc_log: FramedLog, fc_context: Contexts
) -> None:
    Logger("orders")

    @task_callback(on_failure="report")
    def handler(order: dict[str, Any], context: object) -> None:
        raise TaskFailed("password=hunter2")

    handler(local_cloudflow.new_task({"id": 1}).event, fc_context())

    [line] = [one for one in fc_log.records if one.get("record") == "task"]
    assert (line["outcome"], line["error"]) == ("failed", "password=***")


def test_a_handler_of_ones_own_finds_it_masked_behind_the_filter(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts, caplog: pytest.LogCaptureFixture
) -> None:
    metrics.log_records()
    found: list[logging.LogRecord] = []

    class Own(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record)

    own = Own()
    own.addFilter(RedactionFilter(["outcome"]))
    metrics.logger.addHandler(own)
    try:
        with caplog.at_level(logging.INFO, "fc_callback.metrics"):
            pay(local_cloudflow.new_task({"id": 1}).event, fc_context())
    finally:
        metrics.logger.removeHandler(own)

    [record] = found
    fields = vars(record)[LOG_FIELDS]
    assert (fields["record"], fields["outcome"], fields["attempt"]) == ("task", "***", 1)
    json.dumps(fields)


def test_a_formatter_of_ones_own_finds_the_record_of_a_task_on_its_log_record(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts, caplog: pytest.LogCaptureFixture
) -> None:
    metrics.log_records()

    with caplog.at_level(logging.INFO, "fc_callback.metrics"):
        pay(local_cloudflow.new_task({"id": 1}).event, fc_context())

    [record] = [one for one in caplog.records if one.name == "fc_callback.metrics"]
    fields = vars(record)["fc_fields"]
    assert (fields["record"], fields["outcome"], fields["attempt"]) == ("task", "succeeded", 1)


def test_what_a_filter_puts_on_its_record_is_written_with_it(
    local_cloudflow: TaskCloudFlow, fc_log: FramedLog, fc_context: Contexts
) -> None:
    Logger("orders")

    def tenant(record: logging.LogRecord) -> bool:
        record.tenant = "acme"
        return True

    fc_log.addFilter(tenant)

    pay(local_cloudflow.new_task({"id": 1}).event, fc_context())

    assert (fc_log.last["tenant"], fc_log.last["record"]) == ("acme", "task")


@pytest.mark.parametrize("step", ["db", 'd"b', "task token"])
def test_a_step_of_ones_own_is_written_under_a_name_of_its_own(
    step: str, local_cloudflow: TaskCloudFlow, fc_log: FramedLog, fc_context: Contexts
) -> None:
    log = Logger("orders", mask=["task token ms"])

    @task_callback
    def handler(order: dict[str, Any], context: object) -> None:
        log.bind(db_ms="bound")
        invocation = current_invocation()
        assert invocation is not None
        invocation.tasks[-1].seconds[step] = 0.001

    handler(local_cloudflow.new_task({"id": 1}).event, fc_context())

    pairs = json.loads(fc_log.lines[-1], object_pairs_hook=list)
    assert len({name for name, _ in pairs}) == len(pairs)
    line = dict(pairs)
    assert line["db_ms"] != "bound" if step == "db" else line["db_ms"] == "bound"
    assert line[f"{step}_ms"] == "***" if step == "task token" else line[f"{step}_ms"] >= 0


def test_the_attribute_of_a_record_is_a_field_as_any_other_in_somebody_else_s_hands(fc_log: FramedLog) -> None:
    log = Logger("orders")

    log.info("charged", extra={LOG_FIELDS: "not a record"})

    assert fc_log.last[LOG_FIELDS] == "not a record"


def test_it_can_be_left_out_of_the_log(local_cloudflow: TaskCloudFlow, fc_log: FramedLog, fc_context: Contexts) -> None:
    Logger("orders", task_record=False)

    pay(local_cloudflow.new_task({"id": 1}).event, fc_context())

    assert not [one for one in fc_log.records if one.get("record") == "task"]


def test_it_can_be_logged_without_the_logger(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts, caplog: pytest.LogCaptureFixture
) -> None:
    metrics.log_records()
    metrics.log_records()

    with caplog.at_level(logging.INFO, "fc_callback.metrics"):
        pay(local_cloudflow.new_task({"id": 1}).event, fc_context())

    assert caplog.messages.count("Task succeeded.") == 1


def test_log_records_can_be_turned_off_again(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts, caplog: pytest.LogCaptureFixture
) -> None:
    metrics.log_records(on=False)
    metrics.log_records()
    metrics.log_records(on=False)

    with caplog.at_level(logging.INFO, "fc_callback.metrics"):
        pay(local_cloudflow.new_task({"id": 1}).event, fc_context())

    assert "Task succeeded." not in caplog.messages


def test_equal_listeners_are_told_once_each_and_stop_one_by_one(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts
) -> None:
    told: list[TaskRecord] = []
    stops = [metrics.listen(told.append), metrics.listen(told.append)]
    pay(local_cloudflow.new_task({"id": 1}).event, fc_context())
    assert len(told) == 2

    stops[0]()
    stops[0]()
    pay(local_cloudflow.new_task({"id": 2}).event, fc_context())
    assert len(told) == 3


def test_a_listener_that_fails_costs_nothing_and_one_that_stops_hears_nothing(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts, records: list[TaskRecord]
) -> None:
    def broken(record: TaskRecord) -> None:
        raise RuntimeError

    metrics.listen(broken)
    stop = metrics.listen(records.append)
    stop()
    stop()
    task = local_cloudflow.new_task({"id": 1})

    pay(task.event, fc_context())

    task.assert_succeeded()
    assert len(records) == 1
