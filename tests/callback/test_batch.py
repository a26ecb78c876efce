"""An event that carries many tasks: each runs, reports and fails on its own."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import textwrap
import threading
import time
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from fc_callback import (
    BatchFailed,
    FcContext,
    SettingsError,
    Task,
    TaskFailed,
    TaskTokenNotFound,
    TokenAmbiguous,
    current_task,
    once,
    task_callback,
)
from fc_callback.callback.batch import TimeBudget, run_all
from fc_callback.events import EventBridgeEvents, MnsQueueEvents
from fc_callback.idempotency.memory import MemoryStore
from fc_callback.idempotency.sqlite import SqliteStore
from fc_callback.local import Fault
from fc_callback.runtime import FunctionInstance, FunctionSpec
from fc_callback.values.context import Deadline
from fc_callback.values.invocation import current_invocation
from tests.events.samples import event_with

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from fc_callback.idempotency import Store
    from tests.waiting import WaitingTask, WaitingTasks

GUARD_SECONDS = 20


class Job(BaseModel):
    n: int


def waiting_tasks(tasks: WaitingTasks, count: int) -> list[WaitingTask]:
    return [tasks.new("legacy" if number % 2 else "cloudflow") for number in range(count)]


def event_of(waiting: Sequence[WaitingTask], wrap: Callable[[dict[str, Any]], Any] | None = None) -> bytes:
    """An EventBridge array with a job for each task, `n` its position."""
    wrap = wrap or as_object
    return json.dumps([wrap({"taskToken": one.token, "n": number}) for number, one in enumerate(waiting)]).encode()


def as_object(data: dict[str, Any]) -> Any:
    return {"id": str(data["n"]), "source": "shop", "type": "job", "specversion": "1.0", "data": data}


def as_string(data: dict[str, Any]) -> Any:
    return json.dumps(as_object(data))


def as_data_string(data: dict[str, Any]) -> Any:
    return {**as_object(data), "data": json.dumps(data)}


def as_queue_message(data: dict[str, Any]) -> Any:
    body = b64encode(json.dumps(data).encode()).decode()
    return as_object({"n": data["n"], "requestId": "r", "messageId": str(data["n"]), "messageBody": body})


def double(payload: Job, context: Any) -> dict[str, int]:
    return {"twice": payload.n * 2}


# What carries many tasks


@pytest.mark.parametrize("wrap", [as_object, as_string, as_data_string, as_queue_message])
def test_every_task_of_an_array_gets_its_own_output(wrap: Any, tasks: WaitingTasks) -> None:
    waiting = waiting_tasks(tasks, 5)
    text = task_callback(batch=3)(double)(event_of(waiting, wrap), None)
    expected = [{"twice": 2 * number} for number in range(5)]
    assert [one.output for one in waiting] == expected
    assert json.loads(text) == {"results": expected}


@pytest.mark.parametrize("sample", ["eventbridge-array-token", "mns-queue-base64-token"])
def test_a_hundred_messages_of_a_trigger_are_a_hundred_reports(sample: str, tasks: WaitingTasks) -> None:
    waiting = waiting_tasks(tasks, 100)
    messages = [json.loads(event_with(sample, one.token))[0] for one in waiting]

    @task_callback(batch=10)
    def handler(payload: dict[str, Any], task: Task) -> dict[str, Any]:
        return {"path": task.path, "keys": sorted(payload)}

    handler(json.dumps(messages).encode(), None)
    assert [one.output["path"].partition("]")[0] for one in waiting if one.output] == [f"$[{n}" for n in range(100)]
    assert [one.reports() for one in waiting] == [1] * 100


def test_without_an_annotation_each_call_gets_its_element_as_json(tasks: WaitingTasks) -> None:
    waiting = waiting_tasks(tasks, 2)
    seen: list[bytes] = []

    @task_callback(batch=1)
    def handler(event, context):  # type: ignore[no-untyped-def]  # as people write it
        seen.append(event)

    event = event_of(waiting)
    handler(event, None)
    assert [json.loads(one) for one in seen] == json.loads(event)


def test_an_element_that_is_a_text_comes_as_that_text(tasks: WaitingTasks) -> None:
    waiting = waiting_tasks(tasks, 1)
    seen: list[bytes] = []
    task_callback(batch=1)(lambda event, _: seen.append(event))(event_of(waiting, as_string), None)
    assert seen == [as_string({"taskToken": waiting[0].token, "n": 0}).encode()]


@pytest.mark.parametrize(
    ("kind", "wrap"),
    [(EventBridgeEvents[Job], as_object), (EventBridgeEvents[Job], as_string), (MnsQueueEvents, as_queue_message)],
)
def test_a_class_of_events_is_the_event_with_one_message_in_it(kind: Any, wrap: Any, tasks: WaitingTasks) -> None:
    waiting = waiting_tasks(tasks, 3)

    def handler(events, context):  # type: ignore[no-untyped-def]  # annotated below
        [event] = events
        return {"n": event.json()["n"] if wrap is as_queue_message else event.data.n}

    handler.__annotations__["events"] = kind
    task_callback(batch=2)(handler)(event_of(waiting, wrap), None)
    assert [one.output for one in waiting] == [{"n": 0}, {"n": 1}, {"n": 2}]


def test_a_single_event_is_served_as_it_came_and_answers_as_ever(tasks: WaitingTasks) -> None:
    one = tasks.new()
    seen: list[bytes] = []

    @task_callback(batch=4)
    def handler(event: bytes, task: Task) -> dict[str, str]:
        seen.append(event)
        return {"path": task.path}

    event = b'{ "taskToken": "%s", "spaces":  "kept" }' % one.token.encode()
    assert json.loads(handler(event, None)) == {"path": "$.taskToken"}
    assert seen == [event]


def test_an_empty_array_is_no_work_and_no_failure(tasks: WaitingTasks) -> None:
    assert task_callback(batch=4)(double)(b"[]", None) == '{"results":[]}'


def test_without_batch_an_array_of_many_tasks_is_refused_and_batch_is_named(tasks: WaitingTasks) -> None:
    waiting = waiting_tasks(tasks, 2)
    with pytest.raises(TokenAmbiguous, match=r"task_callback\(batch=10\)"):
        task_callback(double)(event_of(waiting), None)


def test_a_path_or_a_callable_starts_at_the_element(tasks: WaitingTasks) -> None:
    for token in ("data.ticket", lambda element: element["data"]["ticket"]):
        waiting = waiting_tasks(tasks, 2)
        event = event_of(waiting, lambda data: as_object({"n": data["n"], "ticket": data["taskToken"]}))
        task_callback(token=token, batch=2)(lambda _event, _context: {"ok": True})(event, None)
        assert [one.output for one in waiting] == [{"ok": True}] * 2


@pytest.mark.parametrize("limit", [0, -1, 101, 2.5, True, "10"])
def test_a_limit_that_is_no_number_of_tasks_is_refused(limit: Any) -> None:
    with pytest.raises(SettingsError, match="1 to 100"):
        task_callback(batch=limit)(double)


# What runs


def test_async_functions_run_each_in_a_loop_of_its_own(tasks: WaitingTasks) -> None:
    waiting = waiting_tasks(tasks, 4)

    @task_callback(batch=2)
    async def handler(payload: Job, context: Any) -> dict[str, Any]:
        await asyncio.sleep(0)
        inner = await asyncio.create_task(token_seen_below())
        return {"n": payload.n, "right": inner == waiting[payload.n].token}

    async def token_seen_below() -> str:
        return current_task().token.reveal()

    handler(event_of(waiting), None)
    assert [one.output for one in waiting] == [{"n": n, "right": True} for n in range(4)]


def test_methods_keep_their_instance(tasks: WaitingTasks) -> None:
    class Shop:
        def __init__(self, factor: int) -> None:
            self.factor = factor

        @task_callback(batch=2)
        def handler(self, payload: Job, context: Any) -> dict[str, int]:
            return {"n": payload.n * self.factor}

    waiting = waiting_tasks(tasks, 2)
    Shop(5).handler(event_of(waiting), None)
    assert [one.output for one in waiting] == [{"n": 0}, {"n": 5}]


def test_the_running_task_is_the_right_one_in_each_thread(tasks: WaitingTasks) -> None:
    waiting = waiting_tasks(tasks, 12)
    together = threading.Barrier(4)

    @task_callback(batch=4)
    def handler(payload: Job, task: Task) -> dict[str, bool]:
        together.wait(GUARD_SECONDS)  # four of them are between binding their task and asking for it
        return {"right": current_task() is task and task.token.reveal() == waiting[payload.n].token}

    handler(event_of(waiting), None)
    assert [one.output for one in waiting] == [{"right": True}] * 12


def test_as_many_run_at_once_as_were_allowed_and_no_more(tasks: WaitingTasks) -> None:
    waiting = waiting_tasks(tasks, 9)
    lock, running, seen = threading.Lock(), [0], list[int]()
    together = threading.Barrier(3)

    @task_callback(batch=3)
    def handler(event: bytes, context: Any) -> None:
        with lock:
            running[0] += 1
            seen.append(running[0])
        together.wait(GUARD_SECONDS)
        with lock:
            running[0] -= 1

    handler(event_of(waiting), None)
    assert max(seen) == 3
    assert all(one.status == "Succeeded" for one in waiting)


def test_one_at_a_time_keeps_the_order(tasks: WaitingTasks) -> None:
    waiting = waiting_tasks(tasks, 5)
    seen: list[int] = []

    @task_callback(batch=1)
    def handler(payload: Job, context: Any) -> None:
        seen.append(payload.n)

    handler(event_of(waiting), None)
    assert seen == [0, 1, 2, 3, 4]


def test_a_deferred_task_of_a_batch_goes_on_waiting(tasks: WaitingTasks) -> None:
    waiting = waiting_tasks(tasks, 2)

    @task_callback(batch=2)
    def handler(payload: Job, task: Task) -> Any:
        return task.defer() if payload.n == 0 else {"n": payload.n}

    assert json.loads(handler(event_of(waiting), None)) == {"results": [{"deferred": True}, {"n": 1}]}
    assert [one.status for one in waiting] == ["Running", "Succeeded"]


# What fails


def test_one_failure_harms_no_other_and_all_failures_are_raised_together(
    tasks: WaitingTasks, caplog: pytest.LogCaptureFixture
) -> None:
    waiting = waiting_tasks(tasks, 6)

    @task_callback(batch=2)
    def handler(payload: Job, context: Any) -> dict[str, int]:
        if payload.n in {1, 4}:
            raise ConnectionError(f"no answer for {payload.n}")
        return {"n": payload.n}

    with pytest.raises(BatchFailed, match=r"2 of 6 tasks of this event failed: \[1\]: ConnectionError") as caught:
        handler(event_of(waiting), None)

    assert [(index, str(error)) for index, error in caught.value.failures] == [
        (1, "no answer for 1"),
        (4, "no answer for 4"),
    ]
    assert [one.status for one in waiting] == ["Succeeded", "Running", "Succeeded", "Succeeded", "Running", "Succeeded"]
    # FC shows the one exception that is raised, so each of the others is in the log, with its traceback.
    logged = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert sorted(str(record.exc_info[1]) for record in logged if record.exc_info) == [
        "no answer for 1",
        "no answer for 4",
    ]
    assert not any(one.token in caplog.text + str(caught.value) for one in waiting)


def test_the_log_of_a_failure_belongs_to_the_invocation(tasks: WaitingTasks) -> None:
    belongs: list[str] = []

    class Look(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            invocation = current_invocation()
            belongs.append(invocation.context.request_id if invocation else "nobody's")

    @task_callback(batch=2)
    def handler(event: bytes, context: Any) -> None:
        raise ConnectionError

    look = Look(logging.ERROR)
    logging.getLogger("fc_callback").addHandler(look)
    try:
        with pytest.raises(BatchFailed):
            handler(
                event_of(waiting_tasks(tasks, 2)),
                FcContext(request_id="r-7", credentials=FcContext.read(None).credentials),
            )
    finally:
        logging.getLogger("fc_callback").removeHandler(look)
    assert belongs == ["r-7", "r-7"]


def test_an_element_without_a_token_is_one_failure(tasks: WaitingTasks) -> None:
    waiting = waiting_tasks(tasks, 2)
    event = json.dumps([*json.loads(event_of(waiting)), as_object({"n": 2}), "no event at all", None])
    with pytest.raises(BatchFailed, match="3 of 5") as caught:
        task_callback(batch=2)(double)(event.encode(), None)
    assert [(index, type(error)) for index, error in caught.value.failures] == [
        (number, TaskTokenNotFound) for number in (2, 3, 4)
    ]
    assert [one.output for one in waiting] == [{"twice": 0}, {"twice": 2}]


def test_an_element_without_a_token_may_be_served_as_a_plain_call(tasks: WaitingTasks) -> None:
    waiting = waiting_tasks(tasks, 1)
    event = json.dumps([*json.loads(event_of(waiting)), {"n": 7}])
    text = task_callback(batch=2, missing_token="ignore")(double)(event.encode(), None)
    assert json.loads(text) == {"results": [{"twice": 0}, {"twice": 14}]}
    assert waiting[0].output == {"twice": 0}


def test_failures_are_reported_each_to_its_own_task_where_asked_for(tasks: WaitingTasks) -> None:
    waiting = waiting_tasks(tasks, 4)

    @task_callback(batch=4, on_failure="report", transient=(ConnectionError,))
    def handler(payload: Job, context: Any) -> dict[str, int]:
        if payload.n == 1:
            raise ValueError("odd")
        if payload.n == 2:
            raise TaskFailed("Refused", cause="by name")
        if payload.n == 3:
            raise ConnectionError("later")
        return {"n": payload.n}

    with pytest.raises(BatchFailed, match=r"1 of 4 .*\[3\]: ConnectionError"):
        handler(event_of(waiting), None)
    assert waiting[0].output == {"n": 0}
    assert [one.failure for one in waiting[1:3]] == [("ValueError", "ValueError: odd"), ("Refused", "by name")]
    assert waiting[3].status == "Running"


def test_a_function_that_exits_harms_no_other_and_its_exit_passes_through(tasks: WaitingTasks) -> None:
    waiting = waiting_tasks(tasks, 4)

    @task_callback(batch=2)
    def handler(payload: Job, context: Any) -> dict[str, int]:
        if payload.n == 0:
            raise SystemExit(3)
        return {"n": payload.n}

    with pytest.raises(SystemExit, match="3"):
        handler(event_of(waiting), None)
    assert [one.status for one in waiting] == ["Running", "Succeeded", "Succeeded", "Succeeded"]


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_with_once_a_redelivery_does_only_what_is_missing(kind: str, tasks: WaitingTasks, tmp_path: Path) -> None:
    store: Store = MemoryStore() if kind == "memory" else SqliteStore(tmp_path / "once.db")
    waiting = waiting_tasks(tasks, 5)
    ran: list[int] = []
    refused = tasks.service.calls["ReportTaskSucceeded", "TaskAlreadyCompleted"]

    @task_callback(batch=2, once=once("n", store=store))
    def handler(payload: Job, task: Task) -> dict[str, int]:
        ran.append(payload.n)
        if payload.n in {0, 3} and task.attempt == 1:
            raise ConnectionError
        return {"n": payload.n}

    event = event_of(waiting)
    with pytest.raises(BatchFailed, match="2 of 5"):
        handler(event, FcContext.read(None))
    assert sorted(ran) == [0, 1, 2, 3, 4]
    calls = tasks.service.calls["ReportTaskSucceeded", "ok"]
    text = handler(event, FcContext(retry_count=1, credentials=FcContext.read(None).credentials))
    assert sorted(ran[5:]) == [0, 3]
    assert tasks.service.calls["ReportTaskSucceeded", "ok"] - calls == 2
    assert tasks.service.calls["ReportTaskSucceeded", "TaskAlreadyCompleted"] == refused
    assert json.loads(text) == {"results": [{"n": n} for n in range(5)]}
    assert [one.output for one in waiting] == [{"n": n} for n in range(5)]


def test_with_once_a_redelivery_after_a_lost_connection_only_reports(tasks: WaitingTasks) -> None:
    waiting = waiting_tasks(tasks, 3)
    ran: list[int] = []

    @task_callback(batch=3, once=once("n", store=MemoryStore()))
    def handler(payload: Job, context: Any) -> dict[str, int]:
        ran.append(payload.n)
        return {"n": payload.n}

    key = FcContext.read(None).credentials
    tasks.service.inject(Fault("error-before", times=None))
    try:
        with pytest.raises(BatchFailed, match="ReportUndelivered"):
            handler(event_of(waiting), FcContext(credentials=key, deadline=Deadline.after(1.2)))
    finally:
        tasks.service.clear_faults()
    handler(event_of(waiting), FcContext(credentials=key, retry_count=1, deadline=Deadline.after(60)))
    assert sorted(ran) == [0, 1, 2]
    assert [one.output for one in waiting] == [{"n": n} for n in range(3)]


def test_two_messages_for_one_piece_of_work_run_it_once_and_report_twice(tasks: WaitingTasks) -> None:
    waiting = waiting_tasks(tasks, 2)
    ran: list[str] = []

    @task_callback(batch=2, once=once("order", store=MemoryStore()))
    def handler(payload: dict[str, Any], context: Any) -> dict[str, int]:
        ran.append(payload["order"])
        return {"runs": len(ran)}

    handler(json.dumps([{"taskToken": one.token, "order": "o-1"} for one in waiting]).encode(), None)
    assert [one.output for one in waiting] == [{"runs": 1}] * 2


# Time


def seconds_of(deadline: Deadline | None) -> float:
    assert deadline is not None
    return deadline.remaining_seconds()


def test_each_task_has_its_share_of_the_time_and_what_others_left_unused() -> None:
    shares = TimeBudget(tasks=6, limit=2, deadline=Deadline.after(6000))
    got = [seconds_of(shares.next()) for _ in range(6)]
    # Three rounds of two: nobody has used any time, so the later ones may take what is left.
    assert [round(seconds, -2) for seconds in got] == [2000, 2000, 3000, 3000, 6000, 6000]


def test_without_a_known_timeout_there_is_no_share() -> None:
    assert TimeBudget(tasks=6, limit=2, deadline=None).next() is None


def test_a_task_sees_its_share_and_the_context_the_whole(tasks: WaitingTasks) -> None:
    waiting = waiting_tasks(tasks, 4)
    whole = Deadline.after(4000)
    seen: list[float] = []

    @task_callback(batch=1)
    def handler(event: bytes, context: FcContext, task: Task) -> None:
        assert context.deadline == whole
        seen.append(round(task.remaining_seconds, -2))

    handler(event_of(waiting), FcContext(credentials=FcContext.read(None).credentials, deadline=whole))
    assert seen == [1000, 1300, 2000, 4000]


def test_a_task_that_takes_longer_than_its_share_is_reported_all_the_same(tasks: WaitingTasks) -> None:
    waiting = waiting_tasks(tasks, 2)

    @task_callback(batch=1)
    def handler(payload: Job, task: Task) -> dict[str, int]:
        while payload.n == 0 and task.remaining_seconds:
            time.sleep(0.01)
        return {"n": payload.n}

    key = FcContext.read(None).credentials
    handler(event_of(waiting), FcContext(credentials=key, deadline=Deadline.after(4)))
    assert [one.output for one in waiting] == [{"n": 0}, {"n": 1}]


def test_a_task_that_outruns_its_share_is_reported_as_late_where_asked_for(tasks: WaitingTasks) -> None:
    waiting = waiting_tasks(tasks, 3)

    @task_callback(batch=1, on_failure="report", deadline_margin_seconds=0.2)
    def handler(payload: Job, context: Any) -> dict[str, int]:
        guard = time.monotonic() + GUARD_SECONDS
        while payload.n == 0 and waiting[0].status == "Running" and time.monotonic() < guard:
            time.sleep(0.01)
        return {"n": payload.n}

    key = FcContext.read(None).credentials
    handler(event_of(waiting), FcContext(credentials=key, deadline=Deadline.after(3)))
    assert waiting[0].failure[0] == "DeadlineExceeded"
    assert [one.output for one in waiting[1:]] == [{"n": 1}, {"n": 2}]


def test_nothing_new_begins_once_the_invocation_is_being_ended() -> None:
    begun: list[int] = []
    started = threading.Event()
    ended = threading.Event()

    def job(number: int) -> str:
        begun.append(number)
        started.set()
        ended.wait(GUARD_SECONDS)
        return "{}"

    def interrupted(*_: object) -> None:
        raise SystemExit(143)  # as FC's handler of SIGTERM does

    main = threading.main_thread()

    def interrupt_when_started() -> None:
        started.wait(GUARD_SECONDS)
        assert main.ident is not None
        signal.pthread_kill(main.ident, signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, interrupted)
    killer = threading.Thread(target=interrupt_when_started)
    killer.start()
    try:
        with pytest.raises(SystemExit, match="143"):
            run_all([lambda number=number: job(number) for number in range(5)], limit=1)  # type: ignore[misc]
    finally:
        signal.signal(signal.SIGTERM, before)
        ended.set()
        killer.join()
    for thread in threading.enumerate():
        if thread.name.startswith("fc_callback-batch"):
            thread.join(GUARD_SECONDS)
    assert begun == [0]


# In a process as FC's


CODE = """
    import time
    from datetime import datetime, timezone

    from fc_callback import task_callback

    @task_callback(batch=8, on_failure="report", deadline_margin_seconds=1)
    async def handler(payload: dict, context):
        while payload["n"] == HUNG:
            time.sleep(0.05)
        return {"n": payload["n"], "at": datetime(2025, 1, 2, tzinfo=timezone.utc)}
"""


def instance(tmp_path: Path, tasks: WaitingTasks, hung: int) -> FunctionInstance:
    (tmp_path / "index.py").write_text(textwrap.dedent(CODE).replace("HUNG", str(hung)), "utf-8")
    environment = {"CLOUDFLOW_ENDPOINT": tasks.service.endpoint}
    return FunctionInstance(FunctionSpec(name="jobs", code_dir=tmp_path, timeout_seconds=4, environment=environment))


def test_the_first_event_of_a_cold_instance_may_be_a_batch(tmp_path: Path, tasks: WaitingTasks) -> None:
    waiting = waiting_tasks(tasks, 16)
    with instance(tmp_path, tasks, hung=-1) as cold:
        result = cold.invoke(event_of(waiting), credentials=tasks.service.session())
    assert result.ok, result.log
    assert [one.output for one in waiting] == [{"n": n, "at": "2025-01-02T00:00:00Z"} for n in range(16)]


def test_a_task_that_hangs_ends_with_the_invocation_and_the_others_are_reported(
    tmp_path: Path, tasks: WaitingTasks
) -> None:
    waiting = waiting_tasks(tasks, 4)
    with instance(tmp_path, tasks, hung=2) as doomed:
        result = doomed.invoke(event_of(waiting), credentials=tasks.service.session())
    assert result.error_type == "FunctionTimeout"
    assert result.exit_code == 143, result.log  # it left when told to: no thread held it up until SIGKILL
    assert waiting[2].failure[0] == "DeadlineExceeded"
    assert [waiting[n].status for n in (0, 1, 3)] == ["Succeeded"] * 3


def test_where_not_enough_threads_are_to_be_had_those_that_run_do_all_of_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def start_two(thread: threading.Thread) -> None:
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_two)
    jobs = [lambda number=number: f"{number}" for number in range(5)]
    assert run_all(jobs, limit=4) == ["0", "1", "2", "3", "4"]
    with pytest.raises(RuntimeError):  # nothing has begun
        run_all(jobs, limit=4)


def test_a_log_filter_that_raises_keeps_no_element_of_a_batch_from_its_run(tasks: WaitingTasks) -> None:
    def broken(record: logging.LogRecord) -> bool:
        return bool(getattr(record, "tenant"))  # noqa: B009 - which the record does not have

    @task_callback(batch=1)
    def handler(event: Job, context: FcContext) -> dict[str, int]:
        if event.n == 0:
            raise ValueError("x")
        return {"n": event.n}

    waiting = waiting_tasks(tasks, 3)
    logger = logging.getLogger("fc_callback")
    logger.addFilter(broken)
    try:
        with pytest.raises(BatchFailed, match="1 of 3"):
            handler(event_of(waiting), None)
    finally:
        logger.removeFilter(broken)
    assert [one.output for one in waiting[1:]] == [{"n": 1}, {"n": 2}]
