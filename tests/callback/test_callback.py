"""The decorator: an ordinary handler completes its task."""

from __future__ import annotations

import functools
import inspect
import json
import logging
import pickle
import threading
import time
from collections import Counter
from contextvars import copy_context
from copy import copy
from types import SimpleNamespace
from typing import Any

import pytest

from fc_callback import (
    CloudFlowClient,
    CredentialsNotFound,
    FcContext,
    NoRunningTask,
    OutputError,
    OutputTooLarge,
    ReportUndelivered,
    SettingsError,
    Task,
    TaskAlreadyCompleted,
    TaskFailed,
    TaskTokenNotFound,
    TokenAmbiguous,
    current_task,
    task_callback,
)
from fc_callback.local.faults import Fault
from fc_callback.middleware import invocation, layers
from fc_callback.parser import event_parser
from fc_callback.values.context import Deadline
from tests.cloudflow.quick import KEY, QUICK, TOKEN, client_of
from tests.cloudflow.scripted import Reply, ScriptedService, error
from tests.invoking import fc_context
from tests.waiting import Language, WaitingTasks


def unreported(tasks: WaitingTasks, before: Counter[tuple[str, str]]) -> bool:
    return not any(action.startswith("Report") for action, _ in tasks.service.calls - before)


@pytest.mark.parametrize("flow", ["legacy", "cloudflow"])
@pytest.mark.parametrize("decorate", [task_callback, task_callback(), task_callback(on_failure="report")])
def test_what_a_handler_returns_is_the_task_s_output(tasks: WaitingTasks, flow: Language, decorate: Any) -> None:
    @decorate  # type: ignore[untyped-decorator]  # any of three
    def handler(event: bytes, context: Any) -> Any:
        return {"paid": json.loads(event)["order"]["id"]}

    task = tasks.new(flow, {"id": "o-1"})
    returned = handler(task.event, fc_context(tasks))
    assert task.output == {"paid": "o-1"}
    assert returned == '{"paid":"o-1"}'


@pytest.mark.parametrize(
    ("result", "output"),
    [(None, {}), ("done", {"result": "done"}), ('{"a":1}', {"a": 1}), (b'{"a":1}', {"a": 1}), (3, {"result": 3})],
)
def test_fc_gets_the_same_bytes_as_the_flow(tasks: WaitingTasks, result: Any, output: Any) -> None:
    task = tasks.new()
    returned = task_callback(lambda event, context: result)(task.event, fc_context(tasks))
    assert json.loads(returned) == task.output == output


def test_event_and_context_arrive_exactly_as_fc_gave_them(tasks: WaitingTasks) -> None:
    got: list[Any] = []
    event, context = tasks.new().event, fc_context(tasks)
    task_callback(lambda event, context: got.extend([event, context]))(event, context)
    assert got[0] is event
    assert got[1] is context


def test_nothing_but_the_context_s_credentials_is_needed(tasks: WaitingTasks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALIBABA_CLOUD_ACCESS_KEY_ID")
    task = tasks.new()
    task_callback(lambda event, context: {})(task.event, fc_context(tasks))
    assert task.status == "Succeeded"


def test_a_reused_instance_signs_with_each_invocation_s_own_credentials(tasks: WaitingTasks) -> None:
    handler: Any = task_callback(lambda event, context: {})
    first, second = tasks.new(), tasks.new()
    handler(first.event, fc_context(tasks))
    wrong = fc_context(tasks)
    wrong.credentials.access_key_secret = "of another invocation"
    with pytest.raises(PermissionError):
        handler(second.event, wrong)
    handler(second.event, fc_context(tasks))
    assert second.status == "Succeeded"


def test_without_a_role_the_work_does_not_begin(tasks: WaitingTasks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALIBABA_CLOUD_ACCESS_KEY_ID")
    ran: list[int] = []
    with pytest.raises(CredentialsNotFound, match="role"):
        task_callback(lambda event, context: ran.append(1))(tasks.new().event, None)
    assert not ran


def test_the_function_s_region_is_the_flow_s(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedService() as service:
        monkeypatch.setenv("CLOUDFLOW_ENDPOINT", service.endpoint)
        seen: list[str | None] = []
        task_callback(lambda event, context: seen.append(FcContext.read(context).region))(
            {"taskToken": TOKEN}, FcContext(region="cn-beijing", credentials=KEY)
        )
    assert seen == ["cn-beijing"]


# The token


@pytest.mark.parametrize("key", ["taskToken", "TaskToken", "task_token"])
def test_the_token_s_usual_names_are_known(tasks: WaitingTasks, key: str) -> None:
    task = tasks.new()
    task_callback(lambda event, context: {"ok": 1})(json.dumps({key: task.token}), fc_context(tasks))
    assert task.output == {"ok": 1}


@pytest.mark.parametrize(
    "option",
    ["data.ticket", ("nowhere", "data.ticket"), lambda event: event["data"]["ticket"]],
    ids=["path", "several", "callable"],
)
def test_the_token_is_where_token_says(tasks: WaitingTasks, option: Any) -> None:
    task = tasks.new()
    event = json.dumps({"data": {"ticket": task.token}})
    task_callback(token=option)(lambda event, context: {"ok": 1})(event, fc_context(tasks))
    assert task.output == {"ok": 1}


MISSING = [
    b"{}",
    b'{"taskToken": ""}',
    b'{"taskToken": 7}',
    b'{"taskToken": null}',
    b"not json",
    b"[]",
    b"",
    b"\xff",
    b"3",
    None,
    5,
]


@pytest.mark.parametrize("event", MISSING)
def test_an_event_without_a_token_does_not_run_the_function(tasks: WaitingTasks, event: Any) -> None:
    ran: list[int] = []
    with pytest.raises(TaskTokenNotFound):
        task_callback(lambda event, context: ran.append(1))(event, fc_context(tasks))
    assert not ran


def test_the_error_says_where_it_looked_and_shows_no_values(tasks: WaitingTasks) -> None:
    event = json.dumps({"data": {"card": "4111-1111"}, "taskTokn": "the-misspelt-token"})
    with pytest.raises(TaskTokenNotFound) as caught:
        task_callback(token="data.ticket")(lambda event, context: None)(event, fc_context(tasks))
    assert "data.ticket" in str(caught.value)
    assert "4111" not in str(caught.value)
    assert "misspelt" not in str(caught.value)


@pytest.mark.parametrize("event", MISSING)
def test_with_ignore_a_plain_call_is_served_and_nothing_is_reported(tasks: WaitingTasks, event: Any) -> None:
    before = Counter(tasks.service.calls)
    got: list[Any] = []

    @task_callback(missing_token="ignore")
    def handler(event: Any, context: Any) -> Any:
        got.append(event)
        return {"plain": True}

    assert handler(event, fc_context(tasks)) == '{"plain":true}'
    assert got[0] is event
    assert unreported(tasks, before)


def test_with_ignore_a_task_is_reported_all_the_same(tasks: WaitingTasks) -> None:
    task = tasks.new()
    task_callback(missing_token="ignore")(lambda event, context: {"ok": 1})(task.event, fc_context(tasks))
    assert task.output == {"ok": 1}


def test_two_different_tokens_are_an_error_even_with_ignore(tasks: WaitingTasks) -> None:
    event = json.dumps([{"taskToken": "first-token-text"}, {"taskToken": "second-token-text"}])
    with pytest.raises(TokenAmbiguous) as caught:
        task_callback(missing_token="ignore")(lambda event, context: None)(event, fc_context(tasks))
    assert "first-token-text" not in str(caught.value)


# Exceptions


class Boom(Exception):
    pass


@pytest.mark.parametrize("problem", [Boom("x"), SystemExit(3), KeyboardInterrupt(), GeneratorExit(), OSError(5, "io")])
def test_an_exception_passes_through_as_it_is_and_nothing_is_reported(
    tasks: WaitingTasks, problem: BaseException
) -> None:
    @task_callback
    def handler(event: bytes, context: Any) -> None:
        raise problem

    task, before = tasks.new(), Counter(tasks.service.calls)
    with pytest.raises(type(problem)) as caught:
        handler(task.event, fc_context(tasks))
    assert caught.value is problem
    assert (problem.__cause__, problem.__context__) == (None, None)
    assert unreported(tasks, before)


def test_an_exception_keeps_the_traceback_of_the_function(tasks: WaitingTasks) -> None:
    @task_callback
    def handler(event: bytes, context: Any) -> None:
        raise Boom

    with pytest.raises(Boom) as caught:
        handler(tasks.new().event, fc_context(tasks))
    assert caught.traceback[-1].name == "handler"


@pytest.mark.parametrize("result", [object(), {"a": float("nan")}, b"\xff"])
def test_a_result_that_is_no_output_is_an_error_and_nothing_is_reported(tasks: WaitingTasks, result: Any) -> None:
    task, before = tasks.new(), Counter(tasks.service.calls)
    with pytest.raises(OutputError):
        task_callback(lambda event, context: result)(task.event, fc_context(tasks))
    assert unreported(tasks, before)


def test_a_report_that_is_not_delivered_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedService(error("InternalServerError", 500)) as service:
        handler: Any = task_callback(client=client_of(service.endpoint))(lambda event, context: {})
        with pytest.raises(ReportUndelivered) as caught:
            handler({"taskToken": TOKEN}, SimpleNamespace(function=SimpleNamespace(timeout=2)))
    assert caught.value.attempts > 1


def test_a_delivery_that_comes_twice_is_accepted(tasks: WaitingTasks, caplog: pytest.LogCaptureFixture) -> None:
    handler = task_callback(lambda event, context: {"ok": 1})
    task = tasks.new()
    handler(task.event, fc_context(tasks))
    assert handler(task.event, fc_context(tasks)) == '{"ok":1}'
    assert task.reports() == 1
    assert "had already ended" in caplog.text


def test_a_delivery_that_comes_twice_is_an_error_where_asked_for(tasks: WaitingTasks) -> None:
    handler = task_callback(already_completed="raise")(lambda event, context: {"ok": 1})
    task = tasks.new()
    handler(task.event, fc_context(tasks))
    with pytest.raises(TaskAlreadyCompleted):
        handler(task.event, fc_context(tasks))


def test_a_report_that_took_several_calls_is_logged(tasks: WaitingTasks, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    task = tasks.new()
    tasks.service.inject(Fault("error-before", times=2))
    task_callback(client=CloudFlowClient(retry=QUICK))(lambda event, context: {})(task.event, fc_context(tasks))
    assert "with 3 calls (0 throttled)" in caplog.text


# What can be decorated


def test_the_plain_function_can_be_tested_by_itself() -> None:
    def plain(event: bytes, context: Any) -> str:
        """Say hello."""
        return "x"

    handler: Any = task_callback(plain)
    assert handler.__wrapped__ is plain
    assert (handler.__name__, handler.__doc__) == ("plain", "Say hello.")
    assert inspect.isfunction(handler)


class Service:
    def __init__(self) -> None:
        self.seen: list[Any] = []

    @task_callback
    def method(self, event: bytes, context: Any) -> Any:
        self.seen.append(event)
        return {"by": "method"}

    @classmethod
    @task_callback
    def of_class(cls, event: bytes, context: Any) -> Any:
        return {"by": cls.__name__}

    @staticmethod
    @task_callback
    def static(event: bytes, context: Any) -> Any:
        return {"by": "static", "n": len(event)}

    @task_callback
    def typed(self, event: dict[str, Any], task: Task) -> Any:
        return {"by": "typed", "same": event == task.payload}

    def __call__(self, event: bytes, context: Any) -> Any:
        return {"by": "call"}


def with_more(extra: str, event: bytes, context: Any, *, kind: str = "") -> Any:
    return {"by": extra + kind}


service = Service()
CALLABLES = [
    (service.method, "method"),
    (Service.of_class, "Service"),
    (service.of_class, "Service"),
    (Service.static, "static"),
    (service.static, "static"),
    (service.typed, "typed"),
    (task_callback(service), "call"),
    (task_callback(functools.partial(with_more, "partial", kind="!")), "partial!"),
    (task_callback(lambda *args: {"by": f"star {len(args)}"}), "star 2"),
    (task_callback(lambda event, *rest: {"by": f"rest {len(rest)}"}), "rest 1"),
    (task_callback(lambda event, context, more=1: {"by": f"default {more}"}), "default 1"),
    (task_callback(lambda event: {"by": "event alone"}), "event alone"),
    (task_callback(lambda: {"by": "nothing"}), "nothing"),
    (task_callback(lambda event, context, **more: {"by": f"more {len(more)}"}), "more 0"),
]


@pytest.mark.parametrize(("handler", "by"), CALLABLES, ids=lambda one: one if isinstance(one, str) else "")
def test_all_kinds_of_callables_are_handlers(tasks: WaitingTasks, handler: Any, by: str) -> None:
    task = tasks.new()
    handler(task.event, fc_context(tasks))
    output = task.output
    assert output is not None
    assert output["by"] == by


@pytest.mark.parametrize("what", [3, "handler", None])
def test_what_is_no_function_is_refused(what: Any) -> None:
    with pytest.raises(TypeError, match="decorates functions"):
        task_callback(token="a")(what)


def test_a_classmethod_in_the_wrong_order_says_how() -> None:
    with pytest.raises(TypeError, match="put @classmethod"):
        task_callback(classmethod(lambda cls, event, context: None))  # type: ignore[call-overload]  # wrong on purpose


@pytest.mark.parametrize(
    "options",
    [
        {"missing_token": "pass"},
        {"on_failure": "retry"},
        {"already_completed": "maybe"},
        {"large_output": "store"},
        {"token": "a..b"},
        {"token": ()},
        {"error_names": {Boom: ""}},
        {"error_names": {Boom: "x" * 129}},
        {"batch": 0},
    ],
    ids=str,
)
def test_an_option_that_cannot_be_used_is_refused_when_decorating(options: Any) -> None:
    with pytest.raises(SettingsError):
        task_callback(**options)(lambda event, context: None)


# Large Outputs


def test_a_large_output_is_an_error_that_names_what_is_large(tasks: WaitingTasks) -> None:
    with pytest.raises(OutputTooLarge, match="rows: 70002 bytes"):
        task_callback(lambda event, context: {"rows": "x" * 70000})(tasks.new().event, fc_context(tasks))


def test_a_large_output_can_be_stored_and_referred_to(tasks: WaitingTasks) -> None:
    stored: dict[str, str] = {}

    def store(text: str, task: Task) -> dict[str, str]:
        stored[task.token.fingerprint] = text
        return {"stored": task.token.fingerprint}

    task = tasks.new()
    task_callback(large_output=store)(lambda event, context: {"rows": "x" * 70000})(task.event, fc_context(tasks))
    assert task.output == {"stored": next(iter(stored))}
    assert json.loads(next(iter(stored.values()))) == {"rows": "x" * 70000}


def test_a_reference_that_is_too_large_itself_is_an_error(tasks: WaitingTasks) -> None:
    handler = task_callback(large_output=lambda text, task: text)(lambda event, context: "x" * 70000)
    with pytest.raises(OutputTooLarge):
        handler(tasks.new().event, fc_context(tasks))


def test_the_limit_of_serverless_workflow_is_a_setting(tasks: WaitingTasks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFLOW_OUTPUT_LIMIT", "32768")
    with pytest.raises(OutputTooLarge) as caught:
        task_callback(lambda event, context: "x" * 40000)(tasks.new().event, fc_context(tasks))
    assert caught.value.limit == 32768


def test_the_limit_as_an_option_wins(tasks: WaitingTasks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFLOW_OUTPUT_LIMIT", "10")
    task = tasks.new()
    task_callback(output_limit_bytes=100)(lambda event, context: "x" * 50)(task.event, fc_context(tasks))
    assert task.status == "Succeeded"


# The running task


def test_a_deferred_task_is_left_waiting_for_somebody_else(tasks: WaitingTasks) -> None:
    kept: list[str] = []

    @task_callback
    def handler(event: bytes, context: Any, task: Task) -> Any:
        kept.append(task.token.reveal())
        return task.defer()

    task = tasks.new()
    assert json.loads(handler(task.event, fc_context(tasks))) == {"deferred": True}
    assert task.status == "Running"
    CloudFlowClient().report_task_succeeded(kept[0], {"approved": True})
    assert task.output == {"approved": True}


def test_the_running_task_is_known_below_the_function(tasks: WaitingTasks) -> None:
    seen: list[Task] = []
    task = tasks.new("cloudflow", {"id": 1})
    task_callback(lambda event, context: seen.append(current_task()))(task.event, fc_context(tasks, retry_count=2))
    assert seen[0].token.reveal() == task.token
    assert seen[0].payload["order"] == {"id": 1}
    assert (seen[0].path, seen[0].attempt, seen[0].context.request_id) == ("$.taskToken", 3, "r-1")
    assert 0 < seen[0].remaining_seconds <= 60


def test_a_task_without_a_known_timeout_has_all_the_time(tasks: WaitingTasks) -> None:
    seen: list[float] = []
    handler = task_callback(lambda event, context: seen.append(current_task().remaining_seconds))
    handler(tasks.new().event, fc_context(tasks, timeout=None))
    assert seen == [float("inf")]


def test_a_task_shows_neither_its_token_nor_its_payload(tasks: WaitingTasks) -> None:
    seen: list[str] = []
    task = tasks.new("cloudflow", {"card": "4111-1111"})
    task_callback(lambda event, context: seen.append(repr(current_task())))(task.event, fc_context(tasks))
    assert task.token not in seen[0]
    assert "4111" not in seen[0]


def test_a_thread_with_a_copy_of_the_context_sees_the_task(tasks: WaitingTasks) -> None:
    seen: list[Any] = []

    def look() -> None:
        try:
            seen.append(current_task().token.reveal())
        except NoRunningTask as problem:
            seen.append(type(problem))

    def handler(event: bytes, context: Any) -> None:
        for target, args in ((copy_context().run, (look,)), (look, ())):
            thread = threading.Thread(target=target, args=args)
            thread.start()
            thread.join()

    task = tasks.new()
    task_callback(handler)(task.event, fc_context(tasks))
    assert seen == [task.token, NoRunningTask]


def test_outside_of_a_task_there_is_none(tasks: WaitingTasks) -> None:
    task_callback(lambda event, context: None)(tasks.new().event, fc_context(tasks))
    with pytest.raises(NoRunningTask, match="copy_context"):
        current_task()


def test_threads_that_share_a_handler_mix_nothing_up(tasks: WaitingTasks) -> None:
    from concurrent.futures import ThreadPoolExecutor

    @task_callback
    def handler(event: dict[str, Any], context: FcContext, task: Task) -> Any:
        time.sleep(0.005)
        assert current_task() is task
        return {"n": event["order"], "request": context.request_id}

    waiting = [tasks.new("cloudflow", n) for n in range(16)]
    contexts = [fc_context(tasks, request_id=f"r-{n}") for n in range(16)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(handler, [task.event for task in waiting], contexts))
    assert [task.output for task in waiting] == [{"n": n, "request": f"r-{n}"} for n in range(16)]


def test_the_client_that_is_given_reports() -> None:
    with ScriptedService(Reply()) as service:
        task_callback(client=client_of(service.endpoint))(lambda event, context: {"a": 1})({"taskToken": TOKEN}, None)
        assert service.requests[0].parameters["Output"] == '{"a":1}'


def test_a_failure_raised_on_purpose_fails_the_task_by_name(tasks: WaitingTasks) -> None:
    @task_callback
    def handler(event: bytes, context: Any) -> None:
        raise TaskFailed("EmptyOrder", cause="no lines")

    task = tasks.new()
    assert json.loads(handler(task.event, fc_context(tasks))) == {"error": "EmptyOrder", "cause": "no lines"}
    assert task.failure == ("EmptyOrder", "no lines")


def test_a_pickled_task_holds_neither_its_token_nor_its_payload(tasks: WaitingTasks) -> None:
    task = tasks.new(order={"note": "for nobody else"})

    @task_callback
    def handler(event: bytes, context: Any, task: Task) -> dict[str, Any]:
        pickled = pickle.dumps(task)
        return {"shown": pickled.decode("latin-1"), "path": pickle.loads(pickled).path, "copied": copy(task) is task}

    returned = json.loads(handler(task.event, fc_context(tasks)))
    assert task.token not in returned["shown"]
    assert "for nobody else" not in returned["shown"]
    assert (returned["path"], returned["copied"]) == ("$.taskToken", True)


def test_a_limit_that_is_no_number_is_told_before_the_work(
    tasks: WaitingTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDFLOW_OUTPUT_LIMIT", "64 KiB")
    ran: list[int] = []

    @task_callback(on_failure="report")
    def handler(event: bytes, context: Any) -> None:
        ran.append(1)

    task = tasks.new()
    with pytest.raises(SettingsError, match="CLOUDFLOW_OUTPUT_LIMIT"):
        handler(task.event, fc_context(tasks))
    assert (ran, task.status) == ([], "Running")


def test_already_completed_counts_with_a_client_of_one_s_own_as_well(tasks: WaitingTasks) -> None:
    @task_callback(already_completed="raise", client=CloudFlowClient())
    def handler(event: bytes, context: Any) -> None:
        pass

    task = tasks.new()
    handler(task.event, fc_context(tasks))
    with pytest.raises(TaskAlreadyCompleted):
        handler(task.event, fc_context(tasks))


@pytest.mark.parametrize("inside", ["event_parser", "task_callback", "layers"])
def test_a_context_with_other_credentials_and_another_deadline_is_the_one_that_counts(
    tasks: WaitingTasks, inside: str
) -> None:
    """A handler of ours that calls another one may change the context on the way, as for a role of another account."""
    seen: list[FcContext] = []

    @task_callback
    def inner(event: bytes, context: FcContext) -> None:
        seen.append(context)
        seen.append(current_task().context)

    def outer(event: bytes, context: Any) -> Any:
        other = tasks.service.session()
        changed = FcContext.read(context).evolve(credentials=other, deadline=Deadline.after(7))
        inner(event, changed)
        assert seen == [changed, changed]
        return {}

    around: dict[str, Any] = {
        "event_parser": event_parser,
        "task_callback": task_callback,
        "layers": layers(invocation),
    }
    task = tasks.new("cloudflow", {"id": "o-1"})
    around[inside](outer)(task.event, fc_context(tasks))
    assert task.output == {}
    assert seen


def test_an_event_parser_gets_the_context_that_it_is_called_with() -> None:
    @event_parser
    def inner(event: bytes, context: FcContext) -> Any:
        return context.function_name

    @event_parser
    def outer(event: bytes, context: FcContext) -> Any:
        return inner(event, context.evolve(function_name="other"))

    assert outer(b"{}", SimpleNamespace(function=SimpleNamespace(name="first"))) == "other"
